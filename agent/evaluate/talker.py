"""A caller who does one thing after another, each when the agent has done with the one before.

The caller listens twice: to the sound at the ear, as people do, and to what the agent's events
tell of whose turn it is. So a longer line, another wording or a wait for a tool does not
derail it: the next thing is done when the reply is over, however long it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.evaluate.caller import ONSET_SLOTS, loud
from agent.evaluate.line_sound import Clip, Slot, SpokenClip
from agent.evaluate.live import Live
from agent.events import (
    Event,
    FinalHeard,
    KeyPressed,
    LineFinished,
    LineStarted,
    Replied,
    TurnEnded,
)
from agent.evidence.wav import Sound
from agent.mind.wording import Phrase

QUIET_SECONDS: Final = 0.3
"""The agent is silent for so long at the ear before its line is taken to be over: as long as
the pauses inside a line."""

PATIENCE_SECONDS: Final = 1.0
"""Silence after the agent's last line until a caller who is to hang up does."""

LOST_SECONDS: Final = 4.5
"""After so much silence the agent's line is over whatever its events tell: it was made void.
Longer than any tool takes, shorter than the agent's own patience."""

IGNORED_SECONDS: Final = 1.5
"""What brought no reply then would have brought one by now, had it been taken for a turn."""

UNHEARD_SECONDS: Final = 4.0
"""So long after a deed that brought no reply at all (a cough, an "uh huh") the next is done."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing the caller does.

    Attributes:
        clip: What they say.
        keys: Keys they press instead.
        hangs_up: They hang up instead. Of these three none: they stay silent until the agent
            speaks to them again.
        reaction: Seconds from the end of the agent's line until they do it.
        line: They do not wait: they speak into this line of the reply, counted from 0, …
        barge_in: … so many seconds after it began.
        unanswered: It is known to bring no reply ("uh huh"), so none is waited for.
    """

    clip: Clip | None = None
    keys: str = ""
    hangs_up: bool = False
    reaction: float = QUIET_SECONDS
    line: int = 0
    barge_in: float | None = None
    unanswered: bool = False

    @property
    def silent(self) -> bool:
        """Whether nothing is done."""
        return not (self.clip or self.keys or self.hangs_up)


class Floor:
    """Whose turn it is, as the agent's events tell.

    Attributes:
        replies: Replies so far.
        steps: The same, where a tool and the news of it count as one.
        begun: Lines that began to be heard.
        noticed: Times the agent took notice of the caller: turns ended, keys pressed.
        changes: Times that something happened on the agent's side.
        told: What was heard of the agent's lines since the caller last did something.
    """

    def __init__(self) -> None:
        """Before the greeting: it is the agent's."""
        self.replies = 0
        self.steps = 0
        self.begun = 0
        self.noticed = 0
        self.told = ""
        self.changes = 0
        self._owed = 0
        self._tool = False
        self._deciding = True

    def take(self, events: Iterable[Event]) -> None:
        """Take what happened."""
        for event in events:
            self.changes += isinstance(event, (Replied, LineStarted, LineFinished, FinalHeard))
            match event:
                case Replied():
                    self.replies += 1
                    self.steps += not self._tool
                    self._deciding = False
                    self._tool = bool(event.tool)
                    self._owed += bool(event.sentences)
                case LineStarted():
                    self.begun += 1
                    # Nobody decided this one: it bridges the wait for a tool.
                    self._owed += event.text == Phrase.ONE_MOMENT.value
                case LineFinished():
                    self.told = f"{self.told} {event.heard}".strip()
                    self._owed = max(0, self._owed - 1)
                case TurnEnded():
                    self._deciding = True
                case FinalHeard():
                    self._deciding = False
                    self.noticed += 1
                case KeyPressed():
                    self.noticed += 1

    @property
    def free(self) -> bool:
        """Whether the agent has nothing more to say for now."""
        return not (self._owed or self._tool or self._deciding)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a deed began: line time, and how many steps of the policy there were before it."""

    at: float
    steps: int


@dataclass(frozen=True, slots=True)
class Talk:
    """What became of the caller.

    Attributes:
        marks: One for each deed that was done.
        ended: ``agent``, ``caller`` (as was planned), ``limit`` (gave up) or ``unanswered``.
        sound: Both sides as the caller heard them.
        spoken: The clips that went out.
        answered: Line time of the answer.
    """

    marks: tuple[Mark, ...]
    ended: str
    sound: Sound
    spoken: tuple[SpokenClip, ...]
    answered: float | None


NextDeed = Callable[[Floor], Awaitable[Deed | None]]
"""Returns what the caller does next, or None when there is nothing left to do. It is asked
when the deed before is done; of a caller who listens, at the end of the agent's line."""


async def talk(
    live: Live,
    next_deed: NextDeed,
    events: Callable[[], Iterable[Event]],
    *,
    limit: float,
    ends: str = "agent",
    listens: bool = False,
) -> Talk:
    """Play a caller to the end of the call.

    Args:
        live: The line.
        next_deed: What the caller does.
        events: Returns the agent's events that are new since the last time.
        limit: The caller hangs up after so many seconds of line time.
        ends: ``caller``: hangs up when there is nothing left to do.
        listens: The caller makes up their mind when they have heard the agent out.
    """
    caller = _Caller(live, next_deed, listens=listens)
    reason = ""
    async with live:
        async for slot in live.slots():
            caller.floor.take(events())
            if slot.at >= limit:
                reason = "limit"
                await live.hang_up()
            elif await caller.step(slot, hang_up_after=ends == "caller"):
                reason = "caller"
                await live.hang_up()
    sound = live.recording()
    ended = "unanswered" if live.answered is None else reason or "agent"
    return Talk(tuple(caller.marks), ended, sound, live.spoken, live.answered)


class _Caller:
    def __init__(self, live: Live, next_deed: NextDeed, *, listens: bool) -> None:
        self.floor = Floor()
        self.marks: list[Mark] = []
        self._live = live
        self._next = next_deed
        self._listens = listens
        self._deed: Deed | None = None
        self._asked = False
        self._loud = 0
        self._last_loud = 0.0
        self._changes = 0
        self._changed_at = 0.0
        self._replies = 0
        self._begun = 0
        self._noticed = 0
        self._lines: list[float] = []
        self._last: Deed = Deed()
        self._done_at = 0.0

    async def step(self, slot: Slot, *, hang_up_after: bool) -> bool:
        """Hear a slot and do what is due; True: hang up."""
        self._listen(slot)
        if self._live.answered is None:
            return False
        if self._live.speaking:
            self._done_at = slot.at
            return False
        if not self._asked:
            if self._listens and not self._over(slot.at, QUIET_SECONDS):
                return False
            self._deed, self._asked = await self._next(self.floor), True
        deed = self._deed
        if deed is None:
            return hang_up_after and self._over(slot.at, PATIENCE_SECONDS)
        if not self._due(deed, slot.at):
            return False
        return await self._do(deed, slot.at)

    def _listen(self, slot: Slot) -> None:
        self._loud = self._loud + 1 if loud(slot.heard) else 0
        if self._loud >= ONSET_SLOTS:
            self._last_loud = slot.at
        if self.floor.changes != self._changes:
            self._changes, self._changed_at = self.floor.changes, slot.at
        while len(self._lines) < self.floor.begun - self._begun:
            self._lines.append(slot.at)

    def _due(self, deed: Deed, at: float) -> bool:
        begun = self._lines[deed.line] if len(self._lines) > deed.line else at
        if deed.barge_in is not None and at - begun >= max(deed.barge_in, 0.02):
            return True
        if deed.silent:
            return self.floor.free and self.floor.replies > self._replies
        return self._over(at, max(deed.reaction, QUIET_SECONDS))

    def _over(self, at: float, quiet: float) -> bool:
        """Whether the reply to what was done last is over, and that for ``quiet`` seconds."""
        silence = at - max(self._last_loud, self._done_at)
        if silence < quiet or self._loud >= ONSET_SLOTS:
            return False
        still = min(silence, at - self._changed_at)
        if not self.floor.free and still < LOST_SECONDS:
            return False
        if self.floor.replies > self._replies:
            return True
        noticed = self.floor.noticed > self._noticed
        if self._last.unanswered and noticed and at - self._done_at >= IGNORED_SECONDS:
            return True
        return (noticed or self._last.unanswered) and at - self._done_at >= UNHEARD_SECONDS

    async def _do(self, deed: Deed, at: float) -> bool:
        self.marks.append(Mark(at, self.floor.steps))
        self._last, self._done_at, self._asked = deed, at, False
        self._replies, self._begun = self.floor.replies, self.floor.begun
        self._noticed, self._lines = self.floor.noticed, []
        self.floor.told = ""
        if deed.hangs_up:
            return True
        for digit in deed.keys:
            await self._live.press(digit)
        if deed.clip is not None:
            self._live.say(deed.clip)
        return False


def sequence(deeds: Sequence[Deed]) -> NextDeed:
    """Return a caller who does ``deeds``, one after the other, whatever is said."""
    left = iter(deeds)

    async def next_deed(floor: Floor) -> Deed | None:
        return next(left, None)

    return next_deed
