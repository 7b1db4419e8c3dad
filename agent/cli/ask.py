"""``pickup ask``: what the mind makes of a sentence as a caller's first words."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.errors import SettingsError
from agent.events import Expect, PromiseKind
from agent.mind.dialogue import Dialogue, Heard
from agent.restaurant import load_restaurant
from agent.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the command ``ask`` to ``app``."""

    @app.command()
    def ask(
        text: Annotated[str | None, typer.Argument(help="a caller's first words")] = None,
        file: Annotated[
            Path | None, typer.Option(help="a file with one sentence a line; - is standard input")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="one JSON object a sentence")] = False,
    ) -> None:
        """Show the moves, slots and line that a caller's first words lead to."""
        if (text is None) == (file is None):
            raise typer.BadParameter("give either TEXT or --file")
        sentences = [text] if text is not None else _lines(file)
        asyncio.run(_ask(sentences, as_json=as_json or file is not None))


def _lines(file: Path | None) -> list[str]:
    try:
        source = sys.stdin.read() if str(file) == "-" else Path(str(file)).read_text("utf-8")
    except OSError as error:
        raise SettingsError(f"{file} can't be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is no UTF-8 text.", remedy="Convert it first.") from error
    return [line.strip() for line in source.splitlines() if line.strip()]


async def _ask(sentences: Iterable[str], *, as_json: bool) -> None:
    from agent.evaluate.text import PATIENCE  # llama.cpp loads for this command only
    from agent.mind.understanding import Mind

    settings = load_settings()
    restaurant = load_restaurant(settings.restaurant)
    mind = Mind(settings, restaurant, deadline=PATIENCE)
    await mind.start()
    for fault in mind.faults:
        typer.echo(f"{fault}", err=True)
    everything = frozenset(kind.value for kind in PromiseKind)
    dialogue = Dialogue(restaurant, "", True, everything, datetime.now(UTC))
    opened, _ = dialogue.open()
    try:
        for sentence in sentences:
            understood = await mind.understand(sentence, Expect.OPEN)
            _, reply = dialogue.step(opened, Heard(understood, sentence))
            answer: dict[str, Any] = {
                "text": sentence,
                "moves": [
                    {
                        "name": move.name,
                        **({"fact": move.fact} if move.fact else {}),
                        "score": round(move.score, 3),
                    }
                    for move in understood.moves
                ],
                "slots": dict(understood.slots),
                "line": " ".join(one.text for one in reply.sentences),
                "ms": round(understood.seconds * 1000, 1),
            }
            typer.echo(json.dumps(answer, ensure_ascii=False) if as_json else _readable(answer))
    finally:
        await mind.stop()


def _readable(answer: dict[str, Any]) -> str:
    moves = ", ".join(
        f"{m['name']}{':' + m['fact'] if 'fact' in m else ''} ({m['score']:.2f})"
        for m in answer["moves"]
    )
    slots = "".join(f"\n  {name}: {value}" for name, value in answer["slots"].items())
    return f"{moves}  [{answer['ms']:.0f} ms]{slots}\n  says: {answer['line']}"
