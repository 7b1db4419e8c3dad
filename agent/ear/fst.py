"""Finite-state transducers in OpenFst's binary forms, as far as Vosk's graphs need them.

``read`` and ``write`` know the type ``const`` (a grammar, or one static graph);
``write_lookahead`` knows ``olabel_lookahead`` (sounds to words), which says for every state
which words can still come. Both are those of OpenFst 1.7.9, which Vosk 0.3.45 reads. Done here
and not by OpenFst's own tools because a running Pickup adds a restaurant's words to its
graph, on machines that have no such tools.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from agent.errors import EarError

MAGIC: Final = 2_125_659_606
ADD_ON_MAGIC: Final = 446_681_434
CONST_VERSION: Final = 2
LOOKAHEAD_VERSION: Final = 1
EXPANDED: Final = 0x1
ACCEPTOR, NOT_ACCEPTOR = 0x1_0000, 0x2_0000
EPSILONS, NO_EPSILONS = 0x40_0000, 0x80_0000
I_EPSILONS, NO_I_EPSILONS = 0x100_0000, 0x200_0000
O_EPSILONS, NO_O_EPSILONS = 0x400_0000, 0x800_0000
I_SORTED, NOT_I_SORTED = 0x1000_0000, 0x2000_0000
O_SORTED, NOT_O_SORTED = 0x4000_0000, 0x8000_0000
"""Properties that stand in the header. What doesn't, OpenFst finds out by looking at every arc, and
Vosk composes anew for every recogniser: 28 ms each on a million arcs."""

HAS_SYMBOLS: Final = 0b11
ALIGNED: Final = 0b100

STATE: Final = np.dtype(
    [
        ("final", "<f4"),
        ("first", "<u4"),
        ("arcs", "<u4"),
        ("iepsilons", "<u4"),
        ("oepsilons", "<u4"),
    ]
)
ARC: Final = np.dtype([("ilabel", "<i4"), ("olabel", "<i4"), ("cost", "<f4"), ("to", "<i4")])

NO_LABEL: Final = -1

Arc = tuple[int, int, float, int]
"""Input label, output label, cost (−ln P), state it leads to. Label 0 is nothing."""

Interval = tuple[int, int]
"""Labels from the first to before the second."""


@dataclass(frozen=True, slots=True)
class Fst:
    """A transducer: arcs stand state by state, sorted as they will be looked up.

    Attributes:
        start: The state it begins in.
        first: Per state the number of its first arc, and at the end how many arcs there are.
        final: Per state the cost of ending there; infinite where it can't.
        arcs: All arcs, of type ``ARC``.
    """

    start: int
    first: NDArray[np.int64]
    final: NDArray[np.float32]
    arcs: NDArray[np.void]

    @classmethod
    def of(cls, start: int, states: Sequence[Sequence[Arc]], final: Mapping[int, float]) -> Fst:
        """Return the transducer with these arcs per state."""
        counts = np.fromiter(map(len, states), np.int64, len(states))
        ends = np.full(len(states), np.inf, np.float32)
        for state, cost in final.items():
            ends[state] = cost
        flat = [arc for arcs in states for arc in arcs]
        return cls(start, np.concatenate([[0], np.cumsum(counts)]), ends, np.array(flat, ARC))


def read(path: Path) -> Fst:
    """Read a ``const`` file.

    Raises:
        EarError: it is another type, carries symbols, or is cut short.
    """
    data = path.read_bytes()
    try:
        kind, at = _text(data, 4)
        _, at = _text(data, at)
        version, flags, _, start, states, arcs = struct.unpack_from("<iiQqqq", data, at)
        at += struct.calcsize("<iiQqqq")
        if struct.unpack_from("<i", data)[0] != MAGIC or kind != b"const":
            raise ValueError(f"it is of type {kind!r}, not const")
        if version != CONST_VERSION or flags & (HAS_SYMBOLS | ALIGNED):
            raise ValueError("it carries symbols or is aligned")
        table = np.frombuffer(data, STATE, states, at)
        rows = np.frombuffer(data, ARC, arcs, at + table.nbytes)
    except (ValueError, struct.error) as error:
        raise EarError(
            f"{path} can't be read ({error}).", remedy="Restore it from the repository."
        ) from error
    first = np.concatenate([table["first"].astype(np.int64), [arcs]])
    return Fst(start, first, table["final"].copy(), rows.copy())


def write(fst: Fst, path: Path) -> None:
    """Write a ``const`` file."""
    with path.open("wb") as file:
        _write_const(fst, file)


def write_lookahead(
    fst: Fst, reachable: Sequence[Sequence[Interval]], final_label: int, path: Path
) -> None:
    """Write an ``olabel_lookahead`` file.

    Args:
        fst: Sounds to words.
        reachable: Per state, sorted and apart, the words that can come next from there:
            those on the first arcs with a word, whatever lies before them. ``final_label``
            is among them if the end can be reached without a word.
        final_label: A label that is no word.
        path: Where to write.
    """
    with path.open("wb") as file:
        _header(file, b"olabel_lookahead", LOOKAHEAD_VERSION, _properties(fst), (0, NO_LABEL, 0))
        file.write(struct.pack("<i", ADD_ON_MAGIC))
        _write_const(fst, file)
        # There is data; none about input labels, some about output labels; it is about output
        # labels; nothing is kept to relabel with: whoever writes this numbered the words.
        file.write(struct.pack("<?????", True, False, True, False, False))
        file.write(struct.pack("<iq", final_label, len(reachable)))
        for intervals in reachable:
            count = sum(end - begin for begin, end in intervals)
            flat = [number for interval in intervals for number in interval]
            file.write(struct.pack(f"<q{len(flat)}ii", len(intervals), *flat, count))


def _write_const(fst: Fst, file: BinaryIO) -> None:
    table = np.zeros(len(fst.final), STATE)
    table["final"] = fst.final
    table["first"] = fst.first[:-1]
    table["arcs"] = np.diff(fst.first)
    owner = np.repeat(np.arange(len(table)), table["arcs"])
    for side in ("i", "o"):
        silent = fst.arcs[f"{side}label"] == 0
        table[f"{side}epsilons"] = np.bincount(owner[silent], minlength=len(table))
    sizes = (fst.start, len(table), len(fst.arcs))
    _header(file, b"const", CONST_VERSION, _properties(fst), sizes)
    file.write(table.tobytes())
    file.write(fst.arcs.tobytes())


def _properties(fst: Fst) -> int:
    """Return what holds of the arcs, as OpenFst's bits."""
    inputs, outputs = fst.arcs["ilabel"], fst.arcs["olabel"]
    owner = np.repeat(np.arange(len(fst.final)), np.diff(fst.first))
    within = np.diff(owner) == 0
    holds = (
        (bool(np.all(inputs == outputs)), ACCEPTOR, NOT_ACCEPTOR),
        (bool(np.any((inputs == 0) & (outputs == 0))), EPSILONS, NO_EPSILONS),
        (bool(np.any(inputs == 0)), I_EPSILONS, NO_I_EPSILONS),
        (bool(np.any(outputs == 0)), O_EPSILONS, NO_O_EPSILONS),
        (bool(np.all(np.diff(inputs)[within] >= 0)), I_SORTED, NOT_I_SORTED),
        (bool(np.all(np.diff(outputs)[within] >= 0)), O_SORTED, NOT_O_SORTED),
    )
    return EXPANDED | sum(yes if true else no for true, yes, no in holds)


def _header(
    file: BinaryIO, kind: bytes, version: int, properties: int, sizes: tuple[int, int, int]
) -> None:
    """Write a header; ``sizes`` are the start state and how many states and arcs there are."""
    file.write(struct.pack("<i", MAGIC))
    for text in (kind, b"standard"):
        file.write(struct.pack("<i", len(text)) + text)
    file.write(struct.pack("<iiQqqq", version, 0, properties, *sizes))


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("<i", data, at)
    end = at + 4 + length
    return data[at + 4 : end], end
