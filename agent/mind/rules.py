"""Plain rules: closed-class answers to what was just asked, and keywords for bad days.

`answer_to` comes before everything else, because "four" or "no that's wrong" mean something
only in the light of the question. `by_keywords` is the whole understanding when the
embedder is missing or late: it knows little, and says so (`unclear`) about the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from agent.events import Expect, Move
from agent.mind.moves import MoveName, SlotName, Understanding
from agent.restaurant import Restaurant


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FILLERS: Final = _words(
    "um uh er erm hmm mm well so like okay ok oh ah please hi hello hey and the a just"
)

YES_WORDS: Final = _words(
    "yes yeah yep yup yea ya sure correct right exactly absolutely definitely affirmative okay ok "
    "fine good great perfect certainly indeed"
)
NO_WORDS: Final = _words("no nope nah not don't isn't wasn't wrong incorrect negative")

YES_PHRASES: Final = (
    "uh huh", "mm hm", "mhm", "that's it", "that is it", "sounds good", "go ahead", "please do",
    "that works", "that one", "this one", "that's the one", "you got it", "it is", "works for me",
    "same number", "this number", "the number i'm calling from", "that's my number", "do it",
)  # fmt: skip

NO_PHRASES: Final = ("not that", "different number", "another number", "other number", "i'm good")

DIGIT_WORDS: Final = _words("zero oh one two three four five six seven eight nine double triple")
TENS: Final = _words(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty "
    "forty fifty sixty seventy eighty ninety hundred thousand"
)

LEAD_IN: Final = re.compile(
    r"^(?:(?:um|uh|yeah|yes|sure|okay|ok|oh|hi|well|so|please)\s+)*"
    r"(?:(?:it's|it is|this is|my name is|my name's|the name is|name is|name's|i'm|i am|it's under|"
    r"under|for|put it under|put|call me|you can call me|just)\s+)*"
)

KEYWORDS: Final[tuple[tuple[MoveName, str], ...]] = (
    (MoveName.EMERGENCY, r"ambulance|nine one one|911|choking|heart attack|fire department"),
    (MoveName.WANTS_HUMAN, r"human|real person|a person|somebody|someone|manager|owner|operator|"
                           r"representative|transfer|staff"),
    (MoveName.ARE_YOU_HUMAN, r"robot|machine|recording|computer"),
    (MoveName.RESERVATION, r"reserv\w*|book(?:ing)?|table for|party of"),
    (MoveName.CATERING, r"cater\w*|platters?|party trays?"),
    (MoveName.COMPLAINT, r"complain\w*|refund|wrong order|cold food|rude|overcharged|missing"),
    (MoveName.SPAM, r"google|listing|merchant|warranty|funding|seo|energy supplier"),
    (MoveName.WRONG_NUMBER, r"wrong number|pharmacy|dentist"),
    (MoveName.MESSAGE, r"message|call me back|hiring|job"),
    (MoveName.PAY, r"credit card|pay over"),
    (MoveName.ORDER, r"order\w*|takeout|take out|to go|carry ?out|pick ?up|link"),
    (MoveName.GOODBYE, r"bye|goodbye|that's all|that's it|never ?mind"),
    (MoveName.REPEAT, r"repeat|say that again|pardon|what did you say|didn't (?:hear|catch)"),
    (MoveName.WAIT, r"hold on|hang on|one (?:second|moment|sec)|wait"),
    (MoveName.THANKS, r"thanks?|thank you"),
)  # fmt: skip
"""Tried in this order; the first that matches is the move."""

COMMON: Final = _words(
    "a an and any anything are at be can come could did do does for from get give go guys have "
    "how i i'd i'm if in is it know like me much my need of on or our please serve some sell "
    "take tell that the there this to us want was we what what's when where which who will with "
    "would you your you're"
)
"""Words too common to tell one fact from another."""


def answer_to(text: str, expect: Expect) -> Understanding | None:
    """Return what ``text`` means as an answer to what was asked, or None if it isn't one.

    Args:
        text: Words as `agent.mind.embedder.plain` makes them.
        expect: What the agent's last line asked for.
    """
    if not [word for word in text.split() if word not in {"um", "uh", "er", "hmm", "erm"}]:
        return _moves(MoveName.UNCLEAR)
    if expect is Expect.PHONE_NUMBER and (number := phone_span(text)):
        return _moves(MoveName.GIVES, **{SlotName.PHONE: number})
    if expect in (Expect.YES_NO, Expect.MORE, Expect.OPEN, Expect.PHONE_NUMBER):
        answer = yes_or_no(text)
        if answer is not None:
            number = phone_span(text) if expect is Expect.YES_NO else ""
            slots = {str(SlotName.PHONE): number} if number else {}
            return Understanding((Move(answer),), slots)
        if expect is Expect.YES_NO and (number := phone_span(text)):
            return _moves(MoveName.GIVES, **{SlotName.PHONE: number})
    if expect is Expect.NAME and (name := name_span(text)):
        return _moves(MoveName.GIVES, **{SlotName.NAME: name})
    return None


def yes_or_no(text: str) -> MoveName | None:
    """Return YES or NO when ``text`` is nothing but that, else None."""
    rest = text
    said_yes = said_no = False
    for phrase in NO_PHRASES:
        if re.search(rf"\b{phrase}\b", rest):
            said_no, rest = True, re.sub(rf"\b{phrase}\b", " ", rest)
    for phrase in YES_PHRASES:
        if re.search(rf"\b{phrase}\b", rest):
            said_yes, rest = True, re.sub(rf"\b{phrase}\b", " ", rest)
    glue = FILLERS | {
        "thanks",
        "thank",
        "you",
        "that",
        "that's",
        "it's",
        "it",
        "is",
        "number",
        "sir",
    }
    left = [word for word in rest.split() if word not in glue or word in YES_WORDS]
    said_no = said_no or any(word in NO_WORDS for word in left)
    said_yes = said_yes or any(word in YES_WORDS for word in left)
    if any(word not in YES_WORDS | NO_WORDS for word in left):
        return None
    if said_no:
        return MoveName.NO
    return MoveName.YES if said_yes else None


def lead_answer(text: str) -> tuple[MoveName | None, str]:
    """Return the yes or no that a longer turn begins with, and the rest of it."""
    words = text.split()
    while words and words[0] in FILLERS - YES_WORDS:
        words = words[1:]
    if len(words) > 3 and words[0] in {"yes", "yeah", "yep", "yup", "sure", "correct"}:
        return MoveName.YES, " ".join(words[1:])
    if len(words) > 3 and words[0] in {"no", "nope", "nah"}:
        return MoveName.NO, " ".join(words[1:])
    return None, text


def phone_span(text: str) -> str:
    """Return the longest run of digits and digit words that makes seven digits or more."""
    best: list[str] = []
    run: list[str] = []
    for word in [*text.split(), "."]:
        if word in DIGIT_WORDS or word in TENS or word.isdigit() or (run and word in ("um", "uh")):
            run.append(word)
            continue
        if _digit_count(run) >= 7 and len(run) > len(best):
            best = run
        run = []
    return " ".join(best)


def name_span(text: str) -> str:
    """Return the name in a short answer to "what name", or "" if it doesn't look like one."""
    name = LEAD_IN.sub("", text)
    name = re.sub(r"\s+(?:please|thanks|thank you)$", "", name)
    words = name.split()
    if not words or len(words) > 4 or set(words) & (YES_WORDS | NO_WORDS | COMMON):
        return ""
    return name


def by_keywords(text: str, expect: Expect, restaurant: Restaurant) -> Understanding:
    """Return an understanding from keywords alone; never raises, never guesses a fact twice."""
    answered = answer_to(text, expect)
    if answered is not None:
        return answered
    if expect is Expect.DETAILS:
        return _moves(MoveName.GIVES, **{SlotName.DETAILS: text})
    words = set(text.split()) - COMMON
    hits = [
        fact.id
        for fact in restaurant.facts
        if any(words & _content(asked) for asked in (*fact.asked, fact.id.replace("_", " ")))
    ]
    for move, pattern in KEYWORDS:
        if re.search(rf"\b(?:{pattern})\b", text):
            return _moves(move)
    if len(hits) == 1:
        return Understanding((Move(MoveName.ANSWER, hits[0], 0.5),))
    return _moves(MoveName.UNCLEAR)


def _content(sentence: str) -> set[str]:
    return set(re.findall(r"[a-z0-9']+", sentence.lower())) - COMMON


def _digit_count(words: Iterable[str]) -> int:
    count = 0
    for word in words:
        if word.isdigit():
            count += len(word)
        elif word == "double":
            count += 1
        elif word in DIGIT_WORDS or word in TENS:
            count += 1 if word in DIGIT_WORDS else 2
    return count


def _moves(*names: MoveName, **slots: str) -> Understanding:
    return Understanding(tuple(Move(name) for name in names), slots)
