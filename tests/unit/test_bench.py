"""The benches' figures, on calls with known answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.evaluate.bench import SUITE, false_yields, figures, suite, turn_figures
from agent.evaluate.caller import CallResult
from agent.evaluate.calls import Outcome
from agent.evaluate.soak import Sample, leaks, soak_plans
from agent.events import (
    BargedIn,
    Event,
    FinalHeard,
    LineStarted,
    Replied,
    Sentence,
    SentenceKind,
    ThoughtAhead,
    TurnEnded,
)
from agent.evidence.bundle import Bundle
from agent.evidence.measures import Span, measure_spans

SAY = (Sentence(SentenceKind.PHRASE, "p", "Words."),)
OFFSET = 2.1
"""Line time of call time 0: the greeting is sent at 0.1 and heard at 2.2."""


def outcome(
    caller: list[Span], agent: list[Span], events: list[Event], asides: tuple[int, ...] = ()
) -> Outcome:
    ear = measure_spans(caller, agent)
    result = CallResult(
        "test", "slt", "+1", 2.1, "agent", "agent", 16, 20.0, Path("a.wav"), ear, asides=asides
    )
    greeted: list[Event] = [LineStarted(at=0.1, line=1, text="Hello.")]
    card = {"ended": {"by": "agent", "reason": "goodbye"}}
    return Outcome(0, result, Bundle(Path("call"), card, (*greeted, *events)))


def answered(at: float, *, bridge: float = 0.0) -> list[Event]:
    """A turn that ended at call time ``at`` and was answered 0.4 s later."""
    events: list[Event] = [
        TurnEnded(at=at + 0.25, last_voiced=at, waited=0.25, rule="r"),
        FinalHeard(at=at + 0.27, text="yes"),
    ]
    if bridge:
        events += [
            Replied(at=at + 0.3, step="s", tool="t"),
            LineStarted(at=at + 0.4, line=2, text="One moment."),
        ]
    events += [
        Replied(at=at + 0.38 + bridge, step="s", sentences=SAY),
        LineStarted(at=at + 0.4 + bridge, line=3, text="Words."),
    ]
    return events


def test_a_turn_is_measured_from_both_sides() -> None:
    call = outcome([Span(5, 6)], [Span(2.2, 4), Span(6.48, 8)], answered(6 - OFFSET))
    (turn,) = turn_figures(call)
    assert turn.own is not None
    assert turn.own.total == pytest.approx(0.4)
    assert turn.line == pytest.approx(0.08)
    assert turn.answer == pytest.approx(0.48)


def test_a_bridge_is_a_first_sound_but_no_answer() -> None:
    events = answered(6 - OFFSET, bridge=1.5)
    found = figures([outcome([Span(5, 6)], [Span(2.2, 4), Span(6.48, 8)], events)])
    assert found.first_sound.p50 == pytest.approx(0.48)
    assert found.answer.p50 == pytest.approx(1.98)


def test_cut_ins_misses_and_yields_are_counted() -> None:
    caller = [Span(5, 6), Span(8, 9), Span(12, 13), Span(15, 16)]
    agent = [Span(2.2, 4), Span(8.5, 10), Span(11.5, 12.2), Span(13.5, 14.5)]
    found = figures([outcome(caller, agent, [])])
    assert (found.turns, found.cut_ins, found.missed) == (4, 1, 2)
    assert found.yields.p50 == pytest.approx(0.2)


def test_a_line_dropped_for_a_cough_is_a_false_yield() -> None:
    dropped = [BargedIn(at=3.5 - OFFSET)]
    cough = outcome([Span(3, 3.3)], [Span(2.2, 4)], list(dropped), asides=(0,))
    meant = replace(cough, result=cough.result and replace(cough.result, asides=()))
    assert len(false_yields(cough)) == 1
    assert false_yields(meant) == []
    assert figures([cough]).turns == 0


def test_guesses_are_counted() -> None:
    events: list[Event] = [
        ThoughtAhead(at=1.0, text="a", used=True),
        ThoughtAhead(at=2.0, text="b"),
    ]
    assert figures([outcome([], [Span(2.2, 4)], events)]).guesses == (2, 1)


def test_nothing_has_no_figures() -> None:
    found = figures([Outcome(0, None, None, "no carrier")]).as_json()
    assert (found["calls"], found["failed"], found["first_sound"]) == (1, 1, None)


def test_the_suite_goes_through_every_manner_and_voice() -> None:
    plans = suite(len(SUITE))
    assert {plan.manner for plan in plans} == {"clean", "noisy", "slow", "hesitant", "impatient"}
    assert all(plan.script.staff == "always-forward" for plan in plans)
    assert [plan.name for plan in suite(3)] == [plan.name for plan in suite(9)[:3]]


def sample(**more: int) -> Sample:
    usual = {
        "agent_kib": 200_000,
        "asterisk_kib": 70_000,
        "tasks": 9,
        "threads": 12,
        "files": 40,
        "sockets": 8,
        "asterisk_files": 50,
        "channels": 0,
        "bridges": 0,
    }
    return Sample("now", 0, **(usual | more))


def test_what_grew_is_named() -> None:
    assert leaks(sample(), sample(files=41, agent_kib=205_000)) == []
    assert leaks(sample(), sample(tasks=30, channels=1)) == ["tasks", "channels"]
    assert leaks(sample(), sample(agent_kib=260_000)) == ["agent_kib"]


def test_rounds_of_a_soak_differ() -> None:
    assert [p.voice for p in soak_plans(6, 0)] != [p.voice for p in soak_plans(6, 1)] or [
        [t.reaction for t in p.turns] for p in soak_plans(6, 0)
    ] != [[t.reaction for t in p.turns] for p in soak_plans(6, 1)]
