"""Measures: constructed audio with known answers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from agent.events import (
    Event,
    FinalHeard,
    LineStarted,
    Replied,
    Sentence,
    SentenceKind,
    ThoughtAhead,
    TurnEnded,
    Understood,
)
from agent.evidence.measures import (
    WINDOW_SECONDS,
    Span,
    TurnMeasure,
    distribution,
    measure_ear,
    measure_spans,
    stages,
    voiced_spans,
)
from agent.evidence.wav import Sound, read_wav

RATE = 8_000
EXACT = WINDOW_SECONDS + 1 / RATE


def channel(seconds: float, *sounds: tuple[float, float], noise: float = 0.0) -> NDArray[np.int16]:
    """A channel with speech-like sound (a wavering tone at −20 dBFS) at the given spans."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = np.random.default_rng(1).normal(0, noise, len(time)) if noise else np.zeros(len(time))
    tone = 4600 * np.sin(2 * np.pi * 200 * time) * (1 + 0.3 * np.sin(2 * np.pi * 4 * time))
    for start, end in sounds:
        wave[round(start * RATE) : round(end * RATE)] += tone[
            round(start * RATE) : round(end * RATE)
        ]
    return wave.round().astype(np.int16)


def mu_law(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """What is left of ``samples`` after µ-law (G.711), silence included: steps of 8 and up."""
    x = np.clip(samples.astype(np.float64), -32635, 32635) / 32635
    code = np.round(np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256) * 127)
    back = np.sign(code) * ((256 ** (np.abs(code) / 127)) - 1) / 255 * 32635
    return np.asarray(back.round(), np.int16)


def two(caller: NDArray[np.int16], agent: NDArray[np.int16]) -> Sound:
    return Sound(RATE, np.stack([caller, agent], axis=1))


def near(found: tuple[Span, ...], *wanted: tuple[float, float]) -> bool:
    return len(found) == len(wanted) and all(
        abs(span.start - start) <= EXACT and abs(span.end - end) <= EXACT
        for span, (start, end) in zip(found, wanted, strict=True)
    )


# ── where is sound ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("noise", [0.0, 3.0, 10.0, 30.0])
def test_sound_is_found_in_quiet_and_in_noise(noise: float) -> None:
    found = voiced_spans(channel(6, (1, 2), (3.5, 3.9), noise=noise), RATE)
    assert near(found, (1, 2), (3.5, 3.9))


def test_mu_law_changes_nothing() -> None:
    found = voiced_spans(mu_law(channel(6, (1, 2), (3.5, 3.9), noise=10)), RATE)
    assert near(found, (1, 2), (3.5, 3.9))


@pytest.mark.parametrize("noise", [0.0, 8.0, 30.0])
def test_a_quiet_channel_has_no_sound(noise: float) -> None:
    assert voiced_spans(mu_law(channel(20, noise=noise)), RATE) == ()


def test_comfort_noise_that_comes_and_goes_is_no_sound() -> None:
    wave = channel(10)
    wave[3 * RATE : 5 * RATE] = np.random.default_rng(2).normal(0, 30, 2 * RATE)  # −61 dBFS
    assert voiced_spans(wave, RATE) == ()


def test_an_offset_is_no_sound() -> None:
    assert voiced_spans(channel(3) + np.int16(500), RATE) == ()


def test_a_click_is_no_sound_and_a_short_pause_no_end() -> None:
    found = voiced_spans(channel(6, (0.5, 0.51), (1, 1.5), (1.65, 2), (2.25, 2.5)), RATE)
    assert near(found, (1, 2), (2.25, 2.5))


def test_speech_from_end_to_end_is_sound() -> None:
    assert near(voiced_spans(channel(2, (0, 2)), RATE), (0, 2))


def test_nothing_is_nothing() -> None:
    assert voiced_spans(np.zeros(0, np.int16), RATE) == ()
    assert voiced_spans(np.zeros(3, np.int16), RATE) == ()


# ── turns ───────────────────────────────────────────────────────────────────────────────


def test_latency_is_last_voiced_sample_to_first_sound() -> None:
    sound = two(
        channel(12, (3, 4.2), (8, 8.3), noise=8), channel(12, (0.5, 2.5), (4.75, 7), (8.6, 10))
    )
    found = measure_ear(sound)
    assert len(found.turns) == 2
    assert found.latencies == pytest.approx([0.55, 0.3], abs=2 * EXACT)
    assert found.first_sound == pytest.approx(0.5, abs=EXACT)
    assert found.cut_ins == 0
    assert found.talk_over == 0
    assert found.dead_air == ()


def test_a_hesitation_is_not_two_turns() -> None:
    sound = two(channel(8, (1, 2), (2.8, 3.5)), channel(8, (4, 5)))
    (turn,) = measure_ear(sound).turns
    assert turn.latency == pytest.approx(0.5, abs=2 * EXACT)


def test_lines_of_a_script_are_kept_apart() -> None:
    sound = two(channel(8, (1, 2), (2.8, 3.5)), channel(8, (4, 5)))
    first, second = measure_ear(sound, lines=[Span(1, 2), Span(2.8, 3.5)]).turns
    assert first.latency is None
    assert second.latency == pytest.approx(0.5, abs=EXACT)


def test_a_cut_in_is_no_answer() -> None:
    found = measure_spans([Span(1, 3)], [Span(2, 4)])
    assert found.turns == (TurnMeasure(1, 3, None, cut_in=True, talk_over=1.0),)
    assert found.cut_ins == 1


def test_what_follows_a_cut_in_is_no_answer() -> None:
    (turn,) = measure_spans([Span(1, 3)], [Span(2, 2.4), Span(3.5, 5)]).turns
    assert turn.cut_in
    assert turn.talk_over == pytest.approx(0.4)
    assert turn.latency is None


def test_a_barge_in_has_a_yield_time_and_a_latency() -> None:
    (turn,) = measure_spans([Span(2, 3)], [Span(1, 2.2), Span(3.6, 5)]).turns
    assert not turn.cut_in
    assert turn.yielded == pytest.approx(0.2)
    assert turn.talk_over == pytest.approx(0.2)
    assert turn.latency == pytest.approx(0.6)


def test_a_barge_in_that_is_talked_over_has_no_latency() -> None:
    (turn,) = measure_spans([Span(2, 3)], [Span(1, 5)]).turns
    assert turn.latency is None
    assert turn.yielded == pytest.approx(3)
    assert turn.talk_over == pytest.approx(1)


def test_an_answer_after_the_next_turn_is_not_the_first_ones() -> None:
    first, second = measure_spans([Span(1, 2), Span(5, 6)], [Span(6.5, 7)]).turns
    assert first.latency is None
    assert second.latency == pytest.approx(0.5)


def test_dead_air_is_between_sounds_and_long() -> None:
    found = measure_spans([Span(2, 3)], [Span(0, 1), Span(6.5, 7), Span(9.9, 11)])
    assert found.dead_air == (Span(3, 6.5),)


def test_a_call_without_a_sound() -> None:
    found = measure_ear(two(channel(3), channel(3)))
    assert found.turns == ()
    assert found.first_sound is None
    assert found.dead_air == ()


spans = st.lists(st.floats(0.05, 3), max_size=12).map(
    lambda gaps: [
        Span(sum(gaps[: 2 * i + 1]), sum(gaps[: 2 * i + 2])) for i in range(len(gaps) // 2)
    ]
)


@given(spans, spans)
def test_measures_of_anything_are_sane(caller: list[Span], agent: list[Span]) -> None:
    found = measure_spans(caller, agent)
    assert len(found.turns) == len(caller)
    for turn in found.turns:
        assert 0 <= turn.talk_over <= turn.end - turn.start + 1e-9
        if turn.latency is not None:
            assert turn.latency >= 0
            assert any(math.isclose(turn.end + turn.latency, s.start) for s in agent)


def test_the_callers_clips_begin_and_end_where_their_list_says() -> None:
    from agent.evaluate.manners import CALLERS
    from agent.evaluate.script import plan, voice_names

    for voice in voice_names():
        for planned in plan("order", 1, voice).turns:
            assert planned.clip is not None
            padded = np.concatenate(
                [np.zeros(RATE, np.int16), planned.clip.samples, np.zeros(RATE, np.int16)]
            )
            found = voiced_spans(padded, RATE)
            first, last = planned.clip.first_voiced / RATE + 1, planned.clip.last_voiced / RATE + 1
            assert found[0].start == pytest.approx(first, abs=2 * EXACT)
            assert found[-1].end == pytest.approx(last, abs=2 * EXACT)
            path: Path = CALLERS / "voices" / voice / f"{planned.clip.name}.wav"
            assert read_wav(path).rate == RATE


# ── the agent's own stages ──────────────────────────────────────────────────────────────


SAY = (Sentence(SentenceKind.PHRASE, "p", "Words."),)


def test_stages_of_turns_come_out_of_the_events() -> None:
    events: list[Event] = [
        Replied(at=0.1, step="greet", sentences=SAY),
        LineStarted(at=0.2, line=1, text="Hello."),
        TurnEnded(at=3.4, last_voiced=3.0, waited=0.4, rule="complete"),
        FinalHeard(at=3.41, text="yes"),
        Replied(at=3.45, step="confirm", sentences=SAY),
        LineStarted(at=3.47, line=2, text="This number?"),
        TurnEnded(at=6.3, last_voiced=6.0, waited=0.3, rule="yes"),
        FinalHeard(at=6.31, text="yes"),
        Understood(at=6.315, text="yes"),
        Replied(at=6.32, step="send", tool="send_link"),
        Replied(at=6.9, step="sent", sentences=SAY),
        LineStarted(at=6.95, line=3, text="Sent."),
        ThoughtAhead(at=7.0, text="yes", used=True),
    ]
    first, second = stages(events)
    assert (first.step, first.rule, first.ahead) == ("confirm", "complete", False)
    assert (first.endpoint, first.words, first.decide, first.speak) == pytest.approx(
        (0.4, 0.01, 0.04, 0.02)
    )
    assert (second.step, second.ahead) == ("sent", True)
    assert (second.endpoint, second.words, second.decide, second.speak) == pytest.approx(
        (0.3, 0.01, 0.59, 0.05)
    )
    assert second.total == pytest.approx(0.95)
    assert second.bridged == 0


def test_a_bridge_is_the_first_sound_while_a_tool_runs_but_no_answer() -> None:
    events: list[Event] = [
        TurnEnded(at=6.3, last_voiced=6.0, waited=0.3, rule="yes"),
        FinalHeard(at=6.31, text="yes"),
        Replied(at=6.32, step="send", tool="send_link"),
        LineStarted(at=6.8, line=3, text="One moment."),
        Replied(at=8.0, step="sent", sentences=SAY),
        LineStarted(at=8.1, line=4, text="Sent."),
    ]
    (stage,) = stages(events)
    assert stage.step == "sent"
    assert stage.total == pytest.approx(0.8)
    assert stage.bridged == pytest.approx(1.3)


def test_a_turn_that_was_not_answered_has_no_stages() -> None:
    assert stages([TurnEnded(at=6.3, last_voiced=6.0, waited=0.3, rule="yes")]) == ()


def test_percentiles() -> None:
    found = distribution([0.1, 0.2, 0.3, 0.4, 0.5])
    assert (found.count, found.max) == (5, 0.5)
    assert found.p50 == pytest.approx(0.3)
    assert found.p90 == pytest.approx(0.46)
    assert math.isnan(distribution([]).p50)
