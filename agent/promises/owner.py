"""What reaches the owner: a list on disk that always works, and texts that usually do.

Every message for the owner and every failure goes into ``<home>/owner/messages.jsonl``, one
line each, oldest first. The text message is an extra on top of the list: a failure of the
text therefore loses nothing, and is noted in the same list, never by another text.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from agent.events import personal
from agent.promises.files import append_line, change_lines, read_lines

FORGOTTEN: Final = "(forgotten, past its time)"
"""Stands where a note's words were."""


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the owner's list: which promise, when (Unix time), the words."""

    promise: str
    time: float
    text: str = personal()


class OwnersList:
    """The owner's list of messages and failures."""

    def __init__(self, home: Path) -> None:
        """Use ``<home>/owner/messages.jsonl``."""
        self.path = home / "owner" / "messages.jsonl"

    def add(self, promise: str, at: float, text: str) -> None:
        """Append a line, on disk when this returns.

        Raises:
            OSError: the disk is full or the folder can't be written.
        """
        append_line(self.path, {"promise": promise, "time": round(at, 3), "text": text})

    def read(self) -> list[Note]:
        """Return the list; a line doubled by a crash between two steps is there once."""
        notes = {
            (str(row.get("promise", "")), str(row.get("text", ""))): Note(
                str(row.get("promise", "")), float(row.get("time", 0.0)), str(row.get("text", ""))
            )
            for row in read_lines(self.path)
        }
        return list(notes.values())

    def forget(self, words_before: float, lines_before: float, kept: Container[str]) -> int:
        """Take the words out of old notes, and older ones off the list; return how many.

        Args:
            words_before: Unix time; words older than that go.
            lines_before: Lines older than that go.
            kept: Ids of promises whose notes stay as they are.

        Raises:
            OSError: it can't be read or written; then it is as it was.
        """

        def aged(row: dict[str, Any]) -> dict[str, Any] | None:
            at = float(row.get("time", 0.0))
            if str(row.get("promise", "")) in kept or at >= max(words_before, lines_before):
                return row
            return None if at < lines_before else row | {"text": FORGOTTEN}

        return change_lines(self.path, aged)
