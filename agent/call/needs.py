"""What a call needs of its parts, and no more.

Real parts serve callers. A replay or a case puts others in the place of some; these
protocols are what both must do, so that a type checker sees where one falls short.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from agent.errors import MindError
from agent.events import Event, Expect, FinalHeard, PromiseKind
from agent.mind.moves import Understanding
from agent.mouth.player import AudioOut
from agent.mouth.timing import Spoken
from agent.phone import CallInfo
from agent.promises.ledger import PromiseNews
from agent.promises.state import Promise


class Media(AudioOut, Protocol):
    """The call's sound, both ways: `agent.phone.Media`."""

    def frames(self) -> AsyncIterator[bytes]:
        """Yield the caller's audio: slin16 frames of 640 bytes."""


class Leg(Protocol):
    """The caller's leg: `agent.phone.CallLeg`, where what each may raise is told."""

    info: CallInfo

    def clock(self) -> float:
        """Return call time in seconds."""

    def events(self) -> AsyncIterator[Event]:
        """Yield keys and the hang-up until the leg is over."""

    async def answer(self) -> None:
        """Answer the call."""

    async def open_media(self) -> Media:
        """Connect the caller's audio."""

    async def hang_up(self) -> None:
        """End the call."""

    async def to_voicemail(self, reason: str) -> None:
        """Give the caller to the dialplan's fallback."""


class Ear(Protocol):
    """One call's ear: `agent.ear.Ear`."""

    async def hear(self, frame: bytes, at: float) -> Sequence[Event]:
        """Take 20 ms of slin16 that ended at call time ``at``; return what was heard."""

    async def finish(self, at: float) -> FinalHeard:
        """End the turn and return its words."""

    async def forget(self) -> None:
        """Drop the turn so far."""

    def expect(self, expect: Expect, said: str = "") -> None:
        """Know what was asked for, in which words."""

    def close(self) -> None:
        """Free it."""


class Ears(Protocol):
    """The process's ears: `agent.ear.EarEngine`."""

    def open(self) -> Ear:
        """Return an ear for one call."""


class Mind(Protocol):
    """What understands: `agent.mind.understanding.Mind`."""

    @property
    def faults(self) -> Sequence[MindError]:
        """What of it is lame."""

    async def understand(self, text: str, expect: Expect, said: str = "") -> Understanding:
        """Return what ``text`` means as an answer to ``said``, which asked for ``expect``."""


class Mouth(Protocol):
    """What speaks: `agent.mouth.Mouth`."""

    @property
    def voice_id(self) -> str:
        """Which voice it is; another voice, another id."""

    def speak(self, text: str) -> AsyncGenerator[Spoken, None]:
        """Yield ``text`` as slin16 audio, piece by piece."""


class Ledger(Protocol):
    """Where promises are made and kept: `agent.promises.ledger.Ledger`."""

    def make(
        self, kind: PromiseKind, to: str, body: str, bundle: Path, *, about: str = ""
    ) -> Promise:
        """Write a promise down; it will be kept. It touches the disk: call it from a thread."""

    async def keep(self, promise: Promise) -> None:
        """Have it kept soon."""

    async def outcome(self, promise_id: str, within: float) -> PromiseNews:
        """Return how far it came, after ``within`` seconds at the latest."""
