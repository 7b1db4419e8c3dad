"""Keeps what teaches the mind apart from what tests it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from agent.mind.embedder import plain

CLOSE: Final = 0.7
"""Share of common words (of all words of both) from which two turns are the same turn."""

SHORT: Final = 4
"""Turns with fewer words ("no thank you") are everybody's and may be taught."""


class HeldOut:
    """The held-out turns, by their words."""

    def __init__(self, folder: Path) -> None:
        """Read every held-out file in ``folder``."""
        self._turns: list[frozenset[str]] = []
        self._where: dict[str, set[int]] = {}
        for path in sorted(folder.glob("*.jsonl")):
            for line in path.read_text("utf-8").splitlines():
                words = frozenset(plain(json.loads(line)["text"]).split())
                if len(words) < SHORT:
                    continue
                for word in words:
                    self._where.setdefault(word, set()).add(len(self._turns))
                self._turns.append(words)

    def is_close(self, text: str) -> bool:
        """Return whether ``text`` is nearly one of the held-out turns."""
        words = frozenset(plain(text).split())
        if len(words) < SHORT:
            return False
        common: dict[int, int] = {}
        for word in words:
            for index in self._where.get(word, ()):
                common[index] = common.get(index, 0) + 1
        return any(
            n >= CLOSE * len(words) and n >= CLOSE * len(words | self._turns[i])
            for i, n in common.items()
        )
