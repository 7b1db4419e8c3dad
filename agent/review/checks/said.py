"""What the agent said: backed by something, to the question, possible, within the rules."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Final

from agent.errors import UnbackedClaim
from agent.events import Expect, PromiseKind, Sentence, SentenceKind
from agent.events import Outcome as Kept
from agent.mind import claims
from agent.mind.embedder import plain
from agent.mind.moves import MoveName
from agent.mind.wording import OFFERS, Phrase
from agent.review import words
from agent.review.checks.flags import NEEDS, about_line
from agent.review.schema import Flag, FlagKind
from agent.review.seen import Line, Seen, Spoken

SAME_WORDING: Final = 0.6
"""Likeness (difflib ratio) from which a phrase is an older wording of the phrase of its name."""

_PHRASES: Final = {phrase.ref: phrase for phrase in Phrase}


def invented_fact(seen: Seen) -> Iterator[Flag]:
    """What was heard must be a fact, a phrase or a receipt."""
    for line in seen.lines:
        for piece in line.pieces:
            if piece.sentence is None:
                yield about_line(
                    FlagKind.INVENTED_FACT, line, piece.text, "nobody decided to say it"
                )
            elif seen.restaurant is not None and not _backed(seen, line, piece.sentence):
                yield about_line(
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
                    yield about_line(FlagKind.WRONG_FACT, line, piece.text, detail)


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
                yield about_line(FlagKind.UNAVAILABLE_ACTION, line, piece.text, what)


def _lacking(seen: Seen, piece: Spoken) -> str:
    phrase = _PHRASES.get(piece.sentence.ref) if piece.sentence else None
    needs = OFFERS.get(phrase) if phrase else None
    return f"{needs} is not available" if needs is not None and needs not in seen.can else ""


def instruction_broken(seen: Seen) -> Iterator[Flag]:
    """Rules of the house: nothing is booked, nothing charged, nothing called sent that was not."""
    for line in seen.lines:
        for piece in line.pieces:
            if rule := _broken(seen, line, piece.text):
                yield about_line(FlagKind.INSTRUCTION_BROKEN, line, piece.text, rule)
        if _after_the_end(seen, line):
            yield about_line(FlagKind.INSTRUCTION_BROKEN, line, line.heard, "spoke_after_the_end")


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
