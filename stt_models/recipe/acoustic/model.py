"""The acoustic model: a time-delay network at a third of the frame rate.

Each layer looks at three moments of the one below and adds what it finds. It hears 0.25 s of the
past and 0.16 s of the future.
"""

from __future__ import annotations

from typing import Final

import torch
from corpus import PDFS
from features import CEPSTRA
from torch import Tensor, nn
from torch.nn import functional

SPLICE: Final = 4
"""The first layer sees this many frames on either side."""

SPANS: Final = ((3, 3), (3, 3), (6, 3), (9, 3))
"""Frames back and ahead, layer by layer; multiples of three, as every third frame is used."""

WIDTH: Final = 512

PAST: Final = SPLICE + sum(past for past, _ in SPANS)
FUTURE: Final = SPLICE + sum(future for _, future in SPANS)
"""Frames of context on either side of an output frame."""

DROP: Final = 0.05
"""Share of a layer's channels that a sound does without while training."""


def _norm() -> nn.BatchNorm1d:
    return nn.BatchNorm1d(WIDTH, affine=False, eps=1e-3, momentum=0.05)


class Layer(nn.Module):
    """An affine map of three moments, a rectifier, a normalisation, and the way around them."""

    def __init__(self, past: int, future: int) -> None:
        super().__init__()
        self.past, self.future = past // 3, future // 3
        self.affine = nn.Linear(3 * WIDTH, WIDTH)
        self.norm = _norm()

    def forward(self, x: Tensor) -> Tensor:
        """(sounds, frames, width) in; past + future frames fewer out."""
        frames = x.shape[1] - self.past - self.future
        moments = [x[:, at : at + frames] for at in (0, self.past, self.past + self.future)]
        y = functional.relu(self.affine(torch.cat(moments, -1)))
        y = self.norm(y.reshape(-1, WIDTH)).view(y.shape)
        if self.training:  # the same channels for all of a sound: cheap, and harder to get around
            ones = torch.ones(len(y), 1, WIDTH, dtype=y.dtype, device=y.device)
            y = y * functional.dropout(ones, DROP)
        return moments[1] + y


class Tdnn(nn.Module):
    """From cepstra to scores of the pdfs."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear((2 * SPLICE + 1) * CEPSTRA, WIDTH)
        self.first_norm = _norm()
        self.layers = nn.ModuleList(Layer(*span) for span in SPANS)
        self.out = nn.Linear(WIDTH, PDFS)
        """Scores of sequences."""
        self.frames = nn.Linear(WIDTH, PDFS)
        """Scores of single frames; learnt first, and on beside `out`."""

    def deep(self, x: Tensor) -> Tensor:
        """Return the last layer's values.

        Args:
            x: (sounds, PAST + 3 · (outputs − 1) + 1 + FUTURE, cepstra), normalised.
        """
        spliced = x.unfold(1, 2 * SPLICE + 1, 3).transpose(2, 3).flatten(2)
        y = functional.relu(self.first(spliced))
        y = self.first_norm(y.reshape(-1, WIDTH)).view(y.shape)
        for layer in self.layers:
            y = layer(y)
        return y


def in_context(features: Tensor) -> Tensor:
    """Return features with the first and last frame repeated, as Kaldi does at the ends."""
    frames = features.shape[1]
    outputs = (frames + 2) // 3
    places = torch.arange(-PAST, 3 * (outputs - 1) + 1 + FUTURE, device=features.device)
    return features[:, places.clamp(0, frames - 1)]
