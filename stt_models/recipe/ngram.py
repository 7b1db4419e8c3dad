"""Back-off n-gram models: counted, mixed, pruned, and written as a grammar for the decoder.

A model is a table ``history -> (probabilities, back-off weight)``; histories are tuples of
words, the empty one holds a probability for every word. Small enough for plain dictionaries
(a few hundred thousand n-grams), so no toolkit is needed.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BEGIN: Final = "<s>"
END: Final = "</s>"

History = tuple[str, ...]

SMALLEST: Final = 1e-9
"""Probability mass below which nothing is left for backing off."""


@dataclass
class Model:
    """A back-off model.

    Attributes:
        table: Per history the explicit probabilities.
        weights: Per history (but the empty one) the back-off weight.
    """

    table: dict[History, dict[str, float]]
    weights: dict[History, float]

    def probability(self, history: History, word: str) -> float:
        """Return P(word | history)."""
        while history and history not in self.table:
            history = history[1:]
        here = self.table[history]
        if word in here:
            return here[word]
        if not history:
            return 0.0
        return self.weights[history] * self.probability(history[1:], word)

    def order(self) -> int:
        """Return n of the longest n-gram."""
        return 1 + max(map(len, self.table))

    def size(self) -> int:
        """Return the number of n-grams."""
        return sum(map(len, self.table.values()))

    def weigh(self) -> None:
        """Compute all back-off weights anew, shortest histories first."""
        self.weights = {}
        for history in sorted(self.table, key=len):
            if history:
                here = self.table[history]
                left = 1.0 - sum(here.values())
                lower = 1.0 - sum(self.probability(history[1:], word) for word in here)
                self.weights[history] = max(left, SMALLEST) / max(lower, SMALLEST)


def count(
    sentences: Mapping[str, float],
    order: int,
    vocabulary: Iterable[str],
    discounts: Sequence[float],
    floor: float,
) -> Model:
    """Return a model by interpolated absolute discounting.

    Args:
        sentences: Sentences with their counts, which need not be whole numbers.
        order: n of the longest n-gram.
        vocabulary: All words; others are left out of the sentences.
        discounts: What is taken from each count, per order from 2 on.
        floor: Share of the unigrams' mass spread evenly over the vocabulary.
    """
    words = {*vocabulary, END}
    counts: dict[History, Counter[str]] = defaultdict(Counter)
    for sentence, times in sentences.items():
        tokens = [BEGIN, *(word for word in sentence.split() if word in words), END]
        for at in range(1, len(tokens)):
            for length in range(min(order, at + 1)):
                counts[tuple(tokens[at - length : at])][tokens[at]] += times  # type: ignore[assignment]
    total = sum(counts[()].values())
    model = Model({}, {})
    model.table[()] = {
        word: (1 - floor) * counts[()][word] / total + floor / len(words) for word in words
    }
    for history in sorted((h for h in counts if h), key=len):
        seen = counts[history]
        discount = discounts[len(history) - 1]
        mass = sum(seen.values())
        kept = {word: max(c - discount, 0.0) for word, c in seen.items()}
        freed = (mass - sum(kept.values())) / mass
        model.table[history] = {
            word: c / mass + freed * model.probability(history[1:], word)
            for word, c in kept.items()
        }
        model.weights[history] = freed or SMALLEST
    model.weigh()
    return model


def given(grams: Mapping[History, Mapping[str, float]], singles: Mapping[str, float]) -> Model:
    """Return the model with these n-grams.

    Args:
        grams: Probabilities; words that are not among them are left to backing off.
        singles: Probabilities of single words for all of the vocabulary; those of ``grams``
            are stronger. Together they are made to sum to 1.
    """
    model = Model({history: dict(here) for history, here in grams.items()}, {})
    known = {**singles, **{w: p for w, p in grams.get((), {}).items() if w in singles}}
    total = sum(known.values())
    model.table[()] = {word: p / total for word, p in known.items()}
    for history in list(model.table):
        # A longer history backs off to its end, which must exist.
        for length in range(1, len(history)):
            model.table.setdefault(history[length:], {})
    model.weigh()
    return model


def mix(first: Model, second: Model, share: float, unseen_share: float) -> Model:
    """Return a mixture of two models.

    Args:
        first: The model that knows the matter.
        second: The model that knows the language.
        share: Weight of ``second`` after a history that ``first`` has met.
        unseen_share: Its weight after any other history.
    """
    mixed = Model({}, {})
    for history in sorted({*first.table, *second.table}, key=len):
        words = {**first.table.get(history, {}), **second.table.get(history, {})}
        part = share if history in first.table else unseen_share
        mixed.table[history] = {
            word: (1 - part) * first.probability(history, word)
            + part * second.probability(history, word)
            for word in words
        }
    mixed.weigh()
    return mixed


def prune(model: Model, threshold: float) -> Model:
    """Return ``model`` without the n-grams whose loss changes it least (Stolcke 1998).

    Args:
        model: Its back-off weights must be current.
        threshold: Least change of the log-likelihood per word, in nats, that keeps an n-gram.
    """
    reach: dict[History, float] = {(): 1.0}

    def weight(history: History) -> float:
        """Return how often the history occurs, by the model itself."""
        if history not in reach:
            if history == (BEGIN,):
                reach[history] = model.table[()][END]
            elif history[0] == BEGIN and len(history) > 1:
                reach[history] = weight(history[:-1]) * model.probability(history[:-1], history[-1])
            else:
                reach[history] = (weight(history[:-1]) if len(history) > 1 else 1.0) * (
                    model.probability(history[:-1], history[-1])
                )
        return reach[history]

    pruned = Model({}, {})
    for history, here in model.table.items():
        if not history:
            pruned.table[()] = dict(here)
            continue
        often = weight(history)
        kept = {}
        for word, p in here.items():
            lower = model.weights[history] * model.probability(history[1:], word)
            if often * p * abs(math.log(p / max(lower, 1e-12))) >= threshold:
                kept[word] = p
        if kept:
            pruned.table[history] = kept
    for history in list(pruned.table):
        # A longer history is reached through its front: its states must exist.
        for length in range(1, len(history)):
            pruned.table.setdefault(history[length:], {})
    pruned.weigh()
    return pruned


def perplexity(model: Model, sentences: Iterable[str], vocabulary: set[str]) -> tuple[float, float]:
    """Return perplexity per word (ends counted) and the share of unknown words left out."""
    loss, words, unknown = 0.0, 0, 0
    longest = model.order() - 1
    for sentence in sentences:
        history: History = (BEGIN,)
        for word in [*sentence.split(), END]:
            if word != END and word not in vocabulary:
                unknown += 1
                history = ()
                continue
            loss -= math.log(model.probability(history[-longest:], word))
            words += 1
            history = (*history, word)
    return math.exp(loss / words), unknown / (words + unknown)


def arcs(
    model: Model, another: float
) -> tuple[list[tuple[int, str, float, int]], dict[int, float]]:
    """Return the model as an acceptor: arcs ``(from, word, cost, to)`` and final costs.

    State 0 begins a sentence; an arc with the empty word backs off, or leads from a sentence's
    end to the beginning of the next. Costs are -ln P.

    Args:
        model: The model.
        another: Probability that a turn goes on with another sentence.
    """
    numbers: dict[History, int] = {(BEGIN,): 0}
    for history in model.table:
        numbers.setdefault(history, len(numbers))

    def state(history: History) -> int:
        while history not in numbers:
            history = history[1:]
        return numbers[history]

    longest = model.order() - 1
    out: list[tuple[int, str, float, int]] = []
    final: dict[int, float] = {}
    for history, here in model.table.items():
        source = numbers[history]
        for word, p in here.items():
            if word == END:
                final[source] = -math.log(p * (1 - another))
                # Not from the empty history: the next sentence would need no word.
                if history and history != (BEGIN,):
                    out.append((source, "", -math.log(p * another), 0))
            else:
                out.append((source, word, -math.log(p), state((*history, word)[-longest:])))
        if history:
            cost = -math.log(max(model.weights[history], SMALLEST))
            out.append((source, "", cost, state(history[1:])))
    return out, final
