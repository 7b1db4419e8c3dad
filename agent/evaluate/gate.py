"""The gate: nothing that passed may fail, and what must never be said never is.

``evals/baseline.json`` says what passed when it was last accepted. It is a file in git: whoever
changes it shows what became better or worse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from agent.errors import CaseError
from agent.evaluate.case import Level
from agent.evaluate.results import Played, Status
from agent.settings import CHECKOUT

BASELINE: Final = CHECKOUT / "evals" / "baseline.json"
BASELINE_VERSION: Final = 1
REMEDY: Final = "Write one with `pickup eval --gate --update`, and look at what it says."


class Exit(IntEnum):
    """What the gate says, as an exit status."""

    PASS = 0
    REGRESSION = 1
    UNKNOWN = 2
    """It could not be told: something errored, or there is no baseline."""


@dataclass(frozen=True, slots=True)
class Regression:
    """A run that keeps the gate shut, and why."""

    run: Played
    why: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says and why.

    Attributes:
        exit: The exit status.
        regressions: What became worse.
        errored: What could not be told.
        mended: Keys of runs that did not pass before and do now.
        new: Keys of runs that the baseline does not know.
        gone: Keys of runs that it knows and that are no more.
        changed: Names of what else decides and is not what it was: code, models, ….
    """

    exit: Exit
    regressions: tuple[Regression, ...]
    errored: tuple[Played, ...]
    mended: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What was accepted.

    Attributes:
        runs: Status by `Played.key`, per driver one file.
        inputs: What it was played with, see `agent.evaluate.inputs`.
    """

    runs: Mapping[str, Status]
    inputs: Mapping[str, str]


def read_baseline(path: Path = BASELINE) -> Baseline:
    """Read a baseline.

    Raises:
        CaseError: there is none, or it can't be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        version = data["baseline"]
        runs = {str(key): Status(value) for key, value in data["runs"].items()}
        inputs = {str(key): str(value) for key, value in data["inputs"].items()}
    except OSError as error:
        raise CaseError(f"{path}: can't be read ({error.strerror}).", remedy=REMEDY) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CaseError(f"{path}: is no baseline ({error!r}).", remedy=REMEDY) from error
    if version != BASELINE_VERSION:
        raise CaseError(f"{path}: is of version {version}, not {BASELINE_VERSION}.", remedy=REMEDY)
    return Baseline(runs, inputs)


def write_baseline(played: Sequence[Played], inputs: Mapping[str, str], path: Path) -> None:
    """Accept how runs went.

    Raises:
        CaseError: something errored, or was said that must never be: that can't be accepted.
    """
    for one in played:
        if one.status is Status.ERRORED:
            raise CaseError(
                f"{one.name} errored: {one.faults[0]}.", remedy="Repair it before accepting."
            )
        if one.banned and not one.pending:
            raise CaseError(
                f"{one.name} says what must never be said: {one.faults[0]}.",
                remedy="Repair it before accepting.",
            )
    data = {
        "baseline": BASELINE_VERSION,
        "inputs": dict(sorted(inputs.items())),
        "runs": {
            one.key: str(one.status)
            for one in sorted(played, key=lambda each: each.key)
            if one.status is not Status.NOT_RUN
        },
    }
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def decide(played: Sequence[Played], baseline: Baseline, inputs: Mapping[str, str]) -> Decision:
    """Hold how runs went against the baseline.

    Args:
        played: How they went now, each with its repeats.
        baseline: What was accepted.
        inputs: What they were played with.
    """
    tried = [one for one in played if one.status is not Status.NOT_RUN]
    regressions = tuple(
        Regression(one, why) for one in tried if (why := _regression(one, baseline.runs))
    )
    errored = tuple(one for one in tried if one.status is Status.ERRORED)
    keys = {one.key for one in tried}
    changed = sorted(
        name
        for name in inputs.keys() | baseline.inputs.keys()
        if inputs.get(name) != baseline.inputs.get(name)
    )
    status = Exit.REGRESSION if regressions else Exit.UNKNOWN if errored else Exit.PASS
    return Decision(
        exit=status,
        regressions=regressions,
        errored=errored,
        mended=tuple(
            one.key
            for one in tried
            if one.status is Status.PASSED and baseline.runs.get(one.key) is Status.FAILED
        ),
        new=tuple(sorted(keys - baseline.runs.keys())),
        gone=tuple(sorted(baseline.runs.keys() - {one.key for one in played})),
        changed=tuple(changed),
    )


def _regression(one: Played, before: Mapping[str, Status]) -> str:
    """Return why a run keeps the gate shut; empty: it doesn't. Errors are counted apart."""
    if one.status is Status.ERRORED:
        return ""
    first = one.faults[0] if one.faults else ""
    if one.banned and (not one.pending or before.get(one.key) is Status.PASSED):
        return f"what must never be said is said: {first}"
    if not one.steady:
        return "it decides differently when repeated"
    if one.status is not Status.FAILED:
        return ""
    if before.get(one.key) is Status.PASSED:
        return f"it passed before: {first}"
    if one.level is Level.BLOCKING and one.key not in before:
        return f"it is new and does not pass: {first}"
    return f"it is blocking: {first}" if one.level is Level.BLOCKING else ""
