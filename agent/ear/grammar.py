"""Which words the recogniser may hear, given what was asked.

A runtime grammar makes digits far surer, but it forces every sound into its own words.
Measured (docs/ear.md): a phone number gains, a yes-or-no question loses, so only
``Expect.PHONE_NUMBER`` has a grammar, and a free recogniser runs beside it to tell whether
a number is being given at all.
"""

from __future__ import annotations

from typing import Final

from agent.events import Expect

DIGIT_VALUES: Final = {
    "zero": "0",
    "oh": "0",
    "o": "0",
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
    "its",
    "it",
    "is",
    "my",
    "number",
    "cell",
    "yes",
    "yeah",
    "area code",
)
"""What callers say around a number; outside it nothing but digits is let in."""

NUMBER_GRAMMAR: Final = (
    *(word for word in DIGIT_VALUES if word != "o"),
    *REPEATS,
    *NUMBER_LEADS,
)

GIVEN_DIGITS: Final = 3
"""So many digits in the free hearing, making up at least ``GIVEN_SHARE`` of its words, mean
that a number is being given and the grammar's hearing of it is the better one."""

GIVEN_SHARE: Final = 0.5


def grammar_for(expect: Expect) -> tuple[str, ...] | None:
    """Return the words to listen for beside the free recogniser, or None."""
    return NUMBER_GRAMMAR if expect is Expect.PHONE_NUMBER else None


def gives_number(words: list[str]) -> bool:
    """Return whether freely heard ``words`` are mainly the digits of a number."""
    digits = sum(word in DIGIT_VALUES or word in REPEATS for word in words)
    return digits >= GIVEN_DIGITS and digits >= GIVEN_SHARE * len(words)
