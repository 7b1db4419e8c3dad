"""The developer's view: how things went from day to day, and with what."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agent.report.day import Day


@dataclass(frozen=True, slots=True)
class Point:
    """One day in figures.

    Attributes:
        day: The date.
        calls: Calls.
        needs_met: Share of the needs that were met, 0–1; None if there were none.
        flags: How many flags of each kind.
        unanswered: Questions without an answer.
        latency_p50: Seconds, on the agent's side; None if there were no turns.
        latency_p95: The same.
        versions: What ran that day, the most calls first.
    """

    day: str
    calls: int
    needs_met: float | None
    flags: dict[str, int]
    unanswered: int
    latency_p50: float | None
    latency_p95: float | None
    versions: tuple[str, ...]

    @property
    def flagged(self) -> int:
        """All flags."""
        return sum(self.flags.values())

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


def point(day: Day) -> Point:
    """Return a day's figures."""
    met, of = day.needs
    latency = day.latency
    versions = Counter(one.version for one in day.calls if one.version)
    return Point(
        day=day.day.isoformat(),
        calls=len(day.calls),
        needs_met=met / of if of else None,
        flags=dict(day.flags),
        unanswered=sum(len(one.questions) for one in day.calls),
        latency_p50=_number(latency.p50),
        latency_p95=_number(latency.p95),
        versions=tuple(version for version, _ in versions.most_common()),
    )


def trend(days: Sequence[Day]) -> tuple[Point, ...]:
    """Return the figures of several days, in their order."""
    return tuple(point(day) for day in days)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
