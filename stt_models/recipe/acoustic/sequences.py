"""Second way of training: whole sequences against all others (lattice-free MMI).

The right ways through a sentence must outweigh every way through a bigram of sounds. Both sums
are taken by the same forward recursion, over 41 sounds times 12 classes of left sounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import learning
import numpy as np
import torch
from channel import Batch, Line
from corpus import CONTEXTS, PDFS, Sentence
from model import Tdnn
from phones import BASES, CLASS_OF, LOOP
from torch import Tensor
from torch.nn import functional

TOLERANCE: Final = 1
"""Output frames that a sound may begin earlier or later than its label."""

FRAME_WEIGHT: Final = 0.2
"""Weight of the head that goes on learning single frames; it keeps the net from overfitting."""

SIZE_WEIGHT: Final = 1e-4
"""Weight of the scores' squares."""

LONE: Final = 2
"""Silence and noise come first among the pdfs and have no contexts."""

FLOOR: Final = 1e-25
NEVER: Final = -1e4


class Ways:
    """All sequences of sounds, likelier if the training sentences have more of them."""

    def __init__(self, sentences: Sequence[Sentence]) -> None:
        sounds = len(BASES)
        follows = np.full((sounds, sounds), 0.2)
        for sentence in sentences:
            sounds_of, _ = sentence.segments
            order = sounds_of[np.append(True, sounds_of[1:] != sounds_of[:-1])]
            np.add.at(follows, (order[:-1], order[1:]), 1)
        self._next = (
            torch.from_numpy(follows / follows.sum(1, keepdims=True)).float().T.contiguous()
        )
        self._first = torch.from_numpy(follows.sum(0) / follows.sum()).float()[:, None]
        self._class_of = torch.zeros(sounds, CONTEXTS)
        for base, name in enumerate(BASES):
            self._class_of[base, CLASS_OF[name]] = 1

    def weight(self, scores: Tensor) -> Tensor:
        """Return the log of the sum over all ways, one per sound.

        Args:
            scores: (sounds, frames, pdfs); 0 behind the end, where nothing is lost or won.
        """
        many, frames, _ = scores.shape
        top = scores.amax(-1, keepdim=True).detach()
        likely = (scores - top).clamp(min=-60).exp()
        lone = likely[..., : 2 * LONE].view(many, frames, LONE, 1, 2)
        rest = likely[..., 2 * LONE :].view(many, frames, -1, CONTEXTS, 2)
        by_state = torch.cat([lone.expand(-1, -1, -1, CONTEXTS, -1), rest], 2)
        entering = ((1 - LOOP) * by_state[..., 0]).unbind(1)
        staying = (LOOP * by_state[..., 1]).unbind(1)
        here = (entering[0] + staying[0]) * self._first
        sums = []
        for frame in range(frames):
            if frame:
                left = here.sum(2, keepdim=True) * self._class_of
                here = torch.addcmul(here * staying[frame], self._next @ left, entering[frame])
            total = here.sum((1, 2), keepdim=True) + FLOOR
            here = here / total
            sums.append(total)
        return torch.cat(sums, 1)[..., 0].log().sum(1) + top[:, :, 0].sum(1)


def allowed(targets: Tensor) -> Tensor:
    """Return which pdfs each frame may have: labels within the tolerance, and their partners."""
    many, frames = targets.shape
    may = torch.zeros(many, frames, PDFS, dtype=torch.bool)
    known = targets.clone()
    for row in known:  # behind the end anything goes, see `Ways.weight`
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
    ways = Ways(sentences)
    if not state.sequence:
        learning.as_sequences(state)

    def loss(net: Tdnn, x: Tensor, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        deep = net.deep(x)
        scores = net.out(deep) * (batch.targets >= 0)[..., None]
        right = scores.masked_fill(~allowed(batch.targets), NEVER)
        both = ways.weight(torch.cat([scores, right]))
        counted = (batch.targets >= 0).sum()
        mutual = (both[: len(scores)] - both[len(scores) :]).sum() / counted
        single = functional.cross_entropy(
            net.frames(deep).flatten(0, 1), batch.targets.flatten(), ignore_index=-100
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
