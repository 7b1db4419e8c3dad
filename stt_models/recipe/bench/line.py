"""The phone line between a mouth and the ear: band, level, noise, µ-law, quiet around."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float64]
"""Samples at 8 kHz on the scale of 16 bits."""

RATE: Final = 8_000
BAND: Final = (300.0, 3_400.0)
"""Hz that a telephone carries (ITU-T G.712); 3 dB are lost at either."""

PEAK: Final = 9_000.0
"""Loudest sample of the speech: about −11 dB of full scale, as calls come in."""

BEFORE, AFTER = 0.6, 1.4
"""Seconds of line without speech around it. After: longer than the longest wait for more."""

QUIET_DB: Final = 45.0
"""What is called clean still has the hiss of a line, this far below the speech."""

NOISY_DB: Final = 15.0
"""Speech over a restaurant's noise at the caller's end."""


def through(speech: Sound, noisy: bool, seed: int) -> NDArray[np.int16]:
    """Return ``speech`` as it comes out of the line."""
    dice = np.random.default_rng(seed)
    level = _loudness(speech)
    before, after = (round(seconds * RATE) for seconds in (BEFORE, AFTER))
    sound = np.concatenate([np.zeros(before), speech, np.zeros(after)])
    sound = sound + _noise(len(sound), dice, level, noisy)
    sound = _in_band(sound)
    return _mu_law(sound * (PEAK / np.abs(sound).max()))


def end_of(speech: Sound) -> float:
    """Return the second, counted from the line's beginning, at which the speech ends.

    The last 10 ms within 34 dB of the loudest.
    """
    hop = RATE // 100
    levels = np.sqrt(np.mean(speech[: len(speech) // hop * hop].reshape(-1, hop) ** 2, axis=1))
    loud = np.flatnonzero(levels > levels.max() * 10 ** (-34 / 20))
    return BEFORE + (loud[-1] + 1) * 0.01


def trimmed(speech: Sound, margin: float = 0.01) -> Sound:
    """Return ``speech`` without the silence around it."""
    hop = RATE // 100
    levels = np.sqrt(np.mean(speech[: len(speech) // hop * hop].reshape(-1, hop) ** 2, axis=1))
    loud = np.flatnonzero(levels > levels.max() * 10 ** (-34 / 20))
    edge = round(margin * RATE)
    return speech[max(0, loud[0] * hop - edge) : (loud[-1] + 1) * hop + edge]


def _loudness(speech: Sound) -> float:
    """Return the RMS of the louder half: pauses don't count."""
    hop = RATE // 100
    levels = np.sqrt(np.mean(speech[: len(speech) // hop * hop].reshape(-1, hop) ** 2, axis=1))
    return float(np.sqrt(np.mean(np.sort(levels)[len(levels) // 2 :] ** 2)))


def _noise(count: int, dice: np.random.Generator, level: float, noisy: bool) -> Sound:
    hiss = dice.normal(size=count) * level * 10 ** (-QUIET_DB / 20)
    if not noisy:
        return hiss
    # A room: falling spectrum, swelling slowly; over it the rattle of dishes.
    spectrum = np.fft.rfft(dice.normal(size=count))
    spectrum /= np.sqrt(1.0 + np.arange(len(spectrum)) * RATE / count / 60.0)
    room = np.fft.irfft(spectrum, count)
    times = np.arange(count) / RATE
    room *= 1.0 + 0.5 * np.sin(2 * np.pi * (0.7 * times + dice.random()))
    for begin in np.flatnonzero(dice.random(count) < 1.5 / RATE):
        ring = np.arange(min(count - begin, RATE // 12)) / RATE
        pitch = dice.uniform(1_500, 3_200)
        dish = np.exp(-ring * 60) * np.sin(2 * np.pi * pitch * ring)
        room[begin : begin + len(ring)] += 4 * room.std() * dice.random() * dish
    return hiss + room * (level * 10 ** (-NOISY_DB / 20) / room.std())


def _in_band(sound: Sound) -> Sound:
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE) + 1e-6
    low, high = BAND
    # A line's transformers and filters: 12 dB an octave below, 36 above.
    gain = 1 / np.sqrt((1 + (low / hertz) ** 4) * (1 + (hertz / high) ** 12))
    return np.fft.irfft(spectrum * gain, len(sound))


def _mu_law(sound: Sound) -> NDArray[np.int16]:
    """Return ``sound`` after coding to 8 bits and back (G.711, µ = 255)."""
    scaled = np.clip(sound / 32_768, -1, 1)
    code = np.sign(scaled) * np.log1p(255 * np.abs(scaled)) / np.log(256)
    code = np.round(code * 127) / 127
    back = np.sign(code) * (np.power(256, np.abs(code)) - 1) / 255
    return (back * 32_767).astype(np.int16)
