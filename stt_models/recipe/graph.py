"""Makes the house ear's graph: text -> words -> sounds -> language model -> two FSTs.

``python stt_models/recipe/graph.py OUT`` writes the folder ``graph`` of a Vosk model for the
acoustic model in ``stt_models/house-en/am``. What it needs stands in README.md.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from pathlib import Path
from typing import Final

import names
import ngram
import symspellpy
import wordfreq
from lexicon import Arc, build, run, write
from phones import NOISE
from pronounce import Dictionary
from wordings import turns

SEED: Final = 20251123
TURNS: Final = 400_000

FEMALE, MALE, LAST = 700, 500, 2500
"""The commonest names of the US census of 1990 that callers have here."""

NAME_FLATTENING: Final = 0.6
"""Power on a name's frequency: rare names must be heard too."""

GENERAL_WORDS: Final = 14_000
"""The commonest words of English (wordfreq) that may turn up unscripted."""

COUNT_FLATTENING: Final = 0.5
"""Power on a turn's count: how often a generator says a thing means little."""

ORDER: Final = 3
DISCOUNTS: Final = (0.9, 0.9)
"""Taken from the counts of pairs and triples."""

FLOOR: Final = 0.02
"""Share of a caller's word that may be any word."""

PAIR_SHARE: Final = 0.4
"""Share of a word's successors taken from the counted pairs of general English."""

GENERAL_SHARE: Final = 0.3
"""Weight of general English in the mixture, found on the development turns."""

THRESHOLD: Final = 3e-8
"""Pruning: the change of the log-likelihood per word, in nats, that keeps an n-gram."""

ANOTHER_SENTENCE: Final = 0.25
"""Probability that a caller goes on with another sentence in the same turn."""

SENTENCE_LENGTH: Final = 12.0
"""Words per sentence of general English, for its end's probability."""

UNKNOWN: Final = "[unk]"

UNKNOWN_SHARE: Final = 1e-6
"""The acoustic model was never taught what noise is: the word for it must not swallow others."""


def _census(kind: str, most: int) -> list[tuple[str, float]]:
    file = Path(names.__file__).parent / f"dist.{kind}"
    lines = itertools.islice(file.read_text(encoding="ascii").splitlines(), most)
    rows = (line.split() for line in lines)
    return [(row[0].lower(), float(row[1]) ** NAME_FLATTENING) for row in rows]


def _general(dictionary: Dictionary) -> list[str]:
    """Return the commonest English words with a known pronunciation."""
    return [
        word
        for word in wordfreq.top_n_list("en", GENERAL_WORDS)
        if word.isascii()
        and word.replace("'", "").isalpha()
        and (len(word) > 1 or word in "ai")
        and dictionary.knows(word)
    ]


def _pairs(vocabulary: set[str]) -> dict[tuple[str, str], float]:
    """Return counts of English word pairs (Google Books, as symspellpy carries them)."""
    file = Path(symspellpy.__file__).parent / "frequency_bigramdictionary_en_243_342.txt"
    rows = (line.split() for line in file.read_text(encoding="utf-8-sig").splitlines())
    return {
        (first, second): float(times)
        for first, second, times in rows
        if first in vocabulary and second in vocabulary
    }


def language(text: Counter[str], vocabulary: set[str]) -> ngram.Model:
    """Return the mixed, pruned model."""
    flat = {sentence: times**COUNT_FLATTENING for sentence, times in text.items()}
    calls = ngram.count(flat, ORDER, vocabulary, DISCOUNTS, FLOOR)
    single = {word: wordfreq.word_frequency(word, "en") + 1e-8 for word in vocabulary}
    single[ngram.END] = sum(single.values()) / SENTENCE_LENGTH
    english = ngram.bigrams(single, _pairs(vocabulary), PAIR_SHARE)
    return ngram.prune(ngram.mix(calls, english, GENERAL_SHARE), THRESHOLD)


def main() -> None:
    """Write the graph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to make; moved into the model by hand")
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True)

    firsts = _census("female.first", FEMALE) + _census("male.first", MALE)
    text = Counter(turns(TURNS, SEED, firsts, _census("all.last", LAST)))
    dictionary = Dictionary()
    vocabulary = {word for turn in text for word in turn.split()} | set(_general(dictionary))
    model = language(text, vocabulary)
    model.table[()][UNKNOWN] = UNKNOWN_SHARE
    print(f"{len(text)} turns, {len(vocabulary)} words, {model.size()} n-grams")

    lexicon = {word: dictionary.sounds(word) for word in vocabulary}
    lexicon[UNKNOWN] = [(NOISE,)]
    print(f"{len(dictionary.guessed)} words sounded out:", *sorted(dictionary.guessed))
    ids, relabelled = build(lexicon, folder)

    new = {word: relabelled.get(number, number) for word, number in ids.items()}
    new[""] = 0
    arcs, final = ngram.arcs(model, ANOTHER_SENTENCE)
    grammar: list[Arc] = [(a, new[word], new[word], cost, b) for a, word, cost, b in arcs]
    write(grammar, final, folder / "Gr.txt")
    run(
        "fstcompile Gr.txt | fstarcsort --sort_type=ilabel | fstconvert --fst_type=const > Gr.fst"
        " && rm Gr.txt",
        folder,
    )
    del new[""]
    (folder / "words.txt").write_text(
        "".join(f"{word} {number}\n" for word, number in sorted(new.items(), key=lambda w: w[1]))
    )
    for file in sorted(folder.glob("*.fst")):
        print(file.name, file.stat().st_size)


if __name__ == "__main__":
    main()
