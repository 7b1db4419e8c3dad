"""Party sizes and amounts of money out of spoken words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from agent.mind.slots.words import after_correction, correction_at, number_at, tokens

LARGEST: Final = 999
"""More people than this is a misheard number."""

_ADULTS_AND_CHILDREN: Final = frozenset(
    {"adults", "adult", "kids", "kid", "children", "child", "babies", "baby", "toddlers",
     "toddler", "infant", "infants", "grownups", "teenagers", "grandkids", "seniors"}
)  # fmt: skip
_PEOPLE: Final = frozenset(
    {"people", "persons", "person", "guests", "guest", "heads", "seats", "diners", "party", "pax"}
)
_ROOM_FOR: Final = frozenset(
    {"table", "reservation", "booking", "room", "seats", "space", "spot", "spots", "booth", "down",
     "dinner", "lunch", "brunch", "catering", "food", "reserved", "booked", "reserve", "book"}
)  # fmt: skip
"""Before "for four" they make it people."""
_WILL_BE: Final = frozenset(
    {"we'd", "we'll", "it'll", "there'll", "there'd", "will", "would", "should", "might", "now"}
)
_CLOCK_WORDS: Final = frozenset({"noon", "midnight", "o'clock", "pm", "am"})
LATEST_HOUR: Final = 12
"""A larger number after "for" is no time."""
_GROUPS: Final = {"twosome": 2, "threesome": 3, "trio": 3, "foursome": 4}
_JUST_ONE: Final = frozenset({"myself", "alone", "single"})
_RELATIVES: Final = frozenset(
    {"friends", "others", "other", "more", "sisters", "brothers", "sons", "daughters", "cousins",
     "coworkers", "colleagues", "buddies", "girls", "boys", "roommates"}
)  # fmt: skip
_OR: Final = frozenset({"or", "to", "maybe"})
_TIME_BEFORE: Final = frozenset({"at", "past", "around", "by", "until", "quarter", "half"})
_TIME_AFTER: Final = frozenset(
    {"o'clock", "pm", "am", "p", "a", "thirty", "fifteen", "past", "til", "minutes", "minute",
     "hours", "hour", "weeks", "week", "days", "dollars", "st", "nd", "rd", "th"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Count:
    """How many people: exactly ``low`` or from ``low`` to ``high``."""

    low: int
    high: int

    def __str__(self) -> str:
        """Return it as it is said back: ``4``, ``4 to 6``."""
        return str(self.low) if self.low == self.high else f"{self.low} to {self.high}"


def read_count(text: str, *, sole: bool = False) -> Count | None:
    """Return how many people ``text`` speaks of; None if it doesn't say.

    With ``sole`` the words answer "for how many people?", so that a bare number is one;
    otherwise a number counts only beside a word for people. "Four, no, five" is five.
    """
    words = " ".join(tokens(text)).replace("instead of", "not").split()
    if "not" in words:  # "five not four"; "not four, five"
        at = words.index("not")
        found = _count(words[:at], sole=True) if at else None
        if found is not None:
            return found
        old = number_at(words, at + 1)
        words = words[at + 1 + (old[1] if old else 0) :]
    for part in after_correction(words):
        found = _count(part, sole=sole)
        if found is None and any(correction_at(words, i) for i in range(len(words))):
            found = _count(part, sole=sole or _count(words, sole=False) is not None)
        if found is not None:
            return found
    return None


def _count(words: list[str], *, sole: bool) -> Count | None:
    spoken = " ".join(words)
    if "half a dozen" in spoken:
        return Count(6, 6)
    if "dozen" in words:
        before = number_at(words, max(0, words.index("dozen") - 1))
        dozens = before[0] if before and words.index("dozen") else 1
        return Count(12 * dozens, 12 * dozens) if dozens * 12 <= LARGEST else None
    for index in range(1, len(words)):  # "me and the kids, so four"
        told = number_at(words, index) if words[index - 1] in ("so", "total") else None
        if told and words[index + told[1] :][:2] in ([], ["of", "us"], ["people"], ["total"]):
            return _checked(told[0], told[0])
    companions = _companions(words)
    if companions is not None:
        return companions
    if "both of us" in spoken:
        return Count(2, 2)
    if "couples" in words and (pairs := number_at(words, max(0, words.index("couples") - 1))):
        return _checked(2 * pairs[0], 2 * pairs[0])
    if _JUST_ONE & set(words) or "just me" in spoken or "only me" in spoken:
        return Count(1, 1)
    if "couple" in words and (sole or "of us" in spoken or "couple of people" in spoken):
        return Count(2, 2)
    for word, size in _GROUPS.items():
        if word in words:
            return Count(size, size)
    numbers = _numbers(words)
    mixed = [
        value
        for value, at, used in numbers
        if _word(words, at + used) in _ADULTS_AND_CHILDREN
        or words[at + used : at + used + 2] in (["of", "us"], ["little", "ones"])
    ]
    mixed += [2] * bool(re.search(r"\bcouple (?:of )?adults\b", spoken))
    mixed += [1 for one, two in pairwise(words) if one == "a" and two in _ADULTS_AND_CHILDREN]
    if len(mixed) > 1:
        return _checked(sum(mixed), sum(mixed))
    found: Count | None = None
    for place, (value, at, used) in enumerate(numbers):
        after = at + used
        high = value
        ranged = _word(words, at - 1) == "between" and _word(words, after) == "and"
        if _word(words, after) == "more" and len(numbers) > 1:
            continue  # "one more, so six"
        if (
            (ranged or _word(words, after) in _OR)
            and place + 1 < len(numbers)
            and numbers[place + 1][1] - after <= 2
        ):
            high, after = numbers[place + 1][0], numbers[place + 1][1] + numbers[place + 1][2]
        beside = (
            _word(words, after) in _PEOPLE | _ADULTS_AND_CHILDREN
            or words[after : after + 2] == ["of", "us"]
            or words[max(0, at - 2) : at] in (["party", "of"], ["table", "for"], ["be", "about"])
            or words[max(0, at - 2) : at] in (["group", "of"], ["table", "of"], ["family", "of"])
        )
        beside = beside and words[after : after + 2] != ["party", "of"]
        timed = _word(words, at - 1) in _TIME_BEFORE or _word(words, after) in _TIME_AFTER
        if beside or (not timed and (sole or _counts_people(words, at, value, numbers))):
            found = _checked(min(value, high), max(value, high))
            # "We said four, but it'll be six now."
            if found is not None and not {"now", "instead"} & set(words):
                return found
    return found


def _counts_people(
    words: list[str], at: int, value: int, numbers: list[tuple[int, int, int]]
) -> bool:
    """Return whether the words before the number at ``at`` make it a number of people."""
    before = _word(words, at - 1)
    if before == "for":
        # "Friday for four at seven": the other number is the time.
        others = len(numbers) > 1 or bool(_CLOCK_WORDS & set(words))
        return others or value > LATEST_HOUR or _word(words, at - 2) in _ROOM_FOR
    if before in ("be", "about"):
        return _word(words, at - 2) in _WILL_BE | {"be"}
    if before == "are":
        return _word(words, at - 2) in ("we", "there")
    return before in ("we're", "there's", "there're")


def _companions(words: list[str]) -> Count | None:
    """Read "me and my wife", "me plus three", "my wife and i and two kids"."""
    if not {"me", "i", "myself"} & set(words) or not {"and", "plus", "with"} & set(words):
        return None
    spoken = " ".join(words)
    companions = sum(
        1 for one, two in pairwise(words)
        if one == "my" and two in ("wife", "husband", "partner", "friend", "girlfriend",
                                   "boyfriend", "mom", "dad", "mother", "father", "son",
                                   "daughter", "brother", "sister",
                                   "fiance", "fiancee", "cousin", "aunt", "uncle", "grandma")
    )  # fmt: skip
    others = [
        value for value, at, used in _numbers(words)
        if _word(words, at + used) in _ADULTS_AND_CHILDREN | _RELATIVES
        or (words[at + used :][:2] == ["of", "my"] and _word(words, at + used + 2) in _RELATIVES)
        or words[max(0, at - 2) : at] == ["me", "plus"]
    ]  # fmt: skip
    # "me and my parents", not "my parents' anniversary".
    parents = 2 * bool(
        re.search(r"\b(?:and|with|me) my parents\b|\bmy parents (?:and|my)\b", spoken)
    )
    total = companions + parents + sum(others)
    return _checked(total + 1, total + 1) if total else None


def _numbers(words: list[str]) -> list[tuple[int, int, int]]:
    """Return (value, index, words used) of every cardinal in ``words``."""
    found = []
    index = 0
    while index < len(words):
        number = number_at(words, index)
        if number is None:
            index += 1
        else:
            found.append((number[0], index, number[1]))
            index += number[1]
    return found


def _checked(low: int, high: int) -> Count | None:
    return Count(low, high) if 1 <= low <= high <= LARGEST else None


def _word(words: list[str], index: int) -> str:
    return words[index] if 0 <= index < len(words) else ""


def read_amount(text: str) -> int | None:
    """Return the amount of money said in ``text``, in cents; None if there is none.

    "Thirteen fifty", "thirteen dollars and fifty cents", "twenty bucks", "13.50".
    """
    words = tokens(text)
    for value, at, used in _numbers(words):
        after = at + used
        unit = _word(words, after)
        if unit in ("cents", "cent"):
            return value
        dollars = unit in ("dollars", "dollar", "bucks", "buck")
        rest = after + dollars
        if dollars and _word(words, rest) == "and":
            rest += 1
        cents = number_at(words, rest)
        if cents is not None and cents[0] < 100 and (cents[0] >= 10 or dollars):
            return value * 100 + cents[0]
        if dollars:
            return value * 100
    return None
