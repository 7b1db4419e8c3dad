"""``pickup say``: hear how the mouth says a line."""

from __future__ import annotations

import asyncio
import json
import time
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from agent.audio import SAMPLE_BYTES, SAMPLE_RATE, seconds
from agent.errors import SetupError
from agent.mouth.tts import Mouth
from agent.restaurant import load_restaurant
from agent.service import models
from agent.service.logs import configure_logs
from agent.service.model_check import check_mouth
from agent.settings import Settings, load_settings


def say(
    text: Annotated[str, typer.Argument(help="What to say, as it would be written.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The WAV file to write (16 kHz mono).")],
    voice: Annotated[
        str,
        typer.Option(
            help="A name of `pickup models list` or a NAME.onnx; else as in the settings."
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Speak TEXT into a WAV file, exactly as a caller would hear it."""
    configure_logs(person=not as_json)
    settings = load_settings()
    if voice:
        named = settings.models.model_copy(update={"mouth": _voice(voice, settings.home)})
        settings = settings.model_copy(update={"models": named})
    pronounce = load_restaurant(settings.restaurant).pronounce
    words, pcm, first = asyncio.run(_speak(settings, pronounce, text))
    with wave.open(str(out), "wb") as sound:
        sound.setparams((1, SAMPLE_BYTES, SAMPLE_RATE, 0, "NONE", ""))
        sound.writeframes(pcm)
    report = {
        "file": str(out),
        "spoken": words,
        "seconds": round(seconds(pcm), 2),
        "first_sound_ms": round(first * 1000),
    }
    if as_json:
        typer.echo(json.dumps(report))
        return
    typer.echo(" ".join(words))
    typer.echo(f"{out}: {report['seconds']} s, first sound after {report['first_sound_ms']} ms")


def _voice(name: str, home: Path) -> Path:
    """Return the file of a voice that is named by its path or as the catalogue calls it.

    Raises:
        SetupError: the catalogue has no such voice, or it was not fetched yet.
    """
    if name.endswith(".onnx"):
        return Path(name)
    model = models.find(name, [some for some in models.catalogue() if some.kind == "mouth"])
    if not models.is_here(model, home):
        raise SetupError(f"{name} is not here.", remedy=f"Fetch it: pickup models pull {name}")
    return check_mouth(models.place(model, home))


async def _speak(
    settings: Settings, pronounce: Mapping[str, str], text: str
) -> tuple[list[str], bytes, float]:
    """Return the spoken words by unit, the sound, and the seconds to its first chunk."""
    mouth = Mouth(settings, pronounce)
    await mouth.start()
    try:
        began = time.perf_counter()
        first = 0.0
        sound = bytearray()
        async for chunk in mouth.speak(text):
            first = first or time.perf_counter() - began
            sound += chunk
        return mouth.units(text), bytes(sound), first
    finally:
        await mouth.stop()


def register(app: typer.Typer) -> None:
    """Add the command to ``pickup``."""
    app.command()(say)
