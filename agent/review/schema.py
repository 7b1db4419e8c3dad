"""What a review says: the form of ``review.json``."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

REVIEW_VERSION: Final = 1
"""Version of this form; a reader refuses newer ones."""

REVIEW_FILE: Final = "review.json"
"""The latest review of a call, in its bundle."""
HISTORY_FILE: Final = "reviews.jsonl"
"""Every review of the call that said something else than the one before, oldest first."""


class CallType(StrEnum):
    """What a call was about, from the first need that its caller voiced."""

    ORDER = "order"
    RESERVATION = "reservation"
    CATERING = "catering"
    COMPLAINT = "complaint"
    MESSAGE = "message"
    QUESTION = "question"
    HUMAN = "human"
    """Wanted a person."""
    SPAM = "spam"
    WRONG_NUMBER = "wrong_number"
    ABUSE = "abuse"
    EMERGENCY = "emergency"
    SILENT = "silent"
    """Nobody said a word."""
    UNCLEAR = "unclear"
    """Words, but no need that was understood."""


class Outcome(StrEnum):
    """What became of the call's main need."""

    LINK_SENT = "link_sent"
    LINK_PENDING = "link_pending"
    LINK_FAILED = "link_failed"
    MESSAGE_PASSED = "message_passed"
    MESSAGE_PENDING = "message_pending"
    MESSAGE_FAILED = "message_failed"
    ANSWERED = "answered"
    UNANSWERED = "unanswered"
    TURNED_AWAY = "turned_away"
    """Spam, abuse, an emergency, a wrong number: told so and ended."""
    GAVE_UP = "gave_up"
    """The caller left before their need was met."""
    FAULT = "fault"
    """A fault of ours ended it."""
    NOTHING = "nothing"
    """There was nothing to be done."""


class FlagKind(StrEnum):
    """What can be wrong with a call."""

    INVENTED_FACT = "invented_fact"
    """Something was said that no fact, phrase or receipt backs."""
    WRONG_FACT = "wrong_fact"
    """A fact was said that does not answer what was asked."""
    UNAVAILABLE_ACTION = "unavailable_action"
    """Something was offered that this deployment can't do."""
    INSTRUCTION_BROKEN = "instruction_broken"
    """A rule of the house was broken; ``detail`` names it."""
    MISHEARD = "misheard"
    """The caller was not heard or not understood, by what they said next or had to repeat."""
    TALKED_OVER = "talked_over"
    """The agent spoke into the caller's words, or on when they broke in."""
    DEAD_AIR = "dead_air"
    """It was the agent's turn, and nothing was heard for long."""
    MISSED_GOODBYE = "missed_goodbye"
    """The caller said goodbye and the agent went on, or goodbye was said again."""
    ASKED_TWICE = "asked_twice"
    """A question was asked again that had been answered."""
    SPAM_SERVED = "spam_served"
    """A sales call was kept in conversation."""
    GAVE_UP = "gave_up"
    """The caller left before what they wanted was done, and not because they declined it."""
    DROPPED = "dropped"
    """The call was ended by us with no goodbye, or by a fault."""
    PROMISE_FAILED = "promise_failed"
    """What was promised was not kept, or is still open."""
    FAULT = "fault"
    """A part of ours failed, and the call went on."""


class BusinessEventKind(StrEnum):
    """What the owner wants to know of a call."""

    LINK_SENT = "link_sent"
    LINK_DELIVERED = "link_delivered"
    LINK_FAILED = "link_failed"
    MESSAGE_TAKEN = "message_taken"
    MESSAGE_PASSED_ON = "message_passed_on"
    MESSAGE_FAILED = "message_failed"
    QUESTION_ANSWERED = "question_answered"
    QUESTION_UNANSWERED = "question_unanswered"


class JudgeStatus(StrEnum):
    """Whether a language model had its say."""

    NONE = "none"
    """No model is configured."""
    DONE = "done"
    ERRORED = "errored"
    """It was asked and gave nothing usable: the review stands on the checks alone."""


class Part(BaseModel):
    """Base of a part of a review."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Flag(Part):
    """Something that looks wrong.

    Attributes:
        kind: What.
        at: Call time, seconds.
        quote: The words of the transcript that show it; for silence, those before it.
        who: Whose words they are: ``agent`` or ``caller``.
        detail: What exactly, in a few words; for rules the rule's name.
        by: ``checks`` or ``judge``.
        vetoed: Why the judge holds it for mistaken; empty: it stands.
    """

    kind: FlagKind
    at: float
    quote: str = Field(json_schema_extra={"personal": True})
    who: Literal["agent", "caller"] = "agent"
    detail: str = ""
    by: Literal["checks", "judge"] = "checks"
    vetoed: str = ""


class BusinessEvent(Part):
    """Something the owner wants to know. ``what`` is a promise id, a fact id or the question."""

    kind: BusinessEventKind
    at: float
    what: str = Field("", json_schema_extra={"personal": True})


class Measures(Part):
    """Figures of one call. Times in seconds; None where there is nothing to measure.

    Attributes:
        seconds: Length of the call.
        turns: Turns of the caller: words or keys.
        latency_p50: Median of last voiced caller sample to first sound of the agent, on the
            agent's side (the line adds its own; `pickup bench` measures at the ear).
        latency_max: The longest.
        talk_over: Both spoke.
        dead_air: Nobody spoke though it was the agent's turn, stretches over 3 s.
        longest_silence: The longest stretch in which nobody spoke.
        not_understood: Turns that the agent had to ask to be said again.
        repeated_questions: Questions asked word for word a second time.
        goodbyes: How often the agent said goodbye.
    """

    seconds: float = 0.0
    turns: int = 0
    latency_p50: float | None = None
    latency_max: float | None = None
    talk_over: float = 0.0
    dead_air: float = 0.0
    longest_silence: float = 0.0
    not_understood: int = 0
    repeated_questions: int = 0
    goodbyes: int = 0


class Judgement(Part):
    """What the judge did.

    Attributes:
        status: Whether it had its say.
        model: Name of its model.
        model_sha256: The model file's hash.
        prompt_sha256: Hash of what it was told to do.
        dropped: What it said that no quote in the transcript backs, one sentence each.
        error: Why it failed.
    """

    status: JudgeStatus = JudgeStatus.NONE
    model: str = ""
    model_sha256: str = ""
    prompt_sha256: str = ""
    dropped: tuple[str, ...] = ()
    error: str = ""


class Versions(Part):
    """What was reviewed with what; the same versions give the same review.

    Attributes:
        pickup: Version of the Pickup that reviewed.
        checks: Hash of the code of the checks.
        evidence: Hash of ``events.jsonl``, ``promises.jsonl`` and ``agent.wav``'s length.
        restaurant: Hash of the restaurant file that the facts were taken from; empty: none
            could be had, and what is said could not be held against it.
    """

    pickup: str
    checks: str
    evidence: str
    restaurant: str = ""


class Review(Part):
    """What a call was worth.

    Attributes:
        review: Version of this form.
        call: The bundle's id.
        reviewed: When, UTC, ISO 8601.
        versions: What was reviewed with what.
        type: What the call was about.
        outcome: What became of it.
        reason: The same in a few words.
        ended_by: ``caller``, ``agent``, ``fault``, or ``open``: the agent was killed.
        need_met: Whether the caller got what they wanted; None: they wanted nothing.
        events: What the owner wants to know.
        measures: Figures.
        flags: What looks wrong, in order of time.
        judge: What the judge did.
        notes: What could not be told and why; the rest stands.
    """

    review: int = REVIEW_VERSION
    call: str
    reviewed: str
    versions: Versions
    type: CallType
    outcome: Outcome
    reason: str
    ended_by: str
    need_met: bool | None
    events: tuple[BusinessEvent, ...] = ()
    measures: Measures = Measures()
    flags: tuple[Flag, ...] = ()
    judge: Judgement = Judgement()
    notes: tuple[str, ...] = ()

    @property
    def standing(self) -> tuple[Flag, ...]:
        """The flags that the judge did not veto."""
        return tuple(flag for flag in self.flags if not flag.vetoed)
