"""Puts clean speech on telephone lines, another one every time: what training hears.

A batch of sentences goes through talker, room, noise, handset, line and codec at once; most of
it is multiplication in the frequency domain, so that fresh sound costs less than keeping it.
Every share and range below is a choice, wide on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import features
import noises
import numpy as np
import torch
from corpus import Sentence, labels
from torch import Tensor

RATE: Final = 8_000

SPEEDS: Final = (0.9, 1.12)
"""Slower and faster talkers (pitch and vocal tract change with it)."""

TRIM: Final = 0.09
"""Seconds that may be cut from the silence before and after."""

FULL: Final = 32_767.0

SIZES: Final = sorted(
    2**a * b for a in range(8, 18) for b in (8, 9, 10, 12, 15) if 4_000 < 2**a * b < 400_000
)
"""Lengths that transform fast."""


class Batch:
    """What the network sees, and what it should have said."""

    def __init__(self, x: Tensor, frames: Tensor, targets: Tensor) -> None:
        self.x = x
        """(sounds, frames, cepstra), mean taken off."""
        self.frames = frames
        """Output frames of each sound that count."""
        self.targets = targets
        """(sounds, output frames), −100 behind the end; nothing where nobody asked."""


class Line:
    """The telephone network with all its weather."""

    def __init__(self, seed: int, talkers: Sequence[Sentence], prior: Tensor) -> None:
        self._chance = np.random.default_rng(seed)
        self._torch = torch.Generator().manual_seed(seed)
        picked = self._chance.choice(len(talkers), min(200, len(talkers)), replace=False)
        rows = noises.everything(seed, [talkers[k].sound for k in picked])
        self._noises = torch.from_numpy(rows)
        self.prior = prior
        """Mean cepstra of all speech: where online CMN starts."""

    def clean(self, sentences: Sequence[Sentence]) -> Batch:
        """Return the sentences as they are, for aligning and testing."""
        longest = max(len(s.sound) for s in sentences)
        sound = torch.zeros(len(sentences), max(longest, features.LENGTH))
        for row, sentence in enumerate(sentences):
            sound[row, : len(sentence.sound)] = torch.from_numpy(sentence.sound.astype(np.float32))
        sound += torch.randn(
            sound.shape, generator=self._torch
        ).sign()  # the last bit of a quiet line
        x = features.cepstra(features.log_mel(sound))
        frames = self._frames([len(s.sound) for s in sentences], x.shape[1])
        return Batch(features.without_mean(x, self.prior), frames, torch.empty(0))

    @staticmethod
    def _frames(samples: Sequence[int], most: int) -> Tensor:
        inputs = [min(most, max(1, (n - features.LENGTH) // features.STEP + 1)) for n in samples]
        return torch.tensor([(n + 2) // 3 for n in inputs])

    def raw(self, sentences: Sequence[Sentence]) -> tuple[Tensor, Tensor, list[float], float]:
        """Return cepstra after a call of their own each, mean and all.

        Returns:
            Cepstra; output frames that count; seconds put before each; how much slower all is.
        """
        c = self._chance
        many = len(sentences)
        edges, sound = self._padded(sentences)
        lengths = [len(s.sound) / RATE + b + a for s, (b, a) in zip(sentences, edges, strict=True)]
        speed = c.uniform(*SPEEDS) if c.random() < 0.6 else 1.0
        sound = self._voiced(sound, speed)
        longest = math.ceil(max(lengths) * speed * RATE)
        sound = self._lined(self._noised(sound[:, :longest]))
        places = c.integers(2, len(features.WARPS) - 2, size=many)
        warp = torch.from_numpy(np.where(c.random(many) < 0.4, features.STRAIGHT, places))
        x = features.cepstra(self._masked(features.log_mel(sound, warp)))
        frames = self._frames([round(length * speed * RATE) for length in lengths], x.shape[1])
        return x, frames, [b for b, _ in edges], speed

    def __call__(self, sentences: Sequence[Sentence]) -> Batch:
        """Return the sentences after a call of their own each, with their labels."""
        x, frames, before, speed = self.raw(sentences)
        targets = torch.full((len(sentences), (x.shape[1] + 2) // 3), -100)
        for row, (sentence, b) in enumerate(zip(sentences, before, strict=True)):
            sounds, ends = sentence.segments
            found = labels(sounds, (ends + b) * speed, int(frames[row]))
            targets[row, : len(found)] = torch.from_numpy(found)
        return Batch(features.without_mean(x, self.prior), frames, targets)

    def _padded(self, sentences: Sequence[Sentence]) -> tuple[list[tuple[float, float]], Tensor]:
        """Return the sounds with more or less silence around, in seconds, and room for an echo."""
        c = self._chance
        edges = []
        for _ in sentences:
            edge = [
                -c.uniform(0, TRIM)
                if kind < 0.3
                else c.uniform(0, 0.45)
                if kind < 0.85
                else c.uniform(0.4, 1.5)
                for kind in c.random(2)
            ]
            edges.append((edge[0], edge[1]))
        longest = max(
            len(s.sound) / RATE + b + a for s, (b, a) in zip(sentences, edges, strict=True)
        )
        size = next(n for n in SIZES if n > longest * RATE + 400)
        sound = torch.zeros(len(sentences), size)
        for row, (sentence, (b, a)) in enumerate(zip(sentences, edges, strict=True)):
            piece = sentence.sound[max(0, -round(b * RATE)) :]
            piece = piece[: len(piece) + min(0, round(a * RATE))]
            at = max(0, round(b * RATE))
            sound[row, at : at + len(piece)] = torch.from_numpy(piece.astype(np.float32))
        return edges, sound

    def _voiced(self, sound: Tensor, speed: float) -> Tensor:
        """Put talkers and their rooms in: speed, tilt of the voice, microphone, echoes."""
        c = self._chance
        many, size = sound.shape
        lines = torch.fft.rfft(sound)
        points = np.cumsum(c.normal(0, c.uniform(0.5, 3, (many, 1)), (many, 10)), 1)
        points = (points - points.mean(1, keepdims=True)).clip(-18, 18)
        curve = torch.nn.functional.interpolate(
            torch.from_numpy(points).float()[:, None],
            lines.shape[1],
            mode="linear",
            align_corners=True,
        )[:, 0]
        curve[torch.from_numpy(c.random(many) < 0.25)] = 0
        lines = lines * 10 ** (curve / 20)
        echoing = np.flatnonzero(c.random(many) < 0.25)
        if len(echoing):
            room = np.zeros((len(echoing), size), np.float32)
            for row in range(len(echoing)):
                long = int(RATE * c.uniform(0.04, 0.4))
                tail = c.normal(size=long) * np.exp(-np.arange(long) / (long / 6.9))
                tail[: int(RATE * c.uniform(0.001, 0.01))] = 0
                room[row, :long] = tail / (np.sqrt((tail**2).sum()) + 1e-9) * c.uniform(0.1, 0.6)
                room[row, 0] = 1
            lines[echoing] *= torch.fft.rfft(torch.from_numpy(room))
        stretched = next(n for n in SIZES if n >= size * speed)
        speed_size = round(size * speed)
        out = torch.fft.irfft(lines[:, : speed_size // 2 + 1], n=self._even(speed_size)) * speed
        return torch.nn.functional.pad(out, (0, max(0, stretched - out.shape[1])))

    @staticmethod
    def _even(size: int) -> int:
        return size + size % 2

    def _noised(self, sound: Tensor) -> Tensor:
        """Put noise behind the speech, 5 to 50 dB below it."""
        c = self._chance
        many, size = sound.shape
        power = (sound**2).sum(1) / (sound.abs() > 30).sum(1).clamp(min=800)
        power = power.sqrt().clamp(min=300)
        for row in range(many):
            kind = c.random()
            below = (
                c.uniform(28, 50)
                if kind < 0.5
                else c.uniform(14, 28)
                if kind < 0.9
                else c.uniform(8, 14)
            )
            noise = self._noises[c.integers(len(self._noises))]
            at = c.integers(noise.shape[0] - size) if noise.shape[0] > size else 0
            piece = noise[at : at + size]
            sound[row, : len(piece)] += piece * (power[row] * 10 ** (-below / 20))
        return sound

    def _lined(self, sound: Tensor) -> Tensor:
        """Put the sounds through handset, band, level, codec and a lossy network."""
        c = self._chance
        many, size = sound.shape
        full = next(n for n in SIZES if n >= size)
        hertz = np.fft.rfftfreq(full, 1 / RATE)[None]
        low = np.where(c.random(many) < 0.25, 20, c.uniform(60, 380, many))[:, None]
        high = np.where(c.random(many) < 0.25, 4_000, c.uniform(2_900, 3_900, many))[:, None]
        order = c.choice([2, 4, 8], many)[:, None]
        keep = (
            1
            / np.sqrt(1 + (low / np.maximum(hertz, 1)) ** (2 * order))
            / np.sqrt(1 + (hertz / high) ** (2 * order))
        )
        lines = torch.fft.rfft(sound, n=full) * torch.from_numpy(keep.astype(np.float32))
        sound = torch.fft.irfft(lines, n=full)[:, :size]
        peak = sound.abs().amax(1, keepdim=True).clamp(min=1)
        level = torch.from_numpy(10 ** (-c.uniform(0, 30, (many, 1)) / 20)).float()
        loud = torch.from_numpy(
            np.where(c.random((many, 1)) < 0.06, c.uniform(1.5, 4, (many, 1)), 1)
        ).float()
        sound = (sound / peak * level * loud).clamp(-1, 1)
        modulated = np.flatnonzero(c.random(many) < 0.15)
        if len(modulated):  # a coder's noise follows the speech (ITU-T P.810)
            q = torch.from_numpy(10 ** (-c.uniform(15, 30, (len(modulated), 1)) / 20)).float()
            sound[modulated] *= 1 + q * torch.randn(len(modulated), size, generator=self._torch)
        coded = np.flatnonzero(c.random(many) < 0.6)
        if len(coded):
            y = sound[coded].clamp(-1, 1)
            law = y.sign() * torch.log1p(255 * y.abs()) / math.log(256)
            law = torch.round(law * 127) / 127
            sound[coded] = law.sign() * (torch.exp(law.abs() * math.log(256)) - 1) / 255
        packets = size // 160
        for row in np.flatnonzero(c.random(many) < 0.08):
            lost = np.flatnonzero(c.random(packets) < c.uniform(0.01, 0.06))
            repeats = c.random() < 0.5
            for packet in lost[lost > 0]:
                before = sound[row, (packet - 1) * 160 : packet * 160]
                sound[row, packet * 160 : (packet + 1) * 160] = before * 0.7 if repeats else 0
        sound = torch.round(sound * FULL).clamp(-FULL, FULL)
        for row in np.flatnonzero(c.random(many) < 0.08):  # a line that is switched on
            sound[row, : int(c.uniform(0, 0.3) * RATE)] = 0
        return sound

    def _masked(self, energies: Tensor) -> Tensor:
        """Hide some bins or moments of some sounds behind the mean (SpecAugment)."""
        c = self._chance
        many, frames, bins = energies.shape
        mean = energies.mean(1)
        for row in np.flatnonzero(c.random(many) < 0.25):
            wide = int(c.integers(1, 6))
            at = int(c.integers(bins - wide))
            energies[row, :, at : at + wide] = mean[row, at : at + wide]
        for row in np.flatnonzero(c.random(many) < 0.15):
            for _ in range(2):
                long = int(c.integers(2, 7))
                at = int(c.integers(max(1, frames - long)))
                energies[row, at : at + long] = mean[row]
        return energies
