"""Speech starts and stops, by the real Silero, in audio time."""

from __future__ import annotations

import numpy as np
import pytest

from agent.audio import FRAME_BYTES, SAMPLE_RATE, seconds
from agent.ear.vad import AudioClock, SpeechDetector, Started, Stopped
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


def detect(pcm: bytes, step: int = FRAME_BYTES) -> list[Started | Stopped]:
    detector = SpeechDetector()
    found: list[Started | Stopped] = []
    for start in range(0, len(pcm), step):
        found += detector.feed(pcm[start : start + step])
    return found


@pytest.mark.parametrize(
    "sound", [silence(5), hiss(5), hiss(5, 3_000), clicks(5), keys(5), music(5)]
)
def test_what_is_no_speech_starts_nothing(sound: Line) -> None:
    assert detect(slin16(sound)) == []


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("yes_rms", 0.92),
        ("yes_ked", 0.73),
        ("yes_espeak", 0.81),
        ("no_awb", 0.68),
        ("order_rms", 2.34),
    ],
)
def test_speech_starts_once_and_stops_where_it_ends(name: str, end: float) -> None:
    started, stopped = detect(slin16(hiss(1), speech(name), hiss(1)))
    assert isinstance(started, Started)
    assert isinstance(stopped, Stopped)
    # A weak last consonant may be missed; nothing may be added.
    assert stopped.sample / SAMPLE_RATE == pytest.approx(1 + end - 0.06, abs=0.08)


def test_frame_size_changes_nothing() -> None:
    pcm = slin16(hiss(0.5), speech("order_rms"), hiss(1))
    assert detect(pcm) == detect(pcm, 2 * 37) == detect(pcm, len(pcm))


def test_clipped_speech_is_still_speech() -> None:
    found = detect(slin16(hiss(0.5), speech("order_rms") * 20, hiss(1)))
    assert [type(change) for change in found] == [Started, Stopped]


def test_late_frames_do_not_move_the_clock() -> None:
    clock = AudioClock()
    ends = [clock.advance(320, at) for at in (0.02, 0.04, 0.15, 0.151, 0.152, 0.153, 0.154, 0.16)]
    assert ends == pytest.approx([0.02 * (index + 1) for index in range(8)])


def test_a_gap_in_the_line_moves_the_clock() -> None:
    clock = AudioClock()
    clock.advance(320, 0.02)
    assert clock.advance(320, 5.0) == pytest.approx(5.0)


def test_a_stall_is_no_gap_once_its_frames_have_come() -> None:
    clock = AudioClock()
    clock.advance(320, 0.02)
    for at in (0.52, 0.521, 0.522):
        clock.advance(320, at)
    for index in range(4, 40):
        end = clock.advance(320, max(0.53, 0.02 * (index + 1)))
    assert end == pytest.approx(0.8)
    assert seconds(bytes(FRAME_BYTES)) == pytest.approx(0.02)


def test_a_short_answer_is_noticed_long_after_a_sentence() -> None:
    line = slin16(hiss(1, 8), speech("order_rms"), hiss(8, 8), speech("no_awb"), hiss(1, 8))
    assert [type(change) for change in detect(line)] == [Started, Stopped] * 2


def test_a_television_across_the_room_is_not_the_caller() -> None:
    caller = np.concatenate([hiss(1), speech("order_rms"), hiss(6), speech("yes_rms"), hiss(3)])
    talk = np.resize(speech("hours_ked"), len(caller))
    behind = talk * speech("order_rms").std() / speech("hours_ked").std() * 10 ** (-22 / 20)
    behind[:LINE_RATE] = 0
    found = detect(slin16(caller + behind))
    starts = [change.sample / SAMPLE_RATE for change in found if isinstance(change, Started)]
    stops = [change.sample / SAMPLE_RATE for change in found if isinstance(change, Stopped)]
    order_ends, yes_begins = 1 + 2.34, 7 + len(speech("order_rms")) / LINE_RATE
    assert all(start < order_ends or start > yes_begins for start in starts)
    assert any(abs(stop - order_ends) < 0.1 for stop in stops)


def test_a_full_room_before_the_first_word_is_not_the_caller() -> None:
    one = np.resize(speech("hours_ked"), 6 * LINE_RATE)
    talk = np.sum([np.roll(one, 9_000 * place) for place in range(6)], axis=0)
    behind = talk / talk.std() * speech("order_rms").std() * 10 ** (-20 / 20)
    caller = np.concatenate([hiss(3), speech("order_rms"), hiss(6)])[: len(behind)]
    started, stopped = detect(slin16(caller + behind))
    assert started.sample / SAMPLE_RATE == pytest.approx(3.4, abs=0.1)
    assert stopped.sample / SAMPLE_RATE == pytest.approx(3 + 2.34, abs=0.15)


def test_on_a_quiet_line_a_stop_is_seen_within_0_15_s() -> None:
    line = slin16(hiss(1, 8), speech("order_rms"), hiss(1, 8))
    detector = SpeechDetector()
    for start in range(0, len(line), FRAME_BYTES):
        for change in detector.feed(line[start : start + FRAME_BYTES]):
            if isinstance(change, Stopped):
                seen = (start + FRAME_BYTES) / 2 / SAMPLE_RATE
                assert seen - change.sample / SAMPLE_RATE < 0.15
