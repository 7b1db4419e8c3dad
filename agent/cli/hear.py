"""``pickup hear``: transcribe recordings as a call would hear them."""

from __future__ import annotations

import asyncio
import json
import wave
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import soxr
import typer

from agent.audio import SAMPLE_RATE, seconds
from agent.ear import EarEngine, listen, words_of
from agent.errors import EarError
from agent.events import Event, Expect, FinalHeard, PartialHeard, SpeechStarted, SpeechStopped
from agent.restaurant import load_restaurant
from agent.settings import load_settings

RATES: Final = (8_000, 16_000)
"""Sample rates of the line and of Pickup; other rates are no recording of a call."""

REMEDY: Final = "Convert it, for example: ffmpeg -i FILE -ac 1 -ar 16000 -sample_fmt s16 out.wav"


def read_call_audio(path: Path) -> bytes:
    """Return a recording's slin16: 8 or 16 kHz, 16 bit, mono or the left of two channels.

    Raises:
        EarError: it can't be read or has another form; the message names which.
    """
    try:
        with wave.open(str(path), "rb") as sound:
            rate, channels, width = (
                sound.getframerate(),
                sound.getnchannels(),
                sound.getsampwidth(),
            )
            data = sound.readframes(sound.getnframes())
    except OSError as error:
        raise EarError(
            f"{path} can't be read ({error.strerror}).", remedy="Check the name."
        ) from error
    except (wave.Error, EOFError) as error:
        raise EarError(
            f"{path} is no PCM WAV file ({error or 'it is empty'}).", remedy=REMEDY
        ) from error
    if rate not in RATES or channels not in (1, 2) or width != 2:
        raise EarError(
            f"{path} has {rate} Hz, {channels} channels, {8 * width} bits;"
            " wanted are 8000 or 16000 Hz, 1 or 2 channels, 16 bits.",
            remedy=REMEDY,
        )
    whole = len(data) // (width * channels) * (width * channels)
    samples = np.frombuffer(data[:whole], "<i2").reshape(-1, channels)[:, 0]
    if rate != SAMPLE_RATE:
        samples = soxr.resample(samples, rate, SAMPLE_RATE)
    return samples.astype("<i2").tobytes()


def _line(event: Event) -> str:
    match event:
        case SpeechStarted():
            what = "speech"
        case SpeechStopped():
            what = f"pause   since {event.last_voiced:.2f}, wait {event.wait:.2f} ({event.rule})"
        case PartialHeard():
            words = event.text.split()
            stable, rest = words[: event.stable], words[event.stable :]
            wait = f"  wait {event.wait:.2f} ({event.rule})" if event.wait is not None else ""
            what = f"partial {' '.join(stable)} | {' '.join(rest)}{wait}"
        case FinalHeard():
            what = f"turn    {event.text or '(no words)'}  confidence {event.confidence:.2f}"
        case _:
            what = event.kind()
    return f"{event.at:8.2f}  {what}"


def hear(
    files: Annotated[list[Path], typer.Argument(help="WAV files, 8 or 16 kHz, 16 bit.")],
    expect: Annotated[
        Expect, typer.Option(help="What the agent would have asked just before.")
    ] = Expect.OPEN,
    grammar: Annotated[
        list[str] | None,
        typer.Option(help="Listen for this phrase and nothing else; may be given often."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Transcribe FILES as a call would hear them: pauses, partials and turns with their times.

    The restaurant's own words are known, as in a call. A file that can't be read is told of
    and the others are heard; then the exit code is 1.
    """
    settings = load_settings()
    words = words_of(load_restaurant(settings.restaurant))
    engine = EarEngine(settings.models.ear, words, settings.home / "cache" / "ear")
    failed = False
    try:
        for path in files:
            ear = engine.open(tuple(grammar) if grammar else None)
            try:
                pcm = read_call_audio(path)
            except EarError as error:
                failed = True
                _fail(path, error, as_json=as_json)
                continue
            _show(path, pcm, asyncio.run(listen(ear, pcm, expect)), as_json=as_json)
            ear.close()
    finally:
        engine.close()
    if failed:
        raise typer.Exit(1)


def _fail(path: Path, error: EarError, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"file": str(path), "error": error.code, "message": str(error)}))
    else:
        typer.secho(str(error), fg="red", err=True)


def _show(path: Path, pcm: bytes, events: list[Event], *, as_json: bool) -> None:
    turns = [event for event in events if isinstance(event, FinalHeard)]
    if as_json:
        report: dict[str, Any] = {
            "file": str(path),
            "seconds": round(seconds(pcm), 3),
            "text": " ".join(turn.text for turn in turns if turn.text),
            "events": [event.as_json() for event in events],
        }
        typer.echo(json.dumps(report))
        return
    typer.echo(f"{path}  {seconds(pcm):.2f} s")
    for event in events:
        typer.echo(_line(event))


def register(app: typer.Typer) -> None:
    """Add the command to ``pickup``."""
    app.command()(hear)
