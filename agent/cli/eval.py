"""``pickup eval``: plays the cases and says which hold; with ``--gate``, whether all is as good."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agent.errors import CaseError
from agent.evaluate.case import WORLDS, DriverName, Run
from agent.evaluate.case_file import CASES, SCHEMA, case_schema, read_cases
from agent.evaluate.gate import BASELINE, Decision, decide, read_baseline, write_baseline
from agent.evaluate.inputs import inputs_hash, inputs_of
from agent.evaluate.junit import write_junit
from agent.evaluate.page import write_page
from agent.evaluate.results import Played, Spoke, Status, tally
from agent.evaluate.runner import Journal, Plan, play_all
from agent.service.asterisk import AsteriskServer
from agent.service.exchange import exchange_settings
from agent.service.logs import configure_logs
from agent.settings import CHECKOUT, Settings, load_settings

EXIT_FAILED: Final = 1
EXIT_ERRORED: Final = 2
JOURNALS: Final = CHECKOUT / "build" / "eval"
PATIENCE: Final = {"text": 120.0, "audio": 600.0, "phone": 900.0}
"""Seconds that a run may take by each driver; then its worker hangs and is killed."""

out = Console(highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command ``eval`` to ``app``."""

    @app.command()
    def eval(  # noqa: A001 - each is an option of the command
        paths: Annotated[
            list[Path] | None, typer.Argument(help="files or folders of cases; all by default")
        ] = None,
        only: Annotated[
            str, typer.Option("--only", "-k", help="only cases whose name holds this")
        ] = "",
        driver: Annotated[DriverName, typer.Option(help="what plays them")] = "text",
        repeat: Annotated[
            int, typer.Option(min=1, help="play each so often; it must decide the same")
        ] = 1,
        jobs: Annotated[
            int, typer.Option("--jobs", "-j", min=0, help="worker processes; 0: one a core")
        ] = 0,
        gate: Annotated[
            bool, typer.Option("--gate", help="hold it against evals/baseline.json")
        ] = False,
        update: Annotated[
            bool, typer.Option("--update", help="accept how it went as the new baseline")
        ] = False,
        baseline: Annotated[Path, typer.Option(help="another baseline")] = BASELINE,
        worlds: Annotated[Path, typer.Option(help="another folder of restaurant files")] = WORLDS,
        resume: Annotated[
            bool, typer.Option("--resume", help="go on with a run that was broken off")
        ] = False,
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", help="show each conversation that failed")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
        junit: Annotated[Path | None, typer.Option(help="write JUnit XML here")] = None,
        page: Annotated[Path | None, typer.Option(help="write an HTML page here")] = None,
        schema: Annotated[
            bool, typer.Option("--schema", help=f"write {SCHEMA.name} anew and stop")
        ] = False,
    ) -> None:
        """Play cases and say which hold.

        Exits with 1 if a case fails or decides differently when repeated, with 2 if it
        could not be told. Pending cases are played and counted, and block nothing. With
        --gate: 0 nothing is worse than the baseline, 1 something is, 2 it could not be told.
        """
        configure_logs(person=True, level=logging.ERROR)
        if schema:
            write_schema()
            return
        with _unknown_if_unreadable():
            loaded = read_cases(paths or (CASES,))
            accepted = read_baseline(baseline) if gate and not update else None
        runs = [run for case in loaded.cases if only in case.case for run in case.runs()]
        if not runs and not loaded.errors:
            raise typer.BadParameter(f"no case is named like {only!r}")
        settings = load_settings()
        inputs = inputs_of(settings, worlds, runs, driver)
        with _network(settings, driver) as there:
            workers = 1 if driver == "phone" else jobs or os.cpu_count() or 1
            patience = PATIENCE[driver] * repeat
            plan = Plan(there, driver, worlds, repeat, workers, patience)
            played = _play(runs, plan, inputs_hash(inputs, repeat=repeat), resume, quiet=as_json)
        decision = decide(played, accepted, inputs) if accepted else None
        if junit:
            write_junit(played, junit, driver)
        if page:
            write_page(played, page, driver, decision)
        if as_json:
            typer.echo(json.dumps(_report(played, decision, loaded.errors), ensure_ascii=False))
        else:
            _show(played, verbose=verbose)
            for error in loaded.errors:
                out.print(f"[red]errored[/red]  {escape(str(error))}")
            if decision:
                _show_decision(decision)
        if update:
            _accept(played, inputs, baseline, whole=paths is None and not only)
        raise typer.Exit(_status(played, decision, broken=bool(loaded.errors)))


@contextmanager
def _unknown_if_unreadable() -> Iterator[None]:
    """Say what can't be read, and exit as one who could not tell."""
    try:
        yield
    except CaseError as error:
        Console(stderr=True).print(f"[red]{error.code}:[/red] {escape(str(error))}")
        raise typer.Exit(EXIT_ERRORED) from error


@contextmanager
def _network(settings: Settings, driver: str) -> Iterator[Settings]:
    """Yield the settings to play with; by phone, with a carrier and a PBX running meanwhile."""
    if driver != "phone":
        yield settings
        return
    there = exchange_settings(settings, settings.home / "eval")
    with AsteriskServer("pbx", there), AsteriskServer("carrier", there):
        yield there


def write_schema() -> None:
    """Publish the JSON Schema of case files."""
    text = json.dumps(case_schema(), indent=1, ensure_ascii=False) + "\n"
    SCHEMA.write_text(text, encoding="utf-8")


def _play(
    runs: Sequence[Run], plan: Plan, inputs: str, resume: bool, *, quiet: bool
) -> list[Played]:
    journal = Journal(JOURNALS / f"{plan.driver}.jsonl", inputs, resume=resume)
    if journal.known and not quiet:
        out.print(f"{len(journal.known)} runs are known from before.", style="dim")
    with _progress(len(runs), quiet=quiet) as step:
        found = {}
        for one in play_all(runs, plan, journal=journal):
            found[one.name] = one
            step()
    return [found[run.name] for run in runs]


@contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), disable=quiet)
    with bar:
        task = bar.add_task("cases", total=total)
        yield lambda: bar.advance(task)


def _accept(played: Sequence[Played], inputs: dict[str, str], path: Path, *, whole: bool) -> None:
    if not whole:
        raise CaseError("A baseline is of all cases.", remedy="Leave out the paths and --only.")
    write_baseline(played, inputs, path)
    out.print(f"Accepted: {path}", style="green")


def _status(played: Sequence[Played], decision: Decision | None, *, broken: bool) -> int:
    if decision is not None:
        return EXIT_ERRORED if broken and not decision.regressions else int(decision.exit)
    if any(one.status is Status.FAILED or not one.steady for one in played if not one.holds):
        return EXIT_FAILED
    errored = any(one.status is Status.ERRORED for one in played)
    return EXIT_ERRORED if errored or broken else 0


def _show(played: Sequence[Played], *, verbose: bool) -> None:
    for one in played:
        if not one.steady:
            out.print(f"[red]unsteady[/red] {one.name}: repeats decided differently")
        if one.status in (Status.PASSED, Status.NOT_RUN):
            continue
        if one.pending and one.status is Status.FAILED:
            continue
        out.print(f"[red]{one.status}[/red]  {one.name}")
        for fault in one.faults:
            out.print(f"    {escape(fault)}")
        if verbose:
            _show_talk(one.talk)
    counted = tally(played)
    if counted.now_pass:
        out.print(f"[yellow]pending, but passed:[/yellow] {', '.join(counted.now_pass)}")
    out.print(str(counted))


def _show_talk(talk: Sequence[Spoke]) -> None:
    for spoke in talk:
        if spoke.caller:
            out.print(f"      [cyan]caller[/cyan]  {escape(spoke.caller)}")
        if spoke.moves:
            out.print(f"              [dim]{escape(', '.join(spoke.moves))}[/dim]")
        for tool in spoke.tools:
            out.print(f"              [yellow]{escape(tool)}[/yellow]")
        out.print(f"      [green]Pickup[/green]  {escape(spoke.agent)} [dim]{spoke.step}[/dim]")


def _show_decision(decision: Decision) -> None:
    if decision.changed:
        out.print(f"changed since the baseline: {', '.join(decision.changed)}", style="dim")
    for title, keys in (("better", decision.mended), ("gone", decision.gone)):
        for key in keys:
            out.print(f"[yellow]{title}[/yellow]  {escape(key)}")
    if decision.new:
        out.print(f"{len(decision.new)} runs are new to the baseline", style="dim")
    for one in decision.regressions:
        out.print(f"[red]worse[/red]  {escape(one.run.name)}: {escape(one.why)}")
    style = "green" if not decision.exit else "red"
    out.print(f"gate: {decision.exit.name.lower()}", style=style)


def _report(
    played: Sequence[Played], decision: Decision | None, errors: Sequence[CaseError]
) -> dict[str, Any]:
    counted = tally(played)
    statuses = [one.status for one in played]
    report: dict[str, Any] = {
        "cases": counted.cases,
        "runs": counted.runs,
        **{str(status): statuses.count(status) for status in Status},
        "unsteady": counted.unsteady,
        "unreadable": [str(error) for error in errors],
        "results": [
            {key: value for key, value in one.as_json().items() if key != "talk"} for one in played
        ],
    }
    if decision is not None:
        report["gate"] = {
            "decision": decision.exit.name.lower(),
            "regressions": [{"name": r.run.name, "why": r.why} for r in decision.regressions],
            "errored": [one.name for one in decision.errored],
            "better": decision.mended,
            "new": decision.new,
            "gone": decision.gone,
            "changed": decision.changed,
        }
    return report
