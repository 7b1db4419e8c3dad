"""Finds and reads evidence bundles; the transcript is a view of their events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from agent.errors import EvidenceError, NewerBundle
from agent.events import Event, FinalHeard, KeyPressed, LineFinished, LineStarted, event_types
from agent.evidence.recorder import BUNDLE_VERSION, CALL_FILE, EVENTS_FILE

PROMISES_FILE: Final = "promises.jsonl"
"""Written by ``agent.promises``: one JSON object per change of a promise."""

_NAMES: Final = event_types()


@dataclass(frozen=True, slots=True)
class Said:
    """One line of a transcript.

    Attributes:
        at: Call time at which it began, seconds; for a caller whose words have no times,
            when the words were final.
        who: ``agent`` or ``caller``.
        text: The words; for the agent those that really were heard.
        cut: The agent's line was broken off after ``text``.
    """

    at: float
    who: str
    text: str
    cut: bool = False


@dataclass(frozen=True)
class Bundle:
    """The evidence of one call.

    Attributes:
        folder: Where it lies.
        card: The contents of ``call.json``.
        events: What happened, in the order in which it was written.
        promises: The lines of ``promises.jsonl``, as they were written.
        damaged: Lines of either file that could not be read (a killed process or a full
            disk leaves at most a torn one), and events this version has no name for.
    """

    folder: Path
    card: Mapping[str, Any]
    events: tuple[Event, ...] = field(repr=False)
    promises: tuple[Mapping[str, Any], ...] = ()
    damaged: int = 0

    @property
    def id(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def caller(self) -> str:
        """The caller's number as Asterisk gave it, empty if withheld or unknown."""
        return str(self.card.get("caller", ""))

    @property
    def rush(self) -> bool:
        """Whether the gate asked for the short script."""
        return self.card.get("script") == "short"

    @property
    def started(self) -> datetime | None:
        """When the call began, in the restaurant's zone."""
        text = self.card.get("started_local")
        return datetime.fromisoformat(text) if isinstance(text, str) else None

    @property
    def ended(self) -> str:
        """How it ended, ``<by>: <reason>``; ``not closed`` if the agent was killed."""
        how = self.card.get("ended")
        return f"{how['by']}: {how['reason']}" if isinstance(how, Mapping) else "not closed"

    @property
    def seconds(self) -> float:
        """Call time of the last event."""
        return self.events[-1].at if self.events else 0.0

    def transcript(self) -> tuple[Said, ...]:
        """Return who said what and when."""
        return tuple(transcript(self.events))


def transcript(events: Iterable[Event]) -> Iterator[Said]:
    """Yield the conversation, in the order in which it was said.

    A line of the agent is held back until it is over, for only then is it known what was
    heard of it. A line that never finished (the process was killed) comes last, as cut.
    """
    open_lines: dict[int, LineStarted] = {}
    waiting: list[Said] = []

    def settled() -> Iterator[Said]:
        first_open = min((line.at for line in open_lines.values()), default=None)
        waiting.sort(key=lambda said: said.at)
        while waiting and (first_open is None or waiting[0].at <= first_open):
            yield waiting.pop(0)

    for event in events:
        match event:
            case LineStarted():
                open_lines[event.line] = event
            case LineFinished():
                begun = open_lines.pop(event.line, None)
                at = begun.at if begun else event.at
                if event.heard or not event.complete:
                    waiting.append(Said(at, "agent", event.heard, cut=not event.complete))
            case FinalHeard() if event.text:
                at = event.words[0].start if event.words else event.at
                waiting.append(Said(at, "caller", event.text))
            case KeyPressed():
                waiting.append(Said(event.at, "caller", f"[key {event.digit}]"))
        yield from settled()
    waiting.extend(Said(line.at, "agent", line.text, cut=True) for line in open_lines.values())
    open_lines.clear()
    yield from settled()


def bundle_folders(calls: Path) -> list[Path]:
    """Return the folders of all bundles, oldest first."""
    return sorted(
        (path.parent for path in calls.glob(f"*/*/{CALL_FILE}")),
        key=lambda folder: (folder.parent.name, folder.name),
    )


def find_bundle(calls: Path, wanted: str) -> Path:
    """Return the folder of the bundle whose id begins with ``wanted``.

    ``wanted`` may also be ``last``, a date and id (``2026-11-22/1830``), or a path.

    Raises:
        EvidenceError: none fits, or several do.
    """
    if (Path(wanted) / CALL_FILE).is_file():
        return Path(wanted)
    folders = bundle_folders(calls)
    if wanted == "last":
        fitting = folders[-1:]
    else:
        fitting = [
            folder
            for folder in folders
            if folder.name.startswith(wanted)
            or f"{folder.parent.name}/{folder.name}".startswith(wanted)
        ]
    if not fitting:
        raise EvidenceError(
            f"No call {wanted!r} in {calls}.", remedy="`pickup calls` lists what there is."
        )
    if len(fitting) > 1:
        some = ", ".join(f"{folder.parent.name}/{folder.name}" for folder in fitting[:5])
        raise EvidenceError(
            f"{len(fitting)} calls begin with {wanted!r}: {some}.", remedy="Write more of the id."
        )
    return fitting[0]


def read_card(folder: Path) -> dict[str, Any]:
    """Return a bundle's ``call.json``.

    Raises:
        NewerBundle: a newer Pickup wrote it.
        EvidenceError: it is missing or is no JSON object.
    """
    path = folder / CALL_FILE
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EvidenceError(
            f"{path}: can't be read ({error.strerror}).",
            remedy="Name the folder of a call, as `pickup calls` lists them.",
        ) from error
    except ValueError as error:
        raise EvidenceError(
            f"{path}: is no JSON ({error}).", remedy="Its events may still be read by eye."
        ) from error
    if not isinstance(card, dict):
        raise EvidenceError(f"{path}: is no JSON object.", remedy="It was not written by Pickup.")
    version = card.get("bundle", 0)
    if not isinstance(version, int) or version > BUNDLE_VERSION:
        raise NewerBundle(
            f"{path}: has layout {version}, this Pickup reads up to {BUNDLE_VERSION}.",
            remedy="Read it with the Pickup that wrote it, or update this one.",
        )
    return card


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle, also one that was cut off anywhere or is still being written.

    Raises:
        EvidenceError: there is no readable ``call.json``, see :func:`read_card`.
    """
    card = read_card(folder)
    lines, torn = _json_lines(folder / EVENTS_FILE)
    events = [event for event in map(to_event, lines) if event is not None]
    promises, torn_promises = _json_lines(folder / PROMISES_FILE)
    unnamed = len(lines) - len(events)
    return Bundle(folder, card, tuple(events), tuple(promises), torn + torn_promises + unnamed)


def to_event(data: Mapping[str, Any]) -> Event | None:
    """Return the event that a line of ``events.jsonl`` tells of; None if it has no name here."""
    kind = str(data.get("event"))
    if kind not in _NAMES:
        return None
    values = {key: value for key, value in data.items() if key not in {"event", "origin"}}
    try:
        return _reader(kind).validate_python(values)
    except ValidationError:
        return None


class Follower:
    """Reads a bundle's events while they are being written."""

    def __init__(self, folder: Path) -> None:
        """Begin at the first event of the bundle in ``folder``."""
        self._path = folder / EVENTS_FILE
        self._offset = 0

    def new_events(self) -> Sequence[Event]:
        """Return the events written since the last time, whole lines only."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                fresh = file.read()
        except FileNotFoundError:
            return ()
        whole = fresh[: fresh.rfind(b"\n") + 1]
        self._offset += len(whole)
        lines, _ = _parse(whole)
        return [event for event in map(to_event, lines) if event is not None]


@cache
def _reader(kind: str) -> TypeAdapter[Event]:
    return TypeAdapter(_NAMES[kind])


def _json_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise EvidenceError(
            f"{path}: can't be read ({error.strerror}).", remedy="Check its rights."
        ) from error


def _parse(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """Return the JSON objects of ``data``'s lines and how many lines were none."""
    found: list[dict[str, Any]] = []
    torn = 0
    for line in data.splitlines():
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            torn += 1
            continue
        if isinstance(value, dict):
            found.append(value)
        else:
            torn += 1
    return found, torn
