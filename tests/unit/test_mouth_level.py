"""Level, limits and edges of speech, on sound that can be reckoned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audio import FRAME_BYTES, SAMPLE_RATE, seconds
from agent.mouth import level


def tone(duration: float, amplitude: float, hertz: float = 400) -> bytes:
    time = np.arange(round(duration * SAMPLE_RATE)) / SAMPLE_RATE
    return (amplitude * 32767 * np.sin(2 * np.pi * hertz * time)).astype("<i2").tobytes()


def silence(duration: float) -> bytes:
    return bytes(round(duration * SAMPLE_RATE) * 2)


def test_the_level_of_speech_leaves_its_pauses_out() -> None:
    speech = tone(1, 0.5)
    # A sine of amplitude 0.5 has an RMS of 0.354: -9.03 dBFS.
    assert level.speech_level(speech) == pytest.approx(-9.03, abs=0.05)
    assert level.speech_level(silence(1) + speech + silence(2)) == pytest.approx(-9.03, abs=0.05)
    assert level.speech_level(silence(1)) == -np.inf
    assert level.speech_level(b"") == -np.inf


def test_the_gain_brings_speech_to_the_target() -> None:
    speech = tone(1, 0.05)
    shaped = level.shape(speech, level.gain_for(speech), pause=0)
    assert level.speech_level(shaped) == pytest.approx(level.TARGET_LEVEL, abs=0.2)


def test_what_the_telephone_does_not_carry_counts_for_no_level() -> None:
    boom = level.samples(tone(1, 0.4, hertz=150)) + level.samples(tone(1, 0.05, hertz=1000))
    pcm = np.round(boom * 32767).astype("<i2").tobytes()
    assert level.heard_level(pcm) == pytest.approx(level.speech_level(tone(1, 0.05)), abs=0.2)
    assert level.heard_level(b"") == -np.inf


def test_silence_at_the_edges_goes_and_the_pause_is_added() -> None:
    shaped = level.shape(silence(0.2) + tone(0.5, 0.2) + silence(0.4), 1.0, pause=0.3)
    sound = np.flatnonzero(np.abs(level.samples(shaped)) > 0.005)
    assert sound[0] <= level.LEAD_SECONDS * SAMPLE_RATE + 160
    after = (len(shaped) // 2 - sound[-1]) / SAMPLE_RATE
    assert 0.28 <= after <= 0.34
    assert len(shaped) % FRAME_BYTES == 0


def test_only_silence_is_nothing_but_the_pause() -> None:
    assert level.shape(silence(1), 1.0, pause=0) == b""
    assert level.shape(b"", 1.0, pause=0) == b""


def test_loud_sound_is_turned_down_not_clipped() -> None:
    shaped = level.samples(level.shape(tone(0.5, 0.5) + tone(0.1, 1.0) + tone(0.5, 0.5), 1.6, 0))
    limit = 10 ** (level.PEAK_LIMIT / 20)
    assert abs(shaped).max() <= limit + 1e-4
    flat = np.abs(shaped) > limit - 1e-3
    longest = max(len(run) for run in "".join("x" if at else " " for at in flat).split(" "))
    # 400 Hz stays within 1e-3 of its peak for 2 of 40 samples a cycle; clipping makes 10 and more.
    assert longest <= 4


@given(st.binary(max_size=20_000), st.floats(0.01, 50), st.floats(0, 0.5))
def test_any_sound_stays_within_the_limit_in_whole_frames(
    data: bytes, gain: float, pause: float
) -> None:
    shaped = level.shape(data[: len(data) // 2 * 2], gain, pause)
    assert len(shaped) % FRAME_BYTES == 0
    assert np.abs(level.samples(shaped)).max(initial=0) <= 10 ** (level.PEAK_LIMIT / 20) + 1e-4
    assert seconds(shaped) <= seconds(data) + pause + 0.04
