"""Makes the house ear's graph: text -> words -> sounds -> language model -> two FSTs.

``stt_models/recipe/make_graph OUT`` runs it; what it needs stands in README.md. OUT becomes the
folder of a Vosk model without its acoustic half: ``graph``, ``lexicon.txt``, ``more_words.txt.gz``.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
from collections import Counter
from pathlib import Path
from typing import Final

import general
import names
import ngram
import wordfreq
from pronounce import Dictionary
from wordings import turns

from agent.ear.fst import Arc, Fst, write
from agent.ear.graph import number_words, write_sounds
from agent.ear.lexicon import as_text
from agent.ear.phones import NOISE

SEED: Final = 20251123
TURNS: Final = 400_000

FEMALE, MALE, LAST = 700, 500, 2500
"""The commonest names of the US census of 1990 that callers have here."""

NAME_FLATTENING: Final = 0.6
"""Power on a name's frequency: rare names must be heard too."""

GENERAL_WORDS: Final = 20_000
"""The commonest words of English (wordfreq) that may turn up unscripted."""

COUNT_FLATTENING: Final = 0.5
"""Power on a turn's count: how often a generator says a thing means little."""

ORDER: Final = 3
DISCOUNTS: Final = (0.9, 0.9)
"""Taken from the counts of pairs and triples."""

FLOOR: Final = 0.02
"""Share of a caller's word that may be any word."""

GENERAL_SHARE: Final = 0.5
"""Weight of general English after words that callers' text has in this order …"""

UNSEEN_SHARE: Final = 0.8
"""… and after others. Found on wordings that were not yet in the text (README.md)."""

THRESHOLD: Final = 1.2e-7
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


def language(text: Counter[str], vocabulary: set[str], english: Path) -> ngram.Model:
    """Return the mixed, pruned model.

    Args:
        text: Callers' turns and how often each was drawn.
        vocabulary: All words.
        english: pocketsphinx's ``en-us.lm.bin``.
    """
    flat = {sentence: times**COUNT_FLATTENING for sentence, times in text.items()}
    calls = ngram.count(flat, ORDER, vocabulary, DISCOUNTS, FLOOR)
    single = {word: wordfreq.word_frequency(word, "en") + 1e-8 for word in vocabulary}
    single[ngram.END] = sum(single.values()) / SENTENCE_LENGTH
    grams = general.read(english, {*vocabulary, ngram.BEGIN, ngram.END})
    for here in grams.values():
        here.pop(ngram.BEGIN, None)
    language = ngram.given(grams, single)
    return ngram.prune(ngram.mix(calls, language, GENERAL_SHARE, UNSEEN_SHARE), THRESHOLD)


def grammar(model: ngram.Model, numbers: dict[str, int]) -> Fst:
    """Return ``model`` as the acceptor that goes with the sounds."""
    rows, final = ngram.arcs(model, ANOTHER_SENTENCE)
    states: list[list[Arc]] = [[] for _ in range(1 + max(state for _, _, _, state in rows))]
    for source, word, cost, target in rows:
        number = numbers[word] if word else 0
        states[source].append((number, number, cost, target))
    for arcs in states:
        arcs.sort()
    return Fst.of(0, states, final)


def main() -> None:
    """Write the graph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder to make; moved into the model by hand")
    parser.add_argument("--english", type=Path, required=True, help="pocketsphinx's en-us.lm.bin")
    asked = parser.parse_args()
    folder: Path = asked.out
    (folder / "graph").mkdir(parents=True)

    firsts = _census("female.first", FEMALE) + _census("male.first", MALE)
    text = Counter(turns(TURNS, SEED, firsts, _census("all.last", LAST)))
    dictionary = Dictionary()
    vocabulary = {word for turn in text for word in turn.split()} | set(_general(dictionary))
    model = language(text, vocabulary, asked.english)
    model.table[()][UNKNOWN] = UNKNOWN_SHARE
    print(f"{len(text)} turns, {len(vocabulary)} words, {model.size()} n-grams")

    lexicon = {word: dictionary.sounds(word) for word in vocabulary}
    lexicon[UNKNOWN] = [(NOISE,)]
    print(f"{len(dictionary.guessed)} words sounded out:", *sorted(dictionary.guessed))
    numbers = number_words(lexicon)
    write_sounds(lexicon, numbers, folder / "graph")
    write(grammar(model, numbers), folder / "graph" / "Gr.fst")
    (folder / "lexicon.txt").write_text(as_text(lexicon), encoding="utf-8")
    more = {word: dictionary.sounds(word)[:1] for word in dictionary.listed() - lexicon.keys()}
    with gzip.GzipFile(folder / "more_words.txt.gz", "wb", mtime=0) as file:
        file.write(as_text(more).encode())
    for path in sorted(folder.rglob("*.*")):
        print(path.relative_to(folder), path.stat().st_size)


if __name__ == "__main__":
    main()
