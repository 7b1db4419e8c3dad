"""What the benches measure: how a call feels at the caller's ear, over many calls.

Pure: outcomes of calls go in, figures come out. All times in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from agent.evaluate.calls import Outcome
from agent.evaluate.script import Plan, plan
from agent.events import (
    BargedIn,
    FinalHeard,
    LineStarted,
    ThoughtAhead,
    TurnTakenBack,
)
from agent.evidence.measures import Distribution, Span, Stages, TurnMeasure, distribution

MATCH_SECONDS: Final = 0.8
"""A turn at the ear and a turn in the agent's events are the same if they end this close."""

DECISION_SECONDS: Final = 1.5
"""A line that is dropped this long after a voice began or ended was dropped because of it."""

SUITE: Final = (
    ("clean", "order"),
    ("clean", "questions"),
    ("clean", "reservation"),
    ("noisy", "order"),
    ("slow", "questions"),
    ("hesitant", "order-other-number"),
    ("impatient", "impatient"),
    ("clean", "listening"),
    ("clean", "order-other-number"),
    ("noisy", "questions"),
    ("slow", "order"),
    ("hesitant", "order"),
    ("impatient", "questions"),
    ("hesitant", "reservation"),
    ("impatient", "order"),
    ("clean", "question"),
)
"""Manners and scripts of the callers, in turn; voices go round beside them."""


def suite(count: int, first: int = 0) -> list[Plan]:
    """Return the first ``count`` callers of the suite, from number ``first`` on.

    The line forwards at once: two seconds of ringing teach nothing here.
    """
    plans = []
    for number in range(first, first + count):
        manner, script = SUITE[number % len(SUITE)]
        chosen = plan(script, number, manner=manner)
        at_once = chosen.script.model_copy(update={"staff": "always-forward"})
        plans.append(replace(chosen, script=at_once))
    return plans


@dataclass(frozen=True, slots=True)
class TurnFigures:
    """One turn of a caller, from both sides.

    Attributes:
        call: Number of the call.
        manner: How the caller spoke.
        ear: What the caller's side measured.
        own: The agent's own stages; None if it took no turn for over.
        line: What is left of the latency at the ear beside the agent's own total: both ways
            over the line, and edges of sound too soft to count; None without a latency.
    """

    call: int
    manner: str
    ear: TurnMeasure
    own: Stages | None = None
    line: float | None = None

    @property
    def answer(self) -> float | None:
        """The latency until the first sound that answers, after a bridge perhaps."""
        if self.ear.latency is None:
            return None
        return self.ear.latency + (self.own.bridged if self.own else 0.0)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        own = self.own and {**asdict(self.own), "total": self.own.total}
        return {**asdict(self), "own": own, "answer": self.answer}


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of some calls.

    Attributes:
        calls: How many.
        failed: Those that did not go as their script says.
        turns: Caller turns that want an answer.
        missed: Of these, the ones nobody answered before the caller had to speak again.
        cut_ins: Of these, the ones into which the agent spoke.
        first_sound: Last voiced sample of the caller to the first sound of the agent.
        answer: The same to the first sound that answers (no bridge).
        greeting: From the answer of the call to the first sound.
        yields: From a barge-in's first sample until the agent was silent.
        asides: Sounds over the agent's line that want nothing: a cough, "uh huh".
        false_yields: Lines that were dropped for one of those, or for no voice at all.
        talk_over: Seconds in which both spoke, beside the time to yield.
        dead_air: Stretches of more than 3 s in which nobody spoke.
        seconds: Length of all calls.
        stages: Where the time of an answered turn went.
        taken_back: Turns ended too soon, taken back and understood as a whole.
        guesses: Endings thought through ahead, and how many of them were used.
        late_slots: Slots of 20 ms that the callers' own program missed.
    """

    calls: int
    failed: int
    turns: int
    missed: int
    cut_ins: int
    first_sound: Distribution
    answer: Distribution
    greeting: Distribution
    yields: Distribution
    asides: int
    false_yields: int
    talk_over: float
    dead_air: int
    seconds: float
    stages: dict[str, Distribution]
    taken_back: int
    guesses: tuple[int, int]
    late_slots: int

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; a distribution of nothing is null."""

        def plain(value: Any) -> Any:
            if isinstance(value, Distribution):
                return asdict(value) if value.count else None
            if isinstance(value, dict):
                return {name: plain(each) for name, each in value.items()}
            return value

        names = self.__dataclass_fields__
        return {name: plain(getattr(self, name)) for name in names}


def turn_figures(outcome: Outcome) -> list[TurnFigures]:
    """Return every turn of a call that wants an answer, with the agent's stages beside it."""
    result = outcome.result
    if result is None:
        return []
    offset = _offset(outcome)
    own = list(outcome.stages)
    figures = []
    for number, ear in enumerate(result.ear.turns):
        if number in result.asides:
            continue
        found = TurnFigures(outcome.number, result.manner, ear)
        near = [stage for stage in own if abs(stage.at + offset - ear.end) < MATCH_SECONDS]
        if near and ear.latency is not None:
            stage = min(near, key=lambda each: abs(each.at + offset - ear.end))
            own.remove(stage)
            found = replace(found, own=stage, line=ear.latency - stage.total)
        figures.append(found)
    return figures


def figures(outcomes: Sequence[Outcome]) -> Figures:
    """Return the figures of these calls."""
    results = [outcome.result for outcome in outcomes if outcome.result is not None]
    turns = [turn for outcome in outcomes for turn in turn_figures(outcome)]
    events = [event for o in outcomes if o.bundle is not None for event in o.bundle.events]
    guesses = [event for event in events if isinstance(event, ThoughtAhead)]
    matched = [turn for turn in turns if turn.own is not None]
    stages = {
        name: distribution([getattr(turn.own, name) for turn in matched])
        for name in ("endpoint", "words", "decide", "speak")
    }
    stages["line"] = distribution([turn.line for turn in matched if turn.line is not None])
    return Figures(
        calls=len(outcomes),
        failed=sum(not outcome.ok for outcome in outcomes),
        turns=len(turns),
        missed=sum(_missed(turn.ear) for turn in turns),
        cut_ins=sum(turn.ear.cut_in for turn in turns),
        first_sound=distribution(_known(turn.ear.latency for turn in turns)),
        answer=distribution(_known(turn.answer for turn in turns)),
        greeting=distribution(
            [
                result.ear.first_sound - result.answered
                for result in results
                if result.answered is not None and result.ear.first_sound is not None
            ]
        ),
        yields=distribution(_known(turn.ear.yielded for turn in turns)),
        asides=sum(len(result.asides) for result in results),
        false_yields=sum(len(false_yields(outcome)) for outcome in outcomes),
        talk_over=sum(turn.ear.talk_over - (turn.ear.yielded or 0.0) for turn in turns),
        dead_air=sum(len(result.ear.dead_air) for result in results),
        seconds=sum(result.seconds for result in results),
        stages=stages,
        taken_back=sum(isinstance(event, TurnTakenBack) for event in events),
        guesses=(len(guesses), sum(guess.used for guess in guesses)),
        late_slots=sum(result.late_slots for result in results),
    )


def false_yields(outcome: Outcome) -> list[float]:
    """Return the call times at which a line was dropped although nobody took the turn."""
    if outcome.result is None or outcome.bundle is None:
        return []
    offset = _offset(outcome)
    meant = [
        Span(turn.start, turn.end + DECISION_SECONDS)
        for number, turn in enumerate(outcome.result.ear.turns)
        if number not in outcome.result.asides
    ]
    dropped = [event.at for event in outcome.bundle.events if isinstance(event, BargedIn)]
    return [at for at in dropped if not any(s.start <= at + offset <= s.end for s in meant)]


def _missed(turn: TurnMeasure) -> bool:
    return turn.latency is None and not turn.cut_in and turn.yielded is None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _offset(outcome: Outcome) -> float:
    """Return what to add to call time for line time, from the greeting's first sound."""
    if outcome.result is None or outcome.bundle is None:
        return math.nan
    heard = outcome.result.ear.first_sound
    started = next((e.at for e in outcome.bundle.events if isinstance(e, LineStarted)), None)
    return math.nan if heard is None or started is None else heard - started


def heard(outcome: Outcome) -> list[str]:
    """Return the caller's turns as the agent heard them."""
    events = outcome.bundle.events if outcome.bundle else ()
    return [event.text for event in events if isinstance(event, FinalHeard)]
