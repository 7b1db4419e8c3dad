"""``pickup calls`` lists the calls that were taken; ``pickup show`` shows one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from agent.cli import views
from agent.errors import EvidenceError
from agent.events import PromiseUpdated
from agent.evidence.bundle import Bundle, bundle_folders, find_bundle, read_bundle
from agent.evidence.measures import stages
from agent.evidence.picture import draw
from agent.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("calls")(calls)
    app.command("show")(show)


def calls(
    count: Annotated[int, typer.Option(min=1, help="How many of the latest.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the calls, the latest last."""
    rows = [_row(folder) for folder in bundle_folders(load_settings().calls)[-count:]]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False)
    for name in ("id", "started", "caller", "seconds", "turns", "promises", "ended"):
        numeric = name in {"seconds", "turns"}
        table.add_column(name, justify="right" if numeric else "left", no_wrap=name != "ended")
    for row in rows:
        if "error" in row:
            table.add_row(row["id"], "", "", "", "", "", row["error"], style="red")
            continue
        promises = ", ".join(row["promises"]) or "-"
        table.add_row(
            row["id"],
            row["started"][:19].replace("T", " "),
            row["caller"] or "withheld",
            f"{row['seconds']:.0f}",
            str(row["turns"]),
            promises,
            row["ended"],
        )
    Console(highlight=False, markup=False).print(table if rows else "No calls yet.")


def show(
    call_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id or its beginning; `last`; or a folder.")
    ] = "last",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Draw both voices over time into this SVG file.")
    ] = None,
) -> None:
    """Show one call: what was said and done, when, and where the time went."""
    bundle = read_bundle(find_bundle(load_settings().calls, call_id))
    if picture is not None:
        picture.write_text(draw(bundle), encoding="utf-8")
    if as_json:
        print(json.dumps(_as_json(bundle), ensure_ascii=False))
        return
    console = Console(highlight=False, markup=False)
    console.print(f"{bundle.id}  {bundle.card.get('started_local', '')}", style="bold")
    for event in bundle.events:
        line = views.event_line(event)
        if line is not None:
            console.print(line)
    if bundle.ended == "not closed":
        console.print("The agent was killed during this call, or it still lasts.", style="red")
    if bundle.damaged:
        console.print(f"{bundle.damaged} lines could not be read.", style="red")
    if found := stages(bundle.events):
        console.print()
        console.print(views.stages_table(found))
    if bundle.promises:
        console.print("\nPromises", style="bold")
        for line in views.promise_lines(bundle.promises):
            console.print(line)
    console.print(f"\n{bundle.folder}", style="dim")


def _row(folder: Path) -> dict[str, Any]:
    try:
        bundle = read_bundle(folder)
    except EvidenceError as error:
        return {"id": folder.name, "folder": str(folder), "error": str(error)}
    outcomes = {e.promise: str(e.outcome) for e in bundle.events if isinstance(e, PromiseUpdated)}
    return {
        "id": bundle.id,
        "folder": str(folder),
        "started": bundle.card.get("started_local", ""),
        "caller": bundle.caller,
        "seconds": bundle.seconds,
        "turns": sum(said.who == "caller" for said in bundle.transcript()),
        "promises": list(outcomes.values()),
        "ended": bundle.ended,
        "damaged": bundle.damaged,
    }


def _as_json(bundle: Bundle) -> dict[str, Any]:
    return {
        "id": bundle.id,
        "folder": str(bundle.folder),
        "call": bundle.card,
        "ended": bundle.ended,
        "transcript": [asdict(said) for said in bundle.transcript()],
        "stages": [{**asdict(stage), "total": stage.total} for stage in stages(bundle.events)],
        "promises": list(bundle.promises),
        "events": [event.as_json() for event in bundle.events],
        "damaged": bundle.damaged,
    }
