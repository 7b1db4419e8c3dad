"""Which words the recogniser listens for, given what was asked, and spoken digits as digits.

A runtime grammar forces every sound into its own words: of sentences said instead of a
number, a digits-only grammar made digits of nearly all; of those said instead of a yes or no, a
grammar of answers made a wrong yes or no of 111 in 133 (docs/ear.md). So a free recogniser
always listens. Where a number, a day, a time, a name or a yes is asked for, a second one, bound to
such words, listens beside it, and its words count only where they sound like what the free one
heard: then that really was said.
"""

from __future__ import annotations

from typing import Final

from agent.events import Expect

DIGITS: Final = {
    "zero": "0",
    "oh": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
}
"""Words that speak one dialled digit."""

REPEATS: Final = {"double": 2, "triple": 3}
"""Words that repeat the digit after them."""

NUMBER_LEADS: Final = (
    "it's",
    "it is",
    "my number is",
    "my phone number is",
    "the number is",
    "yeah it's",
    "yes it's",
    "okay it's",
    "sure it's",
    "um it's",
    "uh",
)
"""What callers say before a number."""

NATIONAL_DIGITS: Final = 10
"""Digits of a North American number with its area code; one more with the leading 1."""

NUMBER_BEGUN: Final = 3
"""So many digit words, at least half of all words, mean that a number is being given."""


UNKNOWN: Final = "[unk]"
"""What models write for a sound that is no word."""

ALIKE: Final = 0.65
"""So alike must both hearings sound for the bound one to count (measured: docs/ear.md)."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ONES: Final = tuple(DIGITS)[2:]
_TEENS: Final = _words(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS: Final = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_DAYS: Final = _words("monday tuesday wednesday thursday friday saturday sunday")
_MONTHS: Final = _words(
    "january february march april may june july august september october november december"
)
_FIRST_TO_NINTH: Final = _words("first second third fourth fifth sixth seventh eighth ninth")
_ORDINALS: Final = (
    *_FIRST_TO_NINTH,
    *_words("tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth"),
    *_words("eighteenth nineteenth twentieth thirtieth"),
    *(f"twenty {one}" for one in _FIRST_TO_NINTH),
    "thirty first",
)
_LETTERS: Final = tuple("abcdefghijklmnopqrstuvwxyz")


def _walks(words: tuple[str, ...]) -> list[str]:
    """Return phrases in which any word follows any: Vosk counts its bigram from phrases.

    Single words would teach it that speech ends after each of them (first graph, bound hearing
    alone: 35 of 70 numbers right against 45 with walks and leads). Where the number of words
    is a prime, walking round them in every step size passes every pair once.
    """
    count = len(words)
    walks = [
        " ".join(words[index * step % count] for index in range(count + 1))
        for step in range(1, count)
    ]
    return [*walks, " ".join(f"{word} {word}" for word in words)]


def _number_phrases() -> tuple[str, ...]:
    digits = tuple(DIGITS)
    leads = [f"{lead} {word}" for lead in NUMBER_LEADS for word in digits]
    repeats = [f"{repeat} {word}" for repeat in REPEATS for word in digits]
    return (*_walks(digits), *leads, *repeats)


def _when_phrases() -> tuple[str, ...]:
    """Return phrases for days, dates, times and how many people: what details are made of."""
    minutes = ("fifteen", "thirty", "forty five", "oh five", "ten", "twenty", "fifty")
    parts = ("p m", "a m", "o'clock", "tonight", "in the evening", "in the afternoon")
    hours = (*_ONES, *_TEENS[:3])
    spoken = [
        *(f"{hour} {minute}" for hour in hours for minute in minutes),
        *(f"{hour} {part}" for hour in hours for part in parts),
        *(f"{minute} {part}" for minute in minutes for part in parts[:2]),
        *(f"at {hour}" for hour in hours),
        *(f"half past {hour}" for hour in hours),
        *(f"quarter {way} {hour}" for way in ("to", "past") for hour in hours),
    ]
    dates = [
        *(f"{month} {ordinal}" for month in _MONTHS for ordinal in _ORDINALS),
        *(f"{day} {month} {_ORDINALS[0]}" for day in _DAYS for month in _MONTHS),
        *(f"{day} the {ordinal}" for day in _DAYS[:2] for ordinal in _ORDINALS),
        *(f"{day} {ordinal}" for day in _DAYS[:2] for ordinal in _ORDINALS),
        *(f"{lead} {day}" for lead in ("this", "next", "on") for day in _DAYS),
        *(f"{day} {part}" for day in _DAYS for part in ("night", "evening", "at seven")),
        *_DAYS,
        *("today", "tomorrow", "tonight", "tomorrow night", "noon", "this weekend"),
    ]
    sizes = [
        f"{many} {what}" for many in (*hours, *_TEENS[3:], *_TENS) for what in ("people", "of us")
    ]
    return (*spoken, *dates, *sizes)


NUMBER_GRAMMAR: Final = _number_phrases()
WHEN_GRAMMAR: Final = _when_phrases()
NAME_GRAMMAR: Final = tuple(_walks((*_LETTERS, "double", "dash", "capital")))
"""Letters: a name that is spelled. There are 29 words, a prime."""

ANSWER_GRAMMAR: Final = (
    *_words("yes yeah yep sure okay right correct no nope bye goodbye"),
    *("no thanks", "no thank you", "yes please", "yeah sure", "that's right", "that's fine"),
    *("yes that's right", "yes it is", "no it's not", "no that's all", "that's all"),
)

GRAMMARS: Final = {
    Expect.PHONE_NUMBER: NUMBER_GRAMMAR,
    Expect.DETAILS: WHEN_GRAMMAR,
    Expect.NAME: NAME_GRAMMAR,
    Expect.YES_NO: ANSWER_GRAMMAR,
    Expect.MORE: ANSWER_GRAMMAR,
}


def grammar_for(expect: Expect) -> tuple[str, ...] | None:
    """Return the phrases to listen for beside the free recogniser, or None."""
    return GRAMMARS.get(expect)


def spoken_digits(words: list[str]) -> str:
    """Return the dialled digits in ``words``: ``double five oh`` is ``550``."""
    digits = ""
    repeat = 1
    for word in words:
        digits += DIGITS.get(word, "") * repeat
        repeat = REPEATS.get(word, 1)
    return digits


def is_whole_number(digits: str) -> bool:
    """Return whether ``digits`` are a North American number with its area code.

    No area code begins with 1 (NANP), so a leading 1 is the trunk prefix.
    """
    return len(digits) == NATIONAL_DIGITS + digits.startswith("1")


def prefers_bound(free: list[str], bound: list[str], alike: float) -> bool:
    """Return whether the bound recogniser's words are the better hearing.

    Args:
        free: What the free one heard.
        bound: What the bound one heard.
        alike: How alike both sound, 0–1 (``Likeness``).
    """
    if not bound or UNKNOWN in bound or is_whole_number(spoken_digits(free)):
        return False
    digit_words = sum(word in DIGITS or word in REPEATS for word in free)
    begun = digit_words >= NUMBER_BEGUN and 2 * digit_words >= len(free)
    return alike >= ALIKE or (begun and is_whole_number(spoken_digits(bound)))
