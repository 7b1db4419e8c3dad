"""Recognition errors made on purpose: words that sound alike, words lost, words added."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from typing import Final

SMALL: Final = ("the", "a", "and", "of", "in", "to", "or", "her", "on", "it")
"""What a recogniser likes to hear in noise."""


def sound_key(word: str) -> str:
    """Return a rough key of how ``word`` sounds: consonant classes, first vowel kept."""
    word = re.sub(r"[^a-z]", "", word.lower())
    word = re.sub(r"(ph|gh)", "f", word).replace("wh", "w").replace("ck", "k").replace("kn", "n")
    first = word[:1]
    rest = re.sub(r"[aeiouyhw]", "", word[1:])
    table = str.maketrans("bpfvcgjkqsxzdtlrmn", "11112222222233455"[:17] + "5")
    return first.translate(table) + re.sub(r"(.)\1+", r"\1", rest.translate(table))


class Garbler:
    """Replaces words by others that sound alike, out of a vocabulary."""

    def __init__(self, vocabulary: Iterable[str], seed: int) -> None:
        """Sort the vocabulary by sound."""
        self._seed = seed
        self._random = random.Random(seed)
        self._alike: dict[str, list[str]] = {}
        for word in sorted(set(vocabulary)):
            self._alike.setdefault(sound_key(word), []).append(word)

    def garble(self, text: str, rate: float) -> str:
        """Return ``text`` with about ``rate`` of its words wrong.

        Of the errors 60 % are substitutions, 25 % losses, 15 % additions: about what the
        shipped ear does on phone-band speech.
        """
        self._random.seed(f"{self._seed}/{rate}/{text}")
        out: list[str] = []
        for word in text.split():
            if self._random.random() >= rate:
                out.append(word)
                continue
            kind = self._random.random()
            if kind < 0.6:
                out.append(self._other(word))
            elif kind < 0.75:
                out += [word, self._random.choice(SMALL)]
        return " ".join(out) or text

    def _other(self, word: str) -> str:
        alike = [other for other in self._alike.get(sound_key(word), []) if other != word]
        return self._random.choice(alike) if alike else self._random.choice(SMALL)
