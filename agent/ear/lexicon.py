"""Words and how they sound: ``lexicon.txt``, one pronunciation a line, in the model's phones."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Pronunciation = tuple[str, ...]
Lexicon = Mapping[str, Sequence[Pronunciation]]


def as_text(lexicon: Lexicon) -> str:
    """Return ``word PHONE PHONE …`` lines, words in order."""
    return "".join(
        f"{word} {' '.join(sounds)}\n" for word in sorted(lexicon) for sounds in lexicon[word]
    )


def from_text(lines: Iterable[str]) -> dict[str, list[Pronunciation]]:
    """Return the lexicon that ``as_text`` wrote."""
    lexicon: dict[str, list[Pronunciation]] = {}
    for line in lines:
        word, *sounds = line.split()
        lexicon.setdefault(word, []).append(tuple(sounds))
    return lexicon


def read(path: Path) -> dict[str, list[Pronunciation]]:
    """Read ``lexicon.txt`` or a ``.gz`` of the same form."""
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return from_text(file)
    return from_text(path.read_text(encoding="utf-8").splitlines())
