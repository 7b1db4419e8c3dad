"""Sounds that are not words, made by us: what `[unk]` (spoken noise) and silence are taught with.

``notspeech.py SPEECH`` writes ``notspeech.npz`` there: coughs, laughs, breaths, hums and speech
played backwards are spoken noise; knocks, tones, rings and music are silence.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from corpus import load
from noises import RATE, Sound, music
from scipy import signal
from synthesise import save
from voices import Said

SEED: Final = 7
MANY: Final = 700


def _throat(chance: np.random.Generator, source: Sound) -> Sound:
    """Return a source through three resonances of some mouth."""
    out = source
    for low, high in ((300, 900), (900, 1900), (2000, 3300)):
        centre, width = chance.uniform(low, high), chance.uniform(80, 300)
        radius = np.exp(-np.pi * width / RATE)
        out = signal.lfilter(
            [1 - radius], [1, -2 * radius * np.cos(2 * np.pi * centre / RATE), radius**2], out
        )
    return out


def _pulses(chance: np.random.Generator, many: int, hertz: float) -> Sound:
    wander = np.interp(np.arange(many), np.linspace(0, many, 6), chance.uniform(0.85, 1.2, 6))
    phase = np.cumsum(hertz * wander / RATE)
    return np.diff(np.floor(phase), prepend=0) + 0.02 * chance.normal(size=many)


def _burst(many: int, rise: float) -> Sound:
    t = np.arange(many) / many
    return np.minimum(1, t / rise) * (1 - t) ** 1.5


def cough(chance: np.random.Generator) -> Sound:
    """One to three bursts of noise with some voice in them."""
    parts = []
    for _ in range(chance.integers(1, 4)):
        many = int(RATE * chance.uniform(0.12, 0.35))
        source = chance.normal(size=many) + 3 * chance.random() * _pulses(
            chance, many, chance.uniform(90, 300)
        )
        parts += [
            _throat(chance, source) * _burst(many, 0.05),
            np.zeros(int(RATE * chance.uniform(0.05, 0.3))),
        ]
    return np.concatenate(parts)


def laugh(chance: np.random.Generator) -> Sound:
    """Ha, ha, ha: breath and voice, four to six times a second."""
    hertz, beat = chance.uniform(120, 380), int(RATE * chance.uniform(0.16, 0.24))
    parts = []
    for k in range(chance.integers(3, 9)):
        breath = chance.normal(size=beat // 2) * 0.5
        voice = _pulses(chance, beat - beat // 2, hertz * 0.96**k) * 4
        parts.append(_throat(chance, np.concatenate([breath, voice])) * _burst(beat, 0.2) * 0.93**k)
    return np.concatenate(parts)


def breath(chance: np.random.Generator) -> Sound:
    """Breathing or blowing into the telephone."""
    many = int(RATE * chance.uniform(0.3, 1.2))
    return _throat(chance, chance.normal(size=many)) * np.hanning(many)


def humming(chance: np.random.Generator) -> Sound:
    """A closed mouth that hums."""
    many = int(RATE * chance.uniform(0.3, 1.5))
    sound = _throat(chance, _pulses(chance, many, chance.uniform(90, 300)))
    return signal.sosfilt(signal.butter(4, 500, "low", fs=RATE, output="sos"), sound) * np.hanning(
        many
    )


def knock(chance: np.random.Generator) -> Sound:
    """Knocks, clicks, something that falls."""
    parts = []
    for _ in range(chance.integers(1, 6)):
        many = int(RATE * chance.uniform(0.02, 0.15))
        hit = chance.normal(size=many) * np.exp(-np.arange(many) / chance.uniform(20, 300))
        parts += [hit, np.zeros(int(RATE * chance.uniform(0.05, 0.4)))]
    return np.concatenate(parts)


def tones(chance: np.random.Generator) -> Sound:
    """Keys of a telephone, a ring, a beep."""
    parts = []
    for _ in range(chance.integers(1, 6)):
        many = int(RATE * chance.uniform(0.06, 0.6))
        t = np.arange(many) / RATE
        low, high = (
            chance.choice([697, 770, 852, 941, 440, 480, 350]),
            chance.choice([1209, 1336, 1477, 480, 620, 1000]),
        )
        parts += [
            np.sin(2 * np.pi * low * t) + np.sin(2 * np.pi * high * t),
            np.zeros(int(RATE * chance.uniform(0.05, 0.4))),
        ]
    return np.concatenate(parts)


def main() -> None:
    """Write the sounds as sentences without words."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("speech", type=Path)
    options = parser.parse_args()
    chance = np.random.default_rng(SEED)
    speech = load(options.speech, ["espeak", "slt", "rms", "pico_us"])

    def backwards(chance: np.random.Generator) -> Sound:
        piece = speech[chance.integers(len(speech))].sound.astype(np.float64)
        many = int(RATE * chance.uniform(0.4, 2.0))
        at = chance.integers(max(1, len(piece) - many))
        return piece[at : at + many][::-1].copy()

    makers: list[tuple[Callable[[np.random.Generator], Sound], str]] = [
        (cough, "SPN"),
        (laugh, "SPN"),
        (breath, "SPN"),
        (humming, "SPN"),
        (knock, "SIL"),
        (tones, "SIL"),
        (backwards, "SPN"),
        (backwards, "SPN"),
        (lambda c: music(c, int(RATE * c.uniform(1, 4))), "SIL"),
    ]
    spoken = []
    for number in range(MANY):
        make, name = makers[number % len(makers)]
        sound = make(chance)
        pad = np.zeros(RATE // 10)
        sound = np.concatenate([pad, sound / (np.abs(sound).max() + 1e-9) * 20_000, pad]).astype(
            np.int16
        )
        ends = [("SIL", 0.1), (name, len(sound) / RATE - 0.1), ("SIL", len(sound) / RATE)]
        spoken.append(("", Said(sound, ends)))
    save(options.speech / "notspeech.npz", spoken)


if __name__ == "__main__":
    main()
