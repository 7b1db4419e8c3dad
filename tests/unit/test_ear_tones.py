"""Fax and busy tones are known; voices, keys, ringing and music are not taken for them."""

from __future__ import annotations

import numpy as np
import pytest

from agent.audio import FRAME_BYTES
from agent.ear.tones import ToneDetector
from tests.unit.ear_sounds import (
    LINE_RATE,
    Line,
    clicks,
    hiss,
    keys,
    music,
    silence,
    slin16,
    speech,
)


def tone(duration: float, *hertz: float, level: float = 3_000.0) -> Line:
    time = np.arange(round(duration * LINE_RATE)) / LINE_RATE
    return np.asarray(sum(level * np.sin(2 * np.pi * each * time) for each in hertz))


def heard(sound: Line) -> list[str]:
    detector = ToneDetector()
    pcm = slin16(sound)
    frames = [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]
    return [name for frame in frames if (name := detector.feed(frame))]


def test_a_calling_fax_is_known_from_its_first_beep() -> None:
    line = np.concatenate([silence(1), tone(0.5, 1_100), silence(3), tone(0.5, 1_100)])
    assert heard(line + hiss(5)) == ["fax", "fax"]


def test_an_answering_fax_is_known() -> None:
    assert "fax" in heard(tone(3, 2_100) + hiss(3))


def test_a_busy_line_is_known() -> None:
    beat = np.concatenate([tone(0.5, 480, 620), silence(0.5)])
    assert heard(np.tile(beat, 10)) == ["busy"]


@pytest.mark.parametrize(
    "sound",
    [
        silence(5),
        hiss(5, 3_000),
        clicks(5),
        keys(8),
        music(8),
        speech("order_rms"),
        speech("hours_ked"),
        np.tile(np.concatenate([tone(2, 440, 480), silence(4)]), 3),  # ringing
        tone(0.2, 1_100),
        tone(8, 620),
        tone(3, 1_100, level=50),
    ],
)
def test_nothing_else_is_a_tone(sound: Line) -> None:
    assert heard(sound) == []
