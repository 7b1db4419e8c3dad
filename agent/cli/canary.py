"""``pickup canary``: the line's own test call, through the real trunk and back."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from agent.service.canary import sing
from agent.service.logs import configure_logs
from agent.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(canary)


def canary(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Call the restaurant's number through the trunk; it must come back. Outside opening hours."""
    configure_logs(person=True, level=logging.ERROR)
    song = asyncio.run(sing(load_settings(), time.time))
    if as_json:
        typer.echo(json.dumps(asdict(song), ensure_ascii=False))
    else:
        console = Console(highlight=False, soft_wrap=True)
        console.print("[green]✓[/]" if song.well else "[red]✗[/]", end=" ")
        console.print(song.sentence, markup=False)
        if song.do:
            console.print(f"  → {song.do}", markup=False)
    raise typer.Exit(0 if song.well else 1)
