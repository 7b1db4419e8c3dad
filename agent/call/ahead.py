"""Thinks ahead: what a turn would lead to if its words so far were all.

Understanding is a function of the words and of what was asked, and the dialogue is pure, so
a guess can be worked out while the caller may still go on, and thrown away without a
trace. It is used only if the final words are the same. No tool is ever used on a guess.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.call.parts import Parts
from agent.errors import MouthError
from agent.events import Expect, ThoughtAhead
from agent.mind.dialogue import Dialogue, DialogueState, Heard
from agent.mind.moves import Understanding
from agent.mouth.timing import Spoken


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller answers: our last line, and what it asked for."""

    expect: Expect = Expect.OPEN
    said: str = ""


@dataclass(slots=True)
class _Guess:
    text: str
    asked: Asked
    task: asyncio.Task[None] | None = None
    understood: Understanding | None = None
    known: asyncio.Event = field(default_factory=asyncio.Event)
    spoken: dict[str, list[Spoken]] = field(default_factory=dict)
    seconds: float = 0.0


class Ahead:
    """The guesses of one call's present turn.

    Args:
        parts: The engines.
        dialogue: The call's policy.
        note: Puts an event into the evidence.
        clock: Call time in seconds.
    """

    def __init__(
        self,
        parts: Parts,
        dialogue: Dialogue,
        note: Callable[[ThoughtAhead], None],
        clock: Callable[[], float],
    ) -> None:
        self._parts = parts
        self._dialogue = dialogue
        self._note = note
        self._clock = clock
        self._guesses: list[_Guess] = []
        self._used: _Guess | None = None
        self._spoken: dict[str, list[Spoken]] = {}

    def guess(self, text: str, asked: Asked, talk: DialogueState | None) -> None:
        """Begin to work out what ``text`` would lead to; nothing if the box is at its limit."""
        if not self._parts.think_ahead or self._parts.guessing.locked():
            return
        guess = _Guess(text, asked)
        guess.task = asyncio.create_task(self._work(guess, talk), name="think ahead")
        self._guesses.append(guess)

    async def understood(self, text: str, asked: Asked) -> Understanding | None:
        """Return what was worked out for these words, or None; all other guesses are dropped."""
        await self._settle()
        guesses, self._guesses = self._guesses, []
        right = next((g for g in guesses if (g.text, g.asked) == (text, asked)), None)
        for guess in guesses:
            if guess is not right:
                await self._drop(guess)
        if right is None:
            return None
        # Only the understanding is waited for, not the sound after it.
        await right.known.wait()
        if right.understood is None:
            await self._drop(right)
        else:
            self._used, self._spoken = right, right.spoken
        return right.understood

    def spoken(self, text: str) -> list[Spoken] | None:
        """Return the sound of a sentence that was spoken ahead for this turn, once."""
        return self._spoken.pop(text, None)

    async def close(self) -> None:
        """Drop everything."""
        await self._settle()
        guesses, self._guesses = self._guesses, []
        for guess in guesses:
            await self._drop(guess)

    async def _work(self, guess: _Guess, talk: DialogueState | None) -> None:
        began = time.perf_counter()
        async with self._parts.guessing:
            try:
                asked = guess.asked
                guess.understood = await self._parts.mind.understand(
                    guess.text, asked.expect, asked.said
                )
            finally:
                guess.known.set()
            guess.seconds = time.perf_counter() - began
            if talk is None:
                return
            _, reply = self._dialogue.step(talk, Heard(guess.understood, guess.text))
            first = reply.sentences[0].text if reply.sentences else ""
            if first and self._parts.phrases.get(first) is None:
                # A mouth that fails fails again when the line is really spoken.
                with contextlib.suppress(MouthError):
                    sound = [chunk async for chunk in self._parts.mouth.speak(first)]
                    guess.spoken[first] = sound
            guess.seconds = time.perf_counter() - began

    async def _settle(self) -> None:
        """Write down the guess that was used for the turn before."""
        used, self._used, self._spoken = self._used, None, {}
        if used is not None:
            await self._drop(used, used=True)

    async def _drop(self, guess: _Guess, *, used: bool = False) -> None:
        if guess.task is not None and not guess.task.done():
            guess.task.cancel()
            await asyncio.wait([guess.task])
        self._note(
            ThoughtAhead(
                at=self._clock(),
                text=guess.text,
                used=used,
                seconds=guess.seconds,
                spoken=len(guess.spoken),
            )
        )
