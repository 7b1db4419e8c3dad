"""Words of the calendar: months, days with a name, how long from now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from agent.mind.slots.words import number_at

MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_SHORT: Final[Mapping[str, str]] = {
    "jan": "january", "feb": "february", "aug": "august", "sept": "september",
    "oct": "october", "nov": "november", "dec": "december", "tues": "tuesday",
    "thurs": "thursday", "fri": "friday",
}  # fmt: skip
"""As people type them; "mar", "sat" and "sun" are words of their own."""

_FEASTS: Final[Mapping[str, tuple[int, int]]] = {
    "christmas eve": (12, 24), "christmas": (12, 25), "new year's eve": (12, 31),
    "new years eve": (12, 31), "new year's": (1, 1), "new years": (1, 1),
    "valentine's": (2, 14), "valentines": (2, 14), "halloween": (10, 31),
    "saint patrick's": (3, 17), "st patrick's": (3, 17),
}  # fmt: skip
"""Days that have a name and a date, longer names first."""

_MOVING_FEASTS: Final[Mapping[str, tuple[int, int, int]]] = {
    "thanksgiving": (11, 3, 4), "mother's day": (5, 6, 2), "mothers day": (5, 6, 2),
    "father's day": (6, 6, 3), "fathers day": (6, 6, 3), "labor day": (9, 0, 1),
}  # fmt: skip
"""Of the United States: month, weekday (Monday is 0) and which of that month."""


def whole_words(word: str) -> str:
    """Return the month or day that ``word`` is short for, or ``word`` itself."""
    return _SHORT.get(word, word)


def feast_in(spoken: str, today: date) -> date | None:
    """Return the coming date of the feast named in ``spoken``; None if there is none."""
    for feast, (month, number) in _FEASTS.items():
        if re.search(rf"\b{feast}\b", spoken):
            coming = date(today.year, month, number)
            return coming if coming >= today else date(today.year + 1, month, number)
    for feast, rule in _MOVING_FEASTS.items():
        if re.search(rf"\b{feast}\b", spoken):
            coming = _moving(today.year, *rule)
            return coming if coming >= today else _moving(today.year + 1, *rule)
    return None


def _moving(year: int, month: int, weekday: int, which: int) -> date:
    first = date(year, month, 1)
    ahead = (weekday - first.weekday()) % 7
    return first + timedelta(days=ahead + 7 * (which - 1))


def read_delay(words: list[str]) -> timedelta | None:
    """Read "in an hour", "in about half an hour", "in twenty minutes", "two hours from now"."""
    for index, word in enumerate(words):
        if word not in ("minutes", "minute", "hours", "hour"):
            continue
        start, amount = _amount_before(words, index)
        if amount is None:
            continue
        if words[index + 1 : index + 4] == ["and", "a", "half"]:
            amount += 0.5
        before = words[max(0, start - 2) : start]
        if "in" in before[-1:] or before in (["in", "about"], ["in", "like"], ["in", "maybe"]):
            found = True
        else:
            found = words[index + 1 : index + 3] == ["from", "now"]
        if found:
            unit = "minutes" if word.startswith("minute") else "hours"
            return timedelta(**{unit: amount})
    return None


def _amount_before(words: list[str], index: int) -> tuple[int, float | None]:
    """Return where the amount before the unit at ``index`` begins, and the amount."""
    if words[max(0, index - 2) : index] == ["half", "an"]:
        return index - 2, 0.5
    if words[max(0, index - 1) : index] in (["an"], ["a"]):
        return index - 1, 1.0
    for start in (index - 2, index - 1):
        number = number_at(words, start) if start >= 0 else None
        if number is not None and start + number[1] == index:
            return start, float(number[0])
    return index, None
