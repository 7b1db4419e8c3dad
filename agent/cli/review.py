"""``pickup review``: what a call was worth, and what looks wrong with it."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.errors import EvidenceError
from agent.evidence.bundle import bundle_folders, find_bundle
from agent.review.judge import Judge
from agent.review.judge_model import LlamaJudge
from agent.review.reviewer import review_call
from agent.review.schema import JudgeStatus, Review
from agent.service.logs import configure_logs
from agent.settings import Settings, load_settings

out = Console(highlight=False)


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("review")(review)
    app.command("reviewer", hidden=True)(reviewer)


def review(
    call_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id or its beginning; `last`; or a folder.")
    ] = "last",
    since: Annotated[
        str, typer.Option(help="All calls from this day on, as 2026-11-22; or `today`.")
    ] = "",
    again: Annotated[bool, typer.Option("--again", help="Though a kept one still stands.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs, one line a call.")] = False,
) -> None:
    """Review calls from their evidence and keep the reviews beside it.

    Exits with 1 if something looks wrong with a call, with 2 if one could not be reviewed.
    """
    settings = load_settings()
    folders = _since(settings, since) if since else [find_bundle(settings.calls, call_id)]
    done: list[Review] = []
    broken: list[dict[str, str]] = []
    with judge_of(settings) as judge:
        for folder in folders:
            try:
                done.append(review_call(folder, datetime.now(UTC), judge, again=again))
            except EvidenceError as error:
                broken.append({"call": folder.name, "code": error.code, "error": str(error)})
    if as_json:
        for one in done:
            typer.echo(one.model_dump_json())
        for row in broken:
            typer.echo(json.dumps(row, ensure_ascii=False))
    else:
        _show(done, broken, whole=not since)
    if broken:
        raise typer.Exit(2)
    if any(one.standing for one in done):
        raise typer.Exit(1)


@contextlib.contextmanager
def judge_of(settings: Settings) -> Iterator[Judge | None]:
    """Yield the judge that the settings name, or None.

    Raises:
        MindError: its model is not there.
    """
    path = settings.review.judge
    if path is None:
        yield None
        return
    with LlamaJudge(path, settings.review.judge_seconds) as model:
        yield Judge(model)


def reviewer() -> None:
    """Review every call as it ends, when the box is idle, until told to stop."""
    from agent.review.job import serve

    configure_logs(person=False)
    settings = load_settings()
    with judge_of(settings) as judge:
        serve(settings, judge)


def _since(settings: Settings, since: str) -> list[Path]:
    try:
        first = date.today() if since == "today" else date.fromisoformat(since)
    except ValueError as error:
        raise typer.BadParameter(f"{since!r} is no day; write it as 2026-11-22") from error
    return [f for f in bundle_folders(settings.calls) if f.parent.name >= first.isoformat()]


def _show(done: Sequence[Review], broken: Sequence[dict[str, Any]], *, whole: bool) -> None:
    if whole:
        for one in done:
            _show_one(one)
    else:
        _show_many(done)
    for row in broken:
        out.print(Text(f"{row['call']}  {row['code']}: {row['error']}", "red"))


def _show_many(done: Sequence[Review]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("call", "type", "outcome", "need met", "flags"):
        table.add_column(name)
    for one in done:
        met = {True: "yes", False: "no", None: "-"}[one.need_met]
        counts = Counter(flag.kind for flag in one.standing)
        flags = ", ".join(f"{k} ×{n}" if n > 1 else k for k, n in counts.items())
        style = "yellow" if counts else ""
        table.add_row(one.call, one.type, one.outcome, met, flags or "-", style=style)
    out.print(table if done else "No calls.")


def _show_one(one: Review) -> None:
    out.print(Text(one.call, "bold"), Text(f"{one.type}: {one.reason}"))
    for event in one.events:
        out.print(Text.assemble((f"{event.at:7.2f}  ", "dim"), f"{event.kind}  {event.what}"))
    figures = one.measures
    slowest = "" if figures.latency_max is None else f", slowest answer {figures.latency_max:.2f} s"
    out.print(
        Text(
            f"{figures.seconds:.0f} s, {figures.turns} turns{slowest}, "
            f"{figures.talk_over:.1f} s of both speaking, {figures.dead_air:.1f} s of dead air",
            "dim",
        )
    )
    for number, flag in enumerate(one.flags, 1):
        style = "dim" if flag.vetoed else "yellow"
        out.print(
            Text.assemble(
                (f"{flag.at:7.2f}  ", "dim"),
                (f"{number}. {flag.kind}", style),
                f"  {flag.who}: “{flag.quote}”" if flag.quote else "",
                (f"  {flag.detail}", "dim"),
                (f"  vetoed: {flag.vetoed}" if flag.vetoed else "", "dim"),
            )
        )
    if not one.flags:
        out.print(Text("Nothing looks wrong.", "green"))
    if one.judge.status is JudgeStatus.ERRORED:
        out.print(Text(f"The judge failed: {one.judge.error}", "red"))
    for note in one.notes:
        out.print(Text(f"Note: {note}.", "yellow"))
    if one.standing:
        out.print(Text(f"Make a case of it: pickup promote {one.call} --flag 1", "dim"))
