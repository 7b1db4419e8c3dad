"""``pickup eval``: plays the cases by text and says which hold."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agent.cli.chat import exchange_lines
from agent.evaluate.case import CASES, Level, Run, load_cases
from agent.evaluate.text import Result, Status, TextDriver
from agent.service.logs import configure_logs
from agent.settings import load_settings

EXIT_FAILED: Final = 1
EXIT_ERRORED: Final = 2

out = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Played:
    """A run and its repeats.

    Attributes:
        first: How it went the first time.
        status: `PASSED` only if every repeat passed.
        steady: Every repeat decided the same.
    """

    first: Result
    status: Status
    steady: bool

    @property
    def name(self) -> str:
        """The run's name."""
        return self.first.run.name

    @property
    def pending(self) -> bool:
        """Whether it is known not to pass yet."""
        return self.first.run.level is Level.PENDING

    @property
    def holds(self) -> bool:
        """Whether it is as it must be: passed or pending, and steady."""
        return self.steady and (self.status is Status.PASSED or self.pending)


def register(app: typer.Typer) -> None:
    """Add the command ``eval`` to ``app``."""

    @app.command()
    def eval(  # noqa: A001
        paths: Annotated[
            list[Path] | None, typer.Argument(help="files or folders of cases; all by default")
        ] = None,
        only: Annotated[
            str, typer.Option("--only", "-k", help="only cases whose name holds this")
        ] = "",
        repeat: Annotated[
            int, typer.Option(min=1, help="play each so often; it must decide the same")
        ] = 1,
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", help="show each conversation that failed")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
    ) -> None:
        """Play cases by text: the mind alone, no phone.

        Exits with 1 if a case fails or decides differently when repeated, with 2 if it
        could not be told. Pending cases are played and counted, and block nothing.
        """
        configure_logs(person=True, level=logging.ERROR)
        cases = load_cases(paths or (CASES,))
        runs = [run for case in cases if only in case.case for run in case.runs()]
        if not runs:
            raise typer.BadParameter(f"no case is named like {only!r}")
        played = asyncio.run(_play(runs, repeat, quiet=as_json))
        if as_json:
            typer.echo(json.dumps(_report(played), ensure_ascii=False))
        else:
            _show(played, verbose=verbose)
        if any(one.status is Status.FAILED or not one.steady for one in played if not one.holds):
            raise typer.Exit(EXIT_FAILED)
        if any(one.status is Status.ERRORED for one in played):
            raise typer.Exit(EXIT_ERRORED)


async def _play(runs: Sequence[Run], repeat: int, *, quiet: bool) -> list[Played]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), disable=quiet)
    played = []
    async with TextDriver(load_settings()) as driver:
        with progress:
            for run in progress.track(runs, description="cases"):
                results = [await driver.play(run) for _ in range(repeat)]
                statuses = {result.status for result in results}
                worst = max(statuses, key=list(Status).index)
                steady = all(result.decisions == results[0].decisions for result in results)
                played.append(Played(results[0], worst, steady))
    return played


def _show(played: Sequence[Played], *, verbose: bool) -> None:
    for one in played:
        if not one.steady:
            out.print(f"[red]unsteady[/red] {one.name}: repeats decided differently")
        if one.status is Status.PASSED or (one.pending and one.status is Status.FAILED):
            continue
        out.print(f"[red]{one.status}[/red]  {one.name}")
        for fault in one.first.faults:
            out.print(f"    {escape(fault)}")
        if verbose:
            _show_talk(one.first)
    now_pass = [one.name for one in played if one.pending and one.status is Status.PASSED]
    if now_pass:
        out.print(f"[yellow]pending, but passed:[/yellow] {', '.join(now_pass)}")
    counts = Counter((one.status, one.pending) for one in played)
    cases = len({one.first.run.case.case for one in played})
    out.print(
        f"{cases} cases, {len(played)} runs: {counts[Status.PASSED, False]} passed, "
        f"{counts[Status.FAILED, False]} failed, "
        f"{counts[Status.ERRORED, False] + counts[Status.ERRORED, True]} errored, "
        f"{counts[Status.FAILED, True]} pending."
    )


def _show_talk(result: Result) -> None:
    words = ["", *result.run.words]
    for said, exchange in zip(words, result.exchanges, strict=False):
        if said:
            out.print(f"      [cyan]caller[/cyan]  {escape(said)}")
        for line in exchange_lines(exchange, verbose=True):
            out.print("      ", line)


def _report(played: Sequence[Played]) -> dict[str, Any]:
    counts = Counter(str(one.status) for one in played)
    return {
        "cases": len({one.first.run.case.case for one in played}),
        "runs": len(played),
        **{str(status): counts[status] for status in Status},
        "unsteady": sum(not one.steady for one in played),
        "results": [
            {
                "name": one.name,
                "case": one.first.run.case.case,
                "level": str(one.first.run.level),
                "words": [words for words in one.first.run.words if words],
                "status": str(one.status),
                "steady": one.steady,
                "faults": list(one.first.faults),
                **({"why": one.first.run.case.why} if one.pending else {}),
            }
            for one in played
        ],
    }
