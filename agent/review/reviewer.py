"""Reviews a call, keeps the review in its bundle, and says when a kept one still stands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from agent import __version__
from agent.errors import EvidenceError, NewerBundle
from agent.evidence.bundle import PROMISES_FILE, Bundle, read_bundle
from agent.evidence.recorder import AGENT_AUDIO, EVENTS_FILE
from agent.review.checks import check
from agent.review.figures import measure
from agent.review.judge import Judge, Verdict
from agent.review.look import look
from agent.review.schema import (
    HISTORY_FILE,
    REVIEW_FILE,
    REVIEW_VERSION,
    Judgement,
    Review,
    Versions,
)
from agent.review.seen import Seen
from agent.review.summary import summarise

_CODE: Final = Path(__file__).parent


def review_bundle(bundle: Bundle, now: datetime, judge: Judge | None = None) -> Review:
    """Return the review of a call. Nothing is written.

    Args:
        bundle: The evidence; the only thing that is read.
        now: When it is reviewed; aware.
        judge: The second opinion, or None.
    """
    seen = look(bundle)
    flags = check(seen)
    verdict = judge.judge(seen, flags) if judge else Verdict(Judgement(), flags)
    summary = summarise(seen, tuple(flag for flag in verdict.flags if not flag.vetoed))
    return Review(
        call=bundle.id,
        reviewed=now.isoformat(timespec="seconds"),
        versions=_versions(seen),
        type=summary.type,
        outcome=summary.outcome,
        reason=summary.reason,
        ended_by=seen.ended.by if seen.ended else "open",
        need_met=summary.need_met,
        events=summary.events,
        measures=measure(seen),
        flags=verdict.flags,
        judge=verdict.judgement,
        notes=seen.notes,
    )


def review_call(
    folder: Path, now: datetime, judge: Judge | None = None, *, again: bool = False
) -> Review:
    """Return the review of the call in ``folder``: the kept one if it still stands, else a new one.

    A kept review stands while evidence, checks, restaurant file and judge are the same. A new
    one is written into the bundle; what earlier ones said stays in ``reviews.jsonl``.

    Args:
        folder: The bundle's.
        now: The time; aware.
        judge: The second opinion, or None.
        again: Review anew in any case.

    Raises:
        EvidenceError: The bundle can't be read, or the review can't be written.
    """
    kept = read_review(folder)
    bundle = read_bundle(folder)
    if kept is not None and not again and _stands(kept, bundle, judge):
        return kept
    fresh = review_bundle(bundle, now, judge)
    keep(folder, fresh)
    return fresh


def read_review(folder: Path) -> Review | None:
    """Return the review that is kept in a bundle; None if there is none.

    Raises:
        NewerBundle: a newer Pickup wrote it.
        EvidenceError: it can't be read.
    """
    path = folder / REVIEW_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EvidenceError(
            f"{path}: can't be read ({error}).", remedy="Delete it and review the call again."
        ) from error
    version = data.get("review", 0) if isinstance(data, dict) else 0
    if isinstance(version, int) and version > REVIEW_VERSION:
        raise NewerBundle(
            f"{path}: has form {version}, this Pickup reads up to {REVIEW_VERSION}.",
            remedy="Read it with the Pickup that wrote it, or update this one.",
        )
    try:
        return Review.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise EvidenceError(
            f"{path}: {where}: {first['msg']}.", remedy="Delete it and review the call again."
        ) from error


def keep(folder: Path, review: Review) -> None:
    """Write ``review`` into its bundle: the latest in one file, all of them in another.

    Raises:
        EvidenceError: the disk does not take it.
    """
    line = review.model_dump_json() + "\n"
    try:
        last = _last_line(folder / HISTORY_FILE)
        if last is None or _said(last) != _said(json.loads(line)):
            with (folder / HISTORY_FILE).open("a", encoding="utf-8") as file:
                file.write(line)
        draft = folder / f".{REVIEW_FILE}"
        draft.write_text(review.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.replace(folder / REVIEW_FILE)
    except OSError as error:
        raise EvidenceError(
            f"{folder}: the review can't be kept ({error.strerror}).", remedy="Check the disk."
        ) from error


def _last_line(path: Path) -> Any:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    for line in reversed(lines):
        try:
            return json.loads(line)
        except ValueError:
            continue  # torn by a crash
    return None


def _said(review: Any) -> Any:
    """Return what a review says, without when it was said."""
    return {key: value for key, value in review.items() if key != "reviewed"}


def _stands(kept: Review, bundle: Bundle, judge: Judge | None) -> bool:
    same = kept.versions == _versions(look(bundle))
    if judge is None:
        return same
    return same and (
        kept.judge.model_sha256 == judge.model_sha256
        and kept.judge.prompt_sha256 == judge.prompt_sha256
        and not kept.judge.error
    )


def _versions(seen: Seen) -> Versions:
    return Versions(
        pickup=__version__,
        checks=checks_hash(),
        evidence=_evidence_hash(seen.bundle.folder),
        restaurant=seen.restaurant_hash,
    )


@cache
def checks_hash() -> str:
    """Return a hash of the code that reviews, the judge's aside."""
    digest = hashlib.sha256()
    for path in _code():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _code() -> Iterator[Path]:
    yield from sorted((_CODE / "checks").glob("*.py"))
    names = ("figures", "look", "schema", "seen", "summary", "words")
    yield from (_CODE / f"{name}.py" for name in names)


def _evidence_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in (EVENTS_FILE, PROMISES_FILE):
        path = folder / name
        digest.update(path.read_bytes() if path.is_file() else b"")
        digest.update(b"\0")
    sound = folder / AGENT_AUDIO
    digest.update(str(sound.stat().st_size if sound.is_file() else 0).encode())
    return digest.hexdigest()[:16]
