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

from agent.audio import FRAME_BYTES, SAMPLE_RATE, pad_to_frame, seconds
from agent.ear import Ear, EarEngine
from agent.errors import EarError
from agent.events import Event, Expect, FinalHeard, PartialHeard, SpeechStarted, SpeechStopped
from agent.settings import load_settings

RATES: Final = (8_000, 16_000)
"""Sample rates of the line and of Pickup; other rates are no recording of a call."""

REMEDY: Final = "Convert it, for example: ffmpeg -i FILE -ac 1 -ar 16000 -sample_fmt s16 out.wav"

TRAILING_SILENCE: Final = 1.5
"""Seconds of silence heard after the file, so that its last words come to an end."""


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


async def _hear(ear: Ear, pcm: bytes, expect: Expect) -> list[Event]:
    """Return what a call would hear: a turn ends when its pause has lasted its wait."""
    ear.expect(expect)
    events: list[Event] = []
    ends: float | None = None
    padded = pad_to_frame(pcm + bytes(round(TRAILING_SILENCE * SAMPLE_RATE) * 2))
    for start in range(0, len(padded), FRAME_BYTES):
        at = round(seconds(padded[: start + FRAME_BYTES]), 6)
        for event in await ear.hear(padded[start : start + FRAME_BYTES], at):
            events.append(event)
            match event:
                case SpeechStarted():
                    ends = None
                case SpeechStopped():
                    stopped = event.last_voiced
                    ends = stopped + event.wait
                case PartialHeard(wait=float(wait)):
                    ends = stopped + wait
        if ends is not None and at >= ends:
            events.append(await ear.finish(at))
            ends = None
    last = await ear.finish(seconds(padded))
    return [*events, last] if last.text else events


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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Transcribe FILES as a call would hear them: pauses, partials and turns with their times."""
    sounds = [(path, read_call_audio(path)) for path in files]
    engine = EarEngine(load_settings().models.ear)
    try:
        for path, pcm in sounds:
            ear = engine.open()
            events = asyncio.run(_hear(ear, pcm, expect))
            ear.close()
            _show(path, pcm, events, as_json=as_json)
    finally:
        engine.close()


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
