"""The vocabulary: everything that happens in a call, as small frozen events.

Log, transcript, metrics, evidence and evals all read these and nothing else. ``at`` is
*call time*: seconds since Asterisk handed us the call, on the agent's monotonic clock.
Fields that hold personal data are marked ``personal()`` so that log and redaction know.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar


def personal(**kwargs: Any) -> Any:
    """Return a dataclass field marked as personal data."""
    return field(metadata={"personal": True}, **kwargs)


# ── shared words ────────────────────────────────────────────────────────────────────────


class Expect(StrEnum):
    """What the agent's last line asked for; sets grammar, endpoint patience and reading."""

    OPEN = "open"
    """Nothing in particular: "how can I help?"."""
    YES_NO = "yes_no"
    PHONE_NUMBER = "phone_number"
    NAME = "name"
    DETAILS = "details"
    """A free message of one or more sentences."""
    MORE = "more"
    """"Anything else?": usually no, goodbye, or a new need."""


class SentenceKind(StrEnum):
    """The only three kinds of sentence the agent may speak."""

    PHRASE = "phrase"
    FACT = "fact"
    RECEIPT = "receipt"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One spoken sentence and what backs it.

    Attributes:
        kind: Which of the three kinds it is.
        ref: Phrase name, fact id, or promise id: the thing that backs the words.
        text: The words, as written text (the mouth turns numbers and prices into words).
    """

    kind: SentenceKind
    ref: str
    text: str = personal()


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word; times in seconds of call time, confidence 0–1."""

    text: str = personal()
    start: float = 0.0
    end: float = 0.0
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Move:
    """One thing the caller did with their words: ``order``, ``answer`` + fact id, ``unknown``, ….

    ``score`` is the understanding's own certainty, 0–1.
    """

    name: str
    fact: str = ""
    score: float = 1.0

    def __str__(self) -> str:
        """Return ``name`` or ``answer:fact``."""
        return f"{self.name}:{self.fact}" if self.fact else self.name


class PromiseKind(StrEnum):
    """What can be promised to a caller."""

    ORDER_LINK = "order_link"
    """A text message with the ordering link, to the caller."""
    OWNER_MESSAGE = "owner_message"
    """The caller's message, passed to the owner."""


class Outcome(StrEnum):
    """What became of a promise, as far as is known now."""

    ACCEPTED = "accepted"
    """The carrier's API took the message: it may be spoken of as sent."""
    PENDING = "pending"
    """Kept on disk, not accepted yet; it will be tried again."""
    REFUSED = "refused"
    """Refused for good (bad number, opted out): it will not be tried again."""


# ── events ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, when, and where it came from."""

    origin: ClassVar[str] = "call"
    at: float

    @classmethod
    def kind(cls) -> str:
        """Return the event's name as written to ``events.jsonl`` (snake case)."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def as_json(self) -> dict[str, Any]:
        """Return a JSON-ready mapping with ``event``, ``origin``, ``at`` and the fields."""
        return {
            "event": self.kind(),
            "origin": self.origin,
            **asdict(self),
            "at": round(self.at, 4),
        }


# phone


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(Event):
    """Asterisk handed us a call. ``diverted_from`` is the top Diversion number, if any."""

    origin: ClassVar[str] = "phone"
    channel: str
    caller: str = personal(default="")
    called: str = ""
    diverted_from: str = ""
    diversion_reason: str = ""
    withheld: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered(Event):
    """The channel is up and media flows both ways."""

    origin: ClassVar[str] = "phone"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPressed(Event):
    """A DTMF digit ended."""

    origin: ClassVar[str] = "phone"
    digit: str = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerHungUp(Event):
    """The caller's channel is gone, and not by our doing. ``cause`` is Q.850."""

    origin: ClassVar[str] = "phone"
    cause: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(Event):
    """The call is over; the last event of every call. ``by``: caller, agent, fault."""

    by: str
    reason: str


# ear


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted(Event):
    """The VAD heard the caller begin to speak."""

    origin: ClassVar[str] = "ear"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStopped(Event):
    """The VAD heard the caller pause.

    Attributes:
        last_voiced: Call time of the last voiced sample, earlier than ``at``.
        wait: Seconds after ``last_voiced`` for which the caller should be given the
            chance to go on, given what was said and asked.
        rule: Name of the endpoint rule that chose ``wait``.
    """

    origin: ClassVar[str] = "ear"
    last_voiced: float
    wait: float
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialHeard(Event):
    """The words so far. ``stable`` words at the front have not changed for two partials.

    While a pause is under way, words may still arrive; ``wait`` then updates the pause's.
    """

    origin: ClassVar[str] = "ear"
    text: str = personal()
    stable: int = 0
    wait: float | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalHeard(Event):
    """The words of a whole turn; ``text`` is empty if nothing was recognised."""

    origin: ClassVar[str] = "ear"
    text: str = personal()
    confidence: float = 1.0
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneHeard(Event):
    """A machine's tone instead of a voice. ``tone``: ``fax`` (CNG or CED), ``busy``."""

    origin: ClassVar[str] = "ear"
    tone: str


# turns


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnded(Event):
    """The endpoint: the caller's turn is over. ``waited`` seconds after ``last_voiced``."""

    origin: ClassVar[str] = "turns"
    last_voiced: float
    waited: float
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BargedIn(Event):
    """The caller spoke over us and meant it: the line was dropped."""

    origin: ClassVar[str] = "turns"


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTakenBack(Event):
    """The caller had not been done: what followed from ``text``, their words so far, is void."""

    origin: ClassVar[str] = "turns"
    text: str = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineHeard(Event):
    """It is no person who speaks, so the line is released.

    ``what``: ``answering_machine``, ``hold_queue``, ``menu``, ``bot``, ``loop`` (the same
    words again and again), ``forward_loop`` (our own voice), ``fax``, ``busy``.
    """

    origin: ClassVar[str] = "turns"
    what: str


# mind


@dataclass(frozen=True, slots=True, kw_only=True)
class ThoughtAhead(Event):
    """Words that might have been the turn's last were worked through before it was over.

    Attributes:
        text: The words.
        used: They were the last, and the result was taken; otherwise it was thrown away.
        seconds: How long it took, understanding and first sound.
        spoken: Sentences that were synthesised ahead.
    """

    origin: ClassVar[str] = "mind"
    text: str = personal()
    used: bool = False
    seconds: float = 0.0
    spoken: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood(Event):
    """What the caller's words were taken to mean, and how long that took."""

    origin: ClassVar[str] = "mind"
    text: str = personal()
    moves: tuple[Move, ...] = ()
    slots: Mapping[str, str] = personal(default_factory=dict)
    by: str = ""
    """Which part decided: ``recall``, ``rules``, ``heads``, ``model``, ``keys``."""
    seconds: float = 0.0
    fault: str = ""
    """Code of the fault for which a lesser part decided; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied(Event):
    """The policy's next step, before it is spoken."""

    origin: ClassVar[str] = "mind"
    step: str
    """Name of the dialogue step, e.g. ``confirm_number``."""
    sentences: tuple[Sentence, ...] = ()
    expect: Expect = Expect.OPEN
    tool: str = ""
    ends_call: bool = False


# mouth


@dataclass(frozen=True, slots=True, kw_only=True)
class LineStarted(Event):
    """The first audio of a line was handed to Asterisk."""

    origin: ClassVar[str] = "mouth"
    line: int
    text: str = personal()
    cached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFinished(Event):
    """A line is over. ``heard`` is the text that really was played; all of it, or its front."""

    origin: ClassVar[str] = "mouth"
    line: int
    heard: str = personal()
    complete: bool = True


# promises


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseMade(Event):
    """A promise is on disk and will be kept, whatever happens now."""

    origin: ClassVar[str] = "promises"
    promise: str
    promise_kind: PromiseKind
    to: str = personal(default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseUpdated(Event):
    """News of a promise while the call lasts. ``receipt`` is the carrier's message SID."""

    origin: ClassVar[str] = "promises"
    promise: str
    outcome: Outcome
    receipt: str = ""
    code: str = ""


# faults


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSeen(Event):
    """Something of ours failed; the call went on (or ended) as the fallback says."""

    code: str
    message: str


def event_types() -> dict[str, type[Event]]:
    """Return every event class by its ``kind()``."""
    found: dict[str, type[Event]] = {}
    pending = list(Event.__subclasses__())
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        # dataclass(slots=True) makes a second class; the first lingers until collected.
        if getattr(sys.modules[cls.__module__], cls.__name__, None) is cls:
            found[cls.kind()] = cls
    return found


def personal_fields(cls: type) -> frozenset[str]:
    """Return the names of ``cls``'s fields that hold personal data."""
    return frozenset(f.name for f in fields(cls) if f.metadata.get("personal"))
