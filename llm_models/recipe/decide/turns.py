"""Makes what the deciding model learns from: the prompts `agent.mind.decide` would build.

    nice -n 10 python llm_models/recipe/decide/turns.py

The heads are too sure of wordings they were taught, so they are taught four times here, each
time without a quarter of the lines, and asked about that quarter; so are the restaurants
that they see: facts of random topics, worded at random. Reads ``llm_models/house/data``
alone. Writes ``build/decide/turns.jsonl.xz`` (a prompt with ``{n}`` for the n-th fact's id,
the answer, whether the heads were unsure) and ``build/decide/merges.json``.
"""

from __future__ import annotations

import json
import lzma
import os
import random
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpe
from garble import Garbler
from network import SEED, Vectors, as_weights, balanced, train
from train import Question as Asked
from train import move_data, train_topics
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

from agent.events import Expect, Move
from agent.mind import heads, rules
from agent.mind.clauses import clauses
from agent.mind.decide import SHORT_FACTS, Question, needs_a_second_look, short_part
from agent.mind.decision import LEAVING, Decider, Unit
from agent.mind.embedder import plain
from agent.mind.grammar import SLOTS
from agent.mind.moves import UNSURE, MoveName
from agent.mind.recall import Bank, load_examples
from agent.settings import CHECKOUT

OUT: Final = CHECKOUT / "build" / "decide"
FOLDS: Final = 4
VARIANTS: Final = 6
SEVERAL: Final = 700
RESTAURANTS: Final = 250
DRAWS: Final = 2
VOCABULARY: Final = 2048


def fold_of(line: str) -> int:
    """Return which quarter a line belongs to."""
    return zlib.crc32(b"decide" + line.encode()) % FOLDS


@dataclass(frozen=True)
class Restaurant:
    """A made-up restaurant: its topics, how each is asked for, and the lines that came from."""

    asked: dict[str, list[str]]
    lines: frozenset[str]
    bank: heads.FactBank


@dataclass(frozen=True)
class Fold:
    """One quarter's turns, and heads that have not seen them."""

    turns: list[Turn]
    heads: heads.Heads
    restaurants: list[Restaurant]


def turns_by_fold() -> tuple[list[list[Turn]], frozenset[Turn]]:
    """Return the turns of every quarter, and which of all are garbled.

    What is joined comes from one quarter.
    """
    wordings = read_wordings()
    speaker = Speaker(SEED)
    folds: list[list[Turn]] = [[] for _ in range(FOLDS)]
    singles = list(one_need(wordings, speaker, VARIANTS))
    garbler = Garbler({w for t in singles for w in t.text.split()}, SEED)
    noisy = [garbled(t, garbler.garble(t.text, 0.12)) for t in singles if len(t.text.split()) > 3]
    for turn in (*singles, *noisy[::2]):
        folds[fold_of(turn.line)].append(turn)
    for turn in read_several():
        folds[fold_of(turn.text)].append(turn)
    for number, fold in enumerate(folds):
        speaker.random.seed(f"decide/{number}")
        fold += several_needs([w for w in wordings if fold_of(w.line) == number], speaker, SEVERAL)
    return folds, frozenset(noisy)


def questions(turns: Sequence[Turn]) -> list[Asked]:
    """Return what teaches the topic space."""
    found = []
    for turn in turns:
        if len(turn.labels) == 1 and turn.line and turn.expect in (Expect.OPEN, Expect.MORE):
            label = turn.labels[0]
            topic = turn.topics[0] if label == ASKS else f"move:{label}"
            found.append(Asked(turn.text, topic, turn.line, False, False))
    return found


def taught_without(
    folds: Sequence[list[Turn]], number: int, vectors: Vectors, bank: Bank
) -> heads.Heads:
    """Return heads that have not seen fold ``number``; matcher and gates are the shipped ones."""
    shipped = heads.load_heads(HOUSE / "heads.npz")
    rest = [turn for at, fold in enumerate(folds) if at != number for turn in fold]
    labels = sorted(shipped.moves)
    x, y = move_data(rest, vectors, bank, labels)
    sizes = (x.shape[1], 96, len(labels))
    weights: dict[str, Any] = as_weights("move", train(x, y, sizes, balanced(y), epochs=7))
    weights |= train_topics(questions(rest), vectors)
    with np.load(HOUSE / "heads.npz") as file:
        weights |= {
            name: file[name].astype(np.float32) for name in file.files if name.startswith("fact.")
        }
    return heads.Heads(weights, labels, shipped.thresholds)


def make_restaurants(
    pool: Sequence[Asked], vectors: Vectors, space: heads.TopicSpace, chance: random.Random
) -> list[Restaurant]:
    """Return restaurants that know something about random topics, worded by random owners."""
    by_topic: dict[str, list[Asked]] = {}
    for one in pool:
        if one.known:
            by_topic.setdefault(one.topic, []).append(one)
    made = []
    for _ in range(RESTAURANTS):
        topics = chance.sample(sorted(by_topic), chance.randint(4, 22))
        asked: dict[str, list[str]] = {}
        lines = set()
        for topic in topics:
            picked = chance.sample(by_topic[topic], min(len(by_topic[topic]), chance.randint(1, 5)))
            asked[topic] = [one.text for one in picked]
            lines |= {one.line for one in picked}
        pairs = [(topic, text) for topic, texts in asked.items() for text in texts]
        bank = heads.FactBank.of(
            [(topic, plain(text)) for topic, text in pairs],
            [vectors[text] for _, text in pairs],
            [vectors.peak(text) for _, text in pairs],
            space,
        )
        made.append(Restaurant(asked, frozenset(lines), bank))
    return made


def chosen(turn: Turn, restaurants: Sequence[Restaurant], chance: random.Random) -> Restaurant:
    """Return a restaurant for ``turn``; two times in three it knows what is asked."""
    some = [r for r in chance.sample(restaurants, 14) if turn.line not in r.lines]
    topics = {topic for topic in turn.topics if topic}
    if topics and chance.random() < 0.66:
        return max(some, key=lambda r: len(topics & r.asked.keys()))
    return some[0] if not topics else min(some, key=lambda r: len(topics & r.asked.keys()))


def gold(turn: Turn, known: Sequence[str]) -> list[str]:
    """Return the labels of ``turn`` at a restaurant that knows ``known``."""
    moves: list[str] = []
    for label in turn.labels:
        if label == ASKS:
            moves += [
                f"{MoveName.ANSWER}:{topic}" if topic in known else str(MoveName.UNKNOWN)
                for topic in turn.topics or ("",)
            ]
        else:
            moves.append(label)
    moves = list(dict.fromkeys(moves))
    if turn.expect is Expect.DETAILS:
        own = [m for m in moves if m in set(LEAVING) or m.startswith(MoveName.ANSWER)]
        told = len(own) < len(moves) and MoveName.GIVES not in own
        moves = [str(MoveName.GIVES), *own] if told else own
    if turn.expect is Expect.OPEN:
        moves = [move for move in moves if move != MoveName.GIVES]
    return moves[:3]


class Teacher:
    """Asks one fold's heads about its turns, as `agent.mind.understanding` does."""

    def __init__(self, fold: Fold, vectors: Vectors, bank: Bank, seed: str) -> None:
        """Use these heads; ``seed`` chooses restaurants."""
        self._fold, self._vectors, self._bank = fold, vectors, bank
        self._chance = random.Random(seed)
        self._decider = Decider(fold.heads.moves, fold.heads.thresholds)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the examples."""
        for turn in self._fold.turns:
            words = plain(turn.text)
            if rules.answer_to(words, turn.expect) is not None:
                continue
            for _ in range(DRAWS):
                row = self._row(turn, words)
                if row is not None:
                    yield row

    def _row(self, turn: Turn, words: str) -> dict[str, Any] | None:
        restaurant = chosen(turn, self._fold.restaurants, self._chance)
        moves = gold(turn, list(restaurant.asked))
        if not moves:
            return None
        parts = clauses(words)
        units, facts = [], np.zeros(0)
        for text in [words, *parts] if len(parts) > 1 else [words]:
            unit, odds = self._unit(text, turn.expect, restaurant)
            units.append(unit)
            facts = odds if len(units) == 1 else facts
        read = self._decider.decide(units[0], units[1:], turn.expect)
        names = restaurant.bank.names
        odds = dict(zip(self._fold.heads.moves, map(float, units[0].odds), strict=True))
        order = np.argsort(-facts, kind="stable")
        place = {names[at]: f"{{{n}}}" for n, at in enumerate(order)}
        odds |= {f"answer:{place[names[at]]}": float(facts[at]) for at in order}
        renamed = [Move(m.name, place[m.fact] if m.fact else "", m.score) for m in read]
        question = Question(words, turn.expect, odds=odds, read=renamed)
        asked = {place[topic]: texts for topic, texts in restaurant.asked.items()}
        prompt = short_part(question, asked)
        answer = ", ".join(dict.fromkeys(_told(move, place, prompt) for move in moves))
        return {
            "p": prompt,
            "a": answer,
            "s": {n: plain(v) for n, v in turn.spans if n in set(SLOTS) and plain(v) in words},
            "t": [names[at] for at in order[:SHORT_FACTS]],
            "u": int(needs_a_second_look(read)),
            "h": int({str(m) for m in renamed if m.score >= UNSURE} == set(answer.split(", "))),
            "d": int(turn.dev),
            "n": len(moves),
        }

    def _unit(self, text: str, expect: Expect, restaurant: Restaurant) -> tuple[Unit, np.ndarray]:
        one = _Vectors(self._vectors[text], self._vectors.peak(text))
        likeness = self._bank.best(one.vector)
        odds = self._fold.heads.move_odds(one, text, expect, likeness)  # type: ignore[arg-type]
        facts = self._fold.heads.fact_odds(one, text, restaurant.bank)  # type: ignore[arg-type]
        best = int(facts.argmax())
        return Unit(text, odds, restaurant.bank.names[best], float(facts[best])), facts


def _told(move: str, place: Mapping[str, str], prompt: str) -> str:
    """Return ``move`` by its fact's number; what the prompt doesn't tell can't be chosen."""
    _, _, topic = move.partition(":")
    if not topic:
        return move
    label = f"{MoveName.ANSWER}:{place[topic]}"
    return label if f"\n{label} " in prompt else str(MoveName.UNKNOWN)


@dataclass(frozen=True)
class _Vectors:
    """The part of an embedding that the heads read."""

    vector: np.ndarray
    peak: np.ndarray


def main() -> None:
    """Make the examples and the tokenizer."""
    began = time.monotonic()
    folds, noisy = turns_by_fold()
    examples = load_examples(HOUSE / "examples.toml")
    pairs = [(str(move), text) for move in examples for text in examples[move]]
    texts = {plain(turn.text) for fold in folds for turn in fold}
    vectors = Vectors()
    vectors.learn([*texts, *(part for text in texts for part in clauses(text)),
                   *(text for _, text in pairs)])  # fmt: skip
    bank = Bank([move for move, _ in pairs], vectors.all([text for _, text in pairs]))
    # Owners write their facts down: none of the texts with recognition errors.
    pool = questions([turn for fold in folds for turn in fold if turn not in noisy])
    print(f"{len(texts)} texts, {time.monotonic() - began:.0f} s", flush=True)
    rows: list[dict[str, Any]] = []
    for number, turns in enumerate(folds):
        taught = taught_without(folds, number, vectors, bank)
        chance = random.Random(f"restaurants/{number}")
        places = make_restaurants(pool, vectors, taught.space, chance)
        rows += Teacher(Fold(turns, taught, places), vectors, bank, f"rows/{number}").rows()
        unsure = [row for row in rows if row["u"]]
        right = sum(row["h"] for row in rows) / len(rows)
        print(
            f"fold {number}: {len(rows)} rows, heads right {right:.3f}, unsure {len(unsure)} of "
            f"which right {sum(r['h'] for r in unsure) / max(1, len(unsure)):.3f}, "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
        write(rows)


def write(rows: Sequence[dict[str, Any]]) -> None:
    """Write the examples, and the merges learnt from them."""
    OUT.mkdir(parents=True, exist_ok=True)
    with lzma.open(OUT / "turns.jsonl.xz", "wt", encoding="utf-8", preset=6) as file:
        for row in rows:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
    merges = bpe.learn((f"{row['p']}\n{row['a']} | name: | size: | when: | phone: "
                        for row in rows[::3]), VOCABULARY)  # fmt: skip
    (OUT / "merges.json").write_text(json.dumps(merges), "utf-8")


if __name__ == "__main__":
    main()
