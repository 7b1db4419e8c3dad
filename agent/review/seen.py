"""A bundle as a reviewer sees it: lines, turns and stretches of sound on one clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agent.events import (
    CallEnded,
    Expect,
    FaultSeen,
    Move,
    Outcome,
    PromiseKind,
    Replied,
    Sentence,
    SentenceKind,
)
from agent.evidence.bundle import Bundle
from agent.evidence.measures import Span
from agent.mind.tools import Capabilities
from agent.mind.wording import Phrase
from agent.restaurant import Restaurant

BRIDGE: Final = Sentence(SentenceKind.PHRASE, Phrase.ONE_MOMENT.ref, Phrase.ONE_MOMENT.value)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of a line as it was heard.

    Attributes:
        text: The words that were heard.
        sentence: The decided sentence that they are, or the front of; None: nobody decided it.
        whole: All of the sentence was heard.
    """

    text: str
    sentence: Sentence | None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the agent. ``heard`` is what really was played."""

    start: float
    end: float
    heard: str
    complete: bool
    pieces: tuple[Spoken, ...]

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions in it that were heard to their end."""
        return tuple(one.text for one in self.pieces if one.text.endswith("?") and one.whole)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the caller.

    Attributes:
        start: Where it begins; of a turn whose words have no times, where the voice began.
        end: The last voiced sample.
        text: The words; empty if none were recognised.
        keys: Keys pressed instead.
        moves: What it was taken to mean.
        slots: Details in it.
        understood: The mind was asked about it; False for backchannels and after the end.
        expect: What the agent had asked for.
        step: The step of the reply before it.
    """

    start: float
    end: float
    text: str = ""
    keys: str = ""
    moves: tuple[Move, ...] = ()
    slots: Mapping[str, str] = field(default_factory=dict)
    understood: bool = False
    expect: Expect = Expect.OPEN
    step: str = ""

    def has(self, *names: str) -> bool:
        """Return whether one of the moves has one of these names."""
        return any(move.name in names for move in self.moves)


@dataclass(frozen=True, slots=True)
class Promised:
    """One promise of the call, as far as the evidence tells.

    Attributes:
        id: Its id.
        kind: What was promised.
        made: Call time.
        updates: What was known of it in the call: call time and outcome.
        news: What ``promises.jsonl`` says of it, in order: ``accepted``,
            ``status delivered``, ….
    """

    id: str
    kind: PromiseKind
    made: float
    updates: tuple[tuple[float, Outcome], ...] = ()
    news: tuple[str, ...] = ()

    def outcome(self, at: float) -> Outcome:
        """Return how far it was known to have come at call time ``at``."""
        return next((what for when, what in reversed(self.updates) if when <= at), Outcome.PENDING)


@dataclass(frozen=True)
class Seen:
    """Everything a check reads; made by `agent.review.look`."""

    bundle: Bundle
    restaurant: Restaurant | None
    restaurant_hash: str
    can: Capabilities
    lines: tuple[Line, ...]
    turns: tuple[Turn, ...]
    replies: tuple[Replied, ...]
    promises: tuple[Promised, ...]
    agent: tuple[Span, ...]
    caller: tuple[Span, ...]
    unheard: tuple[Span, ...]
    """Where the caller's recording has a voice of which the ear took no notice."""
    faults: tuple[FaultSeen, ...]
    barge_ins: tuple[float, ...]
    answered: float | None
    ended: CallEnded | None
    notes: tuple[str, ...] = ()

    @property
    def until(self) -> float:
        """Call time at which it was over."""
        return self.ended.at if self.ended else self.bundle.seconds

    @property
    def closing(self) -> float | None:
        """When the agent decided to end the call for good; None if it never did."""
        ends: float | None = None
        for reply in self.replies:
            if reply.ends_call:
                ends = reply.at if ends is None else ends
            elif reply.sentences:
                ends = None
        return ends

    def after(self, turn: Turn) -> tuple[Line, ...]:
        """Return the agent's lines from ``turn`` to the caller's next."""
        later = [one.start for one in self.turns if one.start > turn.start]
        until = min(later, default=float("inf"))
        return tuple(line for line in self.lines if turn.start < line.start < until)

    def before(self, at: float) -> Line | None:
        """Return the agent's last line that began before ``at``."""
        return next((line for line in reversed(self.lines) if line.start < at), None)

    def words_before(self, at: float) -> tuple[str, str]:
        """Return who spoke last before ``at``, and what."""
        last = [(line.start, "agent", line.heard) for line in self.lines if line.start < at]
        last += [(turn.start, "caller", turn.text) for turn in self.turns if turn.start < at]
        spoken = [one for one in sorted(last) if one[2]]
        return (spoken[-1][1], spoken[-1][2]) if spoken else ("agent", "")
