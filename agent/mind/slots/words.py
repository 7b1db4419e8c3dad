"""Words as tokens, and the number words every reader shares."""

from __future__ import annotations

import re
from typing import Final

UNITS: Final = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9,
}  # fmt: skip
ZEROS: Final = frozenset({"zero", "oh", "o", "nought", "naught"})
TEENS: Final = {
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS: Final = {
    "twenty": 20, "thirty": 30, "forty": 40, "fourty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip

CORRECTIONS: Final = (
    ("no", "wait"),
    ("wait", "no"),
    ("scratch", "that"),
    ("i", "mean"),
    ("i", "meant"),
    ("make", "that"),
    ("make", "it"),
    ("let", "me", "correct", "that"),
    ("no",),
    ("nope",),
    ("wait",),
    ("sorry",),
    ("actually",),
    ("correction",),
    ("rather",),
)
"""Words with which a speaker takes back what they just said; longer ones first."""


def tokens(text: str) -> list[str]:
    """Return the lower-case words and numbers of ``text``; ``7:30`` stays one token."""
    return re.findall(r"\d+:\d\d|\d+|[a-z]+(?:'[a-z]+)?", text.lower().replace("’", "'"))


def correction_at(words: list[str], index: int) -> int:
    """Return how many words from ``index`` on are a correction marker; 0 if none."""
    for marker in CORRECTIONS:
        if tuple(words[index : index + len(marker)]) == marker:
            return len(marker)
    return 0


def after_correction(words: list[str]) -> list[list[str]]:
    """Return ``words`` cut at correction markers, last part first; empty parts left out."""
    parts: list[list[str]] = [[]]
    index = 0
    while index < len(words):
        if length := correction_at(words, index):
            parts.append([])
            index += length
        else:
            parts[-1].append(words[index])
            index += 1
    return [part for part in reversed(parts) if part]


def number_at(words: list[str], index: int) -> tuple[int, int] | None:
    """Return (value, words used) of the cardinal number that starts at ``index``.

    None if there is none there. "twenty five" is 25, "a hundred and ten" is 110,
    "two fifty" is only the 2: that reading belongs to times and prices.
    """
    if index >= len(words):
        return None
    word = words[index]
    if word.isdigit():
        return (int(word), 1) if len(word) <= 4 else None
    if word in ZEROS and word != "o":
        return 0, 1
    small = _under_hundred(words, index)
    if small is None and word == "a" and words[index + 1 : index + 2] == ["hundred"]:
        small = (1, 1)
    if small is None:
        return None
    value, used = small
    if words[index + used : index + used + 1] == ["thousand"]:
        return value * 1000, used + 1
    if words[index + used : index + used + 1] == ["hundred"]:
        value, used = value * 100, used + 1
        after = index + used
        if words[after : after + 1] == ["and"]:
            after += 1
        rest = _under_hundred(words, after)
        if rest is not None:
            value, used = value + rest[0], after + rest[1] - index
    return value, used


def _under_hundred(words: list[str], index: int) -> tuple[int, int] | None:
    if index >= len(words):
        return None
    word = words[index]
    if word in UNITS:
        return UNITS[word], 1
    if word in TEENS:
        return TEENS[word], 1
    if word in TENS:
        unit = UNITS.get(words[index + 1]) if index + 1 < len(words) else None
        return (TENS[word] + unit, 2) if unit else (TENS[word], 1)
    return None
