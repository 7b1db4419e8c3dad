"""Passes on what callers left with the dialplan's fallback while the agent was away.

Asterisk writes ``msg0000.wav`` and, last, ``msg0000.txt`` into the mailbox's INBOX. Each message
becomes a bundle among the calls (recording, transcript) and a promise to the owner; only then is
it taken out of the mailbox. Every step may be cut off by a crash and is done over: the bundle's
and the promise's names follow from the message's own id, so nothing is passed on twice. ::

    INBOX ─► draft in <home>/voicemail ─► rename into calls/ ─► promise on disk ─► INBOX emptied
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import soxr
import structlog

from agent.audio import FRAME_SECONDS, SAMPLE_RATE, seconds
from agent.ear import EarEngine
from agent.ear.listen import listen
from agent.errors import EarError, EvidenceError, QueueDown
from agent.events import CallEnded, CallStarted, Event, FaultSeen, FinalHeard, PromiseKind
from agent.evidence.bundle import read_card
from agent.evidence.machine import describe_machine, started_card
from agent.evidence.recorder import CALL_FILE, Recorder
from agent.evidence.wav import read_wav
from agent.promises.files import sync_folder
from agent.promises.ledger import Ledger
from agent.promises.state import Promise
from agent.promises.texts import owner_message
from agent.restaurant import Restaurant
from agent.settings import Settings

log = structlog.get_logger()

ORIGINAL: Final = "voicemail.wav"
"""In the bundle: the recording as Asterisk made it, beside the 16 kHz ``caller.wav``."""

LEFT_SECONDS: Final = 600.0
"""A recording in the mailbox's tmp folder that is older was cut off by a crash of Asterisk's:
its longest message is 180 s (``asterisk/pbx/voicemail.conf``)."""

WRITE_SECONDS: Final = 30.0
"""How long the evidence may take to reach the disk."""

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Message:
    """A message in the mailbox.

    Attributes:
        id: Asterisk's own id of it; where a crash left none, the file's name and age.
        sound: The recording, 8 kHz.
        note: Asterisk's text file about it.
        left: Unix time at which it was begun.
        caller: The caller's number; empty if withheld or unknown.
        called: The dialled extension, as Asterisk noted it.
        channel: Asterisk's channel name.
    """

    id: str
    sound: Path
    note: Path
    left: float
    caller: str = ""
    called: str = ""
    channel: str = ""

    def token(self, length: int) -> str:
        """Return a name that only this message has, always the same one."""
        digest = hashlib.sha256(self.id.encode()).digest()
        return "".join(_ALPHABET[byte % 32] for byte in digest[:length])


def waiting(mailbox: Path, now: float) -> list[Message]:
    """Return the messages not passed on yet, oldest first; ``now`` is Unix time.

    Args:
        mailbox: ``settings.voicemail``; boxes lie two folders below.
        now: For telling a recording under way from one that was cut off.
    """
    found = []
    for note in mailbox.glob("*/*/INBOX/msg*.txt"):
        with contextlib.suppress(FileNotFoundError):
            found.append(_read(note, note.with_suffix(".wav")))
    for sound in mailbox.glob("*/*/tmp/*.wav"):
        with contextlib.suppress(FileNotFoundError):
            if now - sound.stat().st_mtime > LEFT_SECONDS:
                found.append(_read(sound.with_suffix(""), sound))
    return sorted(found, key=lambda message: (message.left, message.id))


def _read(note: Path, sound: Path) -> Message:
    values: dict[str, str] = {}
    if note.exists():
        for line in note.read_text("utf-8", errors="replace").splitlines():
            key, equals, value = line.partition("=")
            if equals:
                values[key.strip()] = value.strip()
    origin = values.get("origtime", "")
    left = (
        float(origin) if origin.isdigit() else (sound if sound.exists() else note).stat().st_mtime
    )
    number = re.sub(r"[^+0-9]", "", values.get("callerid", "").rpartition("<")[2])
    return Message(
        id=values.get("msg_id") or f"{note.name} {left:.0f}",
        sound=sound,
        note=note,
        left=left,
        caller=number,
        called=values.get("exten", ""),
        channel=values.get("callerchan", ""),
    )


class Collector:
    """Passes messages on. Run one only: a second would do the same work for nothing."""

    def __init__(
        self, settings: Settings, restaurant: Restaurant, clock: Callable[[], float]
    ) -> None:
        """Look after the mailbox of ``settings``. ``clock`` gives Unix time."""
        self._settings = settings
        self._restaurant = restaurant
        self._clock = clock

    async def collect(self) -> list[Path]:
        """Pass on every message that waits; return their bundles.

        A message that can't be passed on stays where it is, is named in the log, and is tried
        again the next time.
        """
        messages = await asyncio.to_thread(waiting, self._settings.voicemail, self._clock())
        if not messages:
            return []
        done = []
        with self._ear() as ear:
            for message in messages:
                try:
                    done.append(await self._pass_on(message, ear))
                except (OSError, EvidenceError) as error:
                    log.error(
                        "A voicemail can't be passed on yet.",
                        file=str(message.sound),
                        error=str(error),
                    )
        return done

    @contextlib.contextmanager
    def _ear(self) -> Iterator[EarEngine | None]:
        """Lend an ear; None if the model is broken, and messages go on without their words."""
        try:
            engine = EarEngine(self._settings.models.ear)
        except EarError as error:
            log.error("Voicemail is passed on without its words.", error=str(error))
            yield None
            return
        try:
            yield engine
        finally:
            engine.close()

    async def _pass_on(self, message: Message, ear: EarEngine | None) -> Path:
        bundle = self._bundle(message)
        if not (bundle / CALL_FILE).exists():
            await self._write(message, bundle, ear)
        ledger = Ledger(self._settings, self._clock, fresh_id=lambda: message.token(8))
        try:
            promise = await asyncio.to_thread(self._promise, ledger, message, bundle)
            await ledger.keep(promise)
        except QueueDown as error:
            log.warning("A voicemail's message waits for the worker.", error=str(error))
        finally:
            await ledger.close()
        # The note last: as long as it is there, Asterisk uses this number for no other message.
        message.sound.unlink(missing_ok=True)
        message.note.unlink(missing_ok=True)
        log.info("A voicemail was passed on.", bundle=bundle.name)
        return bundle

    def _bundle(self, message: Message) -> Path:
        local = datetime.fromtimestamp(message.left, ZoneInfo(self._restaurant.time_zone))
        name = f"{local:%H%M%S}-{message.token(6)}"
        return self._settings.calls / f"{local:%Y-%m-%d}" / name

    def _promise(self, ledger: Ledger, message: Message, bundle: Path) -> Promise:
        for made in ledger.promises_of(bundle):
            # A crash may have come between the history and the marker that has it kept.
            ledger.rebuild()
            return made
        words = (bundle / "voicemail.txt").read_text("utf-8")
        return ledger.make(
            PromiseKind.OWNER_MESSAGE,
            self._restaurant.contacts.owner_sms,
            owner_message("voicemail", words, "", message.caller),
            bundle,
        )

    async def _write(self, message: Message, bundle: Path, ear: EarEngine | None) -> None:
        """Make the bundle beside the calls and move it there whole."""
        draft = self._settings.home / "voicemail" / bundle.name
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        shutil.copyfile(message.sound, draft / ORIGINAL)
        pcm = await asyncio.to_thread(_line_sound, draft / ORIGINAL)
        events = await _hear(ear, pcm)
        text = " ".join(e.text for e in events if isinstance(e, FinalHeard) and e.text)
        length = round(seconds(pcm))
        listen_to = f"{length} s, listen: {bundle.name}"
        words = f"{text} ({listen_to})" if text else f"no words made out ({listen_to})"
        (draft / "voicemail.txt").write_text(words, "utf-8")
        recorder = Recorder(draft, self._card(message, length))
        for event in self._events(message, events, seconds(pcm)):
            recorder.event(event)
        if pcm:
            recorder.caller_frame(pcm, FRAME_SECONDS)
        recorder.close()
        if not await asyncio.to_thread(recorder.wait_closed, WRITE_SECONDS):
            raise EvidenceError("The disk is too slow for a voicemail's evidence.")
        if read_card(draft).get("lost_writes"):
            raise EvidenceError("The disk did not take all of a voicemail's evidence.")
        bundle.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.rename(bundle)
        sync_folder(bundle.parent)

    def _card(self, message: Message, length: int) -> dict[str, Any]:
        started = datetime.fromtimestamp(message.left, UTC)
        return {
            **started_card(started, self._restaurant.time_zone),
            "voicemail": {"id": message.id, "seconds": length},
            **describe_machine(self._settings),
            "channel": message.channel,
        }

    def _events(self, message: Message, heard: list[Event], length: float) -> Iterator[Event]:
        yield CallStarted(
            at=0.0,
            channel=message.channel,
            caller=message.caller,
            called=message.called,
            withheld=not message.caller,
        )
        yield from heard
        yield CallEnded(at=length, by="caller", reason="voicemail")


def _line_sound(path: Path) -> bytes:
    """Return a recording as slin16; a recording that holds no sound is none."""
    try:
        sound = read_wav(path)
    except EvidenceError as error:
        log.warning("A voicemail's recording holds no sound.", error=str(error))
        return b""
    samples: npt.NDArray[np.int16] = sound.channel(0)
    if sound.rate != SAMPLE_RATE:
        samples = soxr.resample(samples, sound.rate, SAMPLE_RATE)
    return samples.astype("<i2").tobytes()


async def _hear(engine: EarEngine | None, pcm: bytes) -> list[Event]:
    if engine is None or not pcm:
        return []
    ear = engine.open()
    try:
        return await listen(ear, pcm)
    except EarError as error:
        log.error("A voicemail's words could not be made out.", error=str(error))
        return [FaultSeen(at=0.0, code=error.code, message=str(error))]
    finally:
        ear.close()
