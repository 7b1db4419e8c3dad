"""Builds ``HCLr.fst``: from the acoustic model's transitions to words, ready for lookahead.

The lexicon is a tree of sounds. The acoustic model's sounds depend on the class of the sound
before them, never on the next one, so the tree can be written down with its transitions at
once; nothing has to be composed or determinized (Kaldi's way to the same graph), and twenty
thousand words take about two seconds. That is what lets a restaurant's words be added at start.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.ear.fst import Arc, Fst, Interval, write_lookahead
from agent.ear.lexicon import Lexicon
from agent.ear.phones import (
    CLASS_COUNT,
    LOOP,
    PHONE_ID,
    PHONES,
    SILENCE,
    Transitions,
    class_of,
    in_word,
)

SILENCE_SHARE: Final = 0.5
"""Probability of a pause after a word."""

STAY: Final = -math.log(LOOP)
LEAVE: Final = -math.log(1 - LOOP)
PAUSE: Final = -math.log(SILENCE_SHARE)
NO_PAUSE: Final = -math.log(1 - SILENCE_SHARE)


@dataclass(slots=True)
class _Node:
    """A front of words: the words that are whole here, and how they go on."""

    words: list[str] = field(default_factory=list)
    next: dict[int, _Node] = field(default_factory=dict)


def _tree(lexicon: Lexicon) -> _Node:
    root = _Node()
    for word in sorted(lexicon):
        for sounds in lexicon[word]:
            node = root
            for phone in in_word(tuple(sounds)):
                node = node.next.setdefault(phone, _Node())
            if word not in node.words:
                node.words.append(word)
    return root


def number_words(lexicon: Lexicon) -> dict[str, int]:
    """Return a number for each word, from 1, so that words that begin alike are neighbours.

    Lookahead keeps sets of words as intervals of numbers; neighbours keep them short.
    """
    numbers: dict[str, int] = {}

    def visit(node: _Node) -> None:
        for word in node.words:
            numbers.setdefault(word, len(numbers) + 1)
        for phone in sorted(node.next):
            visit(node.next[phone])

    visit(_tree(lexicon))
    return numbers


class _Builder:
    """Lays the tree out as states and arcs."""

    def __init__(self, numbers: Mapping[str, int], costs: Mapping[str, float]) -> None:
        self.numbers = numbers
        self.costs = costs
        self.transitions = Transitions()
        self.arcs: list[list[Arc]] = []
        self.reach: list[Sequence[Interval]] = []
        self.final_label = 1 + max(numbers.values())
        everything = _intervals([*numbers.values(), self.final_label])
        self.start = self._state(everything)
        self.pause = self._state(everything)
        self.between = [self._state(everything) for _ in range(CLASS_COUNT)]
        """States between words, by the class of the last word's last sound; 0: silence."""

    def build(self, root: _Node) -> Fst:
        silence = self.transitions.forward(0, PHONE_ID[SILENCE])
        self.arcs[self.start] = [
            (0, 0, NO_PAUSE, self.between[0]),
            (silence, 0, PAUSE, self.pause),
        ]
        self.arcs[self.pause] = [
            (self.transitions.loop(silence), 0, STAY, self.pause),
            (0, 0, LEAVE, self.between[0]),
        ]
        self._silence = silence
        for phone in sorted(root.next):
            # The first sound depends on the word before; all that follows is shared.
            node = root.next[phone]
            ways, reached = self._ways(node, phone)
            heads: dict[int, int] = {}
            for left, state in enumerate(self.between):
                entering = self.transitions.forward_after(left, phone)
                if entering not in heads:
                    heads[entering] = self._sounding(entering, ways, reached)
                self.arcs[state].append((entering, 0, 0.0, heads[entering]))
        for arcs in self.arcs:
            arcs.sort(key=lambda arc: (arc[1], arc[0], arc[3]))
        return Fst.of(self.start, self.arcs, dict.fromkeys(self.between, 0.0))

    def _ways(self, node: _Node, phone: int) -> tuple[list[Arc], Sequence[Interval]]:
        """Return the arcs that leave ``node``, whose last sound is ``phone``, and its words."""
        after = class_of(phone)
        ways: list[Arc] = []
        words = [self.numbers[word] for word in node.words]
        for word, label in zip(node.words, words, strict=True):
            cost = LEAVE + self.costs.get(word, 0.0)
            ways.append((0, label, cost + NO_PAUSE, self.between[after]))
            ways.append((self._silence, label, cost + PAUSE, self.pause))
        below: list[Interval] = [(label, label + 1) for label in words]
        for follower in sorted(node.next):
            child = node.next[follower]
            child_ways, reached = self._ways(child, follower)
            entering = self.transitions.forward_after(after, follower)
            ways.append((entering, 0, LEAVE, self._sounding(entering, child_ways, reached)))
            below += reached
        return ways, _merge(below)

    def _sounding(self, entering: int, ways: list[Arc], reached: Sequence[Interval]) -> int:
        state = self._state(reached)
        self.arcs[state] = [(self.transitions.loop(entering), 0, STAY, state), *ways]
        return state

    def _state(self, reached: Sequence[Interval]) -> int:
        self.arcs.append([])
        self.reach.append(reached)
        return len(self.arcs) - 1


def _intervals(numbers: Iterable[int]) -> list[Interval]:
    return _merge((number, number + 1) for number in numbers)


def _merge(intervals: Iterable[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for begin, end in sorted(intervals):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def write_sounds(lexicon: Lexicon, numbers: Mapping[str, int], folder: Path) -> None:
    """Write ``HCLr.fst``, ``words.txt`` and what belongs to them into ``folder``.

    Args:
        lexicon: Words and their pronunciations, in the phones of the acoustic model.
        numbers: Each word's number; the grammar must use the same.
        folder: A model's folder ``graph``.
    """
    builder = _Builder(numbers, {})
    fst = builder.build(_tree(lexicon))
    write_lookahead(fst, builder.reach, builder.final_label, folder / "HCLr.fst")
    # Vosk wants to hear of the labels that only determinizing needs. There are none; it is told
    # one that never occurs, since it dies of an empty list.
    (folder / "disambig_tid.int").write_text(f"{builder.transitions.count + 1}\n")
    write_words(numbers, folder)


def static_graph(lexicon: Lexicon, numbers: Mapping[str, int], costs: Mapping[str, float]) -> Fst:
    """Return one graph of sounds and word costs (``HCLG.fst``): any word may follow any."""
    return _Builder(numbers, costs).build(_tree(lexicon))


def write_words(numbers: Mapping[str, int], folder: Path) -> None:
    """Write ``words.txt`` and ``phones/word_boundary.int``."""
    rows = itertools.chain([("<eps>", 0)], sorted(numbers.items(), key=lambda word: word[1]))
    (folder / "words.txt").write_text("".join(f"{word} {number}\n" for word, number in rows))
    (folder / "phones").mkdir(exist_ok=True)
    kinds = {"B": "begin", "E": "end", "I": "internal", "S": "singleton"}
    (folder / "phones" / "word_boundary.int").write_text(
        "".join(
            f"{number} {kinds[phone[-1]] if '_' in phone else 'nonword'}\n"
            for number, phone in enumerate(PHONES[1:], start=1)
        )
    )
