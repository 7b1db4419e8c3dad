"""``pickup dialplan check | apply | show | rollback``: edit the dialplan without fear."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from agent.errors import DialplanError
from agent.service.asterisk import AsteriskServer
from agent.service.dialplan import files
from agent.service.dialplan.apply import Applied, apply
from agent.service.dialplan.picture import draw
from agent.service.dialplan.source import Problem
from agent.settings import load_settings

Json = Annotated[bool, typer.Option("--json", help="For programs.")]

group = typer.Typer(help="Check, apply and show the dialplan.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(group, name="dialplan")


@group.command()
def check(as_json: Json = False) -> None:
    """Say what is wrong with dialplan/ and var/local/, by file and line. Changes nothing."""
    settings = load_settings()
    wrong = files.problems(settings)
    waiting = files.changed(settings)
    if as_json:
        row = {"problems": [asdict(problem) for problem in wrong], "not_applied": waiting}
        typer.echo(json.dumps(row, ensure_ascii=False))
    else:
        _show(wrong)
        if not wrong:
            rest = f" Not in use yet: {', '.join(waiting)}." if waiting else ""
            Console(highlight=False).print(f"[green]The dialplan is right.[/]{rest}")
    raise typer.Exit(1 if wrong else 0)


@group.command("apply")
def apply_(as_json: Json = False) -> None:
    """Check, put to use, phone through it, and take it back if the call does not get through."""
    console = Console(highlight=False, quiet=as_json)
    step = (lambda _: None) if as_json else (lambda what: console.print(f"  [dim]·[/] {what}"))
    applied = asyncio.run(apply(load_settings(), step))
    if as_json:
        typer.echo(json.dumps(_row(applied), ensure_ascii=False))
    elif applied.problems:
        _show(list(applied.problems))
        console.print("[red]Nothing was changed.[/]")
    elif applied.kept:
        changed = ", ".join(applied.changed) or "nothing had changed"
        console.print(f"[green]In use:[/] {changed}. {applied.after and applied.after.sentence}")
    else:
        said = applied.after.sentence if applied.after else "Asterisk took no call."
        console.print(
            f"[red]Taken back:[/] {said} Calls go as they did before; your files are as you left"
            f" them, and the copy that failed is {files.deployed(load_settings())}.refused."
        )
    raise typer.Exit(0 if applied.kept else 1)


@group.command()
def rollback() -> None:
    """Go back to the dialplan that was in use before the last apply."""
    settings = load_settings()
    if not files.take_back(settings):
        raise DialplanError("There is no earlier dialplan.", remedy="Edit the files and apply.")
    server = AsteriskServer("pbx", settings)
    server.render()
    server.command("dialplan reload")
    typer.echo("The dialplan before the last apply is in use. Your edited files are untouched.")


@group.command()
def show() -> None:
    """Draw the ways a call can go, from the trunk to its end, with file and line."""
    plan, around = files.read(load_settings())
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for line in draw(plan, around.entries):
        console.print(line)


def _show(wrong: list[Problem]) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for problem in wrong:
        console.print(str(problem), style="red")


def _row(applied: Applied) -> dict[str, object]:
    def words(probe: object) -> object:
        return getattr(probe, "sentence", None)

    return {
        "kept": applied.kept,
        "changed": applied.changed,
        "problems": [asdict(problem) for problem in applied.problems],
        "before": words(applied.before),
        "after": words(applied.after),
    }
