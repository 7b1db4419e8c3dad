"""Where to breathe: a written line cut into units that are synthesised one by one.

Pure text to text. Short units are quick to synthesise, cheap to throw away when the caller
takes the turn, and tell what was heard; but every cut costs some melody, so cuts fall where
a speaker would breathe.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Final

from agent.mouth.lines import clean

FIRST_WORDS: Final = 8
"""A first sentence longer than this, in spoken words, is cut at its first good comma."""

FIRST_MOST_WORDS: Final = 12
"""Longest first unit in spoken words: about 4 s of speech, 40 ms to synthesise (measured)."""

MOST_WORDS: Final = 15
"""Longest later unit in spoken words; one unbroken 17 s sentence took 328 ms (measured)."""

_LONGEST_WORD: Final = 40
"""Letters in one word; longer ones are noise and are cut, so that no unit is huge."""

_LONG_WORD: Final = 12
"""Letters that one spoken word may have; more are likely to be spelled or read slowly."""

_ABBREVIATION: Final = re.compile(
    r"^\W*(mr|mrs|ms|dr|st|ave|rd|blvd|hwy|ste|apt|no|vs|etc|e\.g|i\.e|[a-z]"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|mon|tues?|wed|thurs?|fri|sat|sun)\.$",
    re.IGNORECASE,
)
_MERIDIEM: Final = re.compile(r"[ap]\.m\.$", re.IGNORECASE)
_SENTENCE_END: Final = re.compile(r"[.!?]+['\")]*$")
_PAUSE_END: Final = re.compile(r"([,;:]['\")]*|^-+|-{2,}|—)$")
_CONJUNCTION: Final = re.compile("and|or|but|because|so|which|who|that|while|if|when")
_PREPOSITION: Final = re.compile(
    "for|from|with|without|about|between|behind|in|on|at|by|to|of|than|into|before|after"
)
_NUMBER_WITH_SPACES: Final = re.compile(
    r"(?:\+?1 )?\(?\d{3}\)? \d{3}[ .-]\d{4}"
    r"|\d{1,2}(?::\d\d)? [ap]\.?m\b\.?"
    r"|\b(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? \d{1,2}\b"
    r"|\b\d{1,5} (?:[NSEW]\.? |North |South |East |West )?[A-Z0-9]"
)
_GLUE: Final = "\u00a0"


def clauses(text: str) -> list[str]:
    """Cut a written line into units to be synthesised one by one, the first one short.

    Cuts fall at the ends of sentences; inside a sentence that is too long at a comma, else
    before a conjunction or preposition; never inside a phone number, a time or a price.
    Units are cleaned (`clean`); joined by blanks they are the whole cleaned text.
    """
    glued = _NUMBER_WITH_SPACES.sub(lambda m: m[0].replace(" ", _GLUE), clean(text))
    words = [
        word[at : at + _LONGEST_WORD]
        for word in glued.split(" ")
        for at in range(0, len(word), _LONGEST_WORD)
    ]
    units: list[str] = []
    for sentence in _sentences(words):
        rest = sentence
        while rest:
            size = _unit_size(rest, first=not units)
            units.append(" ".join(rest[:size]).replace(_GLUE, " "))
            rest = rest[size:]
    return _join_silent(units)


def _sentences(words: Sequence[str]) -> list[list[str]]:
    sentences: list[list[str]] = []
    current: list[str] = []
    for word, following in zip(words, [*words[1:], ""], strict=False):
        current.append(word)
        if not _SENTENCE_END.search(word):
            continue
        if _MERIDIEM.search(word) and not following[:1].isupper():
            continue
        if _ABBREVIATION.match(word) and following:
            continue
        sentences.append(current)
        current = []
    return [*sentences, current] if current else sentences


def _spoken_words(word: str) -> int:
    """Return about how many words ``word`` is when said: every digit counts, and length."""
    digits = sum(character.isdigit() for character in word)
    return max(1, digits + word.count(_GLUE)) + max(0, len(word) - digits - _LONG_WORD) // 2


def _unit_size(words: Sequence[str], *, first: bool) -> int:
    """Return how many of ``words`` (one sentence's rest) go into the next unit, at least one."""
    ends = list(itertools.accumulate(map(_spoken_words, words)))

    def last_cut(most: int, good: Callable[[int], bool]) -> int | None:
        return next(
            (n for n in range(len(words) - 1, 1, -1) if ends[n - 1] <= most and good(n)), None
        )

    def at_pause(size: int) -> bool:
        return bool(_PAUSE_END.search(words[size - 1]))

    if first and ends[-1] > FIRST_WORDS and (size := last_cut(FIRST_MOST_WORDS, at_pause)):
        return size
    most = FIRST_MOST_WORDS if first else MOST_WORDS
    if ends[-1] <= most:
        return len(words)
    return (
        last_cut(most, at_pause)
        or last_cut(most, lambda size: _CONJUNCTION.fullmatch(words[size].lower()) is not None)
        or last_cut(most, lambda size: _PREPOSITION.fullmatch(words[size].lower()) is not None)
        or last_cut(most, lambda size: True)
        or 1
    )


def _join_silent(units: Sequence[str]) -> list[str]:
    """Hang units without a letter or digit ("-", "...") onto their neighbour, or drop them."""
    joined: list[str] = []
    waiting = ""
    for unit in units:
        if not any(character.isalnum() for character in unit):
            if joined:
                joined[-1] += f" {unit}"
            else:
                waiting = f"{waiting}{unit} "
        else:
            joined.append(waiting + unit)
            waiting = ""
    return joined


SENTENCE_PAUSE: Final = 0.28
"""Seconds of silence between two sentences; the voice's teacher pauses 0.2 to 0.3 s."""
CLAUSE_PAUSE: Final = 0.14
"""Seconds of silence after a comma."""
JOIN_PAUSE: Final = 0.02
"""Seconds of silence where a unit was cut without punctuation."""


def pause_after(unit: str) -> float:
    """Return the seconds of silence between this unit and the next one of the same line."""
    word = unit.split()[-1] if unit.split() else ""
    if _SENTENCE_END.search(word):
        return SENTENCE_PAUSE
    return CLAUSE_PAUSE if _PAUSE_END.search(word) else JOIN_PAUSE
