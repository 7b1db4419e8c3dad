"""What is written, as it must be said.

Pure text to text: words that no synthesiser misreads. Phone numbers in groups, prices,
times, dates, street numbers, web addresses, and the restaurant's own pronunciations. Piper,
left alone, reads "$13.50" and "555-0142" wrongly (measured).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from agent.mouth.numbers import LARGEST, cardinal, digits, ordinal, pairs

VERSION: Final = 2
"""Raise when a change here, or of level and trimming, should re-speak every kept phrase."""

# ── cleaning ────────────────────────────────────────────────────────────────────────────

_TAG: Final = re.compile(r"</?[A-Za-z!?][^<>]{0,300}>")
_TYPOGRAPHY: Final = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "‐": "-", "‑": "-", "−": "-", "⁄": "/"}
)
_KEPT_SYMBOLS: Final = frozenset("$+°=")
_NEVER_SAID: Final = re.compile(r'[\[\]{}<>|\\*_~^`="]+')


def clean(text: str) -> str:
    """Return ``text`` without what can't be said: markup, emoji, control characters.

    ``[[…]]`` would be taken as raw phonemes by Piper and is unwrapped too.
    """
    text = unicodedata.normalize("NFKC", text).translate(_TYPOGRAPHY)
    text = _TAG.sub(" ", text)
    kept = []
    for character in text:
        category = unicodedata.category(character)
        accent = "\u0300" <= character <= "\u036f"
        if category[0] in "LNPZ" or accent or character in _KEPT_SYMBOLS:
            kept.append(character)
        elif category not in {"Mn", "Me", "Cf"}:
            kept.append(" ")
    return " ".join("".join(kept).split())


# ── written to spoken ───────────────────────────────────────────────────────────────────

_MONTHS: Final = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS: Final = {
    "Mon": "Monday",
    "Tue": "Tuesday",
    "Tues": "Tuesday",
    "Wed": "Wednesday",
    "Thu": "Thursday",
    "Thur": "Thursday",
    "Thurs": "Thursday",
    "Fri": "Friday",
    "Sat": "Saturday",
    "Sun": "Sunday",
}
_STREETS: Final = {
    "St": "Street",
    "Ave": "Avenue",
    "Rd": "Road",
    "Blvd": "Boulevard",
    "Dr": "Drive",
    "Ln": "Lane",
    "Ct": "Court",
    "Pl": "Place",
    "Pkwy": "Parkway",
    "Hwy": "Highway",
    "Cir": "Circle",
    "Sq": "Square",
    "Ter": "Terrace",
}
_DIRECTIONS: Final = {"N": "North", "S": "South", "E": "East", "W": "West"}
_FRACTIONS: Final = {
    ("1", "2"): "one half",
    ("1", "3"): "one third",
    ("2", "3"): "two thirds",
    ("1", "4"): "one quarter",
    ("3", "4"): "three quarters",
}
_ENDS: Final = r"(?=\s*$|\s+[A-Z])"
"""After a full stop: it also ends the sentence."""
_ANY_DAY: Final = "|".join(sorted(_DAYS, key=len, reverse=True))
_ANY_MONTH: Final = "|".join(f"{month[:3]}(?:{month[3:]}|t)?" for month in _MONTHS)


def spoken(text: str, pronounce: Mapping[str, str] | None = None) -> str:
    """Return one unit as words.

    Args:
        text: A unit of `agent.mouth.units.clauses`, or any short text.
        pronounce: Written word to respelling, as in the restaurant file. Whole words, in
            any case; plural and possessive endings stay.
    """
    text = clean(text)
    for pattern, say in _RULES:
        text = pattern.sub(say, text)
    text = _NEVER_SAID.sub(" ", text)
    for word, respelling in (pronounce or {}).items():
        pattern = re.compile(rf"\b{re.escape(word)}(?='?s?\b)", re.IGNORECASE)
        text = pattern.sub(lambda _, say=respelling: say, text)  # type: ignore[misc]
    text = re.sub(r"\s+([,.!?;:])", r"\1", " ".join(text.split()))
    return re.sub(r"([,;:])[,;:]+", r"\1", text).strip()


def _stop(match: re.Match[str]) -> str:
    """Return the full stop of an abbreviation if it ends the sentence as well."""
    end = match.string[match.end() :]
    return "." if match[0].endswith(".") and re.match(_ENDS, end) else ""


def _phone(match: re.Match[str]) -> str:
    return ", ".join(digits(group) for group in match.groups() if group)


def _long_digits(match: re.Match[str]) -> str:
    run = match[1]
    return ", ".join(digits(run[at : at + 3]) for at in range(0, len(run), 3))


def _money(match: re.Match[str]) -> str:
    dollars, cents = int(match[1].replace(",", "")), int(match[2] or 0)
    if dollars > LARGEST:
        return f"{digits(str(dollars))} dollars"
    some = [f"{cardinal(dollars)} {'dollar' if dollars == 1 else 'dollars'}"] if dollars else []
    if cents or not some:
        some.append(f"{cardinal(cents)} {'cent' if cents == 1 else 'cents'}")
    return " and ".join(some)


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    half = (match["half"] or "").lower()
    if hour > 24 or minute > 59:
        return f"{cardinal(hour)} {cardinal(minute)}"
    if not half and (hour > 12 or hour == 0):
        half = "p" if 12 <= hour < 24 else "a"
    words = cardinal(hour % 12 or 12)
    if minute:
        words += f" {'oh ' if minute < 10 else ''}{cardinal(minute)}"
    elif not half:
        words += " o'clock"
    return words + (f" {half} m" if half else "") + _stop(match)


def _date(match: re.Match[str]) -> str:
    month, day = int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    year = f", {pairs(int(match['year']))}" if match["year"] else ""
    return f"{_MONTHS[month - 1]} {ordinal(day)}{year}"


def _month_day(match: re.Match[str]) -> str:
    month = next(month for month in _MONTHS if month.startswith(match[1][:3]))
    year = f", {pairs(int(match[3]))}" if match[3] else ""
    return f"{month} {ordinal(int(match[2]))}{year}"


def _slash(match: re.Match[str]) -> str:
    top, bottom = match[1], match[2]
    if (top, bottom) == ("24", "7"):
        return "twenty-four seven"
    if (top, bottom) in _FRACTIONS:
        return _FRACTIONS[top, bottom]
    if 1 <= int(top) <= 12 and 1 <= int(bottom) <= 31:
        return f"{_MONTHS[int(top) - 1]} {ordinal(int(bottom))}"
    return f"{cardinal(int(top))} {cardinal(int(bottom))}"


def _address(match: re.Match[str]) -> str:
    number = int(match["number"])
    said = pairs(number) if number < 10_000 else digits(match["number"])
    direction = (match["direction"] or "").strip().rstrip(".")
    street = match["street"].rstrip(".")
    parts = (
        said,
        _DIRECTIONS.get(direction, direction),
        match["name"].strip(),
        _STREETS.get(street, street) + _stop(match),
    )
    return " ".join(part for part in parts if part)


def _days(match: re.Match[str]) -> str:
    return f"{_DAYS[match[1]]} to {_DAYS[match[2]]}" + _stop(match)


def _number(match: re.Match[str]) -> str:
    whole, part = match[1].replace(",", ""), match[2]
    if (len(whole) > 1 and whole[0] == "0") or int(whole) > LARGEST:
        words = digits(whole)
    else:
        words = cardinal(int(whole))
    return f"{words} point {digits(part)}" if part else words


def _can_be_read(label: str) -> bool:
    """Tell whether part of a web address is a word, not a code that would be spelled."""
    letters = label.replace("-", "")
    return letters.isalpha() and len(letters) > 1 and bool(re.search("[aeiouy]", letters, re.I))


def _host(host: str) -> str:
    *labels, top = host.lower().split(".")
    if not all(map(_can_be_read, labels)) or not top.isalpha():
        return ""
    return " dot ".join(label.replace("-", " dash ") for label in [*labels, top])


def _web(match: re.Match[str]) -> str:
    address = match[0].rstrip(".,;:!?)'\"")
    tail = match[0][len(address) :]
    bare = re.sub(r"^([a-z]{2,8}://)?(www\.)?", "", address, flags=re.IGNORECASE)
    host, _, path = re.split(r"[?#]", bare)[0].partition("/")
    words = _host(host.partition(":")[0])
    if not words:
        return "our website" + tail
    steps = [step for step in path.split("/") if step]
    if 0 < len(steps) <= 2 and all(len(step) <= 12 and _can_be_read(step) for step in steps):
        words += "".join(f" slash {step.replace('-', ' dash ')}" for step in steps)
    return words + tail


def _email(match: re.Match[str]) -> str:
    name = re.sub(r"([._+-])", lambda m: _MARKS[m[1]], match[1])
    return f"{name} at {_host(match[2]) or match[2].replace('.', ' dot ')}"


_MARKS: Final = {".": " dot ", "_": " underscore ", "-": " dash ", "+": " plus "}

_Say = Callable[[re.Match[str]], str]
_RULES: Final[tuple[tuple[re.Pattern[str], _Say | str], ...]] = tuple(
    (re.compile(pattern), say)
    for pattern, say in (
        (r"\b([\w.+-]{1,64})@((?:[\w-]{1,63}\.)+[a-zA-Z]{2,})", _email),
        (
            r"(?i)\b(?:[a-z]{2,8}://|www\.)[^\s<>\"]+|"
            r"\b(?:[a-z0-9-]{1,63}\.)+(?:com|net|org|io|co|us|biz|info|app|menu|restaurant|example)"
            r"\b(?::\d+)?(?:/[^\s<>\"]*)?|"
            r"\b(?:[a-z0-9-]{1,63}\.)+[a-z]{2,}/[^\s<>\"]*",
            _web,
        ),
        (
            r"(?<![\w+.])(?:\+?1[ .-]?)?\(?([2-9]\d\d)\)?[ .-]?(\d{3})[ .-]?(\d{4})(?!\w)",
            _phone,
        ),
        (r"(?<![\w.-])([2-9]\d\d)[.-](\d{4})(?![\w-])", _phone),
        (r"(?<![\w.])\+?(\d{7,})(?![\w])", _long_digits),
        (r"\b(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)-(?P<day>\d\d)\b", _date),
        (r"\b(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>(?:19|20)\d\d)\b", _date),
        (
            rf"\b({_ANY_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?\b(?!:)(?:,? ((?:19|20)\d\d)\b)?",
            _month_day,
        ),
        (rf"\b({_ANY_DAY})\.? ?- ?({_ANY_DAY})\b\.?", _days),
        (r"\b(Mon|Tues?|Wed|Thu(?:rs?)?|Fri)\b\.?", lambda m: _DAYS[m[1]] + _stop(m)),
        (r"(?<=[\dm]) ?- ?(?=\$?\d)", " to "),
        (r"\$ ?(\d[\d,]*)(?:\.(\d\d))?(?!\d)", _money),
        (
            r"(?i)(?<![\d:])(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::00)?(?![\d:])"
            r"(?: ?(?P<half>[ap])(?:m\b|\.m\.))?",
            _clock,
        ),
        (r"(?i)(?<![\d:.])(?P<hour>\d{1,2})(?P<minute>(?!))? ?(?P<half>[ap])(?:m\b|\.m\.)", _clock),
        (r"\b(\d{1,2})/(\d{1,2})\b", _slash),
        (
            r"\b(?P<number>\d{1,5}) (?P<direction>(?:[NSEW]\.?|North|South|East|West) )?"
            r"(?P<name>(?:(?:[A-Z][\w'-]*|\d+(?:st|nd|rd|th)) ){1,3}?)"
            rf"(?P<street>(?:{'|'.join(_STREETS)}|{'|'.join(_STREETS.values())}|Way)\b\.?)",
            _address,
        ),
        (
            r"\b(in|since|until|by) ((?:19|20)\d\d)\b(?! ?[a-z])",
            lambda m: f"{m[1]} {pairs(int(m[2]))}",
        ),
        (r"\b(KS|Kansas) (\d{5})\b", lambda m: f"{m[1]} {digits(m[2])}"),
        (r"\b(\d{1,6})(?:st|nd|rd|th)\b", lambda m: ordinal(int(m[1]))),
        (r"# ?(?=\d)", "number "),
        (r"(?<=\d) ?%", " percent"),
        (r"(?<=\d) ?°F?\b", " degrees"),
        (r"(?<![\w.])(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(?![\d])", _number),
        (r"\bDr\. (?=[A-Z])", "Doctor "),
        (r"\bSt\. (?=[A-Z])", "Saint "),
        (r"\bKS\b", "Kansas"),
        (r"(?i)\bw/ ?(?=\w)", "with "),
        (r" ?& ?", " and "),
        (r"@", " at "),
        (r"\+", " plus "),
        (r"(?<=\w)/(?=\w)", " "),
        (r"[/#°$%]", " "),
        (r"\s*(?:—|--+|\s-\s|\.{2,}(?=\s*\w)|;)\s*", ", "),
        (r"[()]", ", "),
        (r"\.{2,}", "."),
        (r"([!?])[!?.]+", r"\1"),
        (r"^[\s,;:.!?-]+", ""),
        (r",\s*(?=[,.!?])", ""),
    )
)
