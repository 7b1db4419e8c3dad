"""Trains the mind's heads from the wordings: one command, minutes, numpy alone.

    nice -n 10 python llm_models/recipe/train.py

Reads ``llm_models/house/data`` and ``examples.toml``, writes ``llm_models/house/heads.npz``.
Vectors are kept in ``build/mind/vectors.npz``, so that only new wordings cost a pass.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# One thread: on a busy machine a second one costs more in waiting than it gives.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from garble import Garbler
from network import SEED, Vectors, as_weights, balanced, binary, categorical, train
from wordings import (
    ASKS,
    HOUSE,
    Speaker,
    Turn,
    garbled,
    one_need,
    read_several,
    read_wordings,
    several_needs,
)

from agent.events import Expect
from agent.mind import heads
from agent.mind.embedder import Embedder, Embedding, plain
from agent.mind.recall import Bank, load_examples
from agent.settings import load_settings

VARIANTS: Final = 6
SEVERAL: Final = 2000
HIDDEN: Final = 128
SPACE: Final = 96


# ── topics ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Question:
    """A question with its topic; ``line`` tells variants of the same wording."""

    text: str
    topic: str
    line: str
    dev: bool
    noisy: bool = False

    @property
    def known(self) -> bool:
        """Whether it is about a topic a restaurant may have a fact for."""
        return bool(self.topic) and not self.topic.startswith("move:")


NONE: Final = "none"
"""The class of questions about nothing a restaurant knows."""


def topic_data(texts: Sequence[str], vectors: Vectors) -> np.ndarray:
    """Return the topic layers' features of texts."""
    rows = [heads.topic_features(vectors[t], vectors.peak(t), plain(t)) for t in texts]
    return np.array(rows, np.float32)


def train_topics(questions: Sequence[Question], vectors: Vectors) -> dict[str, Any]:
    """Return the topic layers; moves and "none" are classes of their own."""
    x = topic_data([q.text for q in questions], vectors)
    labels = [q.topic or NONE for q in questions]
    names = sorted(set(labels))
    place = {name: index for index, name in enumerate(names)}
    y = np.zeros((len(x), len(names)), np.float32)
    y[np.arange(len(x)), [place[label] for label in labels]] = 1.0
    sizes = (x.shape[1], 160, SPACE, len(names))
    layers = train(x, y, sizes, categorical, epochs=18, drop=0.3, noise=0.15, decay=0.05)
    real = [float(name != NONE and not name.startswith("move:")) for name in names]
    return {
        **as_weights("topic", layers),
        "topic.real": np.array(real, np.float32),
        "topic.names": np.array(names),
    }


def fact_pairs(
    questions: Sequence[Question],
    vectors: Vectors,
    space: heads.TopicSpace,
    count: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate restaurants and callers; return features and labels.

    Callers ask development questions, which `space` has not seen, as real callers will;
    owners word their facts in any way.

    Args:
        questions: All there are.
        vectors: Their embeddings.
        space: The topic space in use.
        count: How many callers.
        seed: Of the simulation.
    """
    random = np.random.default_rng(seed)
    by_topic: dict[str, list[Question]] = {}
    clear = [q for q in questions if q.known and not q.noisy]
    for question in clear[::3]:
        by_topic.setdefault(question.topic, []).append(question)
    topics = sorted(by_topic)
    callers = [q for q in questions if q.dev]
    known = [q for q in callers if q.topic in by_topic]
    strange = [q for q in callers if not q.topic]
    needs = [q for q in callers if q.topic.startswith("move:")]
    xs, ys = [], []
    for _ in range(count):
        chosen = set(random.choice(topics, size=int(random.integers(6, 22)), replace=False))
        chance = random.random()
        pool = strange if chance < 0.3 else needs if chance < 0.36 else known
        query = pool[int(random.integers(len(pool)))]
        if query.topic in by_topic and random.random() < 0.65:
            chosen.add(query.topic)
        else:
            chosen.discard(query.topic)
        asked = []
        for topic in sorted(chosen):
            others = [q for q in by_topic[topic] if q.line != query.line]
            if others:
                many = min(len(others), int(random.integers(2, 6)))
                picks = random.choice(len(others), size=many, replace=False)
                asked += [(topic, others[i].text) for i in picks]
        texts = [text for _, text in asked]
        bank = heads.FactBank.of(
            [(topic, plain(text)) for topic, text in asked],
            [vectors[text] for text in texts],
            [vectors.peak(text) for text in texts],
            space,
        )
        features = heads.fact_features(
            vectors[query.text], vectors.peak(query.text), plain(query.text), bank, space
        )
        xs.append(features)
        ys.append(np.array([float(name == query.topic) for name in bank.names], np.float32))
    return np.concatenate(xs), np.concatenate(ys)


def train_matcher(
    questions: Sequence[Question], vectors: Vectors
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the topic space and the fact matcher.

    The matcher learns on wordings that its topic space has not seen, because that is how it
    will be used: taught on the space's own wordings it is far too sure.
    """
    space_weights = train_topics([q for q in questions if not q.dev], vectors)
    x, y = fact_pairs(questions, vectors, heads.TopicSpace(space_weights), 5000, 1)
    sizes = (x.shape[1], 24, 1)
    matcher = train(x, y[:, None], sizes, binary, epochs=6, drop=0.0, decay=0.01, batch=512)
    return space_weights, as_weights("fact", matcher)


GATES: Final = {
    "fact": 0.946, "check": 0.65, "fact_over": 0.97,
    "move": 0.25, "second": 0.6, "part": 0.5, "support": 0.04,
}  # fmt: skip
"""Set by hand after training, by shares of held-out turns and the cases (the card says how)."""


# ── moves ───────────────────────────────────────────────────────────────────────────────


def move_data(
    turns: Sequence[Turn], vectors: Vectors, bank: Bank, labels: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return features and multi-hot targets of whole turns."""
    place = {name: index for index, name in enumerate(labels)}
    x, y = [], np.zeros((len(turns), len(labels)), np.float32)
    for row, turn in enumerate(turns):
        vector, peak = vectors[turn.text], vectors.peak(turn.text)
        likeness = bank.best(vector)
        x.append(heads.move_features(vector, peak, plain(turn.text), turn.expect, likeness))
        for label in turn.labels:
            y[row, place[label]] = 1.0
    return np.array(x), y


def tag_words(turn: Turn) -> list[int]:
    """Return the slot tag of each word."""
    words = plain(turn.text).split()
    tags = [0] * len(words)
    for slot, value in turn.spans:
        if slot not in heads.TAGS:
            continue
        span = plain(value).split()
        for at in range(len(words) - len(span) + 1):
            if words[at : at + len(span)] == span and not any(tags[at : at + len(span)]):
                tags[at : at + len(span)] = [heads.TAGS.index(slot)] * len(span)
                break
    return tags


async def word_vectors(texts: Sequence[str]) -> list[Embedding]:
    """Return the embeddings of texts, word by word."""
    embedder = Embedder(load_settings().models.embedder)
    await embedder.start()
    done: list[Embedding] = []
    for at in range(0, len(texts), 500):
        done += await embedder.embed(texts[at : at + 500], within=600)
    await embedder.stop()
    return done


def train_slots(turns: Sequence[Turn]) -> dict[str, Any]:
    """Return the slot head; turns without slots are many, a few of them are enough."""
    turns = [t for n, t in enumerate(turns) if t.spans or n % 8 == 0]
    done = asyncio.run(word_vectors([turn.text for turn in turns]))
    x, y = [], []
    for turn, embedding in zip(turns, done, strict=True):
        tags = tag_words(turn)
        if len(tags) == len(embedding.words):
            x.append(heads.word_features(embedding, turn.expect))
            y += tags
    target = np.eye(len(heads.TAGS), dtype=np.float32)[y]
    features = np.concatenate(x)
    layers = train(
        features, target, (features.shape[1], 96, len(heads.TAGS)), categorical, epochs=4
    )
    return as_weights("slot", layers)


def main() -> None:
    """Make the heads."""
    began = time.monotonic()
    wordings = read_wordings()
    speaker = Speaker(SEED)
    singles = list(one_need(wordings, speaker, VARIANTS))
    dev_words = [w for w in wordings if w.dev]
    train_words = [w for w in wordings if not w.dev]
    speaker.random.seed("several")
    severals = list(several_needs(train_words, speaker, SEVERAL))
    severals += list(several_needs(dev_words, speaker, 400))
    severals += read_several()
    garbler = Garbler({w for t in singles for w in t.text.split()}, SEED)
    noisy = [
        garbled(t, garbler.garble(t.text, rate))
        for t in singles
        for rate in (0.12,)
        if len(t.text.split()) > 3
    ]
    turns = [*singles, *severals, *noisy]
    print(f"{len(wordings)} wordings, {len(turns)} turns")
    examples = load_examples(HOUSE / "examples.toml")
    pairs = [(str(move), text) for move in examples for text in examples[move]]
    vectors = Vectors()
    vectors.learn([t.text for t in turns] + [text for _, text in pairs])
    bank = Bank([m for m, _ in pairs], vectors.all([text for _, text in pairs]))

    labels = sorted({label for turn in turns for label in turn.labels})
    fit = [t for t in turns if not t.dev]
    x, y = move_data(fit, vectors, bank, labels)
    weights: dict[str, Any] = as_weights(
        "move", train(x, y, (x.shape[1], HIDDEN, len(labels)), balanced(y), epochs=16, noise=0.1)
    )
    for name, sample in (("one", singles), ("several", severals), ("noisy", noisy)):
        dev = [t for t in sample if t.dev]
        dx, dy = move_data(dev, vectors, bank, labels)
        odds = heads.sigmoid(heads.relu_layers(dx, weights, "move"))
        top = np.mean([dy[i, odds[i].argmax()] for i in range(len(dev))])
        exact = np.mean(((odds > 0.4) == (dy > 0)).all(axis=1))
        print(f"  moves, {name}: {len(dev)} top {top:.3f} exact {exact:.3f}")

    questions = list(_questions(singles, noisy))
    space, matcher = train_matcher(questions, vectors)
    weights |= space | matcher
    weights |= train_slots([t for t in (*singles, *severals) if not t.dev])
    save(HOUSE / "heads.npz", weights, labels, GATES)
    print(f"made in {time.monotonic() - began:.0f} s")


def _questions(singles: Sequence[Turn], noisy: Sequence[Turn]) -> list[Question]:
    found = []
    for number, turn in enumerate((*singles, *noisy)):
        if len(turn.labels) == 1 and turn.expect in (Expect.OPEN, Expect.MORE):
            label = turn.labels[0]
            topic = turn.topics[0] if label == ASKS else f"move:{label}"
            found.append(Question(turn.text, topic, turn.line, turn.dev, number >= len(singles)))
    return found


def save(
    path: Path, weights: dict[str, Any], labels: Sequence[str], thresholds: dict[str, float]
) -> None:
    """Write the heads, weights as half floats."""
    arrays = {
        name: value.astype(np.float16) if value.dtype.kind == "f" and value.ndim else value
        for name, value in weights.items()
    }
    np.savez_compressed(
        path,
        format=np.array(heads.FORMAT),
        moves=np.array(labels),
        **{
            "threshold.names": np.array(list(thresholds), dtype="U32"),
            "threshold.values": np.array(list(thresholds.values()), dtype=np.float64),
        },
        **arrays,
    )
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
