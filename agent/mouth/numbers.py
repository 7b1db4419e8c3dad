"""Numbers as American English says them: counts, ordinals, years, street numbers, digits."""

from __future__ import annotations

from typing import Final

_ONES: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS: Final = [
    "-",
    "-",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
]
_SCALES: Final = ((10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))
_ORDINALS: Final = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}

LARGEST: Final = 10**12 - 1
"""Above this a number is read digit by digit."""


def cardinal(number: int) -> str:
    """Return ``number`` (0 to `LARGEST`) as a count: 1250 is "one thousand two hundred fifty"."""
    if not 0 <= number <= LARGEST:
        raise ValueError(f"{number} is not between 0 and {LARGEST}")
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return f"{_TENS[tens]}-{_ONES[ones]}" if ones else _TENS[tens]
    size, name = next(scale for scale in _SCALES if number >= scale[0])
    count, rest = divmod(number, size)
    front = f"{cardinal(count)} {name}"
    return f"{front} {cardinal(rest)}" if rest else front


def ordinal(number: int) -> str:
    """Return ``number`` as a rank: 22 is "twenty-second"."""
    words = cardinal(number)
    front, last = words[: -len(words.split()[-1].split("-")[-1])], words.split()[-1].split("-")[-1]
    if last in _ORDINALS:
        return front + _ORDINALS[last]
    return front + (last[:-1] + "ieth" if last.endswith("y") else last + "th")


def pairs(number: int) -> str:
    """Return a year or street number of up to four digits in pairs.

    2140 is "twenty-one forty", 1905 "nineteen oh five", 2100 "twenty-one hundred", 205
    "two oh five", 2000 "two thousand".
    """
    if number < 100 or number % 1000 == 0 or (number < 1000 and number % 100 == 0):
        return cardinal(number)
    front, back = divmod(number, 100)
    if back == 0:
        return f"{cardinal(front)} hundred"
    return f"{cardinal(front)} {'oh ' if back < 10 else ''}{cardinal(back)}"


def digits(text: str) -> str:
    """Return the digits of ``text`` one by one, as on the telephone: 0142, "oh one four two"."""
    return " ".join("oh" if digit == "0" else _ONES[int(digit)] for digit in text)
