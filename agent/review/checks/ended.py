"""How the call went on and ended: sales calls, giving up, drops, promises, faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.events import Outcome as Kept
from agent.mind.moves import MoveName
from agent.review import words
from agent.review.checks.flags import NEEDS, about_silence, about_turn
from agent.review.figures import owes_reply
from agent.review.schema import Flag, FlagKind
from agent.review.seen import Seen

SPAM_QUESTIONS: Final = 1
"""Questions the agent may ask after a sales pitch: one slips out when the pitch has only begun."""

NOT_KEPT: Final = frozenset(
    {"refused", "abandoned", "status undelivered", "status failed", "status canceled"}
)
"""News after which a promise is lost (`agent.promises.state`)."""


def spam_served(seen: Seen) -> Iterator[Flag]:
    """A sales call is told no and ended, not led through the questions."""
    pitch = next((turn for turn in seen.turns if words.sells(turn.text)), None)
    if pitch is None:
        return
    ends = next((r.at for r in seen.replies if r.ends_call and r.at >= pitch.end - 0.5), None)
    asked = [
        line
        for line in seen.lines
        if line.start > pitch.start and line.questions and (ends is None or line.start < ends)
    ]
    if len(asked) > SPAM_QUESTIONS:
        detail = f"asked {len(asked)} questions after the pitch"
        yield about_turn(FlagKind.SPAM_SERVED, pitch, detail)


def gave_up(seen: Seen) -> Iterator[Flag]:
    """The caller left in the middle: a need or a question of theirs was still open."""
    if seen.ended is None or seen.ended.by == "fault":
        return
    hung_up = seen.ended.by == "caller" and seen.closing is None
    need = next((turn for turn in reversed(seen.turns) if turn.has(*NEEDS)), None)
    if need is not None and not any(one.made > need.start for one in seen.promises):
        declined = any(
            (turn.start > need.start and turn.has(MoveName.NO)) or words.declines(turn.text)
            for turn in seen.turns
        )
        if hung_up or not declined:
            yield about_turn(FlagKind.GAVE_UP, need, "left before it was done")
        return
    last = next((turn for turn in reversed(seen.turns) if turn.text), None)
    if (
        hung_up
        and last is not None
        and owes_reply(seen, last)
        and not any(sound.start > last.end for sound in seen.agent)
        and not words.says_goodbye(last.text)
    ):
        yield about_turn(FlagKind.GAVE_UP, last, "hung up while waiting for an answer")


def dropped(seen: Seen) -> Iterator[Flag]:
    """We ended the call with no goodbye that was heard, or a fault did."""
    ended = seen.ended
    if ended is None:
        closed = seen.bundle.card.get("closed")
        detail = "its end is missing from the events" if closed else "the agent was killed"
        yield about_silence(FlagKind.DROPPED, seen, seen.until, detail)
    elif ended.by == "fault":
        yield about_silence(FlagKind.DROPPED, seen, seen.until, ended.reason)
    elif ended.by == "agent":
        last = seen.lines[-1] if seen.lines else None
        if last is None or seen.closing is None or not last.complete:
            detail = "hung up before the goodbye was heard out"
            yield about_silence(FlagKind.DROPPED, seen, seen.until, detail)


def promise_failed(seen: Seen) -> Iterator[Flag]:
    """What was promised must be accepted in the end, and not come back undelivered."""
    for promise in seen.promises:
        outcome = promise.outcome(seen.until)
        news = set(promise.news)
        bad = news & NOT_KEPT
        good = outcome is Kept.ACCEPTED or "accepted" in news
        if bad or outcome is Kept.REFUSED or not good:
            told = min(bad, default=str(outcome))
            quote = next((line.heard for line in seen.lines if line.start >= promise.made), "")
            yield Flag(
                kind=FlagKind.PROMISE_FAILED,
                at=round(promise.made, 3),
                quote=quote,
                detail=f"{promise.kind} {told}",
            )


def fault(seen: Seen) -> Iterator[Flag]:
    """Every fault that the call went on after."""
    for one in seen.faults:
        yield about_silence(FlagKind.FAULT, seen, one.at, one.code)
