"""Sounds for the ear's tests: recorded speech, and noises made here."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

SPEECH = Path(__file__).parent.parent / "data" / "speech"
LINE_RATE = 8_000

Line = NDArray[np.float64]
"""Samples at 8 kHz, as on the phone line, int16 scale."""


def speech(name: str) -> Line:
    """Return a file of ``tests/data/speech``."""
    with wave.open(str(SPEECH / f"{name}.wav"), "rb") as sound:
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float64)


def silence(duration: float) -> Line:
    return np.zeros(round(duration * LINE_RATE))


def hiss(duration: float, level: float = 20.0) -> Line:
    """White noise; the default is a quiet line."""
    return np.random.default_rng(7).normal(size=round(duration * LINE_RATE)) * level


def clicks(duration: float) -> Line:
    """A 10 ms burst every second over a quiet line."""
    sound = hiss(duration)
    for start in range(LINE_RATE // 2, len(sound) - 80, LINE_RATE):
        sound[start : start + 80] += hiss(0.01, 12_000)
    return sound


def keys(duration: float) -> Line:
    """DTMF: 0.2 s of each key, 0.3 s apart (Q.23 frequencies)."""
    sound = hiss(duration)
    time = np.arange(round(0.2 * LINE_RATE)) / LINE_RATE
    pairs = [(low, high) for low in (697, 770, 852, 941) for high in (1209, 1336, 1477)]
    for index, start in enumerate(range(0, len(sound) - len(time), LINE_RATE // 2)):
        low, high = pairs[index % len(pairs)]
        tones = np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
        sound[start : start + len(time)] += 4_000 * tones
    return sound


def music(duration: float) -> Line:
    """Plucked chords, as music on hold."""
    time = np.arange(round(duration * LINE_RATE)) / LINE_RATE
    beat = np.exp(-((time % 0.4) / 0.4) * 4)
    return sum(
        (
            beat * np.sin(2 * np.pi * pitch * overtone * time) / overtone * 1_500
            for pitch in (220.0, 277.2, 329.6)
            for overtone in range(1, 5)
        ),
        start=silence(duration),
    )


def slin16(*parts: Line) -> bytes:
    """Return the parts one after another as Asterisk hands them over: clipped, at 16 kHz."""
    line = np.clip(np.concatenate(parts), -32_768, 32_767).astype(np.int16)
    wide: NDArray[np.int16] = soxr.resample(line, LINE_RATE, 2 * LINE_RATE)
    return wide.astype("<i2").tobytes()
