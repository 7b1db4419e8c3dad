"""``pickup watch`` looks after the line; ``pickup voicemail`` shows what waits to be passed on."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime
from typing import Annotated

import typer

from agent.service.logs import configure_logs
from agent.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(watch)
    app.command()(voicemail)


def watch(
    person: Annotated[bool, typer.Option("--person", help="Coloured log lines.")] = False,
) -> None:
    """Look after the line in the foreground: alerts, voicemail, canary. Until SIGTERM."""
    from agent.service.watcher import Watcher  # it loads the ear's library

    configure_logs(person=person)
    asyncio.run(Watcher(load_settings()).run())


def voicemail(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List voicemail that is not passed on yet. `pickup calls` has the others."""
    from agent.service.voicemail import waiting

    messages = waiting(load_settings().voicemail, time.time())
    if as_json:
        rows = [{"left": m.left, "caller": m.caller, "file": str(m.sound)} for m in messages]
        typer.echo(json.dumps(rows))
        return
    if not messages:
        typer.echo("No voicemail waits.")
    for message in messages:
        left = datetime.fromtimestamp(message.left).astimezone()
        typer.echo(f"{left:%F %T}  {message.caller or 'unknown':<14}  {message.sound}")
