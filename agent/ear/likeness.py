"""How alike two hearings of the same sound are: by their sounds, not by their words.

A recogniser bound to a grammar makes its own words of whatever is said. If what was said really was
such words, the free recogniser heard something that sounds nearly the same ("for one ate" and
"four one eight"); if not, the two sound different ("can i speak to someone", "nine five two one").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from agent.ear.lexicon import Pronunciation
from agent.ear.phones import CLASS_OF

VOWELS: Final = frozenset("AEIOU")

SAME_CLASS, SAME_KIND, OTHER = 0.4, 0.7, 1.0
"""Costs of taking one sound for another: of a class (P, T, K), both vowels or not, any other."""


class Likeness:
    """Compares hearings by a lexicon's first pronunciations."""

    def __init__(self, lexicon: Mapping[str, Sequence[Pronunciation]]) -> None:
        self._lexicon = lexicon

    def of(self, one: Iterable[str], other: Iterable[str]) -> float:
        """Return 1 for the same sounds, less for different ones, 0 for nothing in common."""
        first, second = self._sounds(one), self._sounds(other)
        longest = max(len(first), len(second))
        return max(0.0, 1.0 - _distance(first, second) / longest) if longest else 1.0

    def _sounds(self, words: Iterable[str]) -> list[str]:
        return [
            sound for word in words if word in self._lexicon for sound in self._lexicon[word][0]
        ]


def _distance(first: Sequence[str], second: Sequence[str]) -> float:
    row = [float(position) for position in range(len(second) + 1)]
    for count, sound in enumerate(first, 1):
        before, row[0] = row[0], float(count)
        for position, other in enumerate(second, 1):
            before, row[position] = (
                row[position],
                min(row[position] + 1, row[position - 1] + 1, before + _cost(sound, other)),
            )
    return row[-1]


def _cost(one: str, other: str) -> float:
    if one == other:
        return 0.0
    if CLASS_OF[one] == CLASS_OF[other]:
        return SAME_CLASS
    return SAME_KIND if (one[0] in VOWELS) == (other[0] in VOWELS) else OTHER
