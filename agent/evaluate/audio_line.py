"""A line without a telephone network: a caller's sound straight to ear, mind and mouth, and back.

Time is the caller's audio: 20 ms pass when a frame is handed over, and none while the agent
is at work. So a call takes as long as its computing does, mostly less than it lasts, and the
same caller gets the same call on any machine. The sound goes through 8 kHz and G.711 both
ways, as on a real line.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import numpy as np
import soxr
from numpy.typing import NDArray

from agent.audio import FRAME_BYTES, FRAME_SECONDS, SAMPLE_RATE, SILENT_FRAME
from agent.errors import CallGone, PhoneError, PickupError
from agent.evaluate.engines import Engines, ServedCall
from agent.evaluate.line_sound import RATE, LineSound, Slot
from agent.evaluate.live import Live
from agent.evaluate.work import Work, watched
from agent.events import CallerHungUp, Event, KeyPressed
from agent.phone import CallInfo

CLOSE_SECONDS: Final = 30.0
"""Real seconds that the agent may take to wrap up a call that is over."""


class AudioMedia:
    """The agent's side of the sound, in place of `agent.phone.Media`."""

    def __init__(self) -> None:
        """Begin with nothing to play."""
        self.on_mark: Callable[[str], None] = lambda name: None
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._queue: deque[bytes | str] = deque()
        self._paused = False

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield the caller's audio: slin16 frames of 640 bytes."""
        while (frame := await self._frames.get()) is not None:
            yield frame

    async def play(self, pcm: bytes) -> None:
        """Queue ``pcm`` (slin16, whole frames)."""
        self._queue += [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]

    async def mark(self, name: str) -> None:
        """Have ``on_mark`` called when what was queued so far was played."""
        self._queue.append(name)

    async def pause(self) -> None:
        """Hold the sound where it is."""
        self._paused = True

    async def resume(self) -> None:
        """Go on."""
        self._paused = False

    async def flush(self) -> None:
        """Forget the queue and end a pause."""
        self._queue.clear()
        self._paused = False

    def hand_over(self, frame: bytes) -> None:
        """Give the agent the caller's next frame."""
        self._frames.put_nowait(frame)

    def end(self) -> None:
        """No more frames will come."""
        self._frames.put_nowait(None)

    def next_frame(self) -> bytes:
        """Return what is heard of the agent in the next 20 ms, and tell the marks reached."""
        frame: bytes | None = None
        while not self._paused and self._queue:
            item = self._queue[0]
            if isinstance(item, bytes):
                if frame is not None:
                    break
                frame = item
                self._queue.popleft()
            else:
                self._queue.popleft()
                self.on_mark(item)
        return frame or SILENT_FRAME


class AudioLeg:
    """The agent's side of the call, in place of `agent.phone.CallLeg`."""

    def __init__(self, info: CallInfo, clock: Callable[[], float]) -> None:
        """Let a call come in. ``clock`` is the line's time in seconds."""
        self.info = info
        self.clock = clock
        self.media = AudioMedia()
        self.answered = False
        self.over = ""
        """Who ended it: ``agent``, ``caller`` or ``fault``; empty while it lasts."""
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()

    async def events(self) -> AsyncIterator[Event]:
        """Yield keys, and that the caller hung up."""
        while (event := await self._events.get()) is not None:
            yield event

    async def answer(self) -> None:
        """Answer the call."""
        if self.over:
            raise CallGone("The call is over.")

    async def open_media(self) -> AudioMedia:
        """Connect the caller's audio."""
        self.answered = True
        return self.media

    async def hang_up(self) -> None:
        """End the call."""
        self._end("agent")

    async def to_voicemail(self, reason: str) -> None:
        """Give the caller up: there is no dialplan here."""
        self._end("fault")

    def press(self, digit: str) -> None:
        """The caller presses a key."""
        if not self.over:
            self._events.put_nowait(KeyPressed(at=self.clock(), digit=digit))

    def lose(self) -> None:
        """The caller hangs up."""
        if not self.over:
            self._events.put_nowait(CallerHungUp(at=self.clock(), cause=16))
            self._end("caller")

    def _end(self, who: str) -> None:
        if not self.over:
            self.over = who
            self._events.put_nowait(None)
            self.media.end()


class AudioCaller(Live):
    """A caller on such a line."""

    def __init__(
        self,
        call: ServedCall,
        info: CallInfo,
        engines: Engines,
        background: NDArray[np.int16] | None = None,
    ) -> None:
        """Dial; the ``engines`` serve the call. ``background`` as in `LineSound`."""
        super().__init__(LineSound(background))
        self.call = call
        self._work = Work()
        self._now = 0.0
        self._leg = AudioLeg(info, lambda: self._now)
        self._serving = asyncio.create_task(
            call.run(self._leg, watched(engines.parts, engines.kept, self._work)),
            name="audio call",
        )
        self._to_agent = _Resampler(RATE, SAMPLE_RATE)
        self._to_caller = _Resampler(SAMPLE_RATE, RATE)

    @property
    def gone(self) -> bool:
        """Whether the call is over."""
        return bool(self._leg.over)

    @property
    def now(self) -> float:
        """Line time, seconds."""
        return self._now

    async def slots(self) -> AsyncIterator[Slot]:
        """Let time pass and yield it slot by slot, until the call is over."""
        slot = 0
        await self._settle()
        while not self.gone:
            slot += 1
            frame = _through_g711(np.frombuffer(self._sound.send(slot), "<i2"))
            self._now = slot * FRAME_SECONDS
            if self._leg.answered and self.answered is None:
                self.answered = self._now
            self._leg.media.hand_over(self._to_agent.frame(frame))
            await self._settle()
            agent = np.frombuffer(self._leg.media.next_frame(), "<i2")
            heard = _through_g711(np.frombuffer(self._to_caller.frame(agent), "<i2"))
            self._sound.hear(heard.tobytes(), (slot - 1) * FRAME_SECONDS)
            await self._settle()
            yield self._sound.slot(slot)
        self.cause = 16

    async def press(self, digit: str) -> None:
        """Press a key."""
        self._leg.press(digit)

    async def hang_up(self) -> None:
        """Put the receiver down."""
        self._leg.lose()

    async def close(self) -> None:
        """Hang up if need be and wait until the agent has wrapped up.

        Raises:
            PhoneError: it does not.
        """
        self._leg.lose()
        _, late = await asyncio.wait([self._serving], timeout=CLOSE_SECONDS)
        if late:
            self._serving.cancel()
            await asyncio.wait([self._serving])
            raise PhoneError("The agent did not wrap the call up.", remedy="See the log.")
        if (error := self._serving.exception()) is not None:
            raise error if isinstance(error, PickupError) else PhoneError(str(error)) from error

    async def _settle(self) -> None:
        await self._work.settle(self._pending)

    def _pending(self) -> bool:
        """Whether a tool is at work: its thread can't be counted."""
        return not self._serving.done() and self.call.recorder.tools > 0


class _Resampler:
    """Resamples frame by frame; 20 ms in, 20 ms out, one frame late."""

    def __init__(self, source: int, target: int) -> None:
        # In floats: to integers soxr rounds with dither, another one each time.
        self._stream: Any = soxr.ResampleStream(source, target, 1, dtype="float32")
        self._size = round(target * FRAME_SECONDS) * 2
        self._ready = bytearray(self._size)

    def frame(self, samples: NDArray[np.int16]) -> bytes:
        found = self._stream.resample_chunk(samples.astype(np.float32))
        self._ready += np.clip(np.rint(found), -32768, 32767).astype("<i2").tobytes()
        frame = bytes(self._ready[: self._size]).ljust(self._size, b"\0")
        del self._ready[: self._size]
        return frame


BIAS: Final = 132
"""µ-law's bias on the 16-bit scale, and the largest value it knows (ITU-T G.711)."""
CLIP: Final = 32635


def _through_g711(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return ``samples`` as they come out of µ-law: 8 bits, logarithmic (ITU-T G.711)."""
    wide = samples.astype(np.int32)
    size = np.minimum(np.abs(wide), CLIP) + BIAS
    segment = np.floor(np.log2(size)).astype(np.int32) - 7
    step = np.left_shift(8, segment)
    level = (size // step) * step + step // 2 - BIAS
    return np.asarray(np.where(wide < 0, -level, level), np.int16)
