"""Which words the recogniser listens for, given what was asked, and spoken digits as digits.

A runtime grammar forces every sound into its own words: of sentences said instead of a
number, a digits-only grammar made digits of nearly all; of those said instead of a yes or no, a
grammar of answers made a wrong yes or no of 111 in 133 (docs/ear.md). So a free recogniser
always listens. Only while a phone number is asked for does a second one, bound to digits, listen
beside it, and its words count only where they complete a number that the free one began.
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


def _number_phrases() -> tuple[str, ...]:
    """Return phrases from which Vosk counts a digit bigram in which any digit follows any.

    Vosk builds the grammar's bigram from its phrases. Single words would teach it that
    speech ends after each of them (first graph, bound hearing alone: 35 of 70 numbers right
    against 45 with walks and leads). There are 11 digit words, a prime, so
    walking round them in every step size passes every pair once.
    """
    words = tuple(DIGITS)
    count = len(words)
    walks = [
        " ".join(words[index * step % count] for index in range(count + 1))
        for step in range(1, count)
    ]
    doubles = " ".join(f"{word} {word}" for word in words)
    leads = [f"{lead} {word}" for lead in NUMBER_LEADS for word in words]
    repeats = [f"{repeat} {word}" for repeat in REPEATS for word in words]
    return (*walks, doubles, *leads, *repeats)


NUMBER_GRAMMAR: Final = _number_phrases()


def grammar_for(expect: Expect) -> tuple[str, ...] | None:
    """Return the phrases to listen for beside the free recogniser, or None."""
    return NUMBER_GRAMMAR if expect is Expect.PHONE_NUMBER else None


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


def prefers_bound(free: list[str], bound: list[str]) -> bool:
    """Return whether the digit recogniser's words are the better hearing.

    They are if a number was begun and only they make it whole. Otherwise the free words
    stand: each alone, free hearing had 49 of 70 numbers right, bound 45 (first graph).
    """
    digit_words = sum(word in DIGITS or word in REPEATS for word in free)
    begun = digit_words >= NUMBER_BEGUN and 2 * digit_words >= len(free)
    return (
        begun and not is_whole_number(spoken_digits(free)) and is_whole_number(spoken_digits(bound))
    )
