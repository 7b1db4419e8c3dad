"""Telephone numbers on a page: only their last four digits are shown."""

from __future__ import annotations

import re
from typing import Final

LEAST_DIGITS: Final = 7
"""A number of so many digits is a telephone number; prices, times and dates have fewer."""

_WRITTEN: Final = re.compile(r"\+?\(?\d(?:[\d().\s/-]*\d)?")
_DIGIT: Final = r"(?:zero|oh|o|one|two|three|four|five|six|seven|eight|nine|double|triple|hundred)"
_SPOKEN: Final = re.compile(rf"\b{_DIGIT}(?:[\s,]+{_DIGIT}){{6,}}\b", re.IGNORECASE)


def masked(text: str) -> str:
    """Return ``text`` with the telephone numbers in it masked, written or spoken."""
    return _SPOKEN.sub("[a number]", _WRITTEN.sub(_mask, text))


def _mask(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    return match[0] if len(digits) < LEAST_DIGITS else f"••• {digits[-4:]}"


def masked_number(number: str) -> str:
    """Return a caller's number for a page."""
    digits = re.sub(r"\D", "", number)
    return f"••• {digits[-4:]}" if len(digits) >= LEAST_DIGITS else "number withheld"
