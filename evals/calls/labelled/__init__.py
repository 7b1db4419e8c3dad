"""The labelled calls: faults of each kind planted in made-up calls, and near misses beside them.

Each is a call and, per flag kind, the call time at which the fault lies. A near miss has the
look of a fault and is none.
"""

from __future__ import annotations

from collections.abc import Iterator

from labelled import clean, ended, heard, later, said
from labelled.pieces import Labelled

__all__ = ["Labelled", "labelled_calls", "later_calls"]


def labelled_calls() -> Iterator[Labelled]:
    """Yield the calls that the checks were made with, the same ones every time."""
    for part in (clean, said, heard, ended):
        for maker in part.MAKERS:
            yield from maker()


def later_calls() -> Iterator[Labelled]:
    """Yield those that were written after the checks were done, each named so."""
    for maker in later.MAKERS:
        for one in maker():
            yield Labelled(f"{one.name}-later", one.tape, one.plants)
