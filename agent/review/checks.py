"""The computed checks: one function a flag, each a pure reading of what was seen.

A check errs on the side of silence: what it says must hold without listening to the call.
What takes judgement (was the caller cross? was that a good answer?) is the judge's.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from agent.errors import UnbackedClaim
from agent.events import Expect, PromiseKind, Sentence, SentenceKind
from agent.events import Outcome as Kept
from agent.evidence.measures import DEAD_AIR_SECONDS, Span
from agent.mind import claims, rules
from agent.mind.embedder import plain
from agent.mind.moves import MoveName
from agent.mind.wording import OFFERS, Phrase
from agent.review import words
from agent.review.figures import gaps, not_caught, owes_reply
from agent.review.schema import Flag, FlagKind
from agent.review.seen import Line, Seen, Spoken, Turn

SAME_WORDING: Final = 0.6
"""Likeness (difflib ratio) from which a phrase is an older wording of the phrase of its name."""

INTO_SECONDS: Final = 0.3
"""The caller must have spoken this long before and after the agent began: two who begin at
once, or a last syllable, are no fault. VAD edges are exact to about 0.1 s."""

YIELD_SECONDS: Final = 1.5
"""A caller who breaks in must be heard by then: the decision takes 0.7 s (`agent.turns`)."""

UNHEARD_SECONDS: Final = 1.0
"""Voice for this long without one word recognised is a turn that was lost."""

SPAM_QUESTIONS: Final = 1
"""Questions the agent may ask after a sales pitch: one slips out when the pitch has only begun."""

NEEDS: Final = frozenset(
    {
        MoveName.ORDER,
        MoveName.ORDER_BY_VOICE,
        MoveName.RESERVATION,
        MoveName.CATERING,
        MoveName.COMPLAINT,
        MoveName.MESSAGE,
    }
)
WRAPPING_UP: Final = frozenset(
    {
        Phrase.ANYTHING_ELSE.ref,
        Phrase.WHAT_ELSE.ref,
        Phrase.HOW_CAN_I_HELP.ref,
        Phrase.HELP_HERE.ref,
        Phrase.STILL_THERE.ref,
        Phrase.LIKE_THAT.ref,
    }
)
"""Questions that are asked again by right."""

NOT_KEPT: Final = frozenset(
    {"refused", "abandoned", "status undelivered", "status failed", "status canceled"}
)
"""News after which a promise is lost (`agent.promises.state`)."""

_PHRASES: Final = {phrase.ref: phrase for phrase in Phrase}


def invented_fact(seen: Seen) -> Iterator[Flag]:
    """What was heard must be a fact, a phrase or a receipt."""
    for line in seen.lines:
        for piece in line.pieces:
            if piece.sentence is None:
                yield _said(FlagKind.INVENTED_FACT, line, piece.text, "nobody decided to say it")
            elif seen.restaurant is not None and not _backed(seen, line, piece.sentence):
                yield _said(
                    FlagKind.INVENTED_FACT,
                    line,
                    piece.text,
                    f"no {piece.sentence.kind} backs it ({piece.sentence.ref})",
                )


def _backed(seen: Seen, line: Line, sentence: Sentence) -> bool:
    assert seen.restaurant is not None  # noqa: S101 - the caller looked
    if sentence.kind is SentenceKind.RECEIPT:
        return True  # whether it came so far is `instruction_broken`'s
    phrase = _PHRASES.get(sentence.ref)
    if sentence.kind is SentenceKind.PHRASE and phrase is not None and phrase in OFFERS:
        return _like(sentence.text, phrase.value)  # whether it can be done is the next check's
    try:
        claims.check(sentence, seen.restaurant, {}, seen.can)
    except UnbackedClaim:
        if phrase is None or sentence.kind is not SentenceKind.PHRASE:
            return False
        return _like(sentence.text, phrase.value)  # an older wording
    return True


def _like(text: str, pattern: str) -> bool:
    fixed = re.sub(r"\{\w+\}", " ", pattern)
    return difflib.SequenceMatcher(None, plain(text), plain(fixed)).ratio() >= SAME_WORDING


def wrong_fact(seen: Seen) -> Iterator[Flag]:
    """A fact must share at least one telling word with the question it answers."""
    if seen.restaurant is None:
        return
    for turn in seen.turns:
        asked = words.content(turn.text)
        if not asked or (turn.expect is Expect.YES_NO and turn.has(MoveName.YES)):
            continue  # "did you mean …?" — "yes"
        for line in seen.after(turn):
            for piece in line.pieces:
                one = piece.sentence
                if one is None or one.kind is not SentenceKind.FACT:
                    continue
                fact = seen.restaurant.fact(one.ref)
                if fact is None:
                    continue
                topic = words.content(" ".join((fact.id.replace("_", " "), fact.say, *fact.asked)))
                if not _near(asked, topic):
                    detail = f"asked {turn.text!r}, answered {fact.id}"
                    yield _said(FlagKind.WRONG_FACT, line, piece.text, detail)


def _near(asked: frozenset[str], topic: frozenset[str]) -> bool:
    return bool(asked & topic) or any(
        difflib.SequenceMatcher(None, one, other).ratio() >= 0.8
        for one in asked
        for other in topic
        if len(one) > 3
    )


def unavailable_action(seen: Seen) -> Iterator[Flag]:
    """Nothing may be offered that this deployment can't do."""
    for line in seen.lines:
        for piece in line.pieces:
            what = words.offers(piece.text) or _lacking(seen, piece)
            if what:
                yield _said(FlagKind.UNAVAILABLE_ACTION, line, piece.text, what)


def _lacking(seen: Seen, piece: Spoken) -> str:
    phrase = _PHRASES.get(piece.sentence.ref) if piece.sentence else None
    needs = OFFERS.get(phrase) if phrase else None
    return f"{needs} is not available" if needs is not None and needs not in seen.can else ""


def instruction_broken(seen: Seen) -> Iterator[Flag]:
    """Rules of the house: nothing is booked, nothing charged, nothing called sent that was not."""
    for line in seen.lines:
        for piece in line.pieces:
            if rule := _broken(seen, line, piece.text):
                yield _said(FlagKind.INSTRUCTION_BROKEN, line, piece.text, rule)
        if _after_the_end(seen, line):
            yield _said(FlagKind.INSTRUCTION_BROKEN, line, line.heard, "spoke_after_the_end")


def _broken(seen: Seen, line: Line, text: str) -> str:
    if words.books(text):
        return "booked_in_the_owners_name"
    if words.asks_payment(text):
        return "asked_for_payment"
    if words.claims_sent(text) and not _accepted(seen, PromiseKind.ORDER_LINK, line.start):
        return "called_sent_before_it_was"
    if words.claims_passed_on(text) and not _accepted(seen, PromiseKind.OWNER_MESSAGE, line.start):
        return "called_passed_on_before_it_was"
    return ""


def _accepted(seen: Seen, kind: PromiseKind, at: float) -> bool:
    return any(
        promise.kind is kind and promise.outcome(at) is Kept.ACCEPTED for promise in seen.promises
    )


def _after_the_end(seen: Seen, line: Line) -> bool:
    """Return whether the line came after a last goodbye, with no need voiced in between."""
    before = [one for one in seen.replies if one.at <= line.start]
    ends = next((one.at for one in before if one.ends_call), None)
    if ends is None or not before or (before[-1].ends_call and before[-1].at == ends):
        return False
    spoken = [one for one in before if one.at > ends and one.sentences]
    called_back = any(
        turn.end > ends and turn.has(*NEEDS, MoveName.ANSWER, MoveName.WANTS_HUMAN)
        for turn in seen.turns
        if turn.start < line.start
    )
    return bool(spoken) and spoken[-1].at > ends and not called_back


def misheard(seen: Seen) -> Iterator[Flag]:
    """The caller corrects us, rejects a number, is not understood twice, or is not heard."""
    lost: list[Turn] = []
    for turn in seen.turns:
        if words.corrects(turn.text):
            yield _told(FlagKind.MISHEARD, turn, "the caller corrects it")
        elif turn.step == "confirm_number" and turn.has(MoveName.NO):
            yield _told(FlagKind.MISHEARD, turn, "the number read back was wrong")
        elif not turn.text and not turn.keys and turn.end - turn.start >= UNHEARD_SECONDS:
            detail = f"{turn.end - turn.start:.1f} s of voice, not one word"
            yield _silent(FlagKind.MISHEARD, seen, turn.end, detail, since=turn.start)
        if turn.text and any(not_caught(line) for line in seen.after(turn)):
            lost.append(turn)
    for voice in seen.unheard:
        if _left_waiting(seen, voice):
            detail = f"{voice.seconds:.1f} s of voice that the ear did not notice"
            yield _silent(FlagKind.MISHEARD, seen, voice.start, detail, since=voice.start)
    if len(lost) > 1:
        yield _told(FlagKind.MISHEARD, lost[-1], f"not understood {len(lost)} times")


def _left_waiting(seen: Seen, voice: Span) -> bool:
    """Return whether a voice came in the agent's silence and got no answer for long."""
    agent = [one for one in seen.agent if one.end > voice.start]
    spoke_on = any(one.start < voice.end for one in agent)
    answer = min((one.start for one in agent if one.start >= voice.end), default=seen.until)
    over = any(reply.ends_call and reply.at < voice.start for reply in seen.replies)
    return not spoke_on and not over and answer - voice.end > DEAD_AIR_SECONDS


def talked_over(seen: Seen) -> Iterator[Flag]:
    """The agent begins inside the caller's words, or speaks on long after they broke in."""
    for voice in seen.caller:
        for sound in seen.agent:
            into = sound.start - voice.start >= INTO_SECONDS
            on = voice.end - sound.start >= INTO_SECONDS
            if into and on:
                line = _line_at(seen, sound)
                detail = f"began {sound.start - voice.start:.1f} s into the caller's words"
                yield _said(FlagKind.TALKED_OVER, line, line.heard, detail, at=sound.start)
            elif _not_yielded(seen, voice, sound):
                line = _line_at(seen, sound)
                detail = f"spoke on for {min(sound.end, voice.end) - voice.start:.1f} s"
                yield _said(FlagKind.TALKED_OVER, line, line.heard, detail, at=voice.start)


def _not_yielded(seen: Seen, voice: Span, sound: Span) -> bool:
    both = min(sound.end, voice.end) - voice.start
    broke_in = sound.start + INTO_SECONDS < voice.start
    return (
        broke_in
        and both >= YIELD_SECONDS
        and not any(voice.start <= at <= voice.start + YIELD_SECONDS for at in seen.barge_ins)
        and any(
            turn.start - 0.5 <= voice.end and voice.start <= turn.end and owes_reply(seen, turn)
            for turn in seen.turns
        )
    )


def _line_at(seen: Seen, sound: Span) -> Line:
    nearest = min(seen.lines, key=lambda line: abs(line.start - sound.start), default=None)
    return nearest or Line(sound.start, sound.end, "", True, ())


def dead_air(seen: Seen) -> Iterator[Flag]:
    """It was the agent's turn, and nothing was heard for more than 3 s."""
    for gap in gaps(seen):
        detail = f"{gap.end - gap.start:.1f} s: {gap.why}"
        yield _silent(FlagKind.DEAD_AIR, seen, gap.end, detail, since=gap.start)


def missed_goodbye(seen: Seen) -> Iterator[Flag]:
    """After the caller's goodbye nothing more is asked; the agent's is said once."""
    for turn in seen.turns:
        wants = turn.has(*NEEDS, MoveName.ANSWER) and not words.only_goodbye(turn.text)
        if not words.says_goodbye(turn.text) or wants:
            continue
        if any(reply.ends_call and reply.at < turn.end for reply in seen.replies):
            continue  # it was over already
        later = [line for line in seen.lines if line.start > turn.start]
        asked = next((line for line in later if line.questions), None)
        if asked is not None and not _new_need(seen, turn.end, asked.start):
            detail = f"asked {asked.questions[0]!r} after the goodbye"
            yield _told(FlagKind.MISSED_GOODBYE, turn, detail)
            return
    said = [line for line in seen.lines if words.ends_with_goodbye(line.heard)]
    for first, second in pairwise(said):
        if not _new_need(seen, first.start, second.start):
            detail = f"said goodbye {len(said)} times"
            yield _said(FlagKind.MISSED_GOODBYE, second, second.heard, detail)
            return


def _new_need(seen: Seen, begin: float, end: float) -> bool:
    return any(
        begin < turn.end < end
        and turn.has(*NEEDS, MoveName.ANSWER, MoveName.WANTS_HUMAN)
        and not words.only_goodbye(turn.text)
        for turn in seen.turns
    )


def asked_twice(seen: Seen) -> Iterator[Flag]:
    """A question that got its answer is not asked again, word for word."""
    answered: dict[str, Turn] = {}
    for line in seen.lines:
        for piece in line.pieces:
            question = piece.text if piece.text.endswith("?") and piece.whole else ""
            if not question or (piece.sentence and piece.sentence.ref in WRAPPING_UP):
                continue
            if (turn := answered.get(question)) and not _reopened(seen, turn, line.start):
                detail = f"answered with {turn.text or turn.keys!r}"
                yield _said(FlagKind.ASKED_TWICE, line, question, detail)
            reply = next((one for one in seen.turns if one.end > line.end - 0.5), None)
            if reply is not None and _answers(reply, line):
                answered[question] = reply


def _answers(turn: Turn, line: Line) -> bool:
    if turn.has(MoveName.REPEAT, MoveName.WAIT, MoveName.UNKNOWN, MoveName.WANTS_HUMAN):
        return False
    if turn.has(MoveName.YES, MoveName.GIVES) or any(turn.slots.values()):
        return True
    answer = rules.answer_to(plain(turn.text), turn.expect) if turn.text else None
    sure = answer is not None and answer.moves[0].name in (MoveName.YES, MoveName.GIVES)
    return sure and bool(line.questions)


def _reopened(seen: Seen, turn: Turn, until: float) -> bool:
    """Return whether something since ``turn`` gives the question a right to be asked again."""
    for later in seen.turns:
        if turn.start < later.start < until and (
            later.has(*NEEDS, MoveName.NO, MoveName.REPEAT) or words.corrects(later.text)
        ):
            return True
    return any(
        turn.end <= at <= until and what is Kept.REFUSED
        for promise in seen.promises
        for at, what in promise.updates
    )


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
        yield _told(FlagKind.SPAM_SERVED, pitch, detail)


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
            yield _told(FlagKind.GAVE_UP, need, "left before it was done")
        return
    last = next((turn for turn in reversed(seen.turns) if turn.text), None)
    if (
        hung_up
        and last is not None
        and owes_reply(seen, last)
        and not any(sound.start > last.end for sound in seen.agent)
        and not words.says_goodbye(last.text)
    ):
        yield _told(FlagKind.GAVE_UP, last, "hung up while waiting for an answer")


def dropped(seen: Seen) -> Iterator[Flag]:
    """We ended the call with no goodbye that was heard, or a fault did."""
    ended = seen.ended
    if ended is None:
        closed = seen.bundle.card.get("closed")
        detail = "its end is missing from the events" if closed else "the agent was killed"
        yield _silent(FlagKind.DROPPED, seen, seen.until, detail)
    elif ended.by == "fault":
        yield _silent(FlagKind.DROPPED, seen, seen.until, ended.reason)
    elif ended.by == "agent":
        last = seen.lines[-1] if seen.lines else None
        if last is None or seen.closing is None or not last.complete:
            detail = "hung up before the goodbye was heard out"
            yield _silent(FlagKind.DROPPED, seen, seen.until, detail)


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
        yield _silent(FlagKind.FAULT, seen, one.at, one.code)


CHECKS: Final[tuple[Callable[[Seen], Iterator[Flag]], ...]] = (
    invented_fact,
    wrong_fact,
    unavailable_action,
    instruction_broken,
    misheard,
    talked_over,
    dead_air,
    missed_goodbye,
    asked_twice,
    spam_served,
    gave_up,
    dropped,
    promise_failed,
    fault,
)


def check(seen: Seen) -> tuple[Flag, ...]:
    """Return everything that looks wrong, in order of time."""
    found = [flag for each in CHECKS for flag in each(seen)]
    return tuple(sorted(dict.fromkeys(found), key=lambda flag: (flag.at, flag.kind)))


def _silent(
    kind: FlagKind, seen: Seen, at: float, detail: str, *, since: float | None = None
) -> Flag:
    """Return a flag of something that has no words: it quotes those spoken last."""
    who, quote = seen.words_before(at)
    when = at if since is None else since
    side = "caller" if who == "caller" else "agent"
    return Flag(kind=kind, at=round(when, 3), quote=quote, who=side, detail=detail)


def _said(kind: FlagKind, line: Line, quote: str, detail: str, *, at: float | None = None) -> Flag:
    when = line.start if at is None else at
    return Flag(kind=kind, at=round(when, 3), quote=quote, detail=detail)


def _told(kind: FlagKind, turn: Turn, detail: str) -> Flag:
    quote = turn.text or turn.keys
    return Flag(kind=kind, at=round(turn.start, 3), quote=quote, who="caller", detail=detail)
