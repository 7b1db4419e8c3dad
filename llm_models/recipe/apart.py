"""Keeps what teaches the mind apart from what tests it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np

from agent.mind.embedder import plain

CLOSE: Final = 0.7
"""Share of common words (of all words of both) from which two turns are the same turn."""

SHORT: Final = 4
"""Turns with fewer words ("no thank you") are everybody's and may be taught."""


class HeldOut:
    """The held-out turns, by their words."""

    def __init__(self, folder: Path) -> None:
        """Read every held-out file in ``folder``."""
        turns = {
            frozenset(plain(json.loads(line)["text"]).split())
            for path in sorted(folder.glob("*.jsonl"))
            for line in path.read_text("utf-8").splitlines()
        }
        long = [turn for turn in turns if len(turn) >= SHORT]
        where: dict[str, list[int]] = {}
        for index, turn in enumerate(long):
            for word in turn:
                where.setdefault(word, []).append(index)
        self._sizes = np.array([len(turn) for turn in long])
        self._where = {word: np.array(places) for word, places in where.items()}

    def is_close(self, text: str) -> bool:
        """Return whether ``text`` is nearly one of the held-out turns."""
        words = frozenset(plain(text).split())
        places = [self._where[word] for word in words if word in self._where]
        if len(words) < SHORT or len(places) < CLOSE * len(words):
            return False
        common = np.bincount(np.concatenate(places), minlength=len(self._sizes))
        return bool((common >= CLOSE * (len(words) + self._sizes - common)).any())
