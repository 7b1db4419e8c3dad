"""When each word of a line is said, estimated from its letters and the audio's length.

Pure arithmetic. Piper gives no word times with ordinary voices, so the voiced part of a
unit is shared among its words by how much there is to say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.audio import FRAME_BYTES, FRAME_SECONDS, seconds
from agent.mouth.units import clauses, pause_after

PIECE_SECONDS: Final = 0.8
"""A mark is set about this often, so that what was heard is known to about two words even
when a mark's message is late."""

_SHORTEST_SECONDS: Final = 0.2
"""No piece at a line's end is shorter."""

_DIGIT_LETTERS: Final = 4
"""A digit is said as a word of about four letters."""

_WORD_LETTERS: Final = 1.5
"""Added per word: short words take longer than their letters tell."""


class Spoken(bytes):
    """slin16 in whole frames that knows which written words it says.

    Attributes:
        text: The words.
    """

    text: str

    def __new__(cls, pcm: bytes, text: str) -> Spoken:
        """Return ``pcm`` with its words."""
        sound = super().__new__(cls, pcm)
        sound.text = text
        return sound


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a line and their sound: what is sent between two marks.

    Attributes:
        words: The written words, in order.
        ends: For each word, seconds from the piece's start to the word's end.
        pcm: slin16, whole frames.
    """

    words: tuple[str, ...]
    ends: tuple[float, ...]
    pcm: bytes

    def heard(self, played: float) -> tuple[str, ...]:
        """Return the words that were said completely in the first ``played`` seconds."""
        return tuple(word for word, end in zip(self.words, self.ends, strict=True) if end <= played)


def pieces(text: str, pcm: bytes) -> list[Piece]:
    """Cut the sound of ``text`` (slin16, whole frames) into pieces at word ends."""
    if not pcm:
        return []
    total = seconds(pcm)
    ends = _word_ends(clauses(text), total, seconds(pcm) - seconds(pcm.rstrip(b"\0")))
    if not ends:
        return [Piece((), (), pcm)]
    found: list[Piece] = []
    start = 0  # frames
    words: list[str] = []
    times: list[float] = []
    for at, (word, end) in enumerate(ends, start=1):
        words.append(word)
        times.append(end - start * FRAME_SECONDS)
        final = at == len(ends)
        if not final and (times[-1] < PIECE_SECONDS or total - end < _SHORTEST_SECONDS):
            continue
        stop = len(pcm) // FRAME_BYTES if final else round(end / FRAME_SECONDS)
        sound = pcm[start * FRAME_BYTES : stop * FRAME_BYTES]
        found.append(Piece(tuple(words), tuple(times), sound))
        start, words, times = stop, [], []
    return found


def _word_ends(units: Sequence[str], total: float, tail: float) -> list[tuple[str, float]]:
    """Return each word and when it ends; ``tail`` is the silence at the end, all in seconds."""
    pauses = [*map(pause_after, units[:-1]), tail]
    weights = [[_weight(word) for word in unit.split()] for unit in units]
    to_say = sum(map(sum, weights))
    if not to_say:
        return []
    voiced = max(0.0, total - sum(pauses))
    ends: list[tuple[str, float]] = []
    at = 0.0
    for unit, shares, pause in zip(units, weights, pauses, strict=True):
        for word, share in zip(unit.split(), shares, strict=True):
            at += voiced * share / to_say
            ends.append((word, min(at, total)))
        at += pause
    return ends


def _weight(word: str) -> float:
    digits = sum(character.isdigit() for character in word)
    letters = len(re.sub(r"[\W\d_]", "", word))
    if not digits and not letters:
        return 0.0
    return _WORD_LETTERS + letters + _DIGIT_LETTERS * digits
