"""Puts clean speech on telephone lines, another one every time: what training hears.

A batch of sentences goes through talker, room, noise, handset, line and codec at once, where the
net is (a graphics card, if there is one): fresh sound costs less than keeping it. Every share and
range below is a choice, wide on purpose.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import features
import numpy as np
import torch
from corpus import Pool
from torch import Tensor
from torch.nn import functional

RATE: Final = 8_000

SPEEDS: Final = (0.87, 1.15)
"""Slower and faster talkers (pitch and vocal tract change with it)."""

TRIM: Final = 0.09
"""Seconds that may be cut from the silence before and after."""

FULL: Final = 32_767.0

ECHO: Final = 0.4
"""Longest echo in seconds."""

PACKET: Final = 160
"""Samples in an RTP packet of 20 ms."""

TAPS: Final = 8
"""Samples that one between them is made of."""


class Batch(NamedTuple):
    """What the network sees, and where the sentences' segments begin in it."""

    x: Tensor
    """(sounds, frames, cepstra), mean taken off."""
    frames: Tensor
    """Output frames of each sound that count."""
    chosen: Tensor
    """Numbers of the sentences in the pool."""
    first: Tensor
    """(sounds, segments): output frame in which each segment begins."""


class Line:
    """The telephone network with all its weather."""

    def __init__(self, seed: int, pool: Pool, rows: np.ndarray, prior: Tensor) -> None:
        self._pool = pool
        self._device = pool.sound.device
        self._chance = torch.Generator(self._device).manual_seed(seed)
        self._noises = torch.from_numpy(rows).to(self._device)
        self.prior = prior
        """Mean cepstra of all speech: where online CMN starts."""

    def _uniform(self, many: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        drawn = torch.rand(many, generator=self._chance, device=self._device)
        return low + (high - low) * drawn

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._chance, device=self._device)

    def _happens(self, many: int, share: float) -> Tensor:
        return self._uniform(many) < share

    def clean(self, chosen: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """Return features of sentences as they are, and their output frames: for aligning."""
        zero = torch.zeros(len(chosen), device=self._device)
        sound = self._taken(chosen, samples, zero, zero + 1)
        sound += self._normal(*sound.shape).sign()  # the last bit of a quiet line
        x = features.cepstra(features.log_mel(sound))
        return features.without_mean(x, self.prior), self._frames(self._pool.long[chosen], samples)

    @staticmethod
    def _frames(long: Tensor, samples: int) -> Tensor:
        inputs = (long.clamp(max=samples) - features.LENGTH) // features.STEP + 1
        return (inputs.clamp(min=1) + 2) // 3

    def raw(self, chosen: Tensor, samples: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return cepstra after a call of their own each, mean and all.

        Args:
            chosen: Numbers of sentences.
            samples: Length of all sounds; what is longer is cut.

        Returns:
            Cepstra; output frames that count; seconds put before each; how much slower each is.
        """
        many = len(chosen)
        before, after = self._edge(many), self._edge(many)
        slower = torch.where(self._happens(many, 0.7), self._uniform(many, *SPEEDS), 1.0)
        long = (self._pool.long[chosen] / RATE + before + after) * slower * RATE
        sound = self._taken(chosen, samples, before, slower)
        sound = sound * (torch.arange(samples, device=self._device) < long[:, None])
        sound = self._lined(self._noised(self._voiced(sound)))
        places = torch.randint(features.WARPS, (many,), generator=self._chance, device=self._device)
        warp = torch.where(self._happens(many, 0.3), features.STRAIGHT, places)
        x = features.cepstra(self._masked(features.log_mel(sound, warp)))
        return x, self._frames(long.long(), samples), before, slower

    def __call__(self, chosen: Tensor, samples: int) -> Batch:
        """Return the sentences after a call of their own each."""
        x, frames, before, slower = self.raw(chosen, samples)
        first = self._pool.first_frames(chosen, before, slower)
        return Batch(features.without_mean(x, self.prior), frames, chosen, first)

    def _edge(self, many: int) -> Tensor:
        """Return seconds of silence to put at an end; less than none cuts some off."""
        kind = self._uniform(many)
        short, long = self._uniform(many, 0, 0.45), self._uniform(many, 0.4, 1.3)
        cut = self._uniform(many, -TRIM, 0)
        return torch.where(kind < 0.3, cut, torch.where(kind < 0.85, short, long))

    def _taken(self, chosen: Tensor, samples: int, before: Tensor, slower: Tensor) -> Tensor:
        """Return the sounds (sounds, samples), slowed down, with silence before (Lanczos)."""
        pool = self._pool
        place = torch.arange(samples, device=self._device) / slower[:, None]
        place = place - before[:, None] * RATE
        nearest = place.floor()
        out = torch.zeros_like(place)
        for tap in range(1 - TAPS // 2, 1 + TAPS // 2):
            at = nearest + tap
            away = place - at
            weight = torch.sinc(away) * torch.sinc(away / (TAPS // 2))
            there = (at >= 0) & (at < pool.long[chosen][:, None])
            index = torch.where(there, at, 0).long() + pool.at[chosen][:, None]
            out += pool.sound[index] * weight * there
        return out

    def _voiced(self, sound: Tensor) -> Tensor:
        """Put talkers and their rooms in: tilt of the voice, microphone, echoes."""
        many, size = sound.shape
        full = size + round(ECHO * RATE)
        lines = torch.fft.rfft(sound, n=full)
        steps = self._normal(many, 10) * self._uniform(many, 0.5, 3.0)[:, None]
        points = steps.cumsum(1)
        points = (points - points.mean(1, keepdim=True)).clamp(-18, 18)
        curve = functional.interpolate(
            points[:, None], lines.shape[1], mode="linear", align_corners=True
        )[:, 0]
        curve = curve * ~self._happens(many, 0.25)[:, None]
        t = torch.arange(round(ECHO * RATE), device=self._device)
        fade = self._uniform(many, 0.04, ECHO)[:, None] * RATE
        tail = self._normal(many, len(t)) * torch.exp(-6.9 * t / fade)
        tail *= t >= self._uniform(many, 0.001, 0.01)[:, None] * RATE
        tail *= self._uniform(many, 0.1, 0.7)[:, None] / (tail.norm(dim=1, keepdim=True) + 1e-9)
        tail *= self._happens(many, 0.3)[:, None]
        tail[:, 0] = 1
        lines = lines * 10 ** (curve / 20) * torch.fft.rfft(tail, n=full)
        return torch.fft.irfft(lines, n=full)[:, :size]

    def _noised(self, sound: Tensor) -> Tensor:
        """Put noise behind the speech, 5 to 50 dB below it, two kinds at once now and then."""
        many, size = sound.shape
        power = (sound**2).sum(1) / (sound.abs() > 30).sum(1).clamp(min=800)
        power = power.sqrt().clamp(min=300)
        for share in (1.0, 0.25):
            kind = self._uniform(many)
            below = torch.where(
                kind < 0.4,
                self._uniform(many, 28, 50),
                torch.where(kind < 0.9, self._uniform(many, 12, 28), self._uniform(many, 6, 12)),
            )
            row = (self._uniform(many) * len(self._noises)).long()
            at = (self._uniform(many) * (self._noises.shape[1] - size)).long()
            piece = self._noises.flatten()[
                (row * self._noises.shape[1] + at)[:, None]
                + torch.arange(size, device=self._device)
            ]
            loud = power * 10 ** (-below / 20) * self._happens(many, share)
            sound = sound + piece * loud[:, None]
        return sound

    def _lined(self, sound: Tensor) -> Tensor:
        """Put the sounds through handset, band, level, codec and a lossy network."""
        many, size = sound.shape
        lines = torch.fft.rfft(sound)
        hertz = torch.fft.rfftfreq(size, 1 / RATE).to(self._device)[None]
        low = torch.where(self._happens(many, 0.25), 20.0, self._uniform(many, 60, 380))
        high = torch.where(self._happens(many, 0.25), 4_000.0, self._uniform(many, 2_900, 3_900))
        order = 2.0 ** (1 + (self._uniform(many) * 3).floor())  # 2, 4 or 8
        below = (low[:, None] / hertz.clamp(min=1)).clamp(max=50) ** (2 * order[:, None])
        above = (hertz / high[:, None]) ** (2 * order[:, None])
        sound = torch.fft.irfft(lines / torch.sqrt((1 + below) * (1 + above)), n=size)
        peak = sound.abs().amax(1).clamp(min=1)
        level = 10 ** (-self._uniform(many, 0, 30) / 20)
        loud = torch.where(self._happens(many, 0.06), self._uniform(many, 1.5, 4), 1.0)
        sound = (sound * (level * loud / peak)[:, None]).clamp(-1, 1)
        coder = 10 ** (-self._uniform(many, 15, 30) / 20) * self._happens(many, 0.15)
        sound = sound * (1 + coder[:, None] * self._normal(many, size))  # ITU-T P.810
        coded = self._happens(many, 0.6)[:, None]
        sound = torch.where(coded, _mu_law(sound.clamp(-1, 1)), sound)
        sound = self._lossy(sound)
        dead = self._uniform(many, 0, 0.3 * RATE) * self._happens(many, 0.08)
        sound = sound * (torch.arange(size, device=self._device) >= dead[:, None])
        return torch.round(sound * FULL).clamp(-FULL, FULL)

    def _lossy(self, sound: Tensor) -> Tensor:
        """Lose some packets of some calls: nothing in their place, or the one before."""
        many, size = sound.shape
        packets = sound[:, : size // PACKET * PACKET].reshape(many, -1, PACKET)
        share = self._uniform(many, 0.01, 0.06) * self._happens(many, 0.08)
        lost = torch.rand(packets.shape[:2], generator=self._chance, device=self._device)
        lost = (lost < share[:, None])[..., None]
        before = torch.cat([packets[:, :1], packets[:, :-1]], 1) * 0.7
        filled = before * self._happens(many, 0.5)[:, None, None]
        kept = torch.where(lost, filled, packets).reshape(many, -1)
        return torch.cat([kept, sound[:, kept.shape[1] :]], 1)

    def _masked(self, energies: Tensor) -> Tensor:
        """Hide some bins or moments of some sounds behind the mean (SpecAugment)."""
        many, frames, bins = energies.shape
        mean = energies.mean(1, keepdim=True)
        bin_at, frame_at = (torch.arange(n, device=self._device) for n in (bins, frames))
        for share in (0.35, 0.15):
            wide = self._uniform(many, 1, 7).floor() * self._happens(many, share)
            at = self._uniform(many) * (bins - wide)
            hidden = (bin_at >= at[:, None]) & (bin_at < (at + wide)[:, None])
            energies = torch.where(hidden[:, None], mean, energies)
        for share in (0.25, 0.2, 0.15):
            long = self._uniform(many, 2, 9).floor() * self._happens(many, share)
            at = self._uniform(many) * (frames - long)
            hidden = (frame_at >= at[:, None]) & (frame_at < (at + long)[:, None])
            energies = torch.where(hidden[..., None], mean, energies)
        return energies


def _mu_law(sound: Tensor) -> Tensor:
    """Return sound in −1 … 1 as µ-law leaves it."""
    law = torch.round(sound.sign() * torch.log1p(255 * sound.abs()) / math.log(256) * 127) / 127
    return law.sign() * (torch.exp(law.abs() * math.log(256)) - 1) / 255
