"""``pickup models``: which models there are, fetch one, see whether one fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from agent.errors import SetupError
from agent.service import models as service
from agent.service.model_check import CHECKS
from agent.settings import load_settings

group = typer.Typer(help="The ear's, the mouth's and the mind's models.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Name = Annotated[str, typer.Argument(help="As `pickup models list` calls it.")]


@group.command("list")
def list_models(as_json: _Json = False) -> None:
    """Show what the catalogues offer and what is here."""
    home = load_settings().home
    rows = [_row(model, home) for model in service.catalogue()]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    console = Console()
    for row in rows:
        size = "" if row["megabytes"] is None else f", {row['megabytes']:g} MB"
        here = row["here"] or f"pickup models pull {row['name']}"
        unknown = "" if row["checksum"] else "; no checksum known"
        console.print(f"[bold]{row['kind']}: {row['name']}[/bold]{size} ({here})", highlight=False)
        console.print(f"    {row['licence']}{unknown}", highlight=False)
        if row["note"]:
            console.print(f"    {row['note']}", highlight=False)


@group.command("pull")
def pull_model(
    name: _Name,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Copy it from this zip or folder; nothing is fetched."),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Fetch a model; a download that was cut off goes on where it ended.

    Without internet: bring the publisher's zip or its unpacked folder, and name it with --from.
    """
    home = load_settings().home
    model = service.find(name, service.catalogue())
    console = Console(stderr=True)
    console.print(f"{model.name}: {model.licence}", highlight=False)
    pulled = service.copy_in(model, source, home) if source else _fetch(model, home, console)
    variable = service.SETTINGS[model.kind].replace(".", "__").upper()
    setting = f"PICKUP_{variable}={pulled.path}"
    if as_json:
        report = {
            "name": model.name,
            "path": str(pulled.path),
            "unverified": list(pulled.unverified),
            "was_here": pulled.was_here,
            "setting": setting,
        }
        typer.echo(json.dumps(report))
        return
    typer.echo("It was here already." if pulled.was_here else "It is here and fits.")
    if pulled.unverified:
        typer.echo(
            f"Not verified: the catalogue has no checksum of {', '.join(pulled.unverified)}. "
            "Its form was checked, not its origin."
        )
    typer.echo(f"Use it with: {setting}")


def _fetch(model: service.Model, home: Path, console: Console) -> service.Pulled:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
    )
    tasks: dict[str, Any] = {}

    def on_progress(file: str, there: int, whole: int | None) -> None:
        if file not in tasks:
            tasks[file] = bar.add_task(file, total=whole)
        bar.update(tasks[file], completed=there, total=whole)

    with bar:
        return service.pull(model, home, on_progress)


@group.command("check")
def check_model(
    what: Annotated[str, typer.Argument(help="A name of the catalogue, or a file or folder.")],
    kind: Annotated[
        str, typer.Option("--for", help="ear, mouth or mind; needed for a file or folder.")
    ] = "",
    as_json: _Json = False,
) -> None:
    """See whether a model fits, with the reason if it doesn't."""
    if kind and kind not in CHECKS:
        raise SetupError(f"There is no {kind}.", remedy=f"Say one of: {', '.join(CHECKS)}.")
    path = Path(what)
    if not kind:
        home = load_settings().home
        model = service.find(what, service.catalogue())
        kind, path = model.kind, service.place(model, home)
        if not service.is_here(model, home):
            raise SetupError(f"{what} is not here.", remedy=f"Fetch it: pickup models pull {what}")
    fits = CHECKS[kind](path)
    typer.echo(json.dumps({"for": kind, "path": str(fits)}) if as_json else f"{fits} fits.")


def _row(model: service.Model, home: Path) -> dict[str, Any]:
    pulled = "pulled" if service.is_here(model, home) else ""
    return {
        "kind": model.kind,
        "name": model.name,
        "here": "ships" if model.ships else pulled,
        "path": str(service.place(model, home)),
        "megabytes": model.megabytes,
        "checksum": model.ships or all(source.sha256 for source in model.sources),
        "licence": model.licence,
        "note": model.note,
    }


def register(app: typer.Typer) -> None:
    """Add the commands to ``pickup``."""
    app.add_typer(group, name="models")
