"""How long each Piper symbol lasts, by aligning it with Flite's phones.

Piper's symbols (IPA, from espeak-ng) and Flite's phones (ARPAbet, from its own dictionary)
are two opinions on the same words. They are aligned by dynamic programming; stress marks
take no time, and punctuation takes the pauses. Flite makes a phone of three states, each from
a decision tree of its own; where one state ends is learned as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FRAME = 0.005
LEAD_FRAMES = 6
"""Silence kept before the first phone (30 ms); Flite makes about 0.2 s of it."""
TAIL_FRAMES = 24
"""Silence kept after the last phone (120 ms)."""
STATES = 3
"""Of a phone."""

_VOWELS = {
    "ɑ": "aa ao", "ɑː": "aa ao", "æ": "ae", "ʌ": "ah ax", "ɐ": "ax ah ey", "ə": "ax ah ih er",
    "ɔ": "ao aa", "ɔː": "ao aa", "ɛ": "eh", "ɚ": "er", "ɜ": "er", "ɜː": "er", "ɪ": "ih iy ax",
    "i": "iy ih", "iː": "iy ih", "ᵻ": "ih ax iy eh", "ʊ": "uh uw", "u": "uw uh", "uː": "uw uh",
    "o": "ao ow", "e": "eh ey", "a": "ae ah aa", "aɪ": "ay", "aʊ": "aw", "ɔɪ": "oy", "eɪ": "ey",
    "oʊ": "ow", "aɪɚ": "ay er",
}  # fmt: skip
_CONSONANTS = {
    "b": "b", "d": "d", "f": "f", "h": "hh", "j": "y", "k": "k", "l": "l", "m": "m", "n": "n",
    "p": "p", "ɹ": "r er", "r": "r", "s": "s", "t": "t d", "v": "v", "w": "w", "z": "z s",
    "ð": "dh", "ŋ": "ng n", "ɡ": "g", "ʃ": "sh", "ʒ": "zh", "ɾ": "t d", "θ": "th", "tʃ": "ch",
    "dʒ": "jh", "ʔ": "t", "x": "k", "ɬ": "l",
}  # fmt: skip
_LIKE = {symbol: set(phones.split()) for symbol, phones in (_VOWELS | _CONSONANTS).items()}
_PHONE_VOWELS = set().union(*(phones.split() for phones in _VOWELS.values()))
_GLIDES = {"ɹ", "r", "l", "w", "j", "y", "er", "ɚ", "ɜ", "ɜː"}
_MARKS = set("ˈˌːˑ̩̃ʲ̪")
_PUNCTUATION = set(" ,.?!;:'\"()-—")
_EDGES = set("^$")
_BEGIN, _SKIP_SYMBOL, _SKIP_PHONE, _MATCH, _MATCH_TWO = range(5)


@dataclass(slots=True)
class Aligned:
    """One sentence's symbols with their durations.

    Attributes:
        symbols: ``^``, Piper's symbols, ``$``.
        durations: 5 ms frames of each symbol's three states, [symbols, 3].
        first: First frame of the teacher's that is kept.
        last: One past the last one kept.
        cost: Mean cost of a phone; above 0.25 the two opinions differ too much to learn from.
    """

    symbols: list[str]
    durations: NDArray[np.int64]
    first: int
    last: int
    cost: float


def aligned(
    symbols: Sequence[str], phones: Sequence[str], states: NDArray[np.float32], frames: int
) -> Aligned:
    """Align Piper's ``symbols`` with Flite's ``phones`` and the ends of their ``states`` (seconds).

    A frame belongs to a state while its index times 5 ms is not past the state's end
    (Flite's own rule).
    """
    marked = ["^", *symbols, "$"]
    places = [at for at, symbol in enumerate(marked) if symbol not in _MARKS]
    units = [marked[at] for at in places]
    ends = np.floor(states.astype(np.float64) / FRAME + 1e-4).astype(int) + 1
    ends[-1] = frames
    lengths = np.diff(ends, prepend=0).reshape(-1, STATES)
    owners, cost = _path(units, phones)
    # Two phones of one symbol are six states; the symbol's own three are two of them each.
    spans = np.array([lengths[sorted(owned)].reshape(STATES, -1).sum(1) for owned in owners])
    _lend(units, spans)
    durations = np.zeros((len(marked), STATES), int)
    durations[places] = spans
    first = max(0, int(durations[0].sum()) - LEAD_FRAMES)
    extra = max(0, int(durations[-1].sum()) - TAIL_FRAMES)
    _take(durations[0], first, last=False)
    _take(durations[-1], extra, last=True)
    return Aligned(marked, durations, first, frames - extra, cost / max(1, len(phones)))


def _take(states: NDArray[np.int64], count: int, *, last: bool) -> None:
    """Take ``count`` frames away from a symbol's last states, or from its first ones."""
    for at in reversed(range(STATES)) if last else range(STATES):
        taken = min(count, int(states[at]))
        states[at] -= taken
        count -= taken


def _lend(units: Sequence[str], spans: NDArray[np.int64]) -> None:
    """Give a symbol for which Flite has no phone the adjacent third of a long neighbour."""
    totals = spans.sum(1)
    for at, unit in enumerate(units):
        if totals[at] or _silent(unit):
            continue
        rich = [near for near in (at - 1, at + 1) if not _silent(units[near]) and totals[near] >= 8]
        if rich:
            lender = max(rich, key=lambda near: totals[near])
            totals[at] = totals[lender] // 3
            totals[lender] -= totals[at]
            _take(spans[lender], totals[at], last=lender < at)
            spans[at] = np.diff(np.arange(STATES + 1) * totals[at] // STATES)


def _silent(unit: str) -> bool:
    return unit in _PUNCTUATION or unit in _EDGES


def _cost(unit: str, phone: str) -> float:
    if phone == "pau":
        return 0.0 if unit in ",.?!;:—" else 0.4 if unit == " " else 4.0
    if _silent(unit):
        return 4.0
    if phone in _LIKE.get(unit, ()):
        return 0.0
    vowel, other_vowel = unit in _VOWELS, phone in _PHONE_VOWELS
    if vowel != other_vowel:
        return 1.1 if unit in _GLIDES or phone in _GLIDES else 2.2
    return 0.7 if vowel else 1.0


def _path(units: Sequence[str], phones: Sequence[str]) -> tuple[list[list[int]], float]:
    """Return the phones each unit owns, and the whole path's cost."""
    many, all_phones = len(units), len(phones)
    best = np.full((many + 1, all_phones + 1), 1e9)
    came = np.full((many + 1, all_phones + 1), _BEGIN)
    best[0, 0] = 0
    skips = [0.01 if u in _PUNCTUATION else 50.0 if u in _EDGES else 1.0 for u in units]
    extra = [2.5 if phone == "pau" else 1.0 for phone in phones]
    corners = {(1, 1), (many, all_phones)}
    for i in range(many + 1):
        for j in range(all_phones + 1):
            ways = []
            if i:
                ways.append((best[i - 1, j] + skips[i - 1], _SKIP_SYMBOL))
            if j:
                ways.append((best[i, j - 1] + extra[j - 1], _SKIP_PHONE))
            if i and j:
                cost = 0.0 if (i, j) in corners else _cost(units[i - 1], phones[j - 1])
                ways.append((best[i - 1, j - 1] + cost, _MATCH))
            if i and j > 1 and units[i - 1] == "aɪɚ" and list(phones[j - 2 : j]) == ["ay", "er"]:
                ways.append((best[i - 1, j - 2], _MATCH_TWO))
            if ways:
                best[i, j], came[i, j] = min(ways)
    return _owners(units, came), float(best[many, all_phones])


def _owners(units: Sequence[str], came: NDArray[np.int64]) -> list[list[int]]:
    owners: list[list[int]] = [[] for _ in units]
    orphans: list[tuple[int, int]] = []
    i, j = came.shape[0] - 1, came.shape[1] - 1
    while i or j:
        way = came[i, j]
        if way == _SKIP_SYMBOL:
            i -= 1
        elif way == _SKIP_PHONE:
            j -= 1
            orphans.append((j, i))
        else:
            taken = 2 if way == _MATCH_TWO else 1
            i, j = i - 1, j - taken
            owners[i] += range(j, j + taken)
    for phone, unit in orphans:  # a phone of Flite's without a symbol goes to a neighbour
        near = [
            at
            for at in (unit - 1, unit)
            if 0 <= at < len(units) and owners[at] and not _silent(units[at])
        ]
        owners[near[0] if near else max(unit - 1, 0)].append(phone)
    return owners
