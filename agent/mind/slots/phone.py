"""Phone numbers out of spoken words, and back into words that are said digit by digit.

Numbers are North American (region US) as callers to a US restaurant say them; whether
ten digits are a number at all is Google's ``phonenumbers``' judgement.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import phonenumbers

from agent.mind.slots.words import TEENS, TENS, UNITS, ZEROS, correction_at, tokens

REGION: Final = "US"
WHOLE: Final = 10
"""Digits of a North American number with its area code."""
LOCAL: Final = 7
"""Digits of one without."""

_REPEATS: Final = {"double": 2, "triple": 3, "treble": 3}
_HOMOPHONES: Final = {"to": "2", "too": "2", "for": "4", "ate": "8", "won": "1"}
_FILLERS: Final = frozenset(
    ["um", "uh", "uhm", "er", "and", "then", "dash", "hyphen", "space", "so", "okay", "ok",
     "like", "the", "area", "code", "is", "it's", "plus", "a", "with", "ending", "ends", "in",
     "end", "digits", "are", "yeah", "please", "you", "know"]
)  # fmt: skip
"""Words that may stand within a number. Any other ends it: "table for four, my number is …"."""
_COUNTED: Final = frozenset({"two", "three", "four", "2", "3", "4"})


class PhoneStatus(StrEnum):
    """How far a number got."""

    COMPLETE = "complete"
    """A valid number."""
    NO_AREA_CODE = "no_area_code"
    """Seven digits: a local number."""
    PARTIAL = "partial"
    """Fewer digits than a number has."""
    WRONG = "wrong"
    """Too many digits, or ten that no phone can have."""


@dataclass(frozen=True, slots=True)
class PhoneReading:
    """What was read.

    Attributes:
        digits: The national digits heard, without a leading 1.
        status: How far they are a number.
        number: E.164 when complete, else empty.
    """

    digits: str = field(metadata={"personal": True})
    status: PhoneStatus
    number: str = field(default="", metadata={"personal": True})


def read_phone(text: str, previous: str = "") -> PhoneReading | None:
    """Return the phone number said in ``text``; None if it holds no digits.

    ``previous`` are the national digits known so far: of a number that is being given in
    pieces, or of one just read back and now corrected ("no, it ends in oh one five two",
    "six not five").
    """
    digits = read_digits(text, previous)
    return judge(digits) if digits else None


def judge(digits: str) -> PhoneReading:
    """Return how far ``digits`` (national, or with a leading 1) are a phone number."""
    # No area code starts with 1 (NANPA), so a leading 1 is always the country code.
    national = digits.removeprefix("1")
    if len(national) == WHOLE:
        number = e164(national)
        if number:
            return PhoneReading(national, PhoneStatus.COMPLETE, number)
        return PhoneReading(national, PhoneStatus.WRONG)
    if len(national) > WHOLE:
        return PhoneReading(national, PhoneStatus.WRONG)
    if len(national) == LOCAL:
        return PhoneReading(national, PhoneStatus.NO_AREA_CODE)
    return PhoneReading(national, PhoneStatus.PARTIAL)


def e164(number: str) -> str:
    """Return ``number`` in E.164 if it is a valid phone number (US unless it says so)."""
    try:
        parsed = phonenumbers.parse(number, REGION)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(parsed):
        return ""
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))


def national_digits(number: str) -> str:
    """Return the digits of an E.164 ``number`` without its country code."""
    return str(phonenumbers.parse(number, REGION).national_number)


def say_phone(digits: str) -> str:
    """Return national ``digits`` (or an E.164 number) digit by digit: ``3 1 6, 5 5 5, 0 1 4 2``."""
    if digits.startswith("+"):
        digits = national_digits(digits)
    if len(digits) <= LOCAL:
        groups = [digits[:3], digits[3:]]
    else:
        groups = [digits[:3], digits[3:6], digits[6:]]
    return ", ".join(" ".join(group) for group in groups if group)


def say_last_four(number: str) -> str:
    """Return the last four digits of ``number``, digit by digit: ``0 1 4 2``."""
    return " ".join(number[-4:])


# ── digits out of words ─────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Part:
    """A stretch of digits, one entry a spoken number, and what led into it."""

    chunks: list[str] = field(default_factory=list)
    corrects: bool = False
    negates: bool = False
    """Follows "not" or "instead of"."""

    @property
    def digits(self) -> str:
        return "".join(self.chunks)


def read_digits(text: str, previous: str = "") -> str:
    """Return the digits said in ``text`` with corrections applied, onto ``previous`` if given.

    Where other words split them into several runs, the run nearest to a whole number wins,
    the later of equals.
    """
    words = _area_first(_without_counts(tokens(text)))
    best = ""
    for run in _runs(words):
        digits = _fold(run, "")
        if abs(len(digits) - WHOLE) <= abs(len(best) - WHOLE) or not best:
            best = digits
    if not previous or not any(_chunk_at(words, index) for index in range(len(words))):
        return best
    if len(best.removeprefix("1")) >= WHOLE:
        return best
    return _onto(words, previous)


def _area_first(words: list[str]) -> list[str]:
    """Return ``words`` with an area code said last ("…, area code three one six") first."""
    at = next((i for i in range(1, len(words) - 1) if words[i : i + 2] == ["area", "code"]), 0)
    code = [word for word in words[at:] if _is_number(word)]
    local = sum(_is_number(word) for word in words[:at])
    return words[at:] + words[:at] if at and len(code) == 3 and local == LOCAL else words


def _without_counts(words: list[str]) -> list[str]:
    """Return ``words`` less counts of digits, as in "the last four are oh one four two"."""
    kept: list[str] = []
    for index, word in enumerate(words):
        if word in _COUNTED and words[max(0, index - 1)] in ("last", "first"):
            continue
        kept.append("and" if word in ("last", "first") else word)
    return kept


def _onto(words: list[str], previous: str) -> str:
    """Return ``previous`` with the digits in ``words`` appended or put right."""
    run = [part for found in _runs(words) for part in found]
    said = "".join(part.digits for part in run)
    negated = any(part.negates for part in run)
    if "area" in words and len(said) == 3 and not negated:
        return said + (previous if len(previous) == LOCAL else previous[3:])
    if len(previous) < WHOLE and not negated and not any(part.corrects for part in run):
        if len(previous) == LOCAL and len(said) == 3:
            return said + previous  # asked for the area code of a local number
        if len(said) == LOCAL and len(previous) != 3:
            return said
        return previous + said
    if run:
        run[0].corrects = True
    return _fold(run, previous)


def _fold(run: list[_Part], known: str) -> str:
    """Apply the parts of a run one after the other to ``known`` digits."""
    digits = known
    index = 0
    while index < len(run):
        part = run[index]
        following = run[index + 1] if index + 1 < len(run) else None
        if part.negates:  # "not five six": the second replaces the first
            half = len(part.chunks) // 2
            old, new = "".join(part.chunks[:half]), "".join(part.chunks[half:])
            digits = _swap(digits, old, new) if half else digits
        elif following is not None and following.negates:  # "six not five"
            if part.corrects:
                old = following.digits[: len(part.digits)]
                digits = _swap(digits, old, part.digits) + following.digits[len(old) :]
            else:
                digits = digits + part.digits + "".join(following.chunks[1:])
            index += 1
        elif part.corrects and digits:
            digits = _replace_end(digits, part.digits)
        else:
            digits += part.digits
        index += 1
    return digits


def _swap(digits: str, old: str, new: str) -> str:
    """Replace the last ``old`` by ``new``: people correct what they said last."""
    front, found, back = digits.rpartition(old)
    return front + new + back if found else digits


def _replace_end(digits: str, said: str) -> str:
    """Return ``digits`` with their end said anew, so that a whole number results if it can."""
    if len(said.removeprefix("1")) >= WHOLE:
        return said
    overlap = len(digits) + len(said) - WHOLE
    if not 1 <= overlap <= min(len(digits), len(said)):
        overlap = min(len(digits), len(said))
    return digits[:-overlap] + said


def _runs(words: list[str]) -> list[list[_Part]]:
    """Return the runs of digits in ``words``, each as parts; other words end a run."""
    runs: list[list[_Part]] = []
    run: list[_Part] = []
    part = _Part()
    index = 0

    def close_part() -> None:
        nonlocal part
        if part.chunks:
            run.append(part)
        part = _Part()

    while index < len(words):
        found = _chunk_at(words, index)
        whole = len("".join(each.digits for each in [*run, part])) >= WHOLE
        if whole and words[index] in _HOMOPHONES:
            found = None  # "… oh one four two for two people"
        if found is not None:
            part.chunks.append(found[0])
            index += found[1]
            continue
        marker = correction_at(words, index)
        if words[index] == "not" or words[index : index + 2] == ["instead", "of"]:
            close_part()
            part.negates = True
            marker = 1 if words[index] == "not" else 2
        elif marker:
            close_part()
            part.corrects = True
        elif words[index] not in _FILLERS:
            close_part()
            if run:
                runs.append(run)
            run = []
            part = _Part()
        index += marker or 1
    close_part()
    if run:
        runs.append(run)
    return runs


def _chunk_at(words: list[str], index: int) -> tuple[str, int] | None:
    """Return (digits, words used) of the spoken number at ``index``, or None."""
    word = words[index]
    following = words[index + 1] if index + 1 < len(words) else ""
    if word in _REPEATS:
        digit = _digit(following)
        return (digit * _REPEATS[word], 2) if digit else None
    base: tuple[str, int] | None = None
    if word in ZEROS:
        return "0", 1
    if word in UNITS:
        base = str(UNITS[word]), 1
    elif word.isdigit():
        base = word, 1
    elif word in TEENS:
        base = str(TEENS[word]), 1
    elif word in TENS:
        unit = UNITS.get(following)
        base = (str(TENS[word] + unit), 2) if unit else (str(TENS[word]), 1)
    elif word in _HOMOPHONES and index > 0 and _is_number(words[index - 1]):
        if not following or _is_number(following):
            return _HOMOPHONES[word], 1
        return None
    if base is None:
        return None
    digits, used = base
    scale = words[index + used] if index + used < len(words) else ""
    if scale == "hundred":
        rest = words[index + used + 1] if index + used + 1 < len(words) else ""
        if rest in TEENS or rest in TENS:  # "three hundred sixteen"
            tail, more = _chunk_at(words, index + used + 1) or ("00", 0)
            return digits + tail, used + 1 + more
        return digits + "00", used + 1
    if scale == "thousand":
        return digits + "000", used + 1
    return digits, used


def _digit(word: str) -> str:
    if word in ZEROS:
        return "0"
    if word in UNITS:
        return str(UNITS[word])
    return word if len(word) == 1 and word.isdigit() else ""


def _is_number(word: str) -> bool:
    return word in UNITS or word in ZEROS or word in TEENS or word in TENS or word.isdigit()
