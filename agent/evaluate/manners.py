"""How synthetic callers speak, and what is heard behind them. Data in ``evals/callers``.

Everything here is made from numbers and from the callers' own clips, so that a seed gives the
same call again. All sound is int16 at 8 kHz.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import SettingsError
from agent.evaluate.line_sound import RATE, SLOT
from agent.evidence.wav import read_wav
from agent.settings import CHECKOUT

CALLERS: Final = CHECKOUT / "evals" / "callers"

SPEECH_DB: Final = -22.0
"""RMS of the callers' clips while they speak, dB re full scale (``make.py``)."""

BACKGROUND_SECONDS: Final = 24
"""A background repeats after this long."""

REACTION_SECONDS: Final = (0.1, 0.5)
"""A person answers about 0.2 s after the other's turn (Stivers et al. 2009, ten languages),
on a phone a little later; drawn evenly from this range."""

Background = Literal["", "babble", "street", "television", "music"]


class Manner(BaseModel):
    """One manner; see ``evals/callers/manners.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    background: Background = ""
    snr: float = Field(20, description="dB")
    stretch: float = Field(1.0, ge=0.5, le=2.0)
    halting: bool = False
    reaction: tuple[float, float] = REACTION_SECONDS
    after: float | None = Field(None, gt=0)


@cache
def load_manners() -> dict[str, Manner]:
    """Return all manners by name.

    Raises:
        SettingsError: the file is wrong.
    """
    path = CALLERS / "manners.toml"
    try:
        found = tomllib.loads(path.read_text("utf-8"))
        return {name: Manner.model_validate(values) for name, values in found.items()}
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise SettingsError(f"{path}: {error}.", remedy="See evals/callers/README.md.") from error


def manner_of(name: str) -> Manner:
    """Return a manner by name.

    Raises:
        SettingsError: there is none.
    """
    manners = load_manners()
    if name not in manners:
        raise SettingsError(
            f"There is no manner {name!r}.", remedy=f"There are: {', '.join(manners)}."
        )
    return manners[name]


@cache
def background(kind: Background, snr: float) -> NDArray[np.int16] | None:
    """Return what is heard behind a caller, ``snr`` dB under their speech; None: nothing.

    Loops without a seam that matters: whole slots, ``BACKGROUND_SECONDS`` long.
    """
    if not kind:
        return None
    length = BACKGROUND_SECONDS * RATE // SLOT * SLOT
    match kind:
        case "babble":
            sound = sum((_talk(seed, length) for seed in range(6)), start=np.zeros(length))
        case "television":
            sound = _talk(11, length)
        case "music":
            sound = _music(length)
        case "street":
            sound = _street(length)
    loud = np.abs(sound) > 0.1 * np.abs(sound).max()
    level = 10 ** ((SPEECH_DB - snr) / 20) * 32768
    sound *= level / np.sqrt(np.mean(sound[loud] ** 2))
    return np.clip(sound.round(), -32768, 32767).astype(np.int16)


def _talk(seed: int, length: int) -> NDArray[np.float64]:
    """Return somebody who talks without end: clips in an order drawn by ``seed``."""
    chance = np.random.default_rng(seed)
    paths = sorted((CALLERS / "voices").glob("*/*.wav"))
    talk = np.zeros(length)
    at = int(chance.integers(0, RATE))
    while at < length:
        clip = read_wav(paths[int(chance.integers(len(paths)))]).channel(0)[: length - at]
        talk[at : at + len(clip)] += clip
        at += len(clip) + int(chance.integers(RATE // 20, RATE // 3))
    return talk


def _street(length: int) -> NDArray[np.float64]:
    """Return traffic: low rumble that swells and fades."""
    noise = np.random.default_rng(3).normal(0, 1, length)
    spectrum = np.fft.rfft(noise)
    hertz = np.fft.rfftfreq(length, 1 / RATE)
    rumble = np.fft.irfft(spectrum / np.maximum(hertz, 150) * (hertz > 150), length)
    return np.asarray(rumble * (1 + 0.6 * np.sin(2 * np.pi * 0.25 * np.arange(length) / RATE)))


def _music(length: int) -> NDArray[np.float64]:
    """Return plucked chords."""
    time = np.arange(length) / RATE
    beat = np.exp(-4 * (time % 0.5) / 0.5)
    tune = np.zeros(length)
    for number, root in enumerate((220.0, 174.6, 261.6, 196.0)):
        playing = (time % 8 // 2) == number
        for ratio in (1.0, 1.26, 1.5):
            tune += playing * beat * np.sin(2 * np.pi * root * ratio * time)
    return tune


def stretched(samples: NDArray[np.int16], factor: float) -> NDArray[np.int16]:
    """Return speech ``factor`` times slower at the same pitch (waveform-similarity overlap-add).

    Windows of 40 ms; each is taken where it continues the one before best, ±10 ms.
    """
    if factor == 1.0:
        return samples
    window, hop, reach = RATE // 25, RATE // 50, RATE // 100
    source = np.concatenate([samples.astype(np.float64), np.zeros(2 * window + reach)])
    length = round(len(samples) * factor)
    out = np.zeros(length + 2 * window)
    shape = np.hanning(window)
    follows = source[:window]
    for at in range(0, length, hop):
        middle = round(at / factor)
        low = max(0, middle - reach)
        starts = range(low, min(middle + reach, len(samples)) + 1, 4)
        best = max(starts, key=lambda start: float(source[start : start + window] @ follows))
        out[at : at + window] += shape * source[best : best + window]
        follows = source[best + hop : best + hop + window]
    return np.clip(out[:length].round(), -32768, 32767).astype(np.int16)


def cough() -> NDArray[np.int16]:
    """Return a cough: two bursts of noise, 0.3 s in all, as loud as speech."""
    time = np.arange(round(0.3 * RATE)) / RATE
    noise = np.random.default_rng(5).normal(0, 1, len(time))
    shape = np.exp(-time / 0.05) + 0.6 * np.exp(-np.abs(time - 0.18) / 0.03)
    sound = noise * shape
    peak = 10 ** (SPEECH_DB / 20) * 32768 * 4
    return np.asarray((sound / np.abs(sound).max() * peak).round(), np.int16)


def fax() -> NDArray[np.int16]:
    """Return two beeps of a calling fax: CNG, 1,100 Hz for 0.5 s every 3.5 s (ITU-T T.30)."""
    time = np.arange(RATE // 2) / RATE
    level = 10 ** (SPEECH_DB / 20) * 32768 * np.sqrt(2)
    beep = (level * np.sin(2 * np.pi * 1_100 * time)).round().astype(np.int16)
    return np.concatenate([beep, np.zeros(3 * RATE, np.int16), beep])


SOUNDS: Final[dict[str, Callable[[], NDArray[np.int16]]]] = {"cough": cough, "fax": fax}
"""Sounds that are no speech, by name."""
