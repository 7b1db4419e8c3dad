"""How runs of cases went: the same for every driver, every process, every report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

from agent.evaluate.case import Level, Run


class Status(StrEnum):
    """How a run went; worse ones later."""

    PASSED = "passed"
    FAILED = "failed"
    """The conversation did not go as the case says."""
    ERRORED = "errored"
    """It could not be told: something of ours broke."""
    NOT_RUN = "not_run"
    """It was not tried: not for this driver, or the run was broken off."""


WORST: dict[Status, int] = {
    Status.PASSED: 0,
    Status.NOT_RUN: 1,
    Status.FAILED: 2,
    Status.ERRORED: 3,
}


@dataclass(frozen=True, slots=True)
class Spoke:
    """One exchange as a person reads it: what the caller did, what came of it."""

    caller: str
    agent: str
    step: str = ""
    moves: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    unbacked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Played:
    """A run and its repeats; plain data.

    Attributes:
        name: The run's name.
        case: The case's.
        words: What the caller said, the turns with words only.
        level: The run's level.
        status: The worst of the repeats.
        faults: What was wrong, one sentence each, in the first repeat that was not right.
        banned: Words that must never be said were said in one of the repeats, or a sentence
            that nothing backs.
        steady: Every repeat decided the same.
        why: What keeps it from passing, if it is pending.
        seconds: How long all repeats took.
        talk: The conversation of the repeat that the faults are of.
        origin: Where the case came from.
    """

    name: str
    case: str
    words: tuple[str, ...]
    level: Level
    status: Status
    faults: tuple[str, ...] = ()
    banned: bool = False
    steady: bool = True
    why: str = ""
    seconds: float = 0.0
    talk: tuple[Spoke, ...] = ()
    origin: str = "written"

    @property
    def key(self) -> str:
        """What it is known by from one version to the next: its case and its words."""
        return f"{self.case}: {' / '.join(self.words)}"

    @property
    def pending(self) -> bool:
        """Whether it is known not to pass yet."""
        return self.level is Level.PENDING

    @property
    def holds(self) -> bool:
        """Whether it is as it must be: passed or pending or not for this driver, and steady."""
        return self.steady and (self.status in (Status.PASSED, Status.NOT_RUN) or self.pending)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is no such thing.
        """
        talk = tuple(
            Spoke(**{**one, **{k: tuple(one[k]) for k in ("moves", "tools", "unbacked")}})
            for one in data["talk"]
        )
        plain = {**data, "level": Level(data["level"]), "status": Status(data["status"])}
        lists = {name: tuple(data[name]) for name in ("words", "faults")}
        return cls(**{**plain, **lists, "talk": talk})


def not_played(run: Run, status: Status, why: str) -> Played:
    """Return a run that has no conversation to show: it errored outside of it, or was not tried."""
    return Played(
        name=run.name,
        case=run.case.case,
        words=tuple(filter(None, run.words)),
        level=run.level,
        status=status,
        faults=(why,),
        why=run.case.why,
        origin=run.case.origin,
    )


@dataclass(frozen=True, slots=True)
class Tally:
    """How many runs went how.

    Attributes:
        cases: Cases.
        runs: Runs.
        counts: Runs that are not pending, by status.
        pending: Pending runs that failed.
        unsteady: Runs whose repeats decided differently.
        now_pass: Names of pending runs that passed.
    """

    cases: int
    runs: int
    counts: Mapping[Status, int]
    pending: int
    unsteady: int
    now_pass: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        """Return the tally as a sentence."""
        parts = [f"{self.counts[Status.PASSED]} passed", f"{self.counts[Status.FAILED]} failed"]
        parts += [f"{self.counts[Status.ERRORED]} errored", f"{self.pending} pending"]
        if self.counts[Status.NOT_RUN]:
            parts.append(f"{self.counts[Status.NOT_RUN]} not run")
        return f"{self.cases} cases, {self.runs} runs: {', '.join(parts)}."


def tally(played: Iterable[Played]) -> Tally:
    """Count how runs went. Errors count whatever the level: nothing is known of those runs."""
    runs = tuple(played)
    counts = Counter(
        one.status for one in runs if not one.pending or one.status is not Status.FAILED
    )
    return Tally(
        cases=len({one.case for one in runs}),
        runs=len(runs),
        counts={status: counts[status] for status in Status},
        pending=sum(one.pending and one.status is Status.FAILED for one in runs),
        unsteady=sum(not one.steady for one in runs),
        now_pass=tuple(one.name for one in runs if one.pending and one.status is Status.PASSED),
    )
