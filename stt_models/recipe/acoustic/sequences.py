"""Second way of training: whole sequences against all others (lattice-free MMI).

The right ways through a sentence must outweigh every way through a bigram of sounds. Both sums
are taken by the same recursion (`ways.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import learning
import numpy as np
import torch
import ways
from channel import Batch, Line
from corpus import PDFS, Sentence
from model import Tdnn
from phones import BASES
from torch import Tensor
from torch.nn import functional

TOLERANCE: Final = 1
"""Output frames that a sound may begin earlier or later than its label."""

FRAME_WEIGHT: Final = 0.2
"""Weight of the head that goes on learning single frames; it keeps the net from overfitting."""

SIZE_WEIGHT: Final = 1e-4
"""Weight of the scores' squares."""

SHORT_FLOATS: Final = torch.cpu._is_amx_tile_supported()
"""Half precision where the processor multiplies it several times as fast."""


class Ways:
    """All sequences of sounds, likelier if the training sentences have more of them."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        sounds = len(BASES)
        follows = np.full((sounds, sounds), 0.2)
        for sentence in sentences:
            sounds_of, _ = sentence.segments
            order = sounds_of[np.append(True, sounds_of[1:] != sounds_of[:-1])]
            np.add.at(follows, (order[:-1], order[1:]), 1)
        self._follows = (follows / follows.sum(1, keepdims=True)).astype(np.float32)
        self._first = (follows.sum(0) / follows.sum()).astype(np.float32)

    def mutual(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Return by how much all ways outweigh the right ones, in logs, a frame in the mean."""
        given = scores.detach().numpy()
        lengths = (targets >= 0).sum(1).numpy()
        lost, parts = 0.0, []
        for may in (np.zeros((0, 0, 0), bool), allowed(targets).numpy()):
            parts.append(np.zeros_like(given))
            found = ways.weights(given, lengths, may, self._first, self._follows, parts[-1])
            lost += found.sum() if len(parts) == 1 else -found.sum()
        slope = torch.from_numpy(parts[0] - parts[1]) / int(lengths.sum())
        moved = (scores * slope).sum()
        return moved - moved.detach() + lost / int(lengths.sum())


def allowed(targets: Tensor) -> Tensor:
    """Return which pdfs each frame may have: labels within the tolerance, and their partners."""
    many, frames = targets.shape
    may = torch.zeros(many, frames, PDFS, dtype=torch.bool)
    known = targets.clone()
    for row in known:
        row[row < 0] = row[row >= 0][-1]
    for shift in range(-TOLERANCE, TOLERANCE + 1):
        places = (torch.arange(frames) + shift).clamp(0, frames - 1)
        label = known[:, places]
        may.scatter_(2, label[..., None], True)
        may.scatter_(2, (label ^ 1)[..., None], True)
    return may | (targets < 0)[..., None]


def train(
    state: learning.State,
    sentences: Sequence[Sentence],
    passes: float,
    seed: int,
    keep: Path,
    top_rate: float,
) -> None:
    """Train ``state``, whose net knows frames already, for that many passes."""
    line = Line(seed, [s for s in sentences if s.voice != "notspeech"], state.prior)
    ways_of = Ways(sentences)
    if not state.sequence:
        learning.as_sequences(state)

    def loss(net: Tdnn, x: Tensor, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        with torch.autocast("cpu", torch.bfloat16, enabled=SHORT_FLOATS):
            deep = net.deep(x)
            scores, single_scores = net.out(deep), net.frames(deep)
        scores = scores.float() * (batch.targets >= 0)[..., None]
        mutual = ways_of.mutual(scores, batch.targets)
        counted = (batch.targets >= 0).sum()
        single = functional.cross_entropy(
            single_scores.float().flatten(0, 1), batch.targets.flatten(), ignore_index=-100
        )
        size = (scores**2).sum() / counted / PDFS
        told = {
            "mutual": float(mutual.detach()),
            "single": float(single.detach()),
            "size": float(size.detach()),
        }
        return mutual + FRAME_WEIGHT * single + SIZE_WEIGHT * size, told

    learning.train(
        state, line, sentences, learning.batches(sentences, passes, seed), top_rate, loss, keep
    )
