"""When each word of a line is said: from the phonemes' times where the voice tells them.

Pure arithmetic. Ordinary Piper voices tell none, and kept lines have none; there the voiced part
of a unit is shared among its words by how much there is to say. Against the word times of the house
voice that estimate is off by 75 ms (median; 184 ms p90; 60 words).
"""

from __future__ import annotations

import itertools
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

_COMMA_LETTERS: Final = 1.7
"""A comma inside a unit is a pause of 0.12 s, the time of 1.7 letters (median, measured)."""

_EDGES: Final = frozenset("^$")
_SILENT: Final = frozenset(' ,.!?;:—"()-')
_UNSOUNDED: Final = _SILENT | frozenset("ˈˌː")
_LAST_WORD: Final = 1.3
"""The last word of a unit is drawn out by this factor (mean, measured)."""


Phones = Sequence[tuple[str, float]]
"""Piper's phonemes, each with the second at which it ends; " " stands between words."""


class Spoken(bytes):
    """slin16 in whole frames that knows which written words it says.

    Attributes:
        text: The words.
        ends: For each of them, seconds from the start to the word's end; empty if not known.
    """

    text: str
    ends: tuple[float, ...]

    def __new__(cls, pcm: bytes, text: str, ends: Sequence[float] = ()) -> Spoken:
        """Return ``pcm`` with its words."""
        sound = super().__new__(cls, pcm)
        sound.text = text
        sound.ends = tuple(ends)
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
    if isinstance(pcm, Spoken) and pcm.ends:
        ends = list(zip(pcm.text.split(), pcm.ends, strict=True))
    else:
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


def word_ends(
    words: Sequence[str], phones: Phones, lead_in: float, total: float
) -> tuple[float, ...]:
    """Return when each written word of a unit ends, in seconds of its sound; none without phones.

    Piper's words are not the written ones: it joins "of the", and "$13.50" is five. So a
    written word ends at the end of Piper's word that is nearest to its share of the phonemes.

    Args:
        words: The unit's written words, each as it is said.
        phones: Of the unit.
        lead_in: Seconds cut off the sound's start.
        total: Seconds of the sound that is left; no word ends later.
    """
    sounds = [(name, end) for name, end in phones if name not in _EDGES]
    said = list(itertools.accumulate(int(name not in _UNSOUNDED) for name, _ in sounds))
    if not said or not said[-1]:
        return ()
    stops = [
        (many, end)
        for many, (name, end), (after, _) in zip(
            said, sounds, [*sounds[1:], (" ", 0.0)], strict=True
        )
        if name not in _SILENT and after in _SILENT
    ]
    shares = list(itertools.accumulate(map(_weight, words)))
    ends: list[float] = []
    for share in shares:
        wanted = said[-1] * share / shares[-1] if shares[-1] else said[-1]
        _, end = min(stops, key=lambda stop: abs(stop[0] - wanted))
        ends.append(min(max(end - lead_in, *ends[-1:], 0.0), total))
    return tuple(ends)


def _word_ends(units: Sequence[str], total: float, tail: float) -> list[tuple[str, float]]:
    """Return each word and when it ends; ``tail`` is the silence at the end, all in seconds."""
    pauses = [*map(pause_after, units[:-1]), tail]
    shares = [_shares(unit.split()) for unit in units]
    to_say = sum(said + silent for unit in shares for said, silent in unit)
    if not to_say:
        return []
    voiced = max(0.0, total - sum(pauses))
    ends: list[tuple[str, float]] = []
    at = 0.0
    for unit, unit_shares, pause in zip(units, shares, pauses, strict=True):
        for word, (said, silent) in zip(unit.split(), unit_shares, strict=True):
            at += voiced * said / to_say
            ends.append((word, min(at, total)))
            at += voiced * silent / to_say
        at += pause
    return ends


def _shares(words: Sequence[str]) -> list[tuple[float, float]]:
    """Return for each word of a unit its weight and that of the pause behind it, in letters."""
    if not words:
        return []
    shares = [(_weight(word), _COMMA_LETTERS if word[-1] in ",;:" else 0.0) for word in words]
    return [*shares[:-1], (shares[-1][0] * _LAST_WORD, 0.0)]


def _weight(word: str) -> float:
    """Return how long a word takes: letters alone predict it as well as syllables (measured)."""
    digits = sum(character.isdigit() for character in word)
    return sum(character.isalpha() for character in word) + _DIGIT_LETTERS * digits
