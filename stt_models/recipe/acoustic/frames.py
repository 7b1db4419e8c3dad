"""First way of training: every frame on its own (cross-entropy)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import learning
import torch
from channel import Batch, Line
from corpus import PDFS, Pool, Sentence
from model import Tdnn
from torch import Tensor
from torch.nn import functional

SMOOTHING: Final = 0.05
"""Share of each target that is spread over all pdfs."""


def targets(pool: Pool, batch: Batch, longest: int) -> Tensor:
    """Return the pdf of every output frame (sounds, frames); −100 behind the end."""
    t = torch.arange(longest, device=pool.sound.device).expand(len(batch.chosen), -1).contiguous()
    segment = torch.searchsorted(batch.first, t, right=True) - 1
    segment = torch.minimum(segment, pool.many[batch.chosen][:, None] - 1)
    pdf = pool.pdfs[batch.chosen].gather(1, segment)
    stays = batch.first.gather(1, segment) != t
    return torch.where(t < batch.frames[:, None], pdf + stays, -100)


def loss(scores: Tensor, wanted: Tensor, smoothing: float = 0.0) -> Tensor:
    """Return the cross-entropy of scores (sounds, frames, pdfs)."""
    return functional.cross_entropy(
        scores.flatten(0, 1), wanted.flatten(), ignore_index=-100, label_smoothing=smoothing
    )


def train(
    state: learning.State,
    sentences: Sequence[Sentence],
    how: learning.How,
    keep: Path,
) -> None:
    """Train ``state``; what comes of it lies in ``keep`` too."""
    pool = Pool(sentences, learning.DEVICE)
    line = Line(how.seed, pool, learning.weather(keep.parent), state.prior)
    if not bool(state.deviation.any()):
        state.measure(line, pool)
    state.counts = _counted(line, pool, how)
    if state.sequence:
        learning.as_frames(state)

    def lost(net: Tdnn, x: Tensor, batch: Batch) -> dict[str, Tensor]:
        scores = net.frames(net.deep(x)).float()
        wanted = targets(pool, batch, scores.shape[1])
        return {"frames": loss(scores, wanted, SMOOTHING)}

    learning.train(state, line, pool, how, lost, keep)


def _counted(line: Line, pool: Pool, how: learning.How) -> Tensor:
    """Return how often each pdf is a target in some batches, and once more."""
    counts = torch.ones(PDFS, device=pool.sound.device)
    draw = learning.Drawn(pool, how.seed)
    for _ in range(12):
        batch = line(*draw.batch())
        wanted = targets(pool, batch, (batch.x.shape[1] + 2) // 3)
        counts += torch.bincount(wanted[wanted >= 0], minlength=PDFS)
    return counts.cpu()
