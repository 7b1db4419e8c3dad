"""Second way of training: whole sequences against all others (lattice-free MMI)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import frames
import learning
from channel import Batch, Line
from corpus import Pool, Sentence
from model import Tdnn
from torch import Tensor
from ways import Mutual, bigram

FRAME_WEIGHT: Final = 0.2
"""Weight of the head that goes on learning single frames; it keeps the net from overfitting."""

SIZE_WEIGHT: Final = 1e-4
"""Weight of the scores' squares."""


def train(
    state: learning.State,
    sentences: Sequence[Sentence],
    how: learning.How,
    keep: Path,
) -> None:
    """Train ``state``, whose net knows frames already; what comes of it lies in ``keep`` too."""
    pool = Pool(sentences, learning.DEVICE)
    line = Line(how.seed, pool, learning.weather(keep.parent), state.prior)
    mutual = Mutual(*bigram(sentences), pool.sound.device)
    if not state.sequence:
        learning.as_sequences(state)

    def loss(net: Tdnn, x: Tensor, batch: Batch) -> dict[str, Tensor]:
        deep = net.deep(x)
        scores, single = net.out(deep).float(), net.frames(deep).float()
        targets = frames.targets(pool, batch, scores.shape[1])
        scores = scores * (targets >= 0)[..., None]
        return {
            "mutual": mutual(
                scores,
                batch.frames,
                pool.pdfs[batch.chosen],
                batch.first,
                pool.many[batch.chosen],
            ),
            "single": FRAME_WEIGHT * frames.loss(single, targets),
            "size": SIZE_WEIGHT * (scores**2).sum() / batch.frames.sum() / scores.shape[-1],
        }

    learning.train(state, line, pool, how, loss, keep)
