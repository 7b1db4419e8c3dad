"""Nearest neighbours: which example sentence, and which fact, is most like what was heard.

Pure arithmetic on unit vectors (`agent.mind.embedder` makes them); a likeness is a cosine.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.errors import MindError
from agent.mind.embedder import Vector
from agent.mind.moves import MoveName


@dataclass(frozen=True, slots=True)
class Likeness:
    """Something comparable and how like it is to what was heard (cosine, -1 to 1)."""

    name: str
    score: float


class Bank:
    """Labelled sentences as a matrix.

    Attributes:
        names: The distinct labels, in order of first appearance.
    """

    def __init__(self, labels: Sequence[str], vectors: Sequence[Vector]) -> None:
        """Keep one unit vector per label; a label may come many times."""
        self.names: tuple[str, ...] = tuple(dict.fromkeys(labels))
        place = {name: index for index, name in enumerate(self.names)}
        self._rows = np.array([place[label] for label in labels], dtype=np.intp)
        self._matrix = np.array(vectors, dtype=np.float32)

    def best(self, vector: Vector) -> Vector:
        """Return, per name, the cosine of its nearest sentence; shape (names,)."""
        scores = np.full(len(self.names), -1.0, dtype=np.float32)
        if len(self._rows):
            np.maximum.at(scores, self._rows, self._matrix @ vector)
        return scores

    def ranked(self, vector: Vector, count: int = 3) -> list[Likeness]:
        """Return the ``count`` most like names, best first; ties in order of the names."""
        scores = self.best(vector)
        order = np.argsort(-scores, kind="stable")[:count]
        return [Likeness(self.names[index], float(scores[index])) for index in order]


def load_examples(path: Path) -> Mapping[MoveName, tuple[str, ...]]:
    """Read the example sentences per move.

    Raises:
        MindError: The file can't be read, or names a move that doesn't exist.
    """
    remedy = "Restore llm_models/house/examples.toml or point PICKUP_MODELS__MIND at its folder."
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MindError(f"{path} can't be read: {error}.", remedy=remedy) from error
    examples: dict[MoveName, tuple[str, ...]] = {}
    for name, sentences in data.items():
        if name not in set(MoveName):
            raise MindError(f"{path}: {name!r} is no move.", remedy="See agent/mind/moves.py.")
        if not isinstance(sentences, list) or not all(isinstance(s, str) for s in sentences):
            raise MindError(f"{path}: {name} must be a list of sentences.", remedy=remedy)
        examples[MoveName(name)] = tuple(sentences)
    return examples
