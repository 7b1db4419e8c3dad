"""Files that survive a crash at any byte: lines appended whole, small files put in place whole."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import structlog

_DRAFT: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC

_log = structlog.get_logger(__name__)


def append_line(path: Path, row: dict[str, Any]) -> None:
    """Append one JSON line, from any process, and return once it is on the disk.

    One ``write`` on an ``O_APPEND`` file, so lines of several processes never mix. If a crash
    tore the last line, the new one starts on a line of its own.

    Raises:
        OSError: the disk is full or the folder can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    descriptor = _alone_with(path)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        data = (b"\n" if torn else b"") + json.dumps(row, ensure_ascii=False).encode() + b"\n"
        written = os.write(descriptor, data)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes fitted")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if new:
        sync_folder(path.parent)


def _alone_with(path: Path) -> int:
    """Open a file of lines and keep other writers out until it is closed."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        os.close(descriptor)  # `change_lines` put another one in its place meanwhile


def change_lines(path: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> int:
    """Put a file of JSON lines in place with each row changed, or left out (None).

    Lines that can't be read are left out: nobody knows what is in them. Returns how many rows
    are different now; if none, the file is not touched. Lines that are appended meanwhile wait.

    Raises:
        OSError: it can't be read or written; then it is as it was.
    """
    if not path.exists():
        return 0
    descriptor = _alone_with(path)
    try:
        rows = read_lines(path)
        changed = [change(row) for row in rows]
        different = sum(new != old for new, old in zip(changed, rows, strict=True))
        if different:
            draft = path.with_suffix(f".{os.getpid()}.draft")
            with os.fdopen(os.open(draft, _DRAFT, 0o600), "w", encoding="utf-8") as out:
                for row in changed:
                    if row is not None:
                        out.write(json.dumps(row, ensure_ascii=False) + "\n")
                out.flush()
                os.fsync(out.fileno())
            draft.replace(path)
            sync_folder(path.parent)
        return different
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the readable JSON lines of ``path``; a missing file has none.

    Lines that are torn or no JSON object are passed over and reported in the log.

    Raises:
        OSError: the file exists and can't be read.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return []
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            _log.warning("line_unreadable", file=str(path), line=number)
    return rows


def put_file(path: Path, row: dict[str, Any]) -> None:
    """Write a small JSON file so that it is there whole, or not at all.

    Raises:
        OSError: the disk is full or the folder can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    with os.fdopen(os.open(draft, _DRAFT, 0o600), "w", encoding="utf-8") as out:
        json.dump(row, out, ensure_ascii=False)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk: a new file's name is data of its folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
