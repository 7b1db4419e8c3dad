"""What a dialogue knows, what it is given, and what it replies: all frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from agent.events import Expect, Outcome, Sentence
from agent.mind.moves import Understanding
from agent.mind.slots import Count, When
from agent.mind.tools import Capabilities, Tool
from agent.restaurant import Restaurant

TURN_BUDGET: Final = 24
"""Caller turns (words, keys or silence) after which a call is ended politely."""

ORDER: Final = "order"
"""The need for the ordering link; the other needs are message kinds."""


# ── input ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Heard:
    """The caller said something."""

    understanding: Understanding
    text: str = field(metadata={"personal": True})


@dataclass(frozen=True, slots=True)
class Silence:
    """The caller said nothing for a while, the ``count``-th time in a row (from 1)."""

    count: int


@dataclass(frozen=True, slots=True)
class Keys:
    """The caller pressed keys: one or several of ``0-9*#``; single ones add up."""

    digits: str = field(metadata={"personal": True})


@dataclass(frozen=True, slots=True)
class ToolDone:
    """The tool asked for by the last reply is through. ``code`` is the carrier's, if any."""

    outcome: Outcome
    promise: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class TimeUp:
    """The call has lasted as long as a call may."""


Input = Heard | Silence | Keys | ToolDone | TimeUp


# ── reply ───────────────────────────────────────────────────────────────────────────────


class Ask(StrEnum):
    """What the caller was asked last; also the name of a reply's step while a call goes on."""

    HELP = "help"
    MORE = "anything_else"
    HELP_HERE = "help_here"
    KEYS = "keys"
    """How it can help, by keys: the understanding has a fault."""
    CONFIRM_CALLER_ID = "confirm_caller_id"
    ASK_NUMBER = "ask_number"
    CONFIRM_NUMBER = "confirm_number"
    OFFER_LINK = "offer_link"
    OFFER_RESEND = "offer_resend"
    OFFER_MESSAGE = "offer_message"
    OFFER_RELAY = "offer_relay"
    CHECK_FACT = "check_fact"
    ASK_DETAILS = "ask_details"
    ASK_WHEN = "ask_when"
    ASK_SIZE = "ask_size"
    ASK_NAME = "ask_name"
    WORKING = "working"
    """Nothing: a tool is at work."""


EXPECTS: Final = {
    Ask.HELP: Expect.OPEN,
    Ask.MORE: Expect.MORE,
    Ask.HELP_HERE: Expect.YES_NO,
    Ask.KEYS: Expect.OPEN,
    Ask.CONFIRM_CALLER_ID: Expect.YES_NO,
    Ask.ASK_NUMBER: Expect.PHONE_NUMBER,
    Ask.CONFIRM_NUMBER: Expect.YES_NO,
    Ask.OFFER_LINK: Expect.YES_NO,
    Ask.OFFER_RESEND: Expect.YES_NO,
    Ask.OFFER_MESSAGE: Expect.YES_NO,
    Ask.OFFER_RELAY: Expect.YES_NO,
    Ask.CHECK_FACT: Expect.YES_NO,
    Ask.ASK_DETAILS: Expect.DETAILS,
    Ask.ASK_WHEN: Expect.DETAILS,
    Ask.ASK_SIZE: Expect.DETAILS,
    Ask.ASK_NAME: Expect.NAME,
    Ask.WORKING: Expect.OPEN,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """The next step.

    Attributes:
        step: Its name: an `Ask` value, or why the call ends.
        sentences: What to say, in order; may be empty.
        expect: What the caller is expected to say next.
        tool: What to have done before anything else is said, once the sentences are under way.
        ends_call: Release the line when the sentences have been heard out.
    """

    step: str
    sentences: tuple[Sentence, ...] = ()
    expect: Expect = Expect.OPEN
    tool: Tool | None = None
    ends_call: bool = False


# ── state ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Scene:
    """What stays the same through a call.

    Attributes:
        restaurant: The restaurant file as it was when the call began.
        caller: The caller's number in E.164 if it may be used; empty if withheld or none.
        can: What this deployment and this restaurant can do.
        now: When the call began, in the restaurant's time zone.
        short: There is a rush: everything is said in its shortest form.
    """

    restaurant: Restaurant
    caller: str
    can: Capabilities
    now: datetime
    short: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """One thing the caller wants done, and what is known of it.

    Attributes:
        kind: ``order`` or a message kind.
        words: What the caller said about it, turn by turn.
        detailed: The details are known, or refused.
        when: Day and time, as far as read.
        size: How many people, as far as read.
        asked: Questions already asked for it: none is asked a second time once answered.
        echoed: The reading was said back.
        warned: The caller was told that it is closed then.
    """

    kind: str
    words: tuple[str, ...] = field(default=(), metadata={"personal": True})
    detailed: bool = False
    when: When | None = None
    size: Count | None = None
    asked: frozenset[Ask] = frozenset()
    echoed: bool = False
    warned: bool = False


@dataclass(frozen=True, slots=True)
class DialogueState:
    """Where a dialogue stands.

    Attributes:
        asked: What the caller was asked last.
        agenda: Open needs, the one being served first.
        number: The caller's number, confirmed, E.164.
        candidate: A number read but not confirmed yet, E.164.
        digits: The front of a number that is being given in pieces.
        caller_declined: The caller id is not to be used.
        number_declined: The caller won't give a number.
        tries: Failed attempts at a number.
        name: The caller's name.
        name_declined: The caller won't give it.
        question: What the caller asked that no fact answers, to be passed on if they like.
        fact: The fact whose meaning is being checked back.
        link: The promise of the link, once made.
        link_outcome: How far that promise came.
        refusals: How often the carrier refused a number.
        tool: The tool at work.
        said: The sentences last spoken.
        turns: Caller turns so far.
        unclear: Turns in a row that were not understood.
        abuse: Abusive turns.
        patient: The caller asked for a moment.
        hailed: The last thing said was "are you still there?".
        closing: The caller said goodbye while something was still to be done.
        ended: The call is ending.
        final: It can't be taken up again.
        reopened: It was, once.
    """

    asked: Ask = Ask.HELP
    agenda: tuple[Need, ...] = ()
    number: str = ""
    candidate: str = ""
    digits: str = ""
    caller_declined: bool = False
    number_declined: bool = False
    tries: int = 0
    name: str = ""
    name_declined: bool = False
    question: str = ""
    fact: str = ""
    link: str = ""
    link_outcome: Outcome = Outcome.PENDING
    refusals: int = 0
    tool: Tool | None = None
    said: tuple[Sentence, ...] = ()
    turns: int = 0
    unclear: int = 0
    abuse: int = 0
    patient: bool = False
    hailed: bool = False
    closing: bool = False
    ended: bool = False
    final: bool = False
    reopened: bool = False
