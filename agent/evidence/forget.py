"""Takes the person out of a bundle for good: words and numbers are replaced, sound is deleted.

What was heard, decided and promised when, and what the review found, stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.errors import EvidenceError
from agent.events import FinalHeard, LineFinished
from agent.evidence.bundle import PROMISES_FILE, read_bundle
from agent.evidence.recorder import CALL_FILE, EVENTS_FILE, RESTAURANT_FILE
from agent.evidence.redact import Redactor, redact_events, redactor_of

MARK: Final = "redacted"
"""Key of ``call.json`` that says when, UTC; a bundle that has it is done."""

PROMISE_FIELDS: Final = frozenset({"to", "body"})


def forget_person(folder: Path, now: datetime, others: Mapping[str, frozenset[str]]) -> None:
    """Redact the bundle in ``folder``. Begun again after a crash, it comes to the same end.

    Files that are not known here are deleted: nobody knows what is in them.

    Args:
        folder: The bundle. Nothing may be writing to it.
        now: For the mark; aware.
        others: Further JSON or JSON-lines files of the bundle that stay, each with the keys
            whose values are personal, at whatever depth.

    Raises:
        EvidenceError: it can't be read, or the disk does not take it.
    """
    bundle = read_bundle(folder)
    redactor = redactor_of(bundle.events)
    for event in bundle.events:  # names that only come up in passing
        match event:
            case FinalHeard():
                redactor.text(event.text)
            case LineFinished():
                redactor.text(event.heard)
    kept = {CALL_FILE, EVENTS_FILE, RESTAURANT_FILE}
    fields = {PROMISES_FILE: PROMISE_FIELDS, **others}
    try:
        for path in folder.iterdir():
            if path.name not in kept | fields.keys():
                path.unlink()
        events = [event.as_json() for event in redact_events(bundle.events)]
        _put_lines(folder / EVENTS_FILE, events)
        for name, keys in fields.items():
            if (folder / name).exists():
                _redact_json(folder / name, keys, redactor)
        card = {
            key: redactor.number(value)
            if key in bundle.card.get("personal", ()) and isinstance(value, str)
            else value
            for key, value in bundle.card.items()
        }
        mark = {MARK: now.astimezone(UTC).isoformat(timespec="seconds")}
        _put(folder / CALL_FILE, json.dumps(card | mark, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise EvidenceError(
            f"{folder}: can't be redacted ({error.strerror}).",
            remedy="Check its rights; try again.",
        ) from error


def _redact_json(path: Path, keys: frozenset[str], redactor: Redactor) -> None:
    """Redact a file that is one JSON value, or one a line; what is neither is left out."""
    text = path.read_text("utf-8", errors="replace")
    try:
        _put(
            path, json.dumps(_redacted(json.loads(text), keys, redactor), ensure_ascii=False) + "\n"
        )
    except ValueError:
        rows = []
        for line in text.splitlines():
            try:
                rows.append(_redacted(json.loads(line), keys, redactor))
            except ValueError:
                continue
        _put_lines(path, rows)


def _redacted(value: Any, keys: frozenset[str], redactor: Redactor) -> Any:
    if isinstance(value, dict):
        return {
            key: redactor.text(one)
            if key in keys and isinstance(one, str)
            else _redacted(one, keys, redactor)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_redacted(one, keys, redactor) for one in value]
    return value


def _put_lines(path: Path, rows: list[Any]) -> None:
    _put(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _put(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}")
    draft.write_text(text, "utf-8")
    draft.chmod(0o600)
    draft.replace(path)
