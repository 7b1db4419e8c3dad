"""``pickup pause | resume``: send callers to the mailbox for a while, and back."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from agent.pause import Pause, PauseStore, read_duration
from agent.restaurant import load_restaurant
from agent.settings import Settings, load_settings


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(pause)
    app.command()(resume)


def pause(
    length: Annotated[
        str, typer.Argument(help="How long: 30m, 2h, 1d. Empty: until `pickup resume`.")
    ] = "",
    show: Annotated[bool, typer.Option("--show", help="Only say how it stands.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Have the agent take no calls; callers hear the apology and may leave a voicemail."""
    settings, now = load_settings(), time.time()
    store = PauseStore(settings)
    if not show:
        until = now + read_duration(length) if length else None
        _write(store, Pause(since=now, until=until, by="sysadmin"))
    state = store.on_disk()
    if as_json:
        typer.echo(json.dumps({"paused": state.holds(now), "until": state.until, "by": state.by}))
    else:
        typer.echo(sentence(state, now, settings))


def resume() -> None:
    """Have the agent take calls again."""
    settings, now = load_settings(), time.time()
    store = PauseStore(settings)
    _write(store, Pause(since=now, until=now, by="sysadmin"))
    typer.echo(sentence(store.on_disk(), now, settings))


def sentence(state: Pause, now: float, settings: Settings) -> str:
    """Return how it stands, for a person, in the restaurant's own time."""
    if not state.holds(now):
        return "Pickup takes calls."
    if state.until is None:
        return f"Pickup takes no calls until told to (said by {state.by})."
    zone = ZoneInfo(load_restaurant(settings.restaurant).time_zone)
    until = datetime.fromtimestamp(state.until, zone)
    return f"Pickup takes no calls until {until:%A %H:%M} (said by {state.by})."


def _write(store: PauseStore, state: Pause) -> None:
    if not store.write(state):
        typer.echo("Redis did not take it: agents on other machines go on.", err=True)
