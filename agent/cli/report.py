"""``pickup report``: a day, or the trend, as text; ``pickup web``: the same as a page."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.report.day import Day, Reports
from agent.report.trend import Point, trend
from agent.restaurant import load_restaurant
from agent.settings import load_settings
from agent.web.server import HOST, TOKEN_FILE, TREND_DAYS, Pages, start
from agent.web.words import clock, long_day, milliseconds, minutes, percent, words


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("report")(report)
    app.command("web")(web)


def report(
    day: Annotated[str, typer.Option(help="As 2026-11-22, `today` or `yesterday`.")] = "today",
    trends: Annotated[
        bool, typer.Option("--trends", help=f"{TREND_DAYS} days up to then, for developers.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Tell what a day's calls came to; telephone numbers show their last four digits."""
    settings = load_settings()
    zone = load_restaurant(settings.restaurant).time_zone
    reports = Reports(settings.home, settings.calls, zone)
    wanted = _day(day, reports.today(datetime.now(UTC)))
    console = Console(highlight=False, markup=False)
    if trends:
        days = [wanted - timedelta(days=back) for back in range(TREND_DAYS)]
        points = trend([reports.day(one) for one in days])
        if as_json:
            typer.echo(json.dumps([one.as_json() for one in points]))
        else:
            console.print(_trend_table(points))
        return
    found = reports.day(wanted)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False))
    else:
        _tell(found, console)


def _day(day: str, today: date) -> date:
    if day in ("today", "yesterday"):
        return today - timedelta(days=day == "yesterday")
    try:
        return date.fromisoformat(day)
    except ValueError as error:
        raise typer.BadParameter(f"{day!r} is no day; write it as 2026-11-22") from error


def _tell(found: Day, console: Console) -> None:
    met, of = found.needs
    console.print(long_day(found.day), style="bold")
    if not found.calls:
        console.print("No calls.")
    else:
        needs = f"; {met} of {of} callers got what they wanted" if of else ""
        console.print(f"{len(found.calls)} calls answered{needs}.")
        types = ", ".join(f"{words(name)} {count}" for name, count in found.types.items())
        links = found.links
        console.print(f"Calls: {types}")
        console.print(
            f"Order links: {links['sent']} texted, {links['delivered']} delivered, "
            f"{links['failed']} failed, {links['waiting']} waiting"
        )
        latency = found.latency
        console.print(
            f"To answer: {milliseconds(latency.p50)} at the median, "
            f"{milliseconds(latency.p95)} for 19 of 20"
        )
    for title, lines in (
        ("Messages for you", [f"{clock(one.at)}  {one.text}" for one in found.messages]),
        (
            "Questions without an answer",
            [f"“{one.text}” ({', '.join(one.calls)})" for one in found.questions],
        ),
        (
            "What went wrong",
            [
                f"{clock(one.started)}  {words(problem.kind)}: “{problem.quote}” ({one.id})"
                for one in found.calls
                for problem in one.problems
            ],
        ),
    ):
        if lines:
            console.print(f"\n{title}", style="bold")
        for line in lines:
            console.print(f"  {line}")
    if found.questions:
        console.print("  Add the answers: pickup web", style="dim")
    if found.calls:
        console.print(_calls_table(found))


def _calls_table(found: Day) -> Table:
    table = Table(title="\nCalls", title_justify="left", title_style="bold", box=None)
    for name in ("at", "id", "caller", "about", "outcome", "length", "flags"):
        table.add_column(name)
    for one in found.calls:
        if one.error:
            table.add_row("?", one.id, Text(one.error, "red"))
            continue
        table.add_row(
            clock(one.started),
            one.id,
            one.caller,
            words(one.type),
            words(one.outcome),
            minutes(one.seconds),
            Text(str(len(one.problems) or ""), "red"),
        )
    return table


def _trend_table(points: tuple[Point, ...]) -> Table:
    table = Table(box=None)
    for name in ("day", "calls", "needs met", "flags", "no answer", "p50", "p95", "what ran"):
        table.add_column(name)
    for one in points:
        flags = ", ".join(f"{kind} {count}" for kind, count in one.flags.items())
        table.add_row(
            one.day,
            str(one.calls),
            percent(one.needs_met),
            flags or "-",
            str(one.unanswered),
            milliseconds(one.latency_p50),
            milliseconds(one.latency_p95),
            "; ".join(one.versions),
            style="" if one.calls else "dim",
        )
    return table


def web() -> None:
    """Serve the owner's page on this machine until Ctrl-C. Nothing else can reach it."""
    asyncio.run(_serve())


async def _serve() -> None:
    settings = load_settings()
    runner = await start(Pages(settings), settings.web.port)
    told = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, told.set)
    console = Console(highlight=False)
    console.print(f"The page: http://{HOST}:{settings.web.port}/   Ctrl-C stops.")
    console.print(f"[dim]The token for adding answers: {settings.home / TOKEN_FILE}[/]")
    try:
        await told.wait()
    finally:
        await runner.cleanup()
