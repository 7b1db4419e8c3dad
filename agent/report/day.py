"""One day's calls, from their bundles and reviews; nothing is written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.errors import EvidenceError
from agent.evidence.bundle import PROMISES_FILE, Bundle, bundle_folders, read_bundle
from agent.evidence.measures import Distribution, distribution, stages
from agent.evidence.recorder import CALL_FILE, EVENTS_FILE
from agent.promises.owner import OwnersList
from agent.report.masked import masked, masked_number
from agent.review.reviewer import read_review, review_bundle
from agent.review.schema import REVIEW_FILE, BusinessEventKind, Review

_FILES: Final = (CALL_FILE, EVENTS_FILE, PROMISES_FILE, REVIEW_FILE)

_TOKEN: Final = re.compile(r"\s*#[0-9a-z]{8}n?$")

DELIVERED: Final = frozenset({"delivered", "read"})
FAILED: Final = frozenset({"undelivered", "failed", "canceled"})


@dataclass(frozen=True, slots=True)
class Problem:
    """A flag of a call, for a page. ``at`` is call time in seconds."""

    kind: str
    at: float
    quote: str
    detail: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text message of a call. ``state``: delivered, sent, failed or waiting."""

    kind: str
    promise: str
    state: str


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call, as a list shows it. Telephone numbers are masked in all of it.

    Attributes:
        id: The bundle's id.
        day: Its folder's name: the day, in the restaurant's zone.
        started: When it began, in the restaurant's zone; None if that can't be read.
        caller: The caller's number, masked.
        type: What it was about.
        outcome: What became of it.
        reason: The same in a few words.
        need_met: Whether the caller got what they wanted; None: they wanted nothing.
        ended_by: Who ended it.
        seconds: How long it lasted.
        turns: How often the caller spoke.
        latencies: Last voiced sample to first sound, per turn, on the agent's side, seconds.
        texts: Text messages.
        questions: What was asked and had no answer.
        problems: What looks wrong.
        version: What ran.
        error: Why nothing is known of it; empty otherwise.
    """

    id: str
    day: str
    started: datetime | None = None
    caller: str = ""
    type: str = ""
    outcome: str = ""
    reason: str = ""
    need_met: bool | None = None
    ended_by: str = ""
    seconds: float = 0.0
    turns: int = 0
    latencies: tuple[float, ...] = ()
    texts: tuple[Text, ...] = ()
    questions: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    version: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A line of the owner's list."""

    at: datetime
    text: str
    promise: str
    state: str


@dataclass(frozen=True, slots=True)
class Question:
    """Something that callers asked and the restaurant file could not answer."""

    text: str
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Day:
    """A day.

    Attributes:
        day: The date, in the restaurant's zone.
        calls: Oldest first.
        messages: What reached the owner's list that day, oldest first.
    """

    day: date
    calls: tuple[CallLine, ...]
    messages: tuple[Message, ...] = field(default=())

    @property
    def types(self) -> Mapping[str, int]:
        """How many calls were about what, the most frequent first."""
        return dict(Counter(one.type for one in self.calls if not one.error).most_common())

    @property
    def links(self) -> Mapping[str, int]:
        """How many ordering links stand how; ``sent`` counts the delivered ones too."""
        states = Counter(t.state for one in self.calls for t in one.texts if t.kind == "order_link")
        return {
            "sent": states["sent"] + states["delivered"],
            "delivered": states["delivered"],
            "failed": states["failed"],
            "waiting": states["waiting"],
        }

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions without an answer, the most frequent first."""
        asked: dict[str, list[str]] = {}
        for one in self.calls:
            for text in one.questions:
                asked.setdefault(text, []).append(one.id)
        found = [Question(text, tuple(dict.fromkeys(calls))) for text, calls in asked.items()]
        return tuple(sorted(found, key=lambda one: -len(one.calls)))

    @property
    def flags(self) -> Mapping[str, int]:
        """How many flags of each kind, the most frequent first."""
        return dict(Counter(p.kind for one in self.calls for p in one.problems).most_common())

    @property
    def latency(self) -> Distribution:
        """The latency of all turns, on the agent's side, seconds."""
        return distribution([value for one in self.calls for value in one.latencies])

    @property
    def needs(self) -> tuple[int, int]:
        """How many needs were met, of how many."""
        met = [one.need_met for one in self.calls if one.need_met is not None]
        return sum(met), len(met)

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; numbers masked, times in seconds."""
        latency = asdict(self.latency)
        return {
            "day": self.day.isoformat(),
            "calls": [_plain(asdict(one)) for one in self.calls],
            "types": dict(self.types),
            "links": dict(self.links),
            "messages": [_plain(asdict(one)) for one in self.messages],
            "questions": [asdict(one) for one in self.questions],
            "flags": dict(self.flags),
            "needs": {"met": self.needs[0], "of": self.needs[1]},
            "latency": latency if self.latency.count else None,
        }


class Reports:
    """Reads days; a bundle that has not changed since is not read again."""

    def __init__(self, home: Path, calls: Path, zone: str) -> None:
        """Say where things are.

        Args:
            home: Holds the owner's list.
            calls: The bundles.
            zone: The restaurant's time zone.
        """
        self._home = home
        self._calls = calls
        self._zone = ZoneInfo(zone)
        self._known: dict[Path, tuple[tuple[int, ...], CallLine]] = {}

    def today(self, now: datetime) -> date:
        """Return the restaurant's date at ``now`` (aware)."""
        return now.astimezone(self._zone).date()

    def days(self) -> list[str]:
        """Return the days that have calls, oldest first."""
        return sorted({folder.parent.name for folder in bundle_folders(self._calls)})

    def day(self, day: date) -> Day:
        """Return a day; one without calls is empty."""
        folders = bundle_folders_of(self._calls, day.isoformat())
        calls = tuple(self._line(folder) for folder in folders)
        states = {text.promise: text.state for one in calls for text in one.texts}
        return Day(day, calls, tuple(self._messages(day, states)))

    def _messages(self, day: date, states: Mapping[str, str]) -> Iterator[Message]:
        for note in OwnersList(self._home).read():
            at = datetime.fromtimestamp(note.time, UTC).astimezone(self._zone)
            if at.date() == day:
                state = states.get(note.promise, "")
                words = _TOKEN.sub(
                    "", note.text
                )  # a token is for the carrier's list, not for people
                yield Message(at, masked(words), note.promise, state)

    def _line(self, folder: Path) -> CallLine:
        signature = tuple(_changed(folder / name) for name in _FILES)
        known = self._known.get(folder)
        if known is None or known[0] != signature:
            known = self._known[folder] = (signature, call_line(folder))
        return known[1]


def bundle_folders_of(calls: Path, day: str) -> list[Path]:
    """Return the bundles of one day, oldest first."""
    return sorted(path.parent for path in (calls / day).glob(f"*/{CALL_FILE}"))


def call_line(folder: Path) -> CallLine:
    """Return one call; what can't be read is told in its ``error``."""
    empty = CallLine(folder.name, folder.parent.name)
    try:
        bundle = read_bundle(folder)
        review = read_review(folder) or review_bundle(bundle, datetime.now(UTC))
    except EvidenceError as error:
        return replace(empty, error=str(error))
    return replace(
        empty,
        started=bundle.started,
        caller=masked_number(bundle.caller),
        type=str(review.type),
        outcome=str(review.outcome),
        reason=review.reason,
        need_met=review.need_met,
        ended_by=review.ended_by,
        seconds=review.measures.seconds or bundle.seconds,
        turns=review.measures.turns,
        latencies=tuple(round(stage.total, 4) for stage in stages(bundle.events)),
        texts=tuple(_texts(bundle.promises)),
        questions=_questions(review),
        problems=tuple(
            Problem(str(one.kind), one.at, masked(one.quote), masked(one.detail))
            for one in review.standing
        ),
        version=_version(bundle),
    )


def _questions(review: Review) -> tuple[str, ...]:
    asked = [e for e in review.events if e.kind is BusinessEventKind.QUESTION_UNANSWERED]
    return tuple(dict.fromkeys(masked(event.what) for event in asked))


def _texts(rows: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """Return the texts of a call from the lines of its ``promises.jsonl``."""
    kinds: dict[str, str] = {}
    states: dict[str, str] = {}
    for row in rows:
        promise, news = str(row.get("promise", "")), str(row.get("news", ""))
        status = str(row.get("status", ""))
        if news == "made" and not row.get("about"):
            kinds[promise] = str(row.get("kind", ""))
            states[promise] = "waiting"
        elif status in DELIVERED:
            states[promise] = "delivered"
        elif status in FAILED or news in ("refused", "abandoned"):
            states[promise] = "failed"
        elif news == "accepted" and states.get(promise) == "waiting":
            states[promise] = "sent"
    yield from (Text(kind, promise, states[promise]) for promise, kind in kinds.items())


def _version(bundle: Bundle) -> str:
    """Return what ran, in short: version, and the beginnings of the models' hashes."""
    models = bundle.card.get("models")
    hashes = models.values() if isinstance(models, Mapping) else ()
    parts = [str(one.get("sha256", ""))[:4] for one in hashes if isinstance(one, Mapping)]
    return " ".join([str(bundle.card.get("pickup", "")), *parts]).strip()


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}
