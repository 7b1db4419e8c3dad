"""First way of training: every frame on its own (cross-entropy)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import learning
import torch
from channel import Batch, Line
from corpus import PDFS, Sentence
from model import Tdnn
from torch import Tensor
from torch.nn import functional

SMOOTHING: Final = 0.05
"""Share of each target that is spread over all pdfs."""


def _loss(net: Tdnn, x: Tensor, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    scores = net.frames(net.deep(x)).flatten(0, 1)
    targets = batch.targets.flatten()
    loss = functional.cross_entropy(scores, targets, ignore_index=-100, label_smoothing=SMOOTHING)
    with torch.no_grad():
        counted = targets >= 0
        right = (scores.argmax(-1)[counted] == targets[counted]).float().mean()
    return loss, {"loss": float(loss.detach()), "right": float(right)}


def train(
    state: learning.State,
    sentences: Sequence[Sentence],
    passes: float,
    seed: int,
    keep: Path,
    top_rate: float,
) -> None:
    """Train ``state`` for that many passes; what comes of it lies in ``keep`` too."""
    line = Line(seed, [s for s in sentences if s.voice != "notspeech"], state.prior)
    if not bool(state.deviation.any()):
        state.measure(line, sentences)
    plan = learning.batches(sentences, passes, seed)
    state.counts = counted(line, sentences, plan[:40])
    if state.sequence:
        learning.as_frames(state)
    learning.train(state, line, sentences, plan, top_rate, _loss, keep)


def counted(line: Line, sentences: Sequence[Sentence], plan: Sequence[Sequence[int]]) -> Tensor:
    """Return how often each pdf is a target in those batches, and once more."""
    counts = torch.ones(PDFS)
    for group in plan:
        targets = line([sentences[k] for k in group]).targets
        counts += torch.bincount(targets[targets >= 0], minlength=PDFS)
    return counts
