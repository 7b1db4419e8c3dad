"""The features that Vosk computes (Kaldi's MFCC), for many sounds at once, and warped ones.

`conf/mfcc.conf` in numbers: 8 kHz, frames of 25 ms every 10 ms, 40 mel bins between 20 Hz and
3,800 Hz, 16 cepstra, no energy, no dither. Then the mean is taken off as in Kaldi's online CMN.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

RATE: Final = 8_000
STEP: Final = 80
LENGTH: Final = 200
FFT: Final = 256
BINS: Final = 40
CEPSTRA: Final = 16
LOW_HZ: Final = 20.0
HIGH_HZ: Final = 3_800.0
LIFTER: Final = 22.0
EMPHASIS: Final = 0.97
TINY: Final = 1.1920929e-07
"""Kaldi's floor under a mel bin (float epsilon)."""

WINDOW: Final = 600
PRIOR: Final = 200
"""Online CMN: frames of the past that count, and frames' worth of the global mean at the start."""

WARPS: Final = 128
"""Stretchings of the frequency axis that are there to draw from."""

STRAIGHT: Final = 0
"""The one that changes nothing."""

BENDS: Final = (0.0, 400.0, 900.0, 1_500.0, 2_200.0, 3_000.0)
"""Hertz between which a stretching is even: other talkers' formants don't all move alike."""

STRETCH, BEND = 0.16, 0.035
"""The most that a whole axis is stretched, and the deviation of one place beside the others."""


def _mel(hertz: Tensor) -> Tensor:
    return 1127.0 * torch.log1p(hertz / 700.0)


@cache
def _window(device: torch.device) -> Tensor:
    n = torch.arange(LENGTH, dtype=torch.float64)
    shape = (0.5 - 0.5 * torch.cos(2 * math.pi * n / (LENGTH - 1))) ** 0.85
    return shape.float().to(device)


def _axes() -> Tensor:
    """Return what each spectral line counts as, in hertz, warp by warp."""
    chance = np.random.default_rng(20261127)
    hertz = np.arange(FFT // 2) * RATE / FFT
    axes = [hertz]
    for _ in range(WARPS - 1):
        whole = chance.uniform(-STRETCH, STRETCH)
        moved = [b * math.exp(whole + chance.normal(0, BEND)) for b in BENDS]
        moved = np.maximum.accumulate([*moved, HIGH_HZ * math.exp(whole / 3)])
        axes.append(np.interp(hertz, [*BENDS, HIGH_HZ], moved) + np.maximum(hertz - HIGH_HZ, 0))
    return torch.from_numpy(np.stack(axes))


@cache
def banks(device: torch.device) -> Tensor:
    """Return the mel banks, one per warp: (warps, spectral lines, bins)."""
    low, high = _mel(torch.tensor([LOW_HZ, HIGH_HZ], dtype=torch.float64)).tolist()
    step = (high - low) / (BINS + 1)
    place = (_mel(_axes())[..., None] - low) / step - torch.arange(1, BINS + 1)
    return torch.clamp(1 - place.abs(), min=0).float().to(device)


@cache
def _cosines(device: torch.device) -> Tensor:
    n = torch.arange(BINS, dtype=torch.float64)
    k = torch.arange(CEPSTRA, dtype=torch.float64)[:, None]
    table = math.sqrt(2 / BINS) * torch.cos(math.pi / BINS * (n + 0.5) * k)
    table[0] = math.sqrt(1 / BINS)
    lift = 1 + 0.5 * LIFTER * torch.sin(
        math.pi * torch.arange(CEPSTRA, dtype=torch.float64) / LIFTER
    )
    return (table * lift[:, None]).T.float().contiguous().to(device)


def log_mel(sound: Tensor, warp: Tensor | None = None) -> Tensor:
    """Return log mel energies (sounds, frames, bins).

    Args:
        sound: (sounds, samples), 8 kHz, in the range of int16.
        warp: Per sound the number of a warp; none is straight.
    """
    frames = sound.unfold(1, LENGTH, STEP)
    frames = frames - frames.mean(-1, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], -1)
    frames = (frames - EMPHASIS * before) * _window(sound.device)
    spectrum = torch.fft.rfft(frames, n=FFT)[..., : FFT // 2]
    power = spectrum.real**2 + spectrum.imag**2
    bank = banks(sound.device)[STRAIGHT if warp is None else warp]
    return torch.log(torch.clamp(power @ bank, min=TINY))


def cepstra(energies: Tensor) -> Tensor:
    """Return the cepstra of log mel energies."""
    return energies @ _cosines(energies.device)


def without_mean(features: Tensor, prior: Tensor) -> Tensor:
    """Return the features (sounds, frames, cepstra) as Kaldi's online CMN leaves them."""
    total = features.double().cumsum(1)
    past = total.clone()
    past[:, WINDOW:] -= total[:, :-WINDOW]
    numbers = torch.arange(1, features.shape[1] + 1, dtype=torch.float64, device=features.device)
    seen = numbers.clamp(max=WINDOW)
    helped = (WINDOW - seen).clamp(0, PRIOR)
    mean = (past + helped[:, None] * prior.double()) / (seen + helped)[:, None]
    return features - mean.float()
