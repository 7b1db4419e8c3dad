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
from agent.mouth.tts import Mouth
from agent.restaurant import load_restaurant
from agent.service.logs import configure_logs
from agent.settings import Settings, load_settings


def say(
    text: Annotated[str, typer.Argument(help="What to say, as it would be written.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The WAV file to write (16 kHz mono).")],
    voice: Annotated[
        Path | None, typer.Option(help="A Piper voice, NAME.onnx; else the one in the settings.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Speak TEXT into a WAV file, exactly as a caller would hear it."""
    configure_logs(person=not as_json)
    settings = load_settings()
    if voice:
        models = settings.models.model_copy(update={"mouth": voice})
        settings = settings.model_copy(update={"models": models})
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
