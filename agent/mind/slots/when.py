"""Day and time out of spoken words, relative to a clock and the restaurant's hours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from agent.mind.slots.calendar import MONTHS, feast_in, read_delay, whole_words
from agent.mind.slots.words import TENS, UNITS, ZEROS, after_correction, number_at, tokens
from agent.restaurant import DAYS, Hours

OpeningHours = Mapping[str, Sequence[Hours]]
"""Spans by weekday; a weekday that is named without spans is a closed day."""

_ORDINALS: Final = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13,
    "fourteenth": 14, "fifteenth": 15, "sixteenth": 16, "seventeenth": 17, "eighteenth": 18,
    "nineteenth": 19, "twentieth": 20, "thirtieth": 30,
}  # fmt: skip
_MORNING: Final = frozenset({"morning", "am", "breakfast", "brunch"})
_LATER: Final = frozenset(
    {"afternoon", "evening", "night", "tonight", "pm", "lunch", "lunchtime", "dinner"}
)
_NOT_A_TIME: Final = frozenset(
    {"people", "persons", "person", "guests", "of", "adults", "kids", "children", "seats",
     "dollars", "minutes", "hours", "hour", "days", "weeks", "week", "minute"}
)  # fmt: skip
_TIME_LEADS: Final = frozenset(
    {"at", "around", "about", "by", "say", "like", "maybe", "after", "between", "before"}
)
_BESIDE: Final = _TIME_LEADS | frozenset(
    {"for", "the", "then", "please", "okay", "ok", "yes", "yeah", "is", "it's", "fine", "good",
     "works", "well", "um", "uh", "oh", "how"}
)  # fmt: skip
"""Words beside which a bare number still is the whole answer to "what time?"."""


@dataclass(frozen=True, slots=True)
class When:
    """A day, a time, or both, as far as they were said.

    Attributes:
        day: The date; None if no day was said.
        at: The time of day; None if none was said.
        closed: The restaurant file names that weekday as closed.
        shut: It is open on that day, but not at that time.
    """

    day: date | None = None
    at: time | None = None
    closed: bool = False
    shut: bool = False


def read_when(
    text: str, now: datetime, hours: OpeningHours, *, near: date | None = None
) -> When | None:
    """Return the day and time said in ``text``; None if it names neither.

    A time without "a.m." or "p.m." is taken within opening hours if it fits there, else in
    the afternoon or evening. "This Friday" is the coming one; "next Friday" the one of the
    next calendar week (Monday to Sunday): people differ, so it is said back as a date.
    After a correction the later words count, and what they leave open stays as it was.

    Args:
        text: The caller's words.
        now: The restaurant's local time.
        hours: Opening hours by weekday.
        near: A day under discussion; a bare weekday is then the one nearest to it.
    """
    day: date | None = None
    moment: tuple[time, bool] | None = None
    numbered = re.sub(r"\b(1[0-2]|[1-9])/([12]\d|3[01]|[1-9])\b", _spoken_date, text)
    words = [whole_words(word) for word in tokens(numbered)]
    parts = [_without_denied(part) for part in after_correction(words)]
    for part in parts:
        words, keep = _joined(part)
        taken: set[int] = set()
        day = day or _read_day(words, now, taken, near)
        if moment is None:
            moment = _read_time(words, keep, taken, now)
            delay = read_delay(words) if moment is not None and day is None else None
            day = (now + delay).date() if delay is not None else day
    if day is None and moment is None:
        return None
    return _fit(day, moment, set(tokens(text)), now, hours)


def _spoken_date(match: re.Match[str]) -> str:
    return f"{MONTHS[int(match.group(1)) - 1]} {match.group(2)}"


def _without_denied(words: list[str]) -> list[str]:
    """Return ``words`` less what follows "not" or "instead of", as in "Friday, not Saturday"."""
    kept: list[str] = []
    index = 0
    while index < len(words):
        negates = 1 if words[index] == "not" else 0
        negates = 2 if words[index : index + 2] == ["instead", "of"] else negates
        number = number_at(words, index + negates) if negates else None
        if (
            negates
            and words[index + negates : index + negates + 1]
            and (number or words[index + negates] in DAYS)
        ):
            index += negates + (number[1] if number else 1)
            continue
        kept.append(words[index])
        index += 1
    return kept


def merge(old: When | None, new: When, now: datetime, hours: OpeningHours) -> When:
    """Return ``old`` with what ``new`` says put in its place."""
    if old is None:
        return new
    day, at = new.day or old.day, new.at or old.at
    return _checked(day, at, now, hours)


def say_when(when: When) -> str:
    """Return it as it is said back: ``Friday, November 27th at 7:30 PM``."""
    said = []
    if when.day is not None:
        said.append(
            f"{DAYS[when.day.weekday()].capitalize()}, "
            f"{MONTHS[when.day.month - 1].capitalize()} {when.day.day}{_suffix(when.day.day)}"
        )
    if when.at is not None:
        said.append(f"at {_say_time(when.at)}")
    return " ".join(said)


def _say_time(at: time) -> str:
    if (at.hour, at.minute) == (12, 0):
        return "noon"
    half = "AM" if at.hour < 12 else "PM"
    hour = at.hour % 12 or 12
    return f"{hour} {half}" if not at.minute else f"{hour}:{at.minute:02d} {half}"


def _suffix(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


# ── days ────────────────────────────────────────────────────────────────────────────────


def _joined(words: list[str]) -> tuple[list[str], frozenset[str]]:
    """Return ``words`` with "p m" made one word and plurals of days undone."""
    joined: list[str] = []
    for word in words:
        if word == "ish" and joined:
            continue
        if word.endswith("ish") and (word[:-3] == "noon" or number_at([word[:-3]], 0)):
            word = word[:-3]  # "sevenish"
        if word == "m" and joined and joined[-1] in ("a", "p"):
            joined[-1] += "m"
        else:
            single = word.removesuffix("'s").removesuffix("s")
            joined.append(single if single in DAYS else word)
    return joined, frozenset(joined)


def _read_day(words: list[str], now: datetime, taken: set[int], near: date | None) -> date | None:
    today = now.date()
    spoken = " ".join(words)
    if "day after tomorrow" in spoken:
        return today + timedelta(days=2)
    ahead_of = _weeks_ahead(words)
    if "tomorrow" in words:
        return today + timedelta(days=1 + 7 * ahead_of)
    if {"today", "tonight"} & set(words) or "this evening" in spoken or "this afternoon" in spoken:
        return today + timedelta(days=7 * ahead_of)
    feast = feast_in(spoken, today)
    if feast is not None:
        return feast
    dated = _read_date(words, today, taken)
    if dated is not None:
        return dated
    for index, word in enumerate(words):
        if word not in DAYS:
            continue
        before = words[index - 1] if index else ""
        ahead = (DAYS.index(word) - today.weekday()) % 7
        if before == "next" or "next week" in spoken:
            monday = today + timedelta(days=7 - today.weekday())
            return monday + timedelta(days=DAYS.index(word))
        if ahead_of:
            return today + timedelta(days=ahead + 7 * ahead_of)
        if words[index + 1 : index + 2] == ["week"]:
            return today + timedelta(days=ahead + 7)
        coming = today + timedelta(days=ahead)
        if near is not None and before != "this":
            weeks = round((near - coming).days / 7)
            return coming + timedelta(days=7 * max(0, weeks))
        return coming
    return _read_span(words, today)


def _weeks_ahead(words: list[str]) -> int:
    """Return the weeks in "a week from Saturday", "two weeks from today", "a week tomorrow"."""
    for index, word in enumerate(words):
        if word in ("week", "weeks") and index:
            following = words[index + 1] if index + 1 < len(words) else ""
            count = number_at(words, index - 1)
            amount = 1 if words[index - 1] == "a" else count[0] if count else 0
            if following == "from" or (amount and following in ("today", "tomorrow", *DAYS)):
                return amount
    return 0


def _read_span(words: list[str], today: date) -> date | None:
    """Read "in two weeks", "in three days", "three days from now"."""
    for index, word in enumerate(words):
        if word not in ("day", "days", "week", "weeks") or index < 1:
            continue
        count = number_at(words, index - 1)
        amount = 1 if words[index - 1] in ("a", "one") else count[0] if count else 0
        if amount and (
            words[max(0, index - 2) : index - 1] == ["in"]
            or words[index + 1 :][:2] == ["from", "now"]
        ):
            return today + timedelta(days=amount * (7 if word.startswith("week") else 1))
    return None


def _read_date(words: list[str], today: date, taken: set[int]) -> date | None:
    """Read "november fifth", "the twenty seventh", "the 5th of december"."""
    month = next(
        (
            index
            for index, word in enumerate(words)
            if word in MONTHS and (word != "may" or _day_number(words, index + 1) is not None)
        ),
        None,
    )
    if month is not None:
        found = _day_number(words, month + 1, cardinal=True)
        start = month + 1
        if found is None:
            back = month - 2 if words[month - 1 : month] == ["of"] else month - 1
            for start in (back - 1, back):
                found = _day_number(words, start) if start >= 0 else None
                if found is not None and start + found[1] >= back + 1:
                    break
                found = None
        if found is None:
            return None
        taken.update(range(start, start + found[1]))
        return _coming(today, MONTHS.index(words[month]) + 1, found[0])
    for index, word in enumerate(words):
        if word != "the":
            continue
        found = _day_number(words, index + 1)
        if found is not None and 1 <= found[0] <= 31:
            taken.update(range(index + 1, index + 1 + found[1]))
            return _coming_day(today, found[0])
    return None


def _day_number(words: list[str], index: int, *, cardinal: bool = False) -> tuple[int, int] | None:
    """Return (day of month, words used) of the ordinal at ``index``; "5 th", "twenty first"."""
    if not 0 <= index < len(words):
        return None
    word = words[index]
    following = words[index + 1] if index + 1 < len(words) else ""
    if word in _ORDINALS:
        return _ORDINALS[word], 1
    if word in TENS and following in _ORDINALS and _ORDINALS[following] < 10:
        return TENS[word] + _ORDINALS[following], 2
    if word.isdigit() and following in ("st", "nd", "rd", "th"):
        return int(word), 2
    return number_at(words, index) if cardinal else None


def _coming(today: date, month: int, day: int) -> date | None:
    for year in (today.year, today.year + 1):
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    return None


def _coming_day(today: date, day: int) -> date | None:
    for ahead in range(3):
        month = (today.month - 1 + ahead) % 12 + 1
        year = today.year + (today.month - 1 + ahead) // 12
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    return None


# ── times ───────────────────────────────────────────────────────────────────────────────


def _read_time(
    words: list[str], present: frozenset[str], taken: set[int], now: datetime
) -> tuple[time, bool] | None:
    """Return (time, whether it is certain which half of the day) or None."""
    spoken = " ".join(words)
    if "noon" in present or "midday" in present:
        return time(12), True
    if "midnight" in present:
        return time(0), True
    delay = read_delay(words)
    if delay is not None:
        return (now + delay).time().replace(second=0, microsecond=0, tzinfo=None), True
    # What can only be a time goes before what may count people: "four, tomorrow at half past six".
    for sure in (True, False):
        for index in range(len(words)):
            found = None if index in taken else _time_at(words, index, sure=sure)
            if found is not None:
                at, certain = found
                return at, certain or at.hour > 12 or at.hour == 0 or "the morning" in spoken
    return None


def _time_at(words: list[str], index: int, *, sure: bool) -> tuple[time, bool] | None:
    """Return (time, whether its half of the day was said) at ``index``; ``sure``: evident only."""
    found = _clock_at(words, index)
    if found is None:
        return None
    hour, minute, used, evident = found
    before = words[index - 1] if index else ""
    after = words[index + used] if index + used < len(words) else ""
    if after == "o'clock":
        evident, used = True, used + 1
        after = words[index + used] if index + used < len(words) else ""
    if after in ("am", "pm"):
        return time(hour % 12 + (12 if after == "pm" else 0), minute), True
    if after in _NOT_A_TIME or before in ("party", "of", "double", "triple", "room", "with"):
        return None
    leads = before in _TIME_LEADS
    if sure:
        return (time(hour, minute), False) if evident or (leads and before == "at") else None
    stands_alone = used == len([w for w in words if w not in _BESIDE])
    day_before = before in DAYS or before in ("tomorrow", "tonight", "today")
    day_after = after in ("tonight", "tomorrow", "in")
    # "six on Friday" is a time, "for six on Friday" people.
    day_after = day_after or (after == "on" and before == "" and _one_number_and_day(words))
    if leads or day_before or stands_alone or day_after:
        return time(hour, minute), False
    return None


def _one_number_and_day(words: list[str]) -> bool:
    """Return whether ``words`` hold a day and but one number, which then is the time."""
    numbers = sum(word in UNITS or word.isdigit() for word in words)
    return numbers == 1 and any(word in DAYS for word in words)


def _clock_at(words: list[str], index: int) -> tuple[int, int, int, bool] | None:
    """Return (hour 0–23, minute, words used, whether it can only be a time) at ``index``."""
    word = words[index]
    if ":" in word:
        hour, minute = (int(part) for part in word.split(":"))
        return (hour, minute, 1, True) if hour < 24 and minute < 60 else None
    if word == "half":
        past = words[index + 1 : index + 2] == ["past"]
        found = _hour_at(words, index + 1 + past)
        return (found[0], 30, 1 + past + found[1], True) if found else None
    if word.isdigit() and len(word) in (3, 4) and 1 <= int(word[:-2]) <= 12 and word[-1] in "05":
        return (int(word[:-2]), int(word[-2:]), 1, True) if int(word[-2:]) < 60 else None
    minutes, used = (15, 1) if word == "quarter" else (0, 0)
    if not minutes:
        spoken = number_at(words, index)
        if spoken and spoken[0] in (5, 10, 15, 20, 25):
            minutes, used = spoken
            used += words[index + used : index + used + 1] == ["minutes"]
    joint = words[index + used] if minutes and index + used < len(words) else ""
    if joint in ("past", "after", "to", "til", "till", "before", "of"):
        found = _hour_at(words, index + used + 1)
        if found and (word == "quarter" or joint in ("past", "til", "till", "to")):
            hour, extra = found
            if joint in ("past", "after"):
                return hour, minutes, used + 1 + extra, True
            return (hour - 1) or 12, 60 - minutes, used + 1 + extra, True
    found = _hour_at(words, index) or _late_hour_at(words, index)
    if found is None:
        return None
    hour, used = found
    following = words[index + used] if index + used < len(words) else ""
    if following in ZEROS:
        low = UNITS.get(words[index + used + 1]) if index + used + 1 < len(words) else None
        return (hour, low, used + 2, True) if low else (hour, 0, used, False)
    tens = number_at(words, index + used)
    if tens and 10 <= tens[0] < 60 and words[index + used + tens[1] :][:1] != ["people"]:
        return hour, tens[0], used + tens[1], True
    return hour, 0, used, hour > 12


def _late_hour_at(words: list[str], index: int) -> tuple[int, int] | None:
    """Return (hour, words used) of "eighteen thirty", "19 00", "nineteen hundred"."""
    found = number_at(words[: index + 1], index)
    if found is None or not 13 <= found[0] <= 23:
        return None
    if words[index + 1 : index + 2] == ["hundred"]:
        return found[0], 2
    minutes = number_at(words, index + 1)
    if minutes is None:
        return None
    evident = minutes[0] in (0, 15, 30, 45) and words[index + 1 + minutes[1] :][:1] != ["people"]
    return (found[0], 1) if evident else None


def _hour_at(words: list[str], index: int) -> tuple[int, int] | None:
    if index >= len(words):
        return None
    if words[index] in ("noon", "midnight"):
        return 12, 1
    found = number_at(words, index)
    if found is None or not 1 <= found[0] <= 12 or found[1] != 1:
        return None
    return found


# ── fitting to the hours ────────────────────────────────────────────────────────────────


def _fit(
    day: date | None,
    moment: tuple[time, bool] | None,
    words: set[str],
    now: datetime,
    hours: OpeningHours,
) -> When:
    if moment is None:
        return _checked(day, None, now, hours)
    at, certain = moment
    if not certain and 1 <= at.hour <= 12:
        early, late = at.replace(hour=at.hour % 12), at.replace(hour=at.hour % 12 + 12)
        if words & _MORNING:
            at = early
        elif words & _LATER:
            at = late
        else:
            fits = [
                each
                for each in (early, late)
                if _open_at(day, each, hours) and not (day == now.date() and each <= now.time())
            ]
            at = fits[0] if len(fits) == 1 else late
    return _checked(day, at, now, hours)


def _checked(day: date | None, at: time | None, now: datetime, hours: OpeningHours) -> When:
    if day is None:
        return When(None, at)
    weekday = DAYS[day.weekday()]
    closed = weekday in hours and not hours[weekday]
    shut = not closed and at is not None and weekday in hours and not _open_at(day, at, hours)
    return When(day, at, closed, shut)


def _open_at(day: date | None, at: time, hours: OpeningHours) -> bool:
    """Return whether it is open at ``at`` on ``day``, or on any day if none was said."""
    days = DAYS if day is None else (DAYS[day.weekday()],)
    return any(span.opens <= at < span.closes for name in days for span in hours.get(name, ()))
