"""A caller's end of a line, whatever the line is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Self

from agent.evaluate.line_sound import Clip, LineSound, Slot, SpokenClip
from agent.evidence.wav import Sound


class Live(ABC):
    """A caller on the line; an async context manager that hangs up if need be.

    Attributes:
        answered: Line time at which the call was answered; None before.
        cause: Q.850 cause of the hang-up; None before the end.
    """

    def __init__(self, sound: LineSound) -> None:
        """Be on the line whose sound is ``sound``."""
        self.answered: float | None = None
        self.cause: int | None = None
        self._sound = sound

    async def __aenter__(self) -> Self:
        """The caller is on the line already."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up if need be, and leave nothing behind."""
        await self.close()

    @property
    def speaking(self) -> bool:
        """Whether a clip is going out."""
        return self._sound.speaking

    @property
    def spoken(self) -> tuple[SpokenClip, ...]:
        """The clips that went out."""
        return tuple(self._sound.spoken)

    def say(self, clip: Clip) -> None:
        """Begin to say ``clip`` in the next slot, or after what is being said."""
        self._sound.say(clip)

    def recording(self) -> Sound:
        """Return both sides so far: int16, shape (samples, 2); left said, right heard."""
        return self._sound.recording()

    @property
    @abstractmethod
    def gone(self) -> bool:
        """Whether the call is over."""

    @property
    @abstractmethod
    def now(self) -> float:
        """Line time, seconds."""

    @abstractmethod
    def slots(self) -> AsyncIterator[Slot]:
        """Let time pass and yield it slot by slot, until the call is over."""

    @abstractmethod
    async def press(self, digit: str) -> None:
        """Press a key."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Put the receiver down."""

    @abstractmethod
    async def close(self) -> None:
        """Hang up if need be and leave nothing behind."""
