"""``pickup warm``: speak what is always the same before the first call needs it."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer

from agent.events import PromiseKind
from agent.mind.dialogue import all_lines
from agent.mind.tools import capabilities_of
from agent.mouth import Mouth, Phrases
from agent.restaurant import load_restaurant
from agent.service.logs import configure_logs
from agent.settings import load_settings


def warm(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Speak the greeting, phrases and facts and keep them; a start does the same, but waits.

    Only what isn't there yet is spoken: after a change of the restaurant file, what changed.
    """
    configure_logs(person=not as_json)
    settings = load_settings()
    restaurant = load_restaurant(settings.restaurant)
    lines = tuple(all_lines(restaurant, capabilities_of(restaurant, frozenset(PromiseKind))))

    async def speak() -> int:
        mouth = Mouth(settings, restaurant.pronounce)
        await mouth.start()
        try:
            return await Phrases(settings.phrases, mouth).warm(lines)
        finally:
            await mouth.stop()

    spoken = asyncio.run(speak())
    if as_json:
        report = {"lines": len(lines), "spoken": spoken, "folder": str(settings.phrases)}
        typer.echo(json.dumps(report))
        return
    typer.echo(
        f"{len(lines)} lines are ready in {settings.phrases}, {spoken} of them newly spoken."
    )


def register(app: typer.Typer) -> None:
    """Add the command to ``pickup``."""
    app.command()(warm)
