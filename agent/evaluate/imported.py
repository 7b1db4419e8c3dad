"""Recordings from elsewhere, made into bundles, so that they can be shown and replayed.

A WAV file of 8 or 16 kHz: two channels, the caller's and the other side's, or one. One channel
holds the caller alone, or both voices; of both only a transcript with times tells which is
whose. A transcript has one line for each turn::

    [0:03] agent: Thanks for calling, how can I help?
    [0:07] caller: Do you have parking?
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from agent.audio import SAMPLE_RATE
from agent.errors import EvidenceError
from agent.evaluate.recorded import resampled, turns_by_sound
from agent.events import (
    CallAnswered,
    CallEnded,
    CallStarted,
    Event,
    FinalHeard,
    LineFinished,
    LineStarted,
    SpeechStarted,
    TurnEnded,
)
from agent.evidence.machine import started_card
from agent.evidence.measures import Span, voiced_spans
from agent.evidence.recorder import AGENT_AUDIO, CALLER_AUDIO, Recorder, new_folder
from agent.evidence.wav import Sound, read_wav, write_wav

RATES: Final = (8_000, SAMPLE_RATE)

LONGEST_SECONDS: Final = 3600.0
"""A longer file is no phone call of a restaurant's."""

_LINE: Final = re.compile(
    r"(?:\[?(?:(?P<minutes>\d+):)?(?P<seconds>\d+(?:\.\d+)?)\]?\s+)?"
    r"(?P<who>caller|agent)\s*:\s*(?P<text>.*)",
    re.IGNORECASE,
)
REMEDY: Final = 'Write lines as "[0:07] caller: Do you have parking?".'


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line of a transcript; ``at`` in seconds, None if it has no time."""

    who: Literal["caller", "agent"]
    text: str
    at: float | None = None


def read_transcript(path: Path) -> tuple[Spoken, ...]:
    """Read a transcript; empty lines are passed over.

    Raises:
        EvidenceError: it can't be read, or a line is none; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceError(f"{path}: can't be read ({error}).", remedy=REMEDY) from error
    found: list[Spoken] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise EvidenceError(f"{path}:{number}: is no line of a transcript.", remedy=REMEDY)
        at = None
        if match["seconds"] is not None:
            at = 60 * float(match["minutes"] or 0) + float(match["seconds"])
        if at is not None and any(one.at is not None and one.at > at for one in found):
            raise EvidenceError(f"{path}:{number}: its time runs backwards.", remedy=REMEDY)
        who: Literal["caller", "agent"] = "caller" if match["who"].lower() == "caller" else "agent"
        found.append(Spoken(who, match["text"].strip(), at))
    if not any(one.who == "caller" for one in found):
        raise EvidenceError(f"{path}: the caller says nothing in it.", remedy=REMEDY)
    return tuple(found)


def import_recording(
    wav: Path,
    calls: Path,
    *,
    started: datetime,
    zone: str,
    caller: str = "",
    caller_channel: int = 1,
    transcript: tuple[Spoken, ...] = (),
    random: Random | None = None,
) -> Path:
    """Make a bundle of a recording and return its folder.

    Args:
        wav: 16-bit PCM, 8 or 16 kHz, one or two channels.
        calls: Folder of the bundles.
        started: When the call was; aware.
        zone: The restaurant's time zone.
        caller: The caller's number, E.164, if it is known.
        caller_channel: Of two channels the caller's: 1 or 2.
        transcript: Who said what; may be empty.
        random: Source of the id's last characters.

    Raises:
        EvidenceError: the file doesn't fit; the message says what would.
    """
    sound = read_wav(wav)
    channels = sound.samples.shape[1]
    if sound.rate not in RATES or channels > 2:
        raise EvidenceError(
            f"{wav}: {sound.rate} Hz, {channels} channels.",
            remedy="Convert it to 8 or 16 kHz, one or two channels: sox IN -r 8000 -b 16 OUT.wav",
        )
    if not 0 < sound.seconds <= LONGEST_SECONDS:
        raise EvidenceError(f"{wav}: is {sound.seconds:.0f} s long.", remedy="Give it one call.")
    said, other = _sides(wav, sound, caller_channel, transcript)
    turns = _turns(wav, said, other, transcript)
    folder = new_folder(calls, started, random or Random())  # noqa: S311 - a name
    card = started_card(started, zone) | {"imported": wav.name}
    recorder = Recorder(folder, card)
    for event in _events(turns, transcript, other, sound.seconds, caller):
        recorder.event(event)
    recorder.close()
    if not recorder.wait_closed(LONGEST_SECONDS):
        raise EvidenceError(
            f"{folder}: could not be written.", remedy="See whether the disk is up."
        )
    write_wav(folder / CALLER_AUDIO, said)
    write_wav(folder / AGENT_AUDIO, other or Sound(said.rate, np.zeros_like(said.samples)))
    return folder


def _sides(
    wav: Path, sound: Sound, caller_channel: int, transcript: Sequence[Spoken]
) -> tuple[Sound, Sound | None]:
    """Return the caller's side and, if it is to be had, the other, at 16 kHz."""
    if sound.samples.shape[1] == 2:
        if caller_channel not in (1, 2):
            raise EvidenceError(f"There is no channel {caller_channel}.", remedy="Say 1 or 2.")
        mine, theirs = caller_channel - 1, 2 - caller_channel
        return _wide(sound.channel(mine), sound.rate), _wide(sound.channel(theirs), sound.rate)
    both = any(one.who == "agent" for one in transcript)
    if not both:
        return _wide(sound.channel(0), sound.rate), None
    if any(one.at is None for one in transcript):
        raise EvidenceError(
            f"{wav}: has both voices in one channel, and the transcript has no times.",
            remedy=REMEDY,
        )
    samples = _wide(sound.channel(0), sound.rate).channel(0)
    own, others = samples.copy(), samples.copy()
    for one, end in _with_ends(transcript, len(samples) / SAMPLE_RATE):
        part = slice(round((one.at or 0.0) * SAMPLE_RATE), round(end * SAMPLE_RATE))
        (others if one.who == "caller" else own)[part] = 0
    own[: round((transcript[0].at or 0.0) * SAMPLE_RATE)] = 0
    return _mono(own), _mono(others)


def _turns(
    wav: Path, said: Sound, other: Sound | None, transcript: Sequence[Spoken]
) -> list[tuple[Span, str]]:
    """Return the caller's turns with their words, as far as these are known."""
    words = [one for one in transcript if one.who == "caller"]
    if words and all(one.at is not None for one in transcript):
        found = []
        for one, end in _with_ends(transcript, said.seconds):
            if one.who == "caller":
                found.append((_voiced(said, Span(one.at or 0.0, end)), one.text))
        return found
    spans = turns_by_sound(said, other)
    if not spans:
        raise EvidenceError(
            f"{wav}: no voice is heard on the caller's side.",
            remedy="Is the caller on the other channel? Say --caller-channel 2.",
        )
    if words and len(words) != len(spans):
        raise EvidenceError(
            f"{wav}: the caller speaks {len(spans)} times, the transcript says {len(words)}.",
            remedy="Give the transcript's lines their times.",
        )
    return [(span, words[i].text if words else "") for i, span in enumerate(spans)]


def _voiced(sound: Sound, span: Span) -> Span:
    """Return where the voice is within ``span``; all of it if none is found."""
    samples = sound.channel(0)[round(span.start * sound.rate) : round(span.end * sound.rate)]
    voice = voiced_spans(samples, sound.rate)
    if not voice:
        return span
    return Span(span.start + voice[0].start, span.start + voice[-1].end)


def _with_ends(transcript: Sequence[Spoken], end: float) -> Iterator[tuple[Spoken, float]]:
    for one, after in pairwise(transcript):
        yield one, after.at if after.at is not None else end
    yield transcript[-1], end


def _events(
    turns: Sequence[tuple[Span, str]],
    transcript: Sequence[Spoken],
    other: Sound | None,
    length: float,
    caller: str,
) -> list[Event]:
    """Return what is known of the call as events: turns by the voice, lines by the other's."""
    happened: list[Event] = []
    for span, text in turns:
        happened += [
            SpeechStarted(at=span.start),
            TurnEnded(at=span.end, last_voiced=span.end, waited=0.0, rule="imported"),
            FinalHeard(at=span.end, text=text),
        ]
    lines = [one.text for one in transcript if one.who == "agent"]
    spans = _lines(other, turns)
    for number, span in enumerate(spans):
        text = lines[number] if len(lines) == len(spans) else "(not transcribed)"
        happened += [
            LineStarted(at=span.start, line=number + 1, text=text),
            LineFinished(at=span.end, line=number + 1, heard=text),
        ]
    happened.sort(key=lambda event: event.at)
    began = [CallStarted(at=0.0, channel="imported", caller=caller), CallAnswered(at=0.0)]
    return [*began, *happened, CallEnded(at=length, by="caller", reason="imported")]


def _lines(other: Sound | None, turns: Sequence[tuple[Span, str]]) -> list[Span]:
    """Return the other side's lines: its stretches of sound between two of the caller's turns."""
    voice = voiced_spans(other.channel(0), other.rate) if other else ()
    joined: list[Span] = []
    for span in voice:
        apart = any(joined and joined[-1].end <= turn.start < span.start for turn, _ in turns)
        if joined and not apart:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined


def _wide(samples: NDArray[np.int16], rate: int) -> Sound:
    return _mono(resampled(samples, rate, SAMPLE_RATE))


def _mono(samples: NDArray[np.int16]) -> Sound:
    return Sound(SAMPLE_RATE, samples.reshape(-1, 1))
