"""Reads CMU's generic US English trigram model out of pocketsphinx's wheel.

The model (72,547 words, 2,051,547 pairs, 1,669,625 triples; BSD, Carnegie Mellon University) lies
there in pocketsphinx's own binary form, from which pocketsphinx 5.1.1 itself can't write the
triples (it crashes). The form is a tree with the words of an n-gram in reverse, packed in
bits: per pair a word, a coded back-off weight, a coded probability and where its triples begin;
per triple a word and a coded probability.
"""

from __future__ import annotations

import struct
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAGIC: Final = b"Trie Language Model"
CODE_BITS: Final = 16
"""Bits of a coded probability or weight; a table says what the codes mean."""

LOG_BASE: Final = 1.0001
"""Base of the logarithms, pocketsphinx's own."""

Grams = dict[tuple[str, ...], dict[str, float]]
"""Per history the probabilities of the words after it."""


@dataclass(slots=True)
class _Packed:
    data: NDArray[np.uint8]
    bits: int

    def read(self, rows: NDArray[np.int64], offset: int, width: int) -> NDArray[np.int64]:
        """Return ``width`` bits at ``offset`` of each row."""
        first = rows * self.bits + offset
        window = self.data[(first >> 3)[:, None] + np.arange(8)]
        value = window.copy().view("<u8")[:, 0] >> (first & 7).astype(np.uint64)
        return (value & np.uint64((1 << width) - 1)).astype(np.int64)


def read(path: Path, vocabulary: Container[str]) -> Grams:
    """Return the n-grams all of whose words are in ``vocabulary``.

    Args:
        path: ``en-us.lm.bin``.
        vocabulary: Words to keep; with ``<s>`` and ``</s>``.
    """
    data = path.read_bytes()
    if not data.startswith(MAGIC) or data[len(MAGIC)] != 3:
        raise SystemExit(f"{path} is not the trigram model of pocketsphinx 5.1.1")
    at = len(MAGIC) + 1
    words, pairs, triples = struct.unpack_from("<3I", data, at)
    at += 12 + 4
    codes = np.frombuffer(data, "<f4", 3 << CODE_BITS, at).reshape(3, -1)
    pair_codes, triple_codes = codes[0], codes[2]
    at += codes.nbytes
    singles = np.frombuffer(data, np.dtype("<f4,<f4,<u4"), words + 1, at)
    at += singles.nbytes
    word_bits, next_bits = words.bit_length(), triples.bit_length()
    second = _Packed(np.empty(0, np.uint8), word_bits + 2 * CODE_BITS + next_bits)
    third = _Packed(np.empty(0, np.uint8), word_bits + CODE_BITS)
    for level, entries in ((second, pairs), (third, triples)):
        size = ((1 + entries) * level.bits + 7) // 8 + 8
        level.data = np.frombuffer(data, np.uint8, size, at)
        at += size
    names = data[at + 4 :].decode().split("\0")[:words]
    kept = np.array([name in vocabulary for name in names])

    grams: Grams = {(): {}}
    for number in np.flatnonzero(kept):
        grams[()][names[number]] = float(LOG_BASE ** singles["f0"][number])
    # A few less than announced are there.
    rows = np.arange(singles["f2"][-1], dtype=np.int64)
    last = np.repeat(np.arange(words), np.diff(singles["f2"].astype(np.int64)))
    before = second.read(rows, 0, word_bits)
    likely = LOG_BASE ** pair_codes[second.read(rows, word_bits + CODE_BITS, CODE_BITS)]
    for row in np.flatnonzero(kept[last] & kept[before]):
        grams.setdefault((names[before[row]],), {})[names[last[row]]] = float(likely[row])
    begins = second.read(np.arange(len(rows) + 1), word_bits + 2 * CODE_BITS, next_bits)
    owner = np.repeat(rows, np.diff(begins))
    rows = np.arange(len(owner), dtype=np.int64)
    first = third.read(rows, 0, word_bits)
    likely = LOG_BASE ** triple_codes[third.read(rows, word_bits, CODE_BITS)]
    for row in np.flatnonzero(kept[first] & kept[before[owner]] & kept[last[owner]]):
        history = (names[first[row]], names[before[owner[row]]])
        grams.setdefault(history, {})[names[last[owner[row]]]] = float(likely[row])
    return grams
