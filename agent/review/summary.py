"""What a call was about, what became of it, and what of it the owner wants to know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.events import Outcome as Kept
from agent.events import PromiseKind, SentenceKind
from agent.mind.moves import MoveName
from agent.mind.wording import Phrase
from agent.review import words
from agent.review.schema import (
    BusinessEvent,
    BusinessEventKind,
    CallType,
    Flag,
    FlagKind,
    Outcome,
)
from agent.review.seen import Promised, Seen

TYPES: Final = {
    MoveName.SPAM: CallType.SPAM,
    MoveName.EMERGENCY: CallType.EMERGENCY,
    MoveName.ORDER: CallType.ORDER,
    MoveName.ORDER_BY_VOICE: CallType.ORDER,
    MoveName.PAY: CallType.ORDER,
    MoveName.RESERVATION: CallType.RESERVATION,
    MoveName.CATERING: CallType.CATERING,
    MoveName.COMPLAINT: CallType.COMPLAINT,
    MoveName.MESSAGE: CallType.MESSAGE,
    MoveName.WANTS_HUMAN: CallType.HUMAN,
    MoveName.ANSWER: CallType.QUESTION,
    MoveName.UNKNOWN: CallType.QUESTION,
    MoveName.WRONG_NUMBER: CallType.WRONG_NUMBER,
    MoveName.ABUSE: CallType.ABUSE,
}
"""Which type a move makes a call; weightier ones first: an order beside a question is an order."""

WEIGHTY: Final = tuple(dict.fromkeys(TYPES.values()))

_TURNED_AWAY: Final = frozenset(
    {CallType.SPAM, CallType.EMERGENCY, CallType.ABUSE, CallType.WRONG_NUMBER}
)
_LINK: Final = (Outcome.LINK_SENT, Outcome.LINK_PENDING, Outcome.LINK_FAILED)
_MESSAGE: Final = (Outcome.MESSAGE_PASSED, Outcome.MESSAGE_PENDING, Outcome.MESSAGE_FAILED)


@dataclass(frozen=True, slots=True)
class Summary:
    """See the fields of the same names in `agent.review.schema.Review`."""

    type: CallType
    outcome: Outcome
    reason: str
    need_met: bool | None
    events: tuple[BusinessEvent, ...]


def summarise(seen: Seen, flags: tuple[Flag, ...]) -> Summary:
    """Return what the call was about and what became of it."""
    kind = call_type(seen)
    events = tuple(sorted(_events(seen), key=lambda event: event.at))
    outcome, reason = _outcome(seen, kind, events, flags)
    return Summary(kind, outcome, reason, _need_met(kind, outcome, events, flags), events)


def call_type(seen: Seen) -> CallType:
    """Return what the call was about."""
    if any(words.sells(turn.text) for turn in seen.turns):
        return CallType.SPAM
    found = {TYPES[MoveName(m.name)] for t in seen.turns for m in t.moves if m.name in TYPES}
    for kind in WEIGHTY:
        if kind in found:
            return kind
    return CallType.UNCLEAR if any(turn.text for turn in seen.turns) else CallType.SILENT


def _events(seen: Seen) -> Iterator[BusinessEvent]:
    for promise in seen.promises:
        yield from _promise_events(seen, promise)
    for turn in seen.turns:
        answered = False
        for line in seen.after(turn):
            for piece in line.pieces:
                one = piece.sentence
                if one is None:
                    continue
                if one.kind is SentenceKind.FACT:
                    answered = True
                    yield BusinessEvent(
                        kind=BusinessEventKind.QUESTION_ANSWERED, at=line.start, what=one.ref
                    )
                elif one.ref == Phrase.DONT_KNOW.ref and not answered and turn.text:
                    yield BusinessEvent(
                        kind=BusinessEventKind.QUESTION_UNANSWERED, at=turn.start, what=turn.text
                    )


def _promise_events(seen: Seen, promise: Promised) -> Iterator[BusinessEvent]:
    link = promise.kind is PromiseKind.ORDER_LINK
    outcome = promise.outcome(seen.until)
    news = set(promise.news)
    delivered = bool(news & {"status delivered", "status read"})
    accepted = outcome is Kept.ACCEPTED or "accepted" in news or delivered
    failed = bool(news & {"refused", "abandoned", "status undelivered", "status failed"})
    known = BusinessEventKind
    kinds = [] if link else [known.MESSAGE_TAKEN]
    if failed or (outcome is Kept.REFUSED and not accepted):
        kinds.append(known.LINK_FAILED if link else known.MESSAGE_FAILED)
    elif accepted:
        kinds.append(known.LINK_SENT if link else known.MESSAGE_PASSED_ON)
        if link and delivered:
            kinds.append(known.LINK_DELIVERED)
    for kind in kinds:
        yield BusinessEvent(kind=kind, at=round(promise.made, 3), what=promise.id)


def _outcome(
    seen: Seen, kind: CallType, events: tuple[BusinessEvent, ...], flags: tuple[Flag, ...]
) -> tuple[Outcome, str]:
    ended = seen.ended
    happened = {event.kind for event in events}
    known = BusinessEventKind
    if ended is not None and ended.by == "fault":
        return Outcome.FAULT, f"ended by a fault: {ended.reason}"
    if ended is None:
        return Outcome.FAULT, "its end was not recorded"
    if kind in _TURNED_AWAY and not seen.promises:
        return Outcome.TURNED_AWAY, f"{kind.replace('_', ' ')}: ended ({ended.reason})"
    for promised, sent, outcomes, name in (
        (PromiseKind.ORDER_LINK, known.LINK_SENT, _LINK, "the link"),
        (PromiseKind.OWNER_MESSAGE, known.MESSAGE_PASSED_ON, _MESSAGE, "the message"),
    ):
        if not any(one.kind is promised for one in seen.promises):
            continue
        failed = known.LINK_FAILED if promised is PromiseKind.ORDER_LINK else known.MESSAGE_FAILED
        if sent in happened:
            return outcomes[0], f"{name} was accepted by the carrier"
        if failed in happened:
            return outcomes[2], f"{name} could not be sent"
        return outcomes[1], f"{name} is still to be sent"
    if any(flag.kind is FlagKind.GAVE_UP for flag in flags):
        return Outcome.GAVE_UP, "the caller left before it was done"
    if known.QUESTION_UNANSWERED in happened:
        return Outcome.UNANSWERED, "a question had no answer in the restaurant file"
    if known.QUESTION_ANSWERED in happened:
        return Outcome.ANSWERED, "a question was answered from the restaurant file"
    return Outcome.NOTHING, f"ended by {ended.by}: {ended.reason}"


def _need_met(
    kind: CallType, outcome: Outcome, events: tuple[BusinessEvent, ...], flags: tuple[Flag, ...]
) -> bool | None:
    if kind in _TURNED_AWAY or kind in (CallType.SILENT,):
        return None
    wrong = {FlagKind.INVENTED_FACT, FlagKind.WRONG_FACT, FlagKind.GAVE_UP}
    if any(flag.kind in wrong for flag in flags):
        return False
    good = outcome in (Outcome.LINK_SENT, Outcome.MESSAGE_PASSED, Outcome.ANSWERED)
    passed = any(event.kind is BusinessEventKind.MESSAGE_PASSED_ON for event in events)
    unanswered = any(event.kind is BusinessEventKind.QUESTION_UNANSWERED for event in events)
    return good and (passed or not unanswered)
