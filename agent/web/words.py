"""How figures and codes read on a page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final

_WORDS: Final = {
    "order": "Order",
    "reservation": "Reservation",
    "catering": "Catering",
    "complaint": "Complaint",
    "message": "Message",
    "question": "Question",
    "human": "Wanted a person",
    "spam": "Sales call",
    "wrong_number": "Wrong number",
    "abuse": "Abuse",
    "emergency": "Emergency",
    "silent": "Nobody spoke",
    "unclear": "Not understood",
    "link_sent": "link sent",
    "link_pending": "link still to be sent",
    "link_failed": "link not sent",
    "message_passed": "message passed on",
    "message_pending": "message still to be passed on",
    "message_failed": "message not passed on",
    "answered": "answered",
    "unanswered": "no answer known",
    "turned_away": "turned away",
    "gave_up": "caller gave up",
    "fault": "a fault of ours",
    "nothing": "nothing to do",
    "invented_fact": "said something that isn't in the restaurant file",
    "wrong_fact": "gave an answer that doesn't fit the question",
    "unavailable_action": "offered what can't be done",
    "instruction_broken": "broke a rule of the house",
    "misheard": "misheard the caller",
    "talked_over": "talked over the caller",
    "dead_air": "left the caller in silence",
    "missed_goodbye": "missed the goodbye",
    "asked_twice": "asked the same twice",
    "spam_served": "talked on with a sales call",
    "dropped": "dropped the call",
    "promise_failed": "a promise was not kept",
}


def words(code: str) -> str:
    """Return a code in words."""
    return _WORDS.get(code, code.replace("_", " "))


def clock(at: datetime | None) -> str:
    """Return a time of day: 6:30 pm."""
    return f"{at:%I:%M} {'am' if at.hour < 12 else 'pm'}".lstrip("0") if at else "?"


def long_day(day: date) -> str:
    """Return a date: Tuesday, November 24."""
    return f"{day:%A, %B} {day.day}"


def minutes(seconds: float) -> str:
    """Return a length: 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def milliseconds(seconds: float | None) -> str:
    """Return seconds as milliseconds; a dash for nothing."""
    return "–" if seconds is None or seconds != seconds else f"{seconds * 1000:.0f} ms"


def percent(share: float | None) -> str:
    """Return a share; a dash for nothing."""
    return "–" if share is None else f"{share * 100:.0f} %"


FILTERS: Final[dict[str, Callable[[Any], str]]] = {
    "words": words,
    "clock": clock,
    "long_day": long_day,
    "minutes": minutes,
    "milliseconds": milliseconds,
    "percent": percent,
}
