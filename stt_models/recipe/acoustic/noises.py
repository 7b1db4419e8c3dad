"""Noises made by us: what else is heard on a restaurant's line. One long stretch of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal

RATE: Final = 8_000

Sound = NDArray[np.float64]


def _shaped(chance: np.random.Generator, many: int, power: float) -> Sound:
    """Return noise whose amplitude falls with the frequency to that power."""
    lines = np.fft.rfft(chance.normal(size=many))
    return np.fft.irfft(lines / np.arange(1, len(lines) + 1) ** power, many)


def _band(sound: Sound, low: float, high: float) -> Sound:
    return signal.sosfilt(signal.butter(2, [low, high], "band", fs=RATE, output="sos"), sound)


def _slow(chance: np.random.Generator, many: int, seconds: float) -> Sound:
    """Return a level that wanders between 0.2 and 1.8 within that time."""
    points = chance.uniform(0.2, 1.8, max(4, int(many / RATE / seconds) + 2))
    return np.interp(np.linspace(0, len(points) - 1, many), np.arange(len(points)), points)


def _ringing(
    chance: np.random.Generator, partials: int, low: float, high: float, fade: float
) -> Sound:
    """Return one struck thing: partials that die away."""
    t = np.arange(int(RATE * min(1.0, 6 * fade))) / RATE
    return sum(
        chance.uniform(0.2, 1) * np.exp(-t / (fade * chance.uniform(0.4, 1.2)))
        * np.sin(2 * np.pi * chance.uniform(low, high) * t + chance.uniform(0, 6))
        for _ in range(partials)
    )  # fmt: skip


def _scattered(chance: np.random.Generator, many: int, each: float, make: object) -> Sound:
    """Return things that happen now and then, ``each`` seconds apart in the mean."""
    out = np.zeros(many)
    for at in np.cumsum(chance.exponential(each * RATE, int(2 * many / each / RATE) + 4)).astype(
        int
    ):
        if at < many:
            thing = make()[: many - at]  # type: ignore[operator]
            out[at : at + len(thing)] += thing * chance.uniform(0.15, 1) ** 2
    return out


def kitchen(chance: np.random.Generator, many: int) -> Sound:
    """Dishes, cutlery, a pan that sizzles, an extractor."""
    dishes = _scattered(chance, many, 0.35, lambda: _ringing(chance, 6, 900, 3900, 0.05))
    pots = _scattered(chance, many, 1.5, lambda: _ringing(chance, 5, 200, 1500, 0.12))
    sizzle = _band(chance.normal(size=many), 1500, 3900) * _slow(chance, many, 1.5) * 0.05
    fan = _shaped(chance, many, 0.8)
    return dishes + pots + sizzle + fan / fan.std() * 0.03


def car(chance: np.random.Generator, many: int) -> Sound:
    """Engine, tyres, wind."""
    turn = np.cumsum(_slow(chance, many, 3) * 25 + 20) / RATE
    engine = sum(np.sin(2 * np.pi * k * turn + k) / k for k in range(1, 9))
    road = _shaped(chance, many, 1.0)
    wind = _band(chance.normal(size=many), 200, 1200) * _slow(chance, many, 2)
    return 0.5 * engine + road / road.std() + 0.4 * wind


def street(chance: np.random.Generator, many: int) -> Sound:
    """Cars that pass, knocks."""
    cars = _shaped(chance, many, 0.7) * np.interp(
        np.arange(many),
        np.arange(0, many + RATE, RATE),
        chance.uniform(0, 1, many // RATE + 1) ** 3,
    )
    knocks = _scattered(chance, many, 1.2, lambda: _ringing(chance, 4, 60, 500, 0.04))
    return cars / cars.std() + knocks


def music(chance: np.random.Generator, many: int) -> Sound:
    """Chords, a bass, a tune, a beat: nobody's song."""
    out = np.zeros(many)
    beat = int(RATE * chance.uniform(0.25, 0.6))
    root = chance.uniform(80, 160)
    for start in range(0, many, beat):
        long = min(many - start, beat * 2)
        t = np.arange(long) / RATE
        chord = root * 2 ** (chance.choice([0, 3, 5, 7, 8, 10]) / 12)
        for tone in (0.5, 1, chance.choice([1.19, 1.26]), 1.5, chance.choice([2, 3, 4])):
            fade = np.exp(-t * chance.uniform(1.5, 7))
            out[start : start + long] += fade * sum(
                np.sin(2 * np.pi * chord * tone * h * t) / h for h in range(1, 5)
            )
        if chance.random() < 0.7:
            hit = chance.normal(size=min(long, 400)) * np.exp(-np.arange(min(long, 400)) / 80)
            out[start : start + len(hit)] += 2 * hit
    return out


def hum(chance: np.random.Generator, many: int) -> Sound:
    """Mains and a bad line."""
    t = np.arange(many) / RATE
    mains = chance.choice([50, 60, 100, 120])
    return (
        sum(np.sin(2 * np.pi * mains * h * t + h) / h for h in range(1, 12))
        + chance.normal(size=many) * 0.3
    )


def babble(
    chance: np.random.Generator, many: int, talkers: Sequence[NDArray[np.int16]], people: int
) -> Sound:
    """Return that many people of the training voices talking at once."""
    out = np.zeros(many)
    for _ in range(people):
        at = 0
        gain = chance.uniform(0.4, 1)
        while at < many:
            piece = talkers[chance.integers(len(talkers))].astype(np.float64)
            piece = piece[: many - at] / (piece.std() + 1)
            out[at : at + len(piece)] += gain * piece
            at += len(piece) + int(chance.uniform(0, 0.6) * RATE)
    return out


def everything(
    seed: int, talkers: Sequence[NDArray[np.int16]], seconds: int = 45
) -> NDArray[np.float32]:
    """Return one row per noise, each of the same power."""
    chance = np.random.default_rng(seed)
    many = seconds * RATE
    rows = [_shaped(chance, many, power) for power in (0.0, 0.0, 0.25, 0.5, 0.5, 0.8, 1.0)]
    rows += [
        make(chance, many)
        for make in (kitchen, kitchen, kitchen, car, car, street, music, music, hum)
    ]
    rows += [babble(chance, many, talkers, people) for people in (2, 3, 5, 8, 12)]
    return np.stack([row / row.std() for row in rows]).astype(np.float32)
