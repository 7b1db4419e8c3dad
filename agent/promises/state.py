"""What is known of a promise, and what must happen next. Pure: no disk, no clock.

A promise is the list of its news, oldest first. Everything else is derived from that::

    made ──► attempt ──► accepted ──► delivered ─────────────────────────► settled
      ▲        │  │          ├──────► undelivered ──► told ──────────────► settled
      │        │  │          └──────► unconfirmed (no news in time) ─────► settled
      │        │  └─► refused ───────────────────────► told ─────────────► settled
      │        ├─► failed    certainly not taken: 429, no connection, our key
      │        └─► unknown   time-out, broken connection, 5xx, or a crash (attempt, then nothing)
      │               │      the carrier's list is asked before anything is sent again:
      ├── absent ◄────┼─► accepted (found there)
      │               └─► unasked (the list can't be had either; later)
      └─► abandoned (time is up) ────────────────────► told ─────────────► settled

An attempt is on disk before the request leaves, so "attempt, then nothing" after a crash is
as good as "unknown". Delivery news may come before the acceptance is written, twice, or in
any order: news of a message SID is itself proof that the carrier took it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from agent.events import Outcome, PromiseKind, personal
from agent.settings import Promises

ID_PATTERN: Final = re.compile(r"[0-9a-hjkmnp-tv-z]{8}n?")
"""A promise id: 40 random bits in Crockford's base 32, ``n`` appended for a notice about it."""

DELIVERED: Final = frozenset({"delivered", "read"})
"""Twilio's final statuses that are good (docs: Message status values)."""

NOT_DELIVERED: Final = frozenset({"undelivered", "failed", "canceled"})
"""Twilio's final statuses that are bad."""


class News(StrEnum):
    """What one line of a promise's history says."""

    MADE = "made"
    ATTEMPT = "attempt"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    ABSENT = "absent"
    UNASKED = "unasked"
    ABANDONED = "abandoned"
    STATUS = "status"
    CHECKED = "checked"
    UNCONFIRMED = "unconfirmed"
    TOLD = "told"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Promise:
    """All that is needed to keep a promise.

    Attributes:
        id: See ``ID_PATTERN``; it is also in the message's text, so that the message can be
            recognised in the carrier's list.
        kind: What was promised.
        to: Receiver, E.164.
        body: The message's text, complete.
        bundle: The call's evidence folder, which holds the history.
        made: Unix time at which it was promised.
        about: Id of the promise that this one is a failure notice of, or empty. The failure
            of a notice is never sent as another notice.
    """

    id: str
    kind: PromiseKind
    to: str = personal()
    body: str = personal()
    bundle: Path = field(default_factory=Path)
    made: float = 0.0
    about: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a promise's history. ``at`` is Unix time.

    ``receipt`` is the carrier's message SID, ``code`` the carrier's error code or HTTP status,
    ``status`` the carrier's message status, ``wait`` the seconds it asked us to stay away,
    ``by`` how we know (``post``, ``list``, ``callback``, ``check``).
    """

    news: News
    at: float
    receipt: str = ""
    code: str = ""
    status: str = ""
    wait: float | None = None
    by: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the fields that say something."""
        row: dict[str, Any] = {"news": str(self.news), "time": round(self.at, 3)}
        for name in ("receipt", "code", "status", "wait", "by"):
            if value := getattr(self, name):
                row[name] = value
        return row

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Line:
        """Read what ``as_json`` wrote.

        Raises:
            KeyError, ValueError, TypeError: it is no such line.
        """
        wait = row.get("wait")
        return cls(
            news=News(row["news"]),
            at=float(row["time"]),
            receipt=str(row.get("receipt", "")),
            code=str(row.get("code", "")),
            status=str(row.get("status", "")),
            wait=None if wait is None else float(wait),
            by=str(row.get("by", "")),
        )


class Act(StrEnum):
    """What the keeper has to do."""

    SEND = "send"
    ASK = "ask"
    """Ask the carrier's list whether an attempt of unknown outcome was taken."""
    GIVE_UP = "give_up"
    TELL_OWNER = "tell_owner"
    CHECK = "check"
    """Ask the carrier how delivery went; no callback has come."""
    STOP_WAITING = "stop_waiting"
    SETTLE = "settle"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Step:
    """The next act and the Unix time from which it is due."""

    act: Act
    due: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a promise stands, from its history alone.

    Attributes:
        outcome: What may be said of it now.
        receipt: Message SID, once accepted.
        code: The last error code, or empty.
        status: The carrier's delivery status: the final one if there is one.
        accepted: Unix time of the acceptance, or None.
        attempted: Unix time of an attempt whose outcome is not known, or None.
        in_flight: That attempt has no news at all: the request may be under way right now.
        tries: How often something failed so far; sets the pause.
        paused: Unix time of the last failure, or None.
        wait: Seconds the carrier asked for at that failure, or None.
        checks: How often the carrier was asked about delivery.
        refused: Unix time at which it was refused for good, or None.
    """

    outcome: Outcome = Outcome.PENDING
    receipt: str = ""
    code: str = ""
    status: str = ""
    accepted: float | None = None
    attempted: float | None = None
    in_flight: bool = False
    tries: int = 0
    paused: float | None = None
    wait: float | None = None
    checks: int = 0
    refused: float | None = None
    abandoned: bool = False
    unconfirmed: bool = False
    told: bool = False
    settled: bool = False

    @property
    def delivered(self) -> bool:
        """The carrier says it arrived."""
        return self.status in DELIVERED

    @property
    def lost(self) -> bool:
        """It will not arrive: refused, given up, or reported as undelivered."""
        given_up = self.refused is not None or self.abandoned
        return (given_up and self.accepted is None) or self.status in NOT_DELIVERED


def standing(lines: Sequence[Line]) -> Standing:
    """Return where the promise with this history stands. Order of delivery news is free."""
    receipt = code = status = ""
    accepted = attempted = paused = wait = refused = None
    in_flight = False
    tries = checks = 0
    seen: set[News] = set()
    for line in lines:
        seen.add(line.news)
        match line.news:
            case News.ATTEMPT:
                attempted, in_flight = line.at, True
            case News.ACCEPTED | News.STATUS:
                receipt = receipt or line.receipt
                accepted = line.at if accepted is None else accepted
                attempted, in_flight = None, False
                if line.status and status not in DELIVERED | NOT_DELIVERED:
                    status, code = line.status, line.code
            case News.REFUSED:
                attempted, in_flight, code, refused = None, False, line.code, line.at
            case News.ABANDONED:
                attempted, in_flight = None, False
            case News.FAILED:
                attempted, in_flight, code = None, False, line.code
                tries, paused, wait = tries + 1, line.at, line.wait
            case News.UNKNOWN:
                in_flight, code = False, line.code
            case News.UNASKED:
                in_flight = False
                tries, paused, wait = tries + 1, line.at, line.wait
            case News.ABSENT:
                attempted, in_flight = None, False
            case News.CHECKED:
                checks += 1
            case _:
                pass
    if accepted is not None:
        outcome = Outcome.ACCEPTED
    elif refused is not None or News.ABANDONED in seen:
        outcome = Outcome.REFUSED
    else:
        outcome = Outcome.PENDING
    return Standing(
        outcome=outcome,
        receipt=receipt,
        code=code,
        status=status,
        accepted=accepted,
        attempted=attempted,
        in_flight=in_flight,
        tries=tries,
        paused=paused,
        wait=wait,
        checks=checks,
        refused=refused,
        abandoned=News.ABANDONED in seen,
        unconfirmed=News.UNCONFIRMED in seen,
        told=News.TOLD in seen,
        settled=News.SETTLED in seen,
    )


def next_step(promise: Promise, now: Standing, patience: Promises, at: float) -> Step:
    """Return what must happen next with ``promise``, and from when on, seen at Unix time ``at``."""
    if now.settled:
        return Step(Act.NOTHING, float("inf"))
    if now.lost:
        return Step(Act.SETTLE if now.told else Act.TELL_OWNER, 0.0)
    if now.accepted is not None:
        return _await_delivery(now, now.accepted, patience)
    give_up = promise.made + (
        patience.link_give_up_seconds
        if promise.kind is PromiseKind.ORDER_LINK
        else patience.message_give_up_seconds
    )
    resume = promise.made if now.paused is None else now.paused + _pause(now, patience)
    if now.attempted is not None:
        due = max(now.attempted + patience.uncertain_seconds, resume)
        last_asked_late = now.paused is not None and now.paused >= give_up
        return Step(Act.GIVE_UP if last_asked_late else Act.ASK, due)
    if max(resume, at) >= give_up:
        return Step(Act.GIVE_UP, give_up)
    return Step(Act.SEND, resume)


def _await_delivery(now: Standing, accepted: float, patience: Promises) -> Step:
    if now.delivered or now.unconfirmed:
        return Step(Act.SETTLE, 0.0)
    limit = accepted + patience.delivery_limit_seconds
    check = accepted + patience.delivery_check_seconds * 4.0**now.checks
    return Step(Act.CHECK, check) if check < limit else Step(Act.STOP_WAITING, limit)


def _pause(now: Standing, patience: Promises) -> float:
    """Return the seconds to stay away after the last failure: doubling, but never less than asked.

    Without jitter: one restaurant's box is no thundering herd, and tests can reckon.
    """
    exponent = min(max(now.tries - 1, 0), 30)
    pause = min(patience.retry_first_seconds * 2.0**exponent, patience.retry_most_seconds)
    return max(pause, now.wait or 0.0)
