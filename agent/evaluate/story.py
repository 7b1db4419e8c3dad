"""What was understood and decided in a call, step by step, so that two calls can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from agent.evaluate.engines import Step
from agent.events import (
    CallEnded,
    Event,
    FinalHeard,
    KeyPressed,
    LineFinished,
    LineStarted,
    PromiseUpdated,
    Replied,
    Sentence,
    SentenceKind,
    Understood,
)
from agent.evidence.measures import stages
from agent.mind.dialogue import Heard, Keys, ToolDone


@dataclass(frozen=True, slots=True)
class Moment:
    """One input to the policy and what came of it.

    Attributes:
        at: Call time of the decision, seconds.
        heard: The caller's words or keys; empty: they were silent.
        moves: What these were taken to mean.
        steps: The policy's steps.
        tools: The tools used, with their outcome: ``order_link accepted``.
        facts: Ids of the facts said.
        lines: What the caller heard.
        latency: Last voiced sample to first sound, on the agent's side, seconds.
    """

    at: float = 0.0
    heard: str = ""
    moves: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    latency: float | None = None

    @property
    def decision(self) -> tuple[tuple[str, ...], ...]:
        """What was decided: moves, steps, tools and facts, but no wording."""
        return self.moves, self.steps, self.tools, self.facts


@dataclass(frozen=True, slots=True)
class Story:
    """A call as decisions.

    Attributes:
        moments: In order; the greeting first.
        end: ``<by>: <reason>``; empty if it has not ended.
    """

    moments: tuple[Moment, ...]
    end: str = ""


def from_events(events: Sequence[Event]) -> Story:
    """Return the story of a call's events."""
    moments: list[Moment] = []
    heard, keys, moves, tool = "", "", (), False
    end = ""
    understood: tuple[str, ...] = moves
    for event in events:
        match event:
            case KeyPressed():
                keys += event.digit
            case FinalHeard() if event.text:
                heard = event.text
            case Understood():
                heard, understood = event.text, tuple(map(str, event.moves))
            case Replied():
                if not tool:
                    moments.append(Moment(event.at, keys or heard, understood))
                    heard, keys, understood = "", "", ()
                moments[-1] = _with(moments[-1], event.step, event.sentences)
                tool = bool(event.tool)
                if tool:
                    moments[-1] = replace(moments[-1], tools=(*moments[-1].tools, event.tool))
            case PromiseUpdated() if moments and moments[-1].tools:
                *before, last = moments[-1].tools
                name = f"{last} {event.outcome} {event.code}".strip()
                moments[-1] = replace(moments[-1], tools=(*before, name))
            case CallEnded():
                end = f"{event.by}: {event.reason}"
    _add_lines(moments, events)
    for stage in stages(events):
        place = next((i for i, one in enumerate(moments) if one.at > stage.at), None)
        if place is not None:
            moments[place] = replace(moments[place], latency=stage.total)
    return Story(tuple(moments), end)


def from_steps(steps: Iterable[Step], outcomes: Sequence[str], end: str) -> Story:
    """Return the story of a dialogue that nobody spoke aloud.

    Args:
        steps: The policy's.
        outcomes: What became of each tool, in order.
        end: How it ended.
    """
    news = iter(outcomes)
    moments: list[Moment] = []
    for step in steps:
        given, reply = step.given, step.reply
        if isinstance(given, Heard):
            moves = tuple(map(str, given.understanding.moves))
            moments.append(Moment(heard=given.text, moves=moves))
        elif not isinstance(given, ToolDone):
            moments.append(Moment(heard=given.digits if isinstance(given, Keys) else ""))
        moment = _with(moments[-1], reply.step, reply.sentences)
        if reply.sentences:
            text = " ".join(sentence.text for sentence in reply.sentences)
            moment = replace(moment, lines=(*moment.lines, text))
        if reply.tool is not None:
            name = f"{reply.tool.promise_kind} {next(news, '')}".strip()
            moment = replace(moment, tools=(*moment.tools, name))
        moments[-1] = moment
    return Story(tuple(moments), end)


def _with(moment: Moment, step: str, sentences: Iterable[Sentence]) -> Moment:
    facts = tuple(one.ref for one in sentences if one.kind is SentenceKind.FACT)
    return replace(moment, steps=(*moment.steps, step), facts=(*moment.facts, *facts))


def _add_lines(moments: list[Moment], events: Sequence[Event]) -> None:
    begun: dict[int, LineStarted] = {}
    for event in events:
        match event:
            case LineStarted():
                begun[event.line] = event
            case LineFinished() if event.line in begun and event.heard:
                start = begun[event.line].at
                place = max((i for i, one in enumerate(moments) if one.at <= start), default=None)
                if place is not None:
                    text = event.heard if event.complete else f"{event.heard} —"
                    moments[place] = replace(moments[place], lines=(*moments[place].lines, text))


@dataclass(frozen=True, slots=True)
class Row:
    """The same thing done by the caller, then and now.

    Attributes:
        deed: What the caller did, for people.
        then: What came of it in the recorded call.
        now: What came of it today.
        played: Whether it was come to today.
    """

    deed: str
    then: tuple[Moment, ...] = field(default=())
    now: tuple[Moment, ...] = field(default=())
    played: bool = True

    @property
    def same(self) -> bool:
        """Whether the decisions are the same."""
        return [one.decision for one in self.then] == [one.decision for one in self.now]


def chunks(moments: Sequence[Moment], cuts: Sequence[int]) -> list[tuple[Moment, ...]]:
    """Cut moments where the caller's deeds began: before the first deed, then one per deed."""
    edges = [0, *cuts, len(moments)]
    return [tuple(moments[a:b]) for a, b in pairwise(edges)]


def moment_json(moment: Moment) -> dict[str, Any]:
    """Return a moment for programs."""
    return {name: getattr(moment, name) for name in Moment.__dataclass_fields__}
