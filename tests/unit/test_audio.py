"""Audio arithmetic, and audio time against a clock that stutters."""

from __future__ import annotations

import pytest

from agent.audio import FRAME_BYTES, AudioTime, byte_count, pad_to_frame, seconds


def test_sizes_and_times_belong_together() -> None:
    assert seconds(bytes(FRAME_BYTES)) == pytest.approx(0.02)
    assert byte_count(0.02) == FRAME_BYTES
    assert len(pad_to_frame(b"ab")) == FRAME_BYTES
    assert pad_to_frame(b"") == b""


def test_a_burst_of_late_frames_does_not_bend_time() -> None:
    time = AudioTime(0.0)
    for number in range(1, 26):
        assert time.next_frame(number * 0.02) == pytest.approx(number * 0.02)
    burst = [time.next_frame(0.8) for _ in range(15)]
    assert burst[-1] == pytest.approx(0.8)
    assert burst[0] == pytest.approx(0.52)


def test_lost_frames_are_made_up_for_within_a_second_and_a_half() -> None:
    time = AudioTime(0.0)
    for number in range(1, 51):
        time.next_frame(number * 0.02)
    at = [time.next_frame(1.0 + 0.4 + number * 0.02) for number in range(1, 76)][-1]
    assert at == pytest.approx(1.0 + 0.4 + 75 * 0.02, abs=0.031)


def test_frames_that_were_kept_up_at_the_start_do_not_stay_ahead() -> None:
    time = AudioTime(1.0)
    for _ in range(10):
        time.next_frame(1.0)
    at = [time.next_frame(1.0 + number * 0.02) for number in range(1, 101)][-1]
    assert at == pytest.approx(1.0 + 100 * 0.02, abs=0.031)
