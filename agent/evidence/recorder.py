"""Writes a call's evidence bundle while the call lasts.

::

    calls/2026-11-23/183012-k7m2/
        call.json      what ran: versions, hashes, settings; how the call ended
        events.jsonl   every event, one line each, as it happened
        caller.wav     what the caller said      16 kHz 16-bit mono,
        agent.wav      what the caller heard     sample n = call time n / 16000 in both
        restaurant.toml  the restaurant file as it was

A thread does the writing, so that a slow disk never holds up the sound; a disk that is
full or gone is reported once and does not end the call. Whatever was written stays
readable when the process is killed.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol, Self
from zoneinfo import ZoneInfo

import structlog

from agent.audio import FRAME_SECONDS, SAMPLE_BYTES, SAMPLE_RATE
from agent.errors import EvidenceError
from agent.events import CallEnded, CallStarted, Event, FaultSeen, personal_fields
from agent.evidence.machine import describe_machine, started_card
from agent.evidence.wav import WavWriter
from agent.restaurant import Restaurant
from agent.settings import Settings

BUNDLE_VERSION: Final = 1
"""Version of the layout; a reader refuses newer ones."""

CALL_FILE: Final = "call.json"
EVENTS_FILE: Final = "events.jsonl"
CALLER_AUDIO: Final = "caller.wav"
AGENT_AUDIO: Final = "agent.wav"
RESTAURANT_FILE: Final = "restaurant.toml"
"""What the agent could say in this call: a review years later holds its words against it."""

QUEUE_ITEMS: Final = 4_000
"""Writes that may wait: about 40 s of a call with both sides speaking (100 frames a second)."""

SLACK_SECONDS: Final = 0.06
"""The caller's frames follow each other without gaps while they arrive within this of where
they are expected; beyond it frames were lost and silence is put in their place."""

JOINT_SECONDS: Final = 0.03
"""Pieces of the agent's sound this close together were one: Asterisk played them without a gap,
and only the estimate of when has jitter."""

ID_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""Digits and letters that can't be taken for each other when read out."""

_log = structlog.get_logger()


def new_folder(calls: Path, started: datetime, random: Random) -> Path:
    """Return a folder for a call: ``<calls>/<date>/<HHMMSS>-<4 characters>``, not yet made.

    Args:
        calls: Where the bundles lie.
        started: When the call began, in the restaurant's zone.
        random: Source of the last four characters.
    """
    day = calls / f"{started:%Y-%m-%d}"
    while True:
        name = "".join(random.choices(ID_ALPHABET, k=4))
        folder = day / f"{started:%H%M%S}-{name}"
        if not folder.exists():
            return folder


class Leg(Protocol):
    """What a bundle notes of the phone's side of the call."""

    @property
    def channel(self) -> str:
        """Asterisk's channel name."""

    @property
    def channel_id(self) -> str:
        """Asterisk's unique id of the channel."""


class _Files:
    """The open files of one bundle; only the writer thread touches them."""

    def __init__(self, folder: Path, card: dict[str, Any]) -> None:
        self._folder = folder
        self._card = card
        self._events: int | None = None
        self._torn = False
        self._audio: dict[str, WavWriter] = {}
        self._length = 0

    def card(self, **changes: Any) -> None:
        """Replace ``call.json`` in one step, so that a reader sees the old or the new one."""
        self._card.update(changes)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = self._folder / f".{CALL_FILE}"
        draft.write_text(json.dumps(self._card, indent=1, ensure_ascii=False) + "\n", "utf-8")
        draft.replace(self._folder / CALL_FILE)

    def copy(self, source: Path, name: str) -> None:
        """Put a copy of ``source`` into the bundle."""
        (self._folder / name).write_bytes(source.read_bytes())

    def event(self, line: bytes) -> None:
        """Append one line with one write; a line torn by a full disk is closed first."""
        if self._events is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._events = os.open(self._folder / EVENTS_FILE, flags, 0o600)
        if self._torn:
            line = b"\n" + line
        written = os.write(self._events, line)
        self._torn = written != len(line)
        if self._torn:
            raise OSError("the disk took only a part of the event")

    def audio(self, name: str, position: int, pcm: bytes) -> None:
        """Put ``pcm`` at sample ``position`` of one of the two recordings."""
        if name not in self._audio:
            self._audio[name] = WavWriter(self._folder / name)
        self._audio[name].write(position, pcm)
        self._length = max(self._length, position + len(pcm) // SAMPLE_BYTES)

    def close(self, length: int) -> None:
        """Finish both recordings at the same length: ``length`` samples or the longer one."""
        if self._events is not None:
            os.close(self._events)
        for writer in self._audio.values():
            writer.close(max(length, self._length))


class _Write(Protocol):
    def __call__(self, files: _Files) -> None: ...


class Recorder:
    """Keeps the evidence of one call; nothing in it waits for the disk.

    Use it from one thread (the event loop's). The first write that fails becomes a
    ``FaultSeen`` among the events and a line in the log; the call goes on without.
    """

    def __init__(
        self,
        folder: Path,
        card: Mapping[str, Any],
    ) -> None:
        """Begin a bundle.

        Args:
            folder: Where it goes, see :func:`new_folder`; made if absent.
            card: What ``call.json`` says from the start.
        """
        self.folder = folder
        self._waiting: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._lost = 0
        self._trouble = ""
        self._reported = False
        self._caller_next: int | None = None
        self._agent_end = 0
        self._ended: CallEnded | None = None
        self._closed = False
        first = {"bundle": BUNDLE_VERSION, "id": folder.name, **card, "ended": None}
        self._put(lambda files: files.card())
        self._thread = threading.Thread(
            target=self._run, args=(_Files(folder, first),), name=f"recorder {folder.name}"
        )
        self._thread.start()

    @classmethod
    def open(
        cls,
        settings: Settings,
        restaurant: Restaurant,
        info: Leg,
        now: datetime,
        *,
        random: Random | None = None,
    ) -> Self:
        """Begin the bundle of a call that Asterisk just handed over.

        Args:
            settings: Where the bundles lie, and what runs.
            restaurant: For its time zone.
            info: Asterisk's names of the channel.
            now: When the call began; aware.
            random: Source of the id's last characters.
        """
        local = now.astimezone(ZoneInfo(restaurant.time_zone))
        folder = new_folder(settings.calls, local, random or Random())  # noqa: S311
        channel = {"channel": info.channel, "channel_id": info.channel_id}
        recorder = cls(folder, started_card(now, restaurant.time_zone) | channel)
        # The first call of a process waits here for the models to be hashed, in its thread.
        recorder._put(lambda files: files.card(**describe_machine(settings)))
        return recorder

    def event(self, event: Event) -> None:
        """Keep an event; a ``CallEnded`` is also how ``call.json`` will say it ended."""
        line = json.dumps(event.as_json(), ensure_ascii=False).encode() + b"\n"
        self._put(lambda files: files.event(line))
        if isinstance(event, CallStarted):
            numbers = {
                "caller": event.caller,
                "called": event.called,
                "diverted_from": event.diverted_from,
                "withheld": event.withheld,
                "personal": sorted(personal_fields(CallStarted)),
            }
            self._put(lambda files: files.card(**numbers))
        elif isinstance(event, CallEnded):
            self._ended = event
        self._report(event.at)

    def restaurant(self, file: Path) -> None:
        """Keep the restaurant file as it is now."""
        self._put(lambda files: files.copy(file, RESTAURANT_FILE))

    def caller_frame(self, frame: bytes, at: float) -> None:
        """Keep one frame of the caller's audio.

        Args:
            frame: slin16.
            at: Call time of its arrival, thus of its last sample.
        """
        expected = _position(at - FRAME_SECONDS)
        position = self._caller_next
        if position is None or expected - position > SLACK_SECONDS * SAMPLE_RATE:
            position = max(0, expected)
        self._caller_next = position + len(frame) // SAMPLE_BYTES
        self._put(lambda files: files.audio(CALLER_AUDIO, position, frame))
        self._report(at)

    def agent_audio(self, at: float, pcm: bytes) -> None:
        """Keep a piece of what the caller heard.

        Args:
            at: Call time at which its first sample was heard, as marks and clock tell.
            pcm: slin16, any length; only what really was played.
        """
        position = max(0, _position(at))
        if abs(position - self._agent_end) <= JOINT_SECONDS * SAMPLE_RATE:
            position = self._agent_end
        self._agent_end = position + len(pcm) // SAMPLE_BYTES
        self._put(lambda files: files.audio(AGENT_AUDIO, position, pcm))
        self._report(at)

    def close(self) -> None:
        """Finish the bundle. Returns at once; the thread writes what still waits."""
        if self._closed:
            return
        self._closed = True
        ended = self._ended
        how = {"at": round(ended.at, 4), "by": ended.by, "reason": ended.reason} if ended else None
        length = _position(ended.at) if ended else 0

        def finish(files: _Files) -> None:
            try:
                files.close(length)
            finally:
                files.card(ended=how, closed=True, lost_writes=self._lost)

        self._waiting.put(finish)
        self._waiting.put(None)

    def wait_closed(self, seconds: float) -> bool:
        """Wait until everything is on disk; for tests and for the end of the process.

        Returns:
            False if it took longer than ``seconds``.
        """
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _put(self, write: _Write) -> None:
        if self._closed:
            return
        if self._waiting.qsize() >= QUEUE_ITEMS:
            self._lost += 1
            self._trouble = self._trouble or "the disk is too slow"
        else:
            self._waiting.put(write)

    def _report(self, at: float) -> None:
        if self._trouble and not self._reported:
            self._reported = True
            _log.error("Evidence is incomplete.", folder=str(self.folder), fault=self._trouble)
            self.event(FaultSeen(at=at, code=EvidenceError.code, message=self._trouble))

    def _run(self, files: _Files) -> None:
        while (write := self._waiting.get()) is not None:
            try:
                write(files)
            except (OSError, EvidenceError) as error:
                self._lost += 1
                self._trouble = self._trouble or str(error)


def _position(at: float) -> int:
    return round(at * SAMPLE_RATE)
