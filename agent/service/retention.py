"""How long evidence stays: after a while without the person in it, after a longer while not at all.

A call that its review flagged is evidence of a fault: it stays as it is until somebody says
that they have looked at it (`looked_at`). One with a promise still open stays too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import structlog

from agent.errors import EvidenceError
from agent.evidence.bundle import bundle_folders, read_card
from agent.evidence.forget import MARK, forget_person
from agent.evidence.recorder import CALL_FILE
from agent.promises.ledger import Ledger
from agent.promises.owner import OwnersList
from agent.review.reviewer import read_review
from agent.review.schema import HISTORY_FILE, REVIEW_FILE
from agent.settings import Retention, Settings

LOOKED_FILE: Final = "looked.json"
"""In the bundle of a flagged call: when somebody said that they had looked at it."""

OTHERS: Final = {
    REVIEW_FILE: frozenset({"quote", "what", "detail", "reason"}),
    HISTORY_FILE: frozenset({"quote", "what", "detail", "reason"}),
    LOOKED_FILE: frozenset[str](),
}

log = structlog.get_logger()


class Fate(StrEnum):
    """What becomes of a bundle."""

    REDACT = "redact"
    DELETE = "delete"
    HOLD = "hold"
    """It is of an age, but something keeps it."""


@dataclass(frozen=True, slots=True)
class Due:
    """A bundle (or the owner's list) that is of an age, what becomes of it, and why."""

    folder: Path
    fate: Fate
    why: str


def due(settings: Settings, now: datetime) -> list[Due]:
    """Return what is to be redacted, deleted or held, oldest first; changes nothing."""
    ledger = Ledger(settings)
    open_promises = set(ledger.open_ids())
    return [
        found
        for folder in bundle_folders(settings.calls)
        if (found := _due(folder, settings.retention, now, ledger, open_promises)) is not None
    ]


def _due(
    folder: Path, rule: Retention, now: datetime, ledger: Ledger, open_promises: set[str]
) -> Due | None:
    try:
        card = read_card(folder)
        begun = _begun(folder, card)
    except (EvidenceError, ValueError) as error:
        return Due(folder, Fate.HOLD, f"its age can't be told: {error}")
    age = now - begun
    old = bool(rule.delete_after_days) and age > timedelta(days=rule.delete_after_days)
    grown = bool(rule.redact_after_days) and age > timedelta(days=rule.redact_after_days)
    if not old and not (grown and MARK not in card):
        return None
    if any(promise.id in open_promises for promise in ledger.promises_of(folder)):
        return Due(folder, Fate.HOLD, "a promise is still open")
    try:
        flags = _unseen_flags(folder)
    except EvidenceError as error:
        return Due(folder, Fate.HOLD, str(error))
    if flags:
        return Due(folder, Fate.HOLD, f"flagged and not looked at: {', '.join(flags)}")
    fate = Fate.DELETE if old else Fate.REDACT
    return Due(folder, fate, f"{age.days} days old")


def _begun(folder: Path, card: dict[str, Any]) -> datetime:
    text = card.get("started_utc")
    if isinstance(text, str):
        begun = datetime.fromisoformat(text)
        return begun if begun.tzinfo else begun.replace(tzinfo=UTC)
    return datetime.combine(date.fromisoformat(folder.parent.name), datetime.min.time(), UTC)


def _unseen_flags(folder: Path) -> tuple[str, ...]:
    """Return the flags of a call at which nobody has looked."""
    if (folder / LOOKED_FILE).exists():
        return ()
    review = read_review(folder)
    return tuple(sorted({str(flag.kind) for flag in review.standing})) if review else ()


def carry_out(settings: Settings, now: datetime) -> Iterator[Due]:
    """Redact and delete what is due; yields each as it is done, and what is held.

    The owner's list is seen to last: it is changed, or not at all.

    One that can't be is told in the log and yielded as held; the others go on.
    """
    for found in due(settings, now):
        try:
            if found.fate is Fate.REDACT:
                forget_person(found.folder, now, OTHERS)
            elif found.fate is Fate.DELETE:
                _delete(found.folder)
        except (EvidenceError, OSError) as error:
            log.error("A call can't be let go.", call=found.folder.name, error=str(error))
            yield Due(found.folder, Fate.HOLD, str(error))
            continue
        if found.fate is not Fate.HOLD:
            log.info("A call is past its time.", call=found.folder.name, fate=str(found.fate))
        yield found
    yield from _owners_list(settings, now)


def _owners_list(settings: Settings, now: datetime) -> Iterator[Due]:
    """Let the owner's list forget what it would of calls of that age."""
    rule, notes = settings.retention, OwnersList(settings.home)

    def before(days: int) -> float:
        return (now - timedelta(days=days)).timestamp() if days else 0.0

    try:
        many = notes.forget(
            before(rule.redact_after_days),
            before(rule.delete_after_days),
            set(Ledger(settings).open_ids()),
        )
    except OSError as error:
        log.error("The owner's list can't let go.", error=str(error))
        yield Due(notes.path, Fate.HOLD, str(error))
        return
    if many:
        yield Due(notes.path, Fate.REDACT, f"{many} notes past their time")


def _delete(folder: Path) -> None:
    """Delete a bundle. ``call.json`` goes last, so one begun is found again after a crash."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name == CALL_FILE):
        path.unlink()
    folder.rmdir()
    day = folder.parent
    if not any(day.iterdir()):
        day.rmdir()


def looked_at(folder: Path, now: datetime) -> None:
    """Note that somebody has looked at a call; from now on age alone decides.

    Raises:
        OSError: the disk did not take it.
    """
    text = f'{{"looked": "{now.astimezone(UTC).isoformat(timespec="seconds")}"}}\n'
    (folder / LOOKED_FILE).write_text(text, "utf-8")
