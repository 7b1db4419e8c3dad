"""Small trained heads on the embedder's vectors: moves, matching facts, slots.

The weights (``llm_models/house/heads.npz``) and how they were made and measured are
described in that folder's card; ``llm_models/recipe`` makes them in minutes. Everything
here is plain arithmetic, the same for training and for use.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.errors import MindError
from agent.events import Expect
from agent.mind.embedder import Embedding, Vector

FORMAT: Final = 2
"""Version of the weights' layout."""

STATES: Final = tuple(Expect)
"""Order of the one-hot state in the features."""

TAGS: Final = ("", "name", "size", "when")
"""What the slot head may call a word; the first is "no slot"."""

GRAMS: Final = 1024
"""Buckets for words and pairs of words: form that a topical embedding loses."""

EMBEDDING_SCALE: Final = 5.0
"""Unit vectors of 384 dimensions have tiny components; this brings them near 1."""

QUESTION: Final = re.compile(
    r"\b(?:do|does|did|is|are|can|could|will|would|what|what's|when|where|where's|which|who|who's|"
    r"how|how's|why|any)\b"
)

DIGIT_WORDS: Final = frozenset(
    ["zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
)

VERBATIM: Final = 0.8
"""Cosine to one of the owner's own ways of asking from which it is the same question.

Measured: 0.4 % of 728 held-out lures come that near to a fact that does not answer them.
"""

Weights = Mapping[str, npt.NDArray[Any]]


def relu_layers(x: Vector, weights: Weights, name: str) -> Vector:
    """Return ``x`` through the layers ``name.0``, ``name.1``, … with ReLU between them."""
    index = 0
    while f"{name}.{index}.w" in weights:
        if index:
            x = np.maximum(x, 0.0)
        x = x @ weights[f"{name}.{index}.w"] + weights[f"{name}.{index}.b"]
        index += 1
    return np.asarray(x, dtype=np.float32)


def unit(x: Vector) -> Vector:
    """Return the rows of ``x`` with length 1."""
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return np.asarray(x / np.maximum(length, 1e-9), dtype=np.float32)


def sigmoid(x: Vector) -> Vector:
    """Return the logistic function of ``x``."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0))), dtype=np.float32)


def softmax(x: Vector) -> Vector:
    """Return the rows of ``x`` as probabilities."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True), dtype=np.float32)


def grams(words: str) -> Vector:
    """Return the words and pairs of words as a hashed bag, shape (`GRAMS`,)."""
    said = ["^", *words.split(), "$"]
    bag = np.zeros(GRAMS, np.float32)
    for first, second in zip(said, [*said[1:], ""], strict=True):
        bag[zlib.crc32(first.encode()) % GRAMS] += 1.0
        if second:
            bag[zlib.crc32(f"{first} {second}".encode()) % GRAMS] += 1.0
    return np.asarray(np.sqrt(bag) / len(said) ** 0.25, dtype=np.float32)


def move_features(
    vector: Vector, peak: Vector, words: str, expect: Expect, likeness: Vector
) -> Vector:
    """Return what the move head sees of a turn or a part of one.

    Args:
        vector: The sentence's embedding, shape (dims,).
        peak: Its words' largest values, shape (dims,).
        words: The plain words.
        expect: What had been asked.
        likeness: Cosine to the nearest example of each move, shape (moves,).
    """
    said = words.split()
    state = [float(expect is one) for one in STATES]
    digits = sum(word in DIGIT_WORDS or word.isdigit() for word in said)
    shape = [
        min(len(said), 40) / 10.0,
        float(len(said) <= 2),
        float(bool(QUESTION.search(words))),
        min(digits, 10) / 5.0,
    ]
    parts = (
        vector * EMBEDDING_SCALE,
        peak * EMBEDDING_SCALE,
        np.array(state + shape, np.float32),
        likeness * 2.0,
        grams(words),
    )
    return np.concatenate(parts, dtype=np.float32)


class TopicSpace:
    """What a question is about: the odds of each topic, and a place near its likes."""

    def __init__(self, weights: Weights) -> None:
        """Use the layers ``topic.*``; ``topic.real`` tells topics from moves and none."""
        self._weights = weights
        self._hidden = {k: v for k, v in weights.items() if k.startswith(("topic.0", "topic.1"))}

    def look(self, features: Vector) -> tuple[Vector, Vector]:
        """Return places (n, space) and odds of the real topics (n, topics).

        The odds of a row sum to less than one where it is about none of them.
        """
        hidden = np.maximum(relu_layers(features, self._hidden, "topic"), 0.0)
        odds = softmax(hidden @ self._weights["topic.2.w"] + self._weights["topic.2.b"])
        return unit(hidden), odds * self._weights["topic.real"]


def topic_features(vector: Vector, peak: Vector, words: str) -> Vector:
    """Return what the topic layers see of a question."""
    parts = (vector * EMBEDDING_SCALE, peak * EMBEDDING_SCALE, grams(words))
    return np.concatenate(parts, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class FactBank:
    """A restaurant's facts as the matcher sees them: one row per way of asking.

    Attributes:
        names: Fact ids.
        rows: For each row the index of its fact.
        vectors: Sentence vectors, shape (rows, dims).
        places: Their places in topic space.
        covers: Per fact, how much it is about each topic, shape (facts, topics).
        sets: Their content words.
    """

    names: tuple[str, ...]
    rows: npt.NDArray[np.intp]
    vectors: Vector
    places: Vector
    covers: Vector
    sets: tuple[frozenset[str], ...]

    @classmethod
    def of(
        cls,
        asked: Sequence[tuple[str, str]],
        vectors: Sequence[Vector],
        peaks: Sequence[Vector],
        space: TopicSpace,
    ) -> FactBank:
        """Return the bank of (fact id, plain way of asking) pairs."""
        names = tuple(dict.fromkeys(name for name, _ in asked))
        place = {name: index for index, name in enumerate(names)}
        rows = np.array([place[name] for name, _ in asked], dtype=np.intp)
        features = [
            topic_features(vector, peak, text)
            for vector, peak, (_, text) in zip(vectors, peaks, asked, strict=True)
        ]
        places, odds = space.look(np.array(features, dtype=np.float32))
        covers = np.zeros((len(names), odds.shape[1]), np.float32)
        np.maximum.at(covers, rows, odds)
        return cls(
            names,
            rows,
            np.array(vectors, dtype=np.float32),
            places,
            covers,
            tuple(content(text) for _, text in asked),
        )


COMMON: Final = frozenset(
    [
        "a", "an", "and", "any", "anything", "are", "at", "be", "can", "could", "did", "do", "does",
        "for", "from", "get", "give", "go", "got", "guys", "have", "hi", "how", "i", "i'd", "i'm",
        "if", "in", "is", "it", "know", "like", "me", "much", "my", "need", "of", "on", "or", "our",
        "please", "s", "so", "some", "take", "tell", "that", "the", "there", "this", "to", "um",
        "us", "want", "was", "we", "well", "what", "what's", "when", "where", "which", "who",
        "will", "with", "would", "yeah", "you", "your", "you're",
    ]
)  # fmt: skip
"""Words that tell no question from another."""


def content(text: str) -> frozenset[str]:
    """Return the telling words of ``text``, plurals made singular."""
    words = (word for word in re.findall(r"[a-z0-9']+", text.lower()) if word not in COMMON)
    return frozenset(word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words)


def fact_features(
    vector: Vector, peak: Vector, words: str, bank: FactBank, space: TopicSpace
) -> Vector:
    """Return how ``words`` compare with each fact, shape (facts, features)."""
    count = len(bank.names)
    places, all_odds = space.look(topic_features(vector, peak, words)[None])
    place, odds = places[0], all_odds[0]
    said = content(words)

    def best(scores: Vector, floor: float) -> Vector:
        out = np.full(count, floor, np.float32)
        np.maximum.at(out, bank.rows, scores.astype(np.float32))
        return out

    def mean(scores: Vector) -> Vector:
        total = np.zeros(count, np.float32)
        np.add.at(total, bank.rows, scores.astype(np.float32))
        rows = np.bincount(bank.rows, minlength=count)
        return np.asarray(total / rows, dtype=np.float32)

    def margin(scores: Vector) -> Vector:
        if count < 2:
            return scores + 0.0
        order = np.sort(scores)
        others = np.where(scores >= order[-1], order[-2], order[-1])
        return np.asarray(scores - others, dtype=np.float32)

    cosine = best(bank.vectors @ vector, -1.0)
    near = best(bank.places @ place, -1.0)
    about = np.asarray(bank.covers @ odds, dtype=np.float32)
    overlap = best(
        np.array(
            [
                len(said & one) / max(1.0, len(said | one) ** 0.5 * len(one) ** 0.5)
                for one in bank.sets
            ]
        ),
        0.0,
    )
    # How much of what was said the fact's own words leave unexplained.
    vocabulary: list[set[str]] = [set() for _ in bank.names]
    for row, one in zip(bank.rows, bank.sets, strict=True):
        vocabulary[row] |= one
    unexplained = np.array([len(said - one) / 4.0 for one in vocabulary], np.float32)
    columns = [
        cosine * 3.0,
        mean(bank.vectors @ vector) * 3.0,
        margin(cosine) * 4.0,
        near * 3.0,
        mean(bank.places @ place) * 3.0,
        margin(near) * 3.0,
        about * 4.0,
        margin(about) * 4.0,
        np.full(count, float(odds.sum()), np.float32) * 2.0,
        np.full(count, float(odds.sum()), np.float32) * 2.0 - about * 2.0,
        overlap * 2.0,
        np.minimum(unexplained, 2.0),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def word_features(embedding: Embedding, expect: Expect) -> Vector:
    """Return what the slot head sees of each word: itself, its neighbours, the state."""
    vectors = embedding.words
    padded = np.pad(vectors, ((1, 1), (0, 0)))
    state = np.tile([float(expect is one) for one in STATES], (len(vectors), 1))
    parts = [vectors * 8.0, padded[:-2] * 4.0, padded[2:] * 4.0, state]
    return np.concatenate(parts, axis=1).astype(np.float32)


class Heads:
    """The trained heads.

    Attributes:
        moves: Labels of the move head, in the order of its outputs.
        thresholds: Calibrated on development wordings; names are in the recipe.
    """

    def __init__(
        self, weights: Weights, moves: Sequence[str], thresholds: Mapping[str, float]
    ) -> None:
        """Use these weights."""
        self._weights = weights
        self.moves = tuple(moves)
        self.thresholds = dict(thresholds)
        self.space = TopicSpace(weights)

    def move_odds(
        self, embedding: Embedding, words: str, expect: Expect, likeness: Vector
    ) -> Vector:
        """Return the probability of each move in `moves`; several may be likely."""
        features = move_features(embedding.vector, embedding.peak, words, expect, likeness)
        return sigmoid(relu_layers(features, self._weights, "move"))

    def fact_odds(self, embedding: Embedding, words: str, bank: FactBank) -> Vector:
        """Return, per fact of the bank, the probability that it answers ``words``."""
        if not bank.names:
            return np.zeros(0, np.float32)
        features = fact_features(embedding.vector, embedding.peak, words, bank, self.space)
        odds = sigmoid(relu_layers(features, self._weights, "fact")[:, 0])
        own = np.full(len(bank.names), -1.0, np.float32)
        np.maximum.at(own, bank.rows, bank.vectors @ embedding.vector)
        return np.where(own >= VERBATIM, np.maximum(odds, 0.9 + 0.1 * own), odds)

    def spans(self, embedding: Embedding, words: str, expect: Expect) -> dict[str, str]:
        """Return the longest span of words per slot."""
        said = words.split()
        if not said or len(said) != len(embedding.words):
            return {}
        odds = softmax(relu_layers(word_features(embedding, expect), self._weights, "slot"))
        tags = [TAGS[index] for index in odds.argmax(axis=1)]
        found: dict[str, str] = {}
        start = 0
        for at in range(1, len(said) + 1):
            if at < len(said) and tags[at] == tags[start]:
                continue
            if tags[start]:
                words_in = " ".join(said[start:at])
                if len(words_in.split()) > len(found.get(tags[start], "").split()):
                    found[tags[start]] = words_in
            start = at
        return found


def load_heads(path: Path) -> Heads:
    """Read the trained weights.

    Raises:
        MindError: The file is missing, damaged or of another version.
    """
    remedy = "Restore llm_models/house/heads.npz or make it with llm_models/recipe/train.py."
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if int(arrays["format"]) != FORMAT:
            raise MindError(f"{path} is of another version.", remedy=remedy)
        moves = [str(name) for name in arrays["moves"]]
        names = [str(name) for name in arrays["threshold.names"]]
        values = [float(value) for value in arrays["threshold.values"]]
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise MindError(f"{path} can't be used: {error}.", remedy=remedy) from error
    weights = {
        name: array.astype(np.float32) for name, array in arrays.items() if array.dtype.kind == "f"
    }
    return Heads(weights, moves, dict(zip(names, values, strict=True)))
