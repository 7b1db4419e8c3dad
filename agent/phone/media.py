"""One call's audio: a WebSocket to Asterisk's ``chan_websocket``, slin16 both ways.

Binary messages are audio, text messages are control in JSON (``f(json)``). Asterisk paces
what we play from a queue of its own, so audio may be sent faster than it is heard.

Why the details are as they are (Asterisk 22.10.1, measured or read in its driver):

- A message that is no whole number of 640-byte frames loses its tail, so ``play`` takes
  whole frames only; START/STOP_MEDIA_BUFFERING, made for ragged audio, is not needed.
- A message over 65,500 bytes ends the call. A control message over 128 bytes is ignored;
  marks therefore travel under short numbers, not under the caller's names.
- At 900 queued frames Asterisk says MEDIA_XOFF, and from 1,000 on it drops silently. What
  is under way in the socket then is lost, so we count for ourselves: every message is
  followed by a mark, and no more than WINDOW_FRAMES are ever unplayed.
- FLUSH_MEDIA forgets queued marks without a word and does not end a pause.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import structlog

from agent.audio import FRAME_BYTES, FRAME_SECONDS
from agent.errors import CallGone, PhoneError

log = structlog.get_logger()

MESSAGE_FRAMES: Final = 50
"""Frames in one message, 1 s, 32,000 bytes: half of the 65,500 that Asterisk can take."""

WINDOW_FRAMES: Final = 500
"""Frames (10 s) that may be unplayed; well under the 900 at which Asterisk says XOFF."""

BACKLOG_FRAMES: Final = 1500
"""Caller frames (30 s, 1 MB) kept for a late consumer. One that is later than this is hung."""

LAG_FRAMES: Final = 50
"""A consumer this far behind (1 s), and at each doubling, is worth a log line."""

CONFIRM_SECONDS: Final = 1.0
"""How long Asterisk may take to confirm a flush; it takes a millisecond or two."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """A point in what was sent. ``name`` is None for our own count of ``frames`` played."""

    name: str | None
    frames: int = 0


def command(name: str, **fields: str) -> str:
    """Return a control message as ``chan_websocket`` reads it."""
    return json.dumps({"command": name, **fields}, separators=(",", ":"))


def messages(pcm: bytes) -> list[bytes]:
    """Cut ``pcm`` (slin16, whole frames) into messages that Asterisk can take."""
    size = MESSAGE_FRAMES * FRAME_BYTES
    return [pcm[start : start + size] for start in range(0, len(pcm), size)]


class Media:
    """The caller's audio in, our audio out. Made by ``CallLeg.open_media``.

    Attributes:
        on_mark: Called with a mark's name when that point of our audio has been played.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.on_mark: Callable[[str], None] = lambda name: None
        self._socket = socket
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._marks: dict[int, _Mark] = {}
        self._last_mark = 0
        self._unplayed = 0
        self._flushes = 0
        self._paused = False
        self._open_gate = asyncio.Event()
        self._open_gate.set()
        self._xoff = False
        self._confirmations: deque[asyncio.Future[None]] = deque()
        self._fault: PhoneError | None = None
        self._logged_lag = LAG_FRAMES
        self._reader = asyncio.create_task(self._read(), name="media reader")

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield the caller's audio: slin16 frames of 640 bytes, each 20 ms, in order.

        Ends when the call does, whoever ended it. Only one consumer at a time.

        Raises:
            PhoneError: the audio was lost while the caller was still there, or the consumer
                is more than 30 s late.
        """
        while True:
            frame = await self._frames.get()
            if frame is None:
                self._frames.put_nowait(None)
                if self._fault is not None and not isinstance(self._fault, CallGone):
                    raise self._fault
                return
            yield frame

    async def play(self, pcm: bytes) -> None:
        """Hand ``pcm`` (slin16, whole frames of 640 bytes) to Asterisk, which paces it.

        Returns when all of it is handed over, which is before it is heard: use :meth:`mark`
        to know what was heard. Waits while 10 s of audio are unplayed. A :meth:`flush` in
        the meantime drops what was not handed over yet, too.

        Raises:
            ValueError: ``pcm`` is no whole number of frames.
            CallGone: the call is over.
            PhoneError: the audio was lost while the caller was still there.
        """
        if len(pcm) % FRAME_BYTES:
            raise ValueError(f"{len(pcm)} bytes are no whole number of {FRAME_BYTES}-byte frames")
        flushes = self._flushes
        for message in messages(pcm):
            await self._open_gate.wait()
            if self._flushes != flushes:
                return
            self._unplayed += len(message) // FRAME_BYTES
            self._set_gate()
            await self._send(message)
            await self._send_mark(_Mark(None, len(message) // FRAME_BYTES))

    async def mark(self, name: str) -> None:
        """Have :attr:`on_mark` called with ``name`` when all that was played so far is heard.

        A mark that is flushed is never called. Raises as :meth:`play`.
        """
        await self._send_mark(_Mark(name))

    async def pause(self) -> None:
        """Hold the audio where it is; the caller hears silence. Raises as :meth:`play`."""
        self._paused = True
        await self._send(command("PAUSE_MEDIA"))

    async def resume(self) -> None:
        """Go on where :meth:`pause` held. Raises as :meth:`play`."""
        self._paused = False
        await self._send(command("CONTINUE_MEDIA"))

    async def flush(self) -> None:
        """Drop all audio and marks that are not played yet, and end a pause.

        When this returns, every mark that was reached has been reported and none of the
        others will be: the marks reported tell what the caller heard. Raises as :meth:`play`.
        """
        self._flushes += 1
        last = self._last_mark
        await self._send(command("FLUSH_MEDIA"))
        await self._confirm()
        dropped = [number for number in self._marks if number <= last]
        for number in dropped:
            self._unplayed -= self._marks.pop(number).frames
        if self._paused:
            await self.resume()
        self._set_gate()

    def end(self, fault: PhoneError) -> None:
        """End ``frames``, and have all else raise ``fault`` from now on."""
        if self._fault is not None:
            return
        self._fault = fault
        self._frames.put_nowait(None)
        self._set_gate()
        while self._confirmations:
            waiting = self._confirmations.popleft()
            if not waiting.done():
                waiting.set_exception(fault)

    async def close(self, fault: PhoneError) -> None:
        """End as :meth:`end` does, and close the socket; Asterisk then drops the channel."""
        self.end(fault)
        self._reader.cancel()
        await asyncio.wait([self._reader])
        if not self._reader.cancelled() and (crash := self._reader.exception()):
            log.error("Reading the caller's audio crashed.", exc_info=crash)
        await self._socket.close()

    # ── out ─────────────────────────────────────────────────────────────────────────────

    async def _send(self, message: str | bytes) -> None:
        if self._fault is not None:
            raise self._fault
        try:
            if isinstance(message, str):
                await self._socket.send_str(message)
            else:
                await self._socket.send_bytes(message)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise self._fault or _lost(str(error)) from error

    async def _send_mark(self, mark: _Mark) -> None:
        self._last_mark += 1
        self._marks[self._last_mark] = mark
        await self._send(command("MARK_MEDIA", correlation_id=str(self._last_mark)))

    async def _confirm(self) -> None:
        # Asterisk answers GET_STATUS at once and in order, not through its audio queue.
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._confirmations.append(confirmed)
        await self._send(command("GET_STATUS"))
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await confirmed
        except TimeoutError as error:
            raise PhoneError(
                "Asterisk did not confirm that it dropped the audio.",
                remedy="It is overloaded or hung: see its log.",
            ) from error

    def _set_gate(self) -> None:
        if self._fault is not None or (not self._xoff and self._unplayed < WINDOW_FRAMES):
            self._open_gate.set()
        else:
            self._open_gate.clear()

    # ── in ──────────────────────────────────────────────────────────────────────────────

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    self._hear(message.data)
                elif message.type is aiohttp.WSMsgType.TEXT:
                    self._obey(json.loads(message.data))
        finally:
            self.end(_lost(f"close code {self._socket.close_code}"))

    def _hear(self, frame: bytes) -> None:
        if self._fault is not None:
            return
        waiting = self._frames.qsize()
        if waiting >= BACKLOG_FRAMES:
            self.end(
                PhoneError(
                    "Nobody took the caller's audio for 30 s.",
                    remedy="The speech engines are hung or far too slow for this machine.",
                )
            )
            return
        self._frames.put_nowait(frame)
        if waiting >= self._logged_lag:
            log.warning("The caller's audio is waiting.", seconds=waiting * FRAME_SECONDS)
            self._logged_lag = waiting * 2
        elif waiting == 0:
            self._logged_lag = LAG_FRAMES

    def _obey(self, control: dict[str, Any]) -> None:
        match control:
            case {"event": "MEDIA_MARK_PROCESSED", "correlation_id": number}:
                self._reached(int(number))
            case {"event": "STATUS"}:
                if self._confirmations:
                    waiting = self._confirmations.popleft()
                    if not waiting.done():
                        waiting.set_result(None)
            case {"event": "MEDIA_XOFF"}:
                self._xoff = True
            case {"event": "MEDIA_XON"}:
                self._xoff = False
            case {"event": "ERROR"}:
                log.error("Asterisk refused a media command.", said=control.get("error_text", ""))
        self._set_gate()

    def _reached(self, number: int) -> None:
        mark = self._marks.pop(number, None)
        if mark is None:
            return
        self._unplayed -= mark.frames
        if mark.name is not None:
            self.on_mark(mark.name)


def _lost(how: str) -> PhoneError:
    return PhoneError(
        f"Asterisk closed the caller's audio ({how}).",
        remedy="See Asterisk's log for the reason.",
    )
