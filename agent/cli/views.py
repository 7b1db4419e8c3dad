"""How a call looks to a person: its events as lines, its figures as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from agent.evaluate.calls import Summary
from agent.events import (
    BargedIn,
    CallAnswered,
    CallEnded,
    CallStarted,
    Event,
    FaultSeen,
    FinalHeard,
    KeyPressed,
    LineFinished,
    LineStarted,
    PromiseMade,
    PromiseUpdated,
    Understood,
)
from agent.evidence.measures import Distribution, Stages

REASONS: Final[Mapping[str, str]] = {
    "cfnr": "nobody picked up",
    "cfb": "the line was busy",
    "cfu": "always forwarded",
}
"""Asterisk's words for why a call was forwarded."""


STAGES: Final[Mapping[str, str]] = {
    "endpoint": "endpoint wait",
    "words": "last words",
    "decide": "decide",
    "speak": "first audio",
    "total": "agent's own total",
    "line": "line, both ways",
}
"""The stages of an answer, for people."""


def event_line(event: Event) -> Text | None:
    """Return what a person following the call should read of ``event``; None: nothing."""
    match event:
        case CallStarted():
            who = "a withheld number" if event.withheld else event.caller or "unknown"
            why = REASONS.get(event.diversion_reason, event.diversion_reason)
            forwarded = f", forwarded by {event.diverted_from}: {why}" if why else ""
            return _line(event, "call", f"from {who}{forwarded}", "bold")
        case CallAnswered():
            return _line(event, "call", "answered", "dim")
        case LineStarted():
            return _line(event, "Pickup", event.text, "green")
        case LineFinished() if not event.complete:
            heard = f"after “{event.heard}”" if event.heard else "before a word"
            return _line(event, "", f"cut off {heard}", "dim")
        case FinalHeard():
            return _line(event, "caller", event.text or "(not understood)", "cyan")
        case KeyPressed():
            return _line(event, "caller", f"key {event.digit}", "cyan")
        case BargedIn():
            return _line(event, "", "the caller spoke over it", "dim")
        case Understood():
            moves = ", ".join(map(str, event.moves)) or "nothing"
            slots = "".join(f", {name} = {value}" for name, value in event.slots.items())
            took = f"{event.seconds * 1000:.0f} ms"
            return _line(event, "", f"understood: {moves}{slots} ({event.by}, {took})", "dim")
        case PromiseMade():
            what = event.promise_kind.replace("_", " ")
            return _line(event, "promise", f"{what} to {event.to} ({event.promise})", "yellow")
        case PromiseUpdated():
            details = " ".join(filter(None, (event.receipt, event.code)))
            return _line(event, "promise", f"{event.outcome} {details}".strip(), "yellow")
        case FaultSeen():
            return _line(event, "fault", f"{event.code}: {event.message}", "red")
        case CallEnded():
            return _line(event, "call", f"ended by {event.by}: {event.reason}", "bold")
        case _:
            return None


def stages_table(found: Sequence[Stages]) -> Table:
    """Return one row per turn: where the agent's own time went."""
    table = Table(title="The agent's own stages, ms", title_justify="left", box=None)
    table.add_column("at")
    table.add_column("step")
    for name in ("endpoint wait", "last words", "decide", "first audio", "total"):
        table.add_column(name, justify="right")
    table.add_column("endpoint rule")
    for stage in found:
        times = (stage.endpoint, stage.words, stage.decide, stage.speak, stage.total)
        table.add_row(f"{stage.at:.1f} s", stage.step, *map(_ms, times), stage.rule)
    return table


def latency_table(summary: Summary) -> Table:
    """Return the latency at the caller's ear, and beside it the agent's own stages."""
    table = Table(
        title="Latency, ms: last voiced caller sample to first agent sound",
        title_justify="left",
        box=None,
    )
    table.add_column("")
    for name in ("p50", "p90", "p95", "p99", "max", "turns"):
        table.add_column(name, justify="right")
    _row(table, "at the caller's ear", summary.ear, "bold")
    _row(table, "greeting, from the answer", summary.greeting, "")
    for name, distribution in summary.stages.items():
        _row(table, f"  {STAGES[name]}", distribution, "dim")
    return table


def summary_line(summary: Summary) -> str:
    """Return the other figures of some calls as one sentence."""
    return (
        f"{summary.calls} calls, {summary.failed} failed; {summary.turns} caller turns, "
        f"{summary.unanswered_turns} without an answer of their own, "
        f"{summary.cut_ins} cut in on, {summary.talk_over:.1f} s of both speaking, "
        f"{summary.dead_air} stretches of dead air."
    )


def promise_lines(rows: Sequence[Mapping[str, Any]]) -> list[Text]:
    """Return the history of a call's promises, one line per piece of news."""
    lines = []
    for row in rows:
        details = " ".join(
            str(row[name]) for name in ("kind", "to", "receipt", "status", "code") if row.get(name)
        )
        news = str(row.get("news", "?"))
        lines.append(Text(f"  {row.get('promise', '')}  {news:<11} {details}"))
        if row.get("body"):
            lines.append(Text(f"            “{row['body']}”", "dim"))
    return lines


def _line(event: Event, who: str, what: str, style: str) -> Text:
    return Text.assemble((f"{event.at:7.2f}  ", "dim"), (f"{who:<8}", "bold"), (what, style))


def _row(table: Table, name: str, values: Distribution, style: str) -> None:
    if values.count:
        times = map(_ms, (values.p50, values.p90, values.p95, values.p99, values.max))
        table.add_row(name, *times, str(values.count), style=style)
    else:
        table.add_row(name, *["-"] * 5, "0", style=style)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
