"""``pickup bench`` and ``pickup soak``: how calls feel at the caller's ear, and what they leave."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import platform
import signal
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from agent import __version__
from agent.cli import views
from agent.cli.call import Reporter
from agent.cli.stack import step_printer
from agent.evaluate.audio_bench import run_in_audio_time
from agent.evaluate.bench import Figures, figures, suite, turn_figures
from agent.evaluate.calls import Outcome, run_plans
from agent.evaluate.engines import Engines
from agent.evaluate.soak import Sample, leaks, sample, soak_plans
from agent.evidence.picture import draw_latencies
from agent.service.logs import configure_logs
from agent.service.ports import loopback_settings
from agent.service.stack import Stack
from agent.settings import CHECKOUT, Settings

RESULTS: Final = CHECKOUT / "build" / "bench"

GATE: Final = {"rush_calls": 100_000, "most_load": 1_000.0}
"""The gate as it is on a quiet day: no short script, nobody refused."""

WIDTH: Final = 150
"""Columns of the widest table; a narrower terminal wraps them."""

PATIENT: Final = {"max_calls": 16, "watchdog_seconds": 20.0}
"""A soak may share the box; a watchdog's kill would hide what is looked for."""

Result = TypeVar("Result")

ROUND: Final = 16
"""Callers of the whole suite: every manner and script."""


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(bench)
    app.command()(soak)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: some calls at a time, by Pickup or by the plain pipeline."""

    name: str
    at_once: int
    outcomes: list[Outcome]

    @property
    def figures(self) -> Figures:
        """Their figures."""
        return figures(self.outcomes)


def bench(
    calls: Annotated[int, typer.Option(min=0, help="Calls, one at a time.")] = 16,
    many: Annotated[str, typer.Option(help="Further runs: calls at once.")] = "2,4,8",
    plain: Annotated[int, typer.Option(help="Calls of the plain pipeline; 0: leave out.")] = 8,
    audio: Annotated[
        bool,
        typer.Option(
            "--audio",
            help="In audio time, without a telephone network: what turn-taking decides, the same "
            "on any machine. Only --calls counts beside it; writes build/bench/turns.json.",
        ),
    ] = False,
    results: Annotated[
        str, typer.Option(help="Name of the file in build/bench that is written.")
    ] = "calls.json",
    pictures: Annotated[
        Path | None, typer.Option(help="Draw the distribution as SVG into this folder.")
    ] = None,
) -> None:
    """Measure calls at the caller's ear: alone, several at once, and against a plain pipeline.

    Scripted callers in several voices and manners phone over real SIP and RTP. Prints tables and
    writes build/bench/calls.json.
    """
    configure_logs(person=True, level=logging.ERROR)
    settings = loopback_settings(CHECKOUT / "var" / "bench", agent={"max_calls": 16}, gate=GATE)
    crowds = [int(number) for number in many.split(",") if number.strip()]
    load = round(os.getloadavg()[0], 2)
    console = Console(width=WIDTH)
    if audio:
        results, plain = "turns.json", 0
        rows = _run_until_told(_audio_bench(settings, console, calls))
    else:
        rows = _run_until_told(_bench(settings, console, calls, crowds, plain))
    conditions = {
        "cores": os.cpu_count(),
        "load_before": load,
        "machine": platform.machine(),
        "pickup": __version__,
        "ear": settings.models.ear.name,
    }
    console.print()
    console.print(latency_table(rows))
    console.print(manners_table(rows[0]))
    for row in rows:
        console.print(waterfall_table(row))
    ratio = ratios(rows, calls, plain)
    if ratio:
        console.print(f"Against the plain pipeline, the same {plain} callers: {ratio}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    found = {"conditions": conditions, "ratios": ratio, "rows": [_row_json(row) for row in rows]}
    (RESULTS / results).write_text(json.dumps(found, indent=1))
    console.print(f"[dim]{conditions}[/]\nWritten to {RESULTS / results}")
    if pictures is not None:
        names = {row.name: _latencies(row.outcomes) for row in rows}
        (pictures / "latency.svg").write_text(draw_latencies(names), encoding="utf-8")


async def _bench(
    settings: Settings, console: Console, calls: int, crowds: Sequence[int], plain: int
) -> list[Row]:
    rows: list[Row] = []
    runs = [("alone", 1, calls)] if calls else []
    runs += [(f"{crowd} at once", crowd, min(ROUND, 4 * crowd)) for crowd in crowds]
    if runs:
        async with Stack(settings, carrier=True, on_step=step_printer(console)):
            rows = [await _run(settings, console, *run) for run in runs]
    if plain:
        async with Stack(settings, carrier=True, plain=True, on_step=step_printer(console)):
            rows.append(await _run(settings, console, "plain, alone", 1, plain))
    return rows


def _run_until_told(work: Coroutine[Any, Any, Result]) -> Result:
    """Run ``work``; SIGTERM and SIGINT end it with all that it started stopped, too."""

    async def told() -> Result:
        task = asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            if task is not None:
                asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await work

    try:
        return asyncio.run(told())
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None


async def _audio_bench(settings: Settings, console: Console, calls: int) -> list[Row]:
    folder = settings.home / "audio"
    async with Engines(settings, settings.restaurant, settings.phrases) as engines:
        zone = ZoneInfo(engines.parts.restaurant.time_zone)
        reporter = Reporter(console, many=True)
        outcomes = await run_in_audio_time(
            engines, suite(calls), datetime.now(zone), folder, reporter.done
        )
    return [Row("in audio time", 1, outcomes)]


async def _run(settings: Settings, console: Console, name: str, at_once: int, count: int) -> Row:
    console.print(f"\n[bold]{name}[/]: {count} calls")
    reporter = Reporter(console, many=True)
    outcomes = await run_plans(settings, suite(count), concurrency=at_once, on_done=reporter.done)
    return Row(name, at_once, outcomes)


def latency_table(rows: Sequence[Row]) -> Table:
    """Return one line for each run: how it felt at the ear."""
    table = Table(title="At the caller's ear, ms", title_justify="left", box=None)
    for name in (
        "", "calls", "turns", "p50", "p90", "p95", "p99", "answer p50", "p90", "cut in on",
        "missed", "yield p50", "p90", "false yields", "both speak", "dead air", "failed",
    ):  # fmt: skip
        table.add_column(name, justify="left" if not name else "right")
    for row in rows:
        found = row.figures
        first, answer, yields = found.first_sound, found.answer, found.yields
        table.add_row(
            row.name,
            str(found.calls),
            str(found.turns),
            *map(_ms, (first.p50, first.p90, first.p95, first.p99, answer.p50, answer.p90)),
            f"{found.cut_ins} ({_share(found.cut_ins, found.turns)})",
            str(found.missed),
            _ms(yields.p50),
            _ms(yields.p90),
            f"{found.false_yields} of {found.asides}",
            f"{found.talk_over:.1f} s",
            str(found.dead_air),
            str(found.failed),
        )
    return table


def manners_table(row: Row) -> Table:
    """Return the first run by the manner of its callers."""
    table = Table(title=f"By manner, {row.name}, ms", title_justify="left", box=None)
    for name in ("", "turns", "p50", "p90", "max", "cut in on", "missed"):
        table.add_column(name, justify="left" if not name else "right")
    manners = dict.fromkeys(o.result.manner for o in row.outcomes if o.result is not None)
    for manner in manners:
        some = [o for o in row.outcomes if o.result is not None and o.result.manner == manner]
        found = figures(some)
        times = (found.first_sound.p50, found.first_sound.p90, found.first_sound.max)
        counts = (found.cut_ins, found.missed)
        table.add_row(manner, str(found.turns), *map(_ms, times), *map(str, counts))
    return table


def waterfall_table(row: Row) -> Table:
    """Return where the time of a turn goes."""
    found = row.figures
    table = Table(title=f"Where the time goes, {row.name}, ms", title_justify="left", box=None)
    for name in ("", "p50", "p90", "p95", "max"):
        table.add_column(name, justify="left" if not name else "right")
    for name, values in found.stages.items():
        times = map(_ms, (values.p50, values.p90, values.p95, values.max))
        table.add_row(views.STAGES.get(name, name), *times)
    made, used = found.guesses
    table.caption = f"{made} endings thought through ahead, {used} used; {found.taken_back} turns "
    table.caption += "taken back"
    return table


def ratios(rows: Sequence[Row], calls: int, plain: int) -> dict[str, float]:
    """Return how many times faster than the plain pipeline, over the same callers."""
    if not plain or plain > calls:
        return {}
    ours = figures(rows[0].outcomes[:plain])
    theirs = rows[-1].figures
    return {
        "median": round(theirs.answer.p50 / ours.answer.p50, 2),
        "p90": round(theirs.answer.p90 / ours.answer.p90, 2),
        "cut_ins": ours.cut_ins,
        "plain_cut_ins": theirs.cut_ins,
        "p50": round(ours.answer.p50, 3),
        "plain_p50": round(theirs.answer.p50, 3),
    }


def _latencies(outcomes: Sequence[Outcome]) -> list[float]:
    turns = [turn for outcome in outcomes for turn in turn_figures(outcome)]
    return [turn.ear.latency for turn in turns if turn.ear.latency is not None]


def _row_json(row: Row) -> dict[str, Any]:
    turns = [turn.as_json() for outcome in row.outcomes for turn in turn_figures(outcome)]
    calls = [
        {
            "number": outcome.number,
            "script": outcome.result and outcome.result.script,
            "voice": outcome.result and outcome.result.voice,
            "manner": outcome.result and outcome.result.manner,
            "failure": outcome.failure,
            "bundle": outcome.bundle and outcome.bundle.id,
        }
        for outcome in row.outcomes
    ]
    return {
        "name": row.name,
        "at_once": row.at_once,
        "figures": row.figures.as_json(),
        "turns": turns,
        "calls": calls,
    }


# ── soak ────────────────────────────────────────────────────────────────────────────────


def soak(
    turns: Annotated[int, typer.Option(min=1, help="Caller turns in all.")] = 1000,
    concurrency: Annotated[int, typer.Option(min=1, help="Calls at a time.")] = 6,
) -> None:
    """Have callers speak many turns and show that nothing of them stays; build/bench/soak.json.

    Compares memory, tasks, threads, sockets, file handles, channels and bridges before and after,
    once a first round of calls has warmed everything. Exits with 1 if something grew.
    """
    configure_logs(person=True, level=logging.ERROR)
    settings = loopback_settings(CHECKOUT / "var" / "soak", agent=PATIENT, gate=GATE)
    console = Console()
    rows, spoken, failed = _run_until_told(_soak(settings, console, turns, concurrency))
    console.print()
    console.print(soak_table(rows))
    left = leaks(rows[1], rows[-1])
    console.print(
        f"{spoken} turns, {concurrency} calls at a time; {failed} calls failed. "
        f"Left behind: {', '.join(left) if left else 'nothing'}."
    )
    RESULTS.mkdir(parents=True, exist_ok=True)
    found = {
        "turns": spoken,
        "at_once": concurrency,
        "failed": failed,
        "left": left,
        "samples": [row.as_json() for row in rows],
    }
    (RESULTS / "soak.json").write_text(json.dumps(found, indent=1))
    raise typer.Exit(1 if left else 0)


async def _soak(
    settings: Settings, console: Console, turns: int, concurrency: int
) -> tuple[list[Sample], int, int]:
    async with Stack(settings, carrier=True, on_step=step_printer(console)) as stack:
        rows = [await sample(stack, "started", 0)]
        spoken = failed = batch = 0
        while spoken < turns:
            outcomes = await run_plans(
                settings, soak_plans(concurrency * 4, batch), concurrency=concurrency
            )
            batch += 1
            spoken += sum(len(o.result.ear.turns) for o in outcomes if o.result is not None)
            failed += sum(not outcome.ok for outcome in outcomes)
            rows.append(await sample(stack, f"round {batch}", spoken))
            console.print(f"  {spoken} turns, {rows[-1].agent_kib // 1024} MiB, {failed} failed")
    return rows, spoken, failed


def soak_table(rows: Sequence[Sample]) -> Table:
    """Return what was there after each round."""
    table = Table(title="What is there", title_justify="left", box=None)
    names = list(rows[0].as_json())
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*[str(value) for value in row.as_json().values()])
    return table


def _ms(seconds: float) -> str:
    return "-" if seconds != seconds else f"{seconds * 1000:.0f}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "-"
