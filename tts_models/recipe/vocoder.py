"""Flite's vocoder, written so that ONNX can run it. Nothing in it is trained.

Pulses and noise, mixed band by band, through the minimum-phase filter of the mel-cepstrum,
one Hann-windowed 10 ms piece every 5 ms, overlap-added. What Flite computes sample by sample
(an MLSA filter) is here a few matrix products, which a CPU does fast.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from teacher import CEPSTRA, HOP, RATE
from torch import Tensor, nn

FFT = 512
_BINS = FFT // 2 + 1
_NYQUIST_GUARD = 0.49
"""Harmonics up to this part of the rate: none at the Nyquist frequency itself."""

_ENERGY_TAPS = 64
"""Flite keeps the energy of the first 4 ms of the filter's response, not of all of it: with
all of it voiced sounds come out 1.0 dB too soft beside the others (measured)."""

Doubles = NDArray[np.float64]


def _cosines(alpha: float) -> tuple[Doubles, Doubles]:
    """Return the bases that turn a mel-cepstrum into log magnitude and phase, [25, 257]."""
    omega = np.arange(_BINS) * 2 * np.pi / FFT
    bend = 2 * np.arctan(alpha * np.sin(omega) / (1 - alpha * np.cos(omega)))
    order = np.arange(CEPSTRA)[:, None]
    return np.cos(order * (omega + bend)), -np.sin(order * (omega + bend))


def post_filtered(cepstra: NDArray[np.float32], alpha: float, beta: float) -> NDArray[np.float32]:
    """Return mel-cepstra [frames, 25] as Flite vocodes them.

    Flite sharpens formants by ``beta`` (SPTK's mel-cepstral post-filter) and keeps the energy
    by shifting c0. Done once on what the voice learns from, it costs nothing when it speaks.
    """
    plain = np.pad(cepstra.astype(np.float64), ((0, 0), (0, 1)))
    taps = plain.copy()
    for order in range(CEPSTRA - 1, -1, -1):
        taps[:, order] = plain[:, order] - alpha * taps[:, order + 1]
    taps[:, 1] -= beta * alpha * plain[:, 2]
    taps[:, 2:] *= 1 + beta
    sharp = taps.copy()
    for order in range(CEPSTRA - 1, -1, -1):
        sharp[:, order] = taps[:, order] + alpha * taps[:, order + 1]
    magnitude, phase = _cosines(alpha)

    def energy(values: Doubles) -> Doubles:
        cepstrum = values[:, :CEPSTRA]
        spectrum = np.exp(cepstrum @ magnitude + 1j * (cepstrum @ phase))
        response = np.fft.irfft(spectrum, FFT, axis=1)[:, :_ENERGY_TAPS]
        total: Doubles = (response**2).sum(1)
        return total

    sharp[:, 0] += 0.5 * np.log(energy(plain) / energy(sharp))
    return sharp[:, :CEPSTRA].astype(np.float32)


class Vocoder(nn.Module):
    """Parameters of 5 ms frames to 16 kHz sound.

    Args:
        constants: Flite's own: alpha, gain, the five band filters (`teacher.constants`).
    """

    def __init__(self, constants: dict[str, Any]) -> None:
        super().__init__()
        filters = np.array(constants["filters"])
        omega = np.arange(_BINS) * 2 * np.pi / FFT
        taps = np.arange(filters.shape[1])
        # The filters are symmetric: without their delay they are real gains, one a bin.
        delay = (filters.shape[1] - 1) / 2
        bands = np.real(filters @ np.exp(-1j * np.outer(taps - delay, omega)))
        magnitude, phase = _cosines(constants["alpha"])
        piece = np.arange(2 * HOP)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * (piece + 0.5) / (2 * HOP))
        analysis = np.exp(-1j * np.outer(piece, omega)) * window[:, None]
        turns = 2 * np.pi * np.outer(np.arange(_BINS), np.arange(FFT)) / FFT
        scale = np.r_[1, np.full(_BINS - 2, 2), 1][:, None] / FFT
        synthesis = np.concatenate([np.cos(turns) * scale, -np.sin(turns) * scale])
        self.gain = constants["gain"] / 32768
        for name, value in {
            "magnitude": magnitude,
            "phase": phase,
            "bands": bands,
            "analysis": np.concatenate([analysis.real, analysis.imag], 1),
            "synthesis": synthesis[:, None, :],
            "ramp": (np.arange(HOP) + 1) / HOP,
        }.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32))

    def forward(
        self, f0: Tensor, voiced: Tensor, cepstra: Tensor, strengths: Tensor, noise: Tensor
    ) -> Tensor:
        """Return the sound, [frames * 80], about -1 to 1.

        Args:
            f0: Hz, [frames]; any plausible value where unvoiced.
            voiced: 1 or 0, [frames].
            cepstra: Post-filtered, [frames, 25].
            strengths: [frames, 5].
            noise: Standard normal, [frames, 80].
        """
        before = torch.cat([f0[:1], f0[:-1]])
        pitch = before[:, None] + (f0 - before)[:, None] * self.ramp
        gate = (torch.cat([voiced[:1], voiced[:-1]]) * voiced)[:, None]
        # In single precision the phase of a long sentence drifts audibly.
        turns = torch.cumsum((pitch / RATE).reshape(-1).double(), 0)
        turn = (turns - torch.floor(turns)).float().reshape(-1, HOP).clamp(1e-5, 1 - 1e-5)
        # All harmonics at once: a Dirichlet kernel is a band-limited pulse.
        harmonics = torch.floor(_NYQUIST_GUARD * RATE / pitch)
        kernel = torch.sin((2 * harmonics + 1) * math.pi * turn)
        pulses = kernel / (2 * torch.sin(math.pi * turn)) - 0.5
        pulses = pulses * 2 * torch.sqrt(pitch / RATE) * gate
        strengths = strengths.clamp(0, 1)
        pulse_gain, noise_gain = strengths @ self.bands, (1 - strengths) @ self.bands
        pulse, hiss = _pieces(pulses) @ self.analysis, _pieces(noise) @ self.analysis
        real = pulse[:, :_BINS] * pulse_gain + hiss[:, :_BINS] * noise_gain
        imaginary = pulse[:, _BINS:] * pulse_gain + hiss[:, _BINS:] * noise_gain
        loudness = torch.exp(cepstra @ self.magnitude) * self.gain
        angle = cepstra @ self.phase
        cosine, sine = loudness * torch.cos(angle), loudness * torch.sin(angle)
        spectrum = torch.cat(
            [real * cosine - imaginary * sine, real * sine + imaginary * cosine], 1
        )
        sound = nn.functional.conv_transpose1d(spectrum.t()[None], self.synthesis, stride=HOP)
        return sound[0, 0, : f0.shape[0] * HOP]


def _pieces(blocks: Tensor) -> Tensor:
    """Return every block of 80 samples with the one after it, [frames, 160]."""
    return torch.cat([blocks, torch.cat([blocks[1:], torch.zeros_like(blocks[:1])])], 1)
