"""The part of the voice that learns: Piper's symbols to vocoder parameters.

Symbols are encoded, each gets a duration, and is spread over its time in steps of 10 ms;
a decoder that knows where in its symbol every step lies draws the two 5 ms frames of each.
All layers are matrix products on shifted copies, which is what a CPU is best at.
"""

from __future__ import annotations

import math

import torch
from teacher import BANDS, CEPSTRA
from torch import Tensor, nn

VALUES = CEPSTRA + 1 + 1 + BANDS
"""Values of a frame: cepstra, log F0, voiced (a logit), strengths."""
LOG_F0, VOICED = CEPSTRA, CEPSTRA + 1
FRAMES_IN_STEP = 2
SYMBOLS = 256
PLACES = 10


class Block(nn.Module):
    """A dilated convolution over three positions, with a way around it."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(3 * width, width)
        self.back = nn.Linear(width, width)
        nn.init.zeros_(self.back.weight)
        nn.init.zeros_(self.back.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return x, [batch, positions, width], with its neighbours mixed in."""
        y = self.norm(x)
        if mask is not None:
            y = y * mask
        edge = torch.zeros_like(y[:, :1]).expand(-1, self.dilation, -1)
        padded = torch.cat([edge, y, edge], 1)
        size = y.shape[1]
        near = [padded[:, :size], y, padded[:, 2 * self.dilation :]]
        return x + self.back(torch.relu(self.wide(torch.cat(near, 2))))


class Acoustic(nn.Module):
    """Symbols to durations and frames."""

    def __init__(
        self,
        symbol_width: int = 192,
        step_width: int = 256,
        encoder: tuple[int, ...] = (1, 2, 4, 8, 1),
        durations: tuple[int, ...] = (1, 2),
        decoder: tuple[int, ...] = (1, 2, 4, 8, 2, 1),
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, symbol_width)
        self.encoder = nn.ModuleList(Block(symbol_width, dilation) for dilation in encoder)
        self.timing = nn.ModuleList(Block(symbol_width, dilation) for dilation in durations)
        self.time_out = nn.Linear(symbol_width, 1)
        self.spread = nn.Linear(symbol_width + PLACES, step_width)
        self.decoder = nn.ModuleList(Block(step_width, dilation) for dilation in decoder)
        self.norm = nn.LayerNorm(step_width)
        self.out = nn.Linear(step_width, FRAMES_IN_STEP * VALUES)
        self.register_buffer("mean", torch.zeros(VALUES))
        self.register_buffer("deviation", torch.ones(VALUES))

    def encode(self, ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return [batch, symbols, width] and the log of 1 + frames, [batch, symbols]."""
        x = self.embedding(ids)
        for block in self.encoder:
            x = block(x, mask)
        y = x
        for block in self.timing:
            y = block(y, mask)
        return x, self.time_out(y)[..., 0]

    def decode(self, spread: Tensor, places: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return [batch, steps, 2 * 32], each value in its own deviations from its mean."""
        x = self.spread(torch.cat([spread, places], 2))
        for block in self.decoder:
            x = block(x, mask)
        result: Tensor = self.out(self.norm(x))
        return result


def places(time: Tensor, start: Tensor, duration: Tensor) -> Tensor:
    """Return where in its symbol each step lies, in ten ways, [..., 10].

    Args:
        time: Middle of the step, in 5 ms frames.
        start: First frame of the step's symbol.
        duration: Frames of that symbol.
    """
    since, left = time - start, start + duration - time
    share = since / duration.clamp(min=1.0)
    begin, end = torch.exp(-0.25 * since), torch.exp(-0.25 * left)
    return torch.stack(
        [
            share,
            since * 0.1,
            left * 0.1,
            duration * 0.05,
            begin - end,
            begin + end,
            share * share,
            torch.sin(math.pi * share),
            torch.cos(math.pi * share),
            torch.log1p(duration),
        ],
        -1,
    )
