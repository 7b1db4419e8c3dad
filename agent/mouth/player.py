"""Playout: sends a line's sound to Asterisk and knows what the caller has really heard.

Asterisk queues and paces what it gets, so sound is sent as soon as it exists, up to
`AHEAD_SECONDS`: nothing here has to keep time, and a stall of ours is not heard. It costs
nothing in control, because a flush silences the queue at once and a mark tells when its
point was really played (both measured). What was heard is therefore known from marks, and
between two marks from the clock.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from agent.audio import FRAME_BYTES, FRAME_SECONDS, SAMPLE_BYTES, SAMPLE_RATE, seconds
from agent.errors import PhoneError
from agent.events import Event, LineFinished, LineStarted
from agent.mouth.timing import Piece, Spoken, pieces
from agent.mouth.units import clauses

AHEAD_SECONDS: Final = 8.0
"""Most sound queued at Asterisk. Its own limit is 900 frames, 18 s (XOFF, measured)."""

FIRST_SOUND_SECONDS: Final = 0.02
"""From sending to hearing on an idle channel: 5 to 20 ms (measured); the longer one, so that
a word is never called heard before it was."""


_BYTES_PER_SECOND: Final = SAMPLE_RATE * SAMPLE_BYTES


class AudioOut(Protocol):
    """Where sound goes: Asterisk's media channel, `agent.phone.media.Media`."""

    on_mark: Callable[[str], None]

    async def play(self, pcm: bytes) -> None:
        """Queue ``pcm`` (slin16, whole frames)."""

    async def mark(self, name: str) -> None:
        """Have ``on_mark(name)`` called when everything queued so far was played."""

    async def pause(self) -> None:
        """Stop playing; keep the queue."""

    async def resume(self) -> None:
        """Go on playing."""

    async def flush(self) -> None:
        """Forget the queue, so that nothing more is heard, and end a pause."""


@dataclass(slots=True)
class _Line:
    number: int
    text: str
    heard: list[str] = field(default_factory=list)
    started: bool = False
    sending: bool = True
    whole: bool = False
    """All of it was sent: nothing failed, nobody dropped it before."""
    dropped: bool = False
    awaited: asyncio.Future[bytes] | None = None
    """The chunk that is being waited for."""


@dataclass(slots=True)
class _Queued:
    """One piece that Asterisk has and that no mark has told about yet."""

    line: _Line
    piece: Piece
    mark: str
    reported: int = 0
    """Bytes that were already told to ``on_audio``."""

    @property
    def rest(self) -> float:
        """Seconds of it that were not reported yet."""
        return seconds(self.piece.pcm) - self.reported / _BYTES_PER_SECOND


class Player:
    """Plays one call's lines, one after another.

    Args:
        out: Where the sound goes; its ``on_mark`` is taken.
        clock: Call time in seconds.
        emit: Gets `LineStarted` when a line's first sound was handed over, and exactly one
            `LineFinished` for each started line.
        on_audio: Gets ``(at, pcm)`` for all sound that was really played, in order, ``at``
            being the call time at which its first sample was heard, as far as marks and clock
            tell; called when it was played, not when it was sent.
    """

    def __init__(
        self,
        out: AudioOut,
        clock: Callable[[], float],
        emit: Callable[[Event], None],
        on_audio: Callable[[float, bytes], None],
    ) -> None:
        self._out = out
        self._clock = clock
        self._emit = emit
        self._on_audio = on_audio
        self._queue: deque[_Queued] = deque()
        self._lines: deque[_Line] = deque()
        self._front_at: float | None = None
        """When the unreported sound at the front of the queue began, or would begin, to play."""
        self._paused = False
        self._marks = 0
        self._drops = 0
        self._one_line = asyncio.Lock()
        self._one_send = asyncio.Lock()
        self._room = asyncio.Event()
        out.on_mark = self._played

    @property
    def playing(self) -> bool:
        """Whether a line was started and is not finished, paused or not."""
        return bool(self._lines)

    async def play(
        self, line: int, text: str, audio: bytes | AsyncIterator[bytes], cached: bool
    ) -> None:
        """Send one line; return when all of it is with Asterisk, not when it is heard.

        A second line waits for the first to be sent, and is heard right after it.

        Args:
            line: The line's number, for the events.
            text: Its written words.
            audio: The whole line or its chunks in order; slin16, whole frames. Chunks from
                `Mouth.speak` and `Phrases.get` know their words; of others, silent ones have
                none and each of the rest says one unit of ``clauses(text)``. An iterator is
                closed when the line is dropped.
            cached: For `LineStarted`.

        Raises:
            MouthError: from ``audio``; what was made before it is still played out, and the
                line then finishes incomplete.
        """
        drops = self._drops
        async with self._one_line:
            if drops != self._drops:
                return
            current = _Line(line, text)
            self._lines.append(current)
            try:
                if isinstance(audio, bytes):
                    await self._send_bytes(current, audio, cached)
                else:
                    await self._send_chunks(current, audio, cached)
                current.whole = not current.dropped
            finally:
                current.sending = False
                self._finish_lines()

    async def pause(self) -> None:
        """Hold the sound where it is: the caller may have begun to speak."""
        if self._paused:
            return
        self._paused = True
        await self._out.pause()
        self._report_played(self._clock())

    async def resume(self) -> None:
        """Go on where `pause` held: it was nothing."""
        if not self._paused:
            return
        await self._out.resume()
        self._paused = False
        if self._queue:
            self._front_at = self._clock()

    async def drop(self) -> LineFinished | None:
        """Silence everything: the caller took the turn, or the call is over.

        Returns:
            The `LineFinished` of the line that was being heard (it is emitted as well), with
            the words that were really heard; None if nothing was playing. Lines sent behind
            it finish too, unheard.
        """
        self._drops += 1
        for line in self._lines:
            line.dropped = True
            if line.awaited:
                line.awaited.cancel()
        self._room.set()
        async with self._one_send:
            if not self._lines:
                return None
            # With the call gone there is no queue to flush: what was played is accounted for.
            with suppress(PhoneError):
                await self._out.flush()
        self._report_played(self._clock())
        self._paused = False
        for queued in self._queue:
            queued.line.heard += queued.piece.heard(queued.reported / _BYTES_PER_SECOND)
        unheard = {id(queued.line) for queued in self._queue}
        self._queue.clear()
        self._front_at = None
        finished = [
            self._finished(line, complete=line.whole and id(line) not in unheard)
            for line in self._lines
            if line.started
        ]
        self._lines.clear()
        return finished[0] if finished else None

    # ── sending ─────────────────────────────────────────────────────────────────────────

    async def _send_bytes(self, line: _Line, audio: bytes, cached: bool) -> None:
        for piece in pieces(line.text, audio):
            await self._send(line, piece, cached)
        self._start(line, cached)

    async def _send_chunks(self, line: _Line, audio: AsyncIterator[bytes], cached: bool) -> None:
        units = iter(clauses(line.text))
        try:
            while not line.dropped:
                line.awaited = asyncio.ensure_future(anext(audio, b""))
                chunk = await line.awaited
                line.awaited = None
                if not chunk:
                    self._start(line, cached)
                    return
                for piece in pieces(_words_of(chunk, units), chunk):
                    await self._send(line, piece, cached)
        except asyncio.CancelledError:
            if not (line.dropped and line.awaited and line.awaited.cancelled()):
                raise
        finally:
            if isinstance(audio, AsyncGenerator):
                await audio.aclose()

    async def _send(self, line: _Line, piece: Piece, cached: bool) -> None:
        while not line.dropped and self._queue and self._ahead(piece) > AHEAD_SECONDS:
            self._room.clear()
            await self._room.wait()
        async with self._one_send:
            if line.dropped:
                return
            self._marks += 1
            mark = f"said-{self._marks}"
            await self._out.play(piece.pcm)
            if not self._queue and not self._paused:
                self._front_at = self._clock() + FIRST_SOUND_SECONDS
            self._queue.append(_Queued(line, piece, mark))
            self._start(line, cached)
            await self._out.mark(mark)

    def _start(self, line: _Line, cached: bool) -> None:
        """Say once that the line has begun; one without any sound begins and ends at once."""
        if line.started or line.dropped:
            return
        line.started = True
        self._emit(LineStarted(at=self._clock(), line=line.number, text=line.text, cached=cached))

    def _ahead(self, piece: Piece) -> float:
        return sum(queued.rest for queued in self._queue) + seconds(piece.pcm)

    # ── playing ─────────────────────────────────────────────────────────────────────────

    def _played(self, mark: str) -> None:
        """A mark was reached: everything before it has been heard."""
        if not any(queued.mark == mark for queued in self._queue):
            return
        now = self._clock()
        behind = 0.0
        reached: list[_Queued] = []
        while not reached or reached[-1].mark != mark:
            reached.append(self._queue.popleft())
            behind += reached[-1].rest
        for queued in reached:
            if queued.rest > 0:
                self._on_audio(now - behind, queued.piece.pcm[queued.reported :])
            behind -= queued.rest
            queued.line.heard += queued.piece.words
        self._front_at = now if self._queue and not self._paused else None
        self._room.set()
        self._finish_lines()

    def _report_played(self, now: float) -> None:
        """Tell ``on_audio`` the sound that the clock says was played since the last mark."""
        if self._front_at is None:
            return
        at, self._front_at = self._front_at, None
        for queued in self._queue:
            frames = int(min(now - at, queued.rest) / FRAME_SECONDS + 1e-6)
            if frames <= 0:
                return
            pcm = queued.piece.pcm[queued.reported :][: frames * FRAME_BYTES]
            self._on_audio(at, pcm)
            queued.reported += len(pcm)
            at += seconds(pcm)

    def _finish_lines(self) -> None:
        """Finish the lines at the front that are sent and have nothing left to be played."""
        waiting = {id(queued.line) for queued in self._queue}
        while self._lines:
            line = self._lines[0]
            if line.sending or line.dropped or id(line) in waiting:
                return
            self._lines.popleft()
            if line.started:
                self._finished(line, complete=line.whole)

    def _finished(self, line: _Line, *, complete: bool) -> LineFinished:
        heard = line.text if complete else " ".join(line.heard)
        event = LineFinished(at=self._clock(), line=line.number, heard=heard, complete=complete)
        self._emit(event)
        return event


def _words_of(chunk: bytes, units: Iterator[str]) -> str:
    if isinstance(chunk, Spoken):
        return chunk.text
    return next(units, "") if any(chunk) else ""
