"""Reviews every call as it ends, while no call is on.

The disk is the queue: a closed bundle without a review is what there is to do. Nothing is
lost when this process dies, and nothing waits for Redis.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from agent.errors import EvidenceError
from agent.evidence.bundle import bundle_folders, read_card
from agent.evidence.recorder import EVENTS_FILE
from agent.review.judge import Judge
from agent.review.reviewer import review_call
from agent.review.schema import REVIEW_FILE
from agent.settings import Settings

LOOK_SECONDS: Final = 5.0
"""How often it is looked for calls that ended."""

QUIET_SECONDS: Final = 30.0
"""A bundle that is not closed and was not written to for so long belongs to no living call."""

NEWS_SECONDS: Final = 120.0
"""A call is reviewed when its promises have had this long to be delivered."""

NICE: Final = 19
"""A review never takes a cycle that a call wants."""

_log = structlog.get_logger(__name__)


def call_is_on(calls: Path, now: float) -> bool:
    """Return whether a call is being served: a bundle that is open and was written to lately."""
    return any(
        not (folder / REVIEW_FILE).exists()
        and not _card(folder).get("closed")
        and now - _written(folder) < QUIET_SECONDS
        for folder in _latest(calls)
    )


def unreviewed(calls: Path, now: float) -> list[Path]:
    """Return the folders of the calls that are over and have no review, oldest first."""
    found = []
    for folder in bundle_folders(calls):
        if (folder / REVIEW_FILE).exists():
            continue
        patience = NEWS_SECONDS if _card(folder).get("closed") else QUIET_SECONDS + NEWS_SECONDS
        if now - _written(folder) >= patience:
            found.append(folder)
    return found


def review_pending(
    settings: Settings,
    judge: Judge | None,
    clock: Callable[[], float] = time.time,
    failed: set[Path] | None = None,
) -> int:
    """Review what lies unreviewed until all is done or a call comes in.

    Args:
        settings: Says where the bundles are.
        judge: The second opinion, or None.
        clock: Unix time.
        failed: Bundles that can't be reviewed; they are passed over, and new ones added.

    Returns:
        How many were reviewed.
    """
    lame = failed if failed is not None else set()
    count = 0
    for folder in unreviewed(settings.calls, clock()):
        if folder in lame:
            continue
        if call_is_on(settings.calls, clock()):
            break
        try:
            review = review_call(folder, datetime.fromtimestamp(clock(), UTC), judge)
        except EvidenceError as error:
            lame.add(folder)
            _log.error("A call can't be reviewed.", call=folder.name, reason=str(error))
            continue
        count += 1
        flags = [str(flag.kind) for flag in review.standing]
        _log.info("A call was reviewed.", call=folder.name, outcome=review.outcome, flags=flags)
    return count


def serve(settings: Settings, judge: Judge | None) -> None:
    """Review calls as they end, until SIGTERM or SIGINT."""
    os.nice(NICE)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    failed: set[Path] = set()
    while not stop.is_set():
        review_pending(settings, judge, failed=failed)
        stop.wait(LOOK_SECONDS)


def _latest(calls: Path) -> list[Path]:
    """Return the bundles of the last two days with calls: a call may pass midnight."""
    folders = bundle_folders(calls)
    days = sorted({folder.parent.name for folder in folders})[-2:]
    return [folder for folder in folders if folder.parent.name in days]


def _card(folder: Path) -> dict[str, object]:
    try:
        return read_card(folder)
    except EvidenceError:
        return {"closed": True}  # whatever is wrong with it, nobody is writing it


def _written(folder: Path) -> float:
    events = folder / EVENTS_FILE
    return (events if events.exists() else folder).stat().st_mtime
