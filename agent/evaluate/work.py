"""The parts of a call, watched: when they are at work, no time passes on the line.

So a line can tell when everything that it handed over has had its consequences.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from agent.call import Parts
from agent.call.needs import Ear, Ears, Mind, Mouth
from agent.errors import PhoneError
from agent.events import Event, Expect, FinalHeard
from agent.mind.moves import Understanding
from agent.mouth import Phrases
from agent.mouth.timing import Spoken

QUIET_ROUNDS: Final = 40
"""Rounds of the event loop in which nothing was at work, until nothing more will come of what
was handed over: the longest way, from a frame to the mouth's queue, is about 15 hand-overs."""

STALL_SECONDS: Final = 60.0
"""Real seconds that the agent may be at work over one frame; more is a hung engine."""


class Work:
    """Counts what is at work outside of the event loop's own rounds."""

    def __init__(self) -> None:
        """Nothing is."""
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        """Count the block as work."""
        self._count += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._idle.set()

    async def settle(self, pending: Callable[[], bool]) -> None:
        """Return when all that was handed over has had its consequences.

        Args:
            pending: Tells of work that can't be counted here.

        Raises:
            PhoneError: it does not end.
        """
        try:
            async with asyncio.timeout(STALL_SECONDS):
                quiet = 0
                while quiet < QUIET_ROUNDS:
                    await self._idle.wait()
                    await asyncio.sleep(0.001 if pending() else 0)
                    quiet = 0 if self._count or pending() else quiet + 1
        except TimeoutError as error:
            raise PhoneError(
                "The agent is stuck over one frame of audio.", remedy="See the log for why."
            ) from error


class _WatchedEar:
    def __init__(self, ear: Ear, work: Work) -> None:
        self._ear = ear
        self._work = work

    async def hear(self, frame: bytes, at: float) -> Sequence[Event]:
        with self._work.on():
            return await self._ear.hear(frame, at)

    async def finish(self, at: float) -> FinalHeard:
        with self._work.on():
            return await self._ear.finish(at)

    async def forget(self) -> None:
        with self._work.on():
            await self._ear.forget()

    def expect(self, expect: Expect, said: str = "") -> None:
        self._ear.expect(expect, said)

    def close(self) -> None:
        self._ear.close()


class _WatchedEars:
    def __init__(self, ears: Ears, work: Work) -> None:
        self._ears = ears
        self._work = work

    def open(self) -> _WatchedEar:
        return _WatchedEar(self._ears.open(), self._work)


class _WatchedMind:
    def __init__(self, mind: Mind, work: Work) -> None:
        self._mind = mind
        self._work = work
        self.faults = mind.faults

    async def understand(self, text: str, expect: Expect, said: str = "") -> Understanding:
        with self._work.on():
            return replace(await self._mind.understand(text, expect, said), seconds=0.0)


class _KeptMouth:
    """Speaks every line once and keeps it: Piper's noise would make each time another sound."""

    def __init__(self, mouth: Mouth, phrases: Phrases, work: Work) -> None:
        self.voice_id = mouth.voice_id
        self._phrases = phrases
        self._work = work

    async def speak(self, text: str) -> AsyncGenerator[Spoken, None]:
        with self._work.on():
            await self._phrases.warm([text])
        line = self._phrases.get(text)
        if line is not None:
            yield line


def watched(parts: Parts, kept: Phrases, work: Work) -> Parts:
    """Return ``parts`` whose work is counted, and takes no time of the call."""
    return replace(
        parts,
        ears=_WatchedEars(parts.ears, work),
        mind=_WatchedMind(parts.mind, work),
        mouth=_KeptMouth(parts.mouth, kept, work),
        think_ahead=False,  # no time passes that could be saved
    )
