"""A byte-pair tokenizer of our own, the same as llama.cpp's "gpt-2" on plain lower-case text."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

SPECIAL: Final = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>")

PIECES: Final = re.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[a-zA-Z]+| ?[0-9]+| ?[^\sa-zA-Z0-9]+|\s+(?!\S)|\s+"
)
"""How "gpt-2" cuts a text before it merges; for ASCII."""


def byte_alphabet() -> list[str]:
    """Return the characters by which GPT-2's tokenizer writes the bytes 0 to 255."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (chr(256 + at) for at in range(256))
    return [chr(byte) if byte in plain else next(others) for byte in range(256)]


BYTES: Final = byte_alphabet()


def as_bytes(piece: str) -> tuple[str, ...]:
    """Return the byte characters of ``piece``."""
    return tuple(BYTES[byte] for byte in piece.encode())


def learn(texts: Iterable[str], size: int) -> list[tuple[str, str]]:
    """Return the merges of a vocabulary of ``size`` tokens, the commonest pairs first."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(PIECES.findall(text))
    words = {as_bytes(piece): count for piece, count in counts.items()}
    merges: list[tuple[str, str]] = []
    while len(BYTES) + len(SPECIAL) + len(merges) < size:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += count
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        words = {(joined(word, best) if best[0] in word else word): n for word, n in words.items()}
    return merges


def joined(word: Sequence[str], pair: tuple[str, str]) -> tuple[str, ...]:
    """Return ``word`` with every ``pair`` in it made one."""
    out: list[str] = []
    at = 0
    while at < len(word):
        if at + 1 < len(word) and (word[at], word[at + 1]) == pair:
            out.append(word[at] + word[at + 1])
            at += 2
        else:
            out.append(word[at])
            at += 1
    return tuple(out)


class Tokenizer:
    """Text to token numbers."""

    def __init__(self, merges: Sequence[tuple[str, str]]) -> None:
        """Use ``merges`` in their order."""
        self.merges = [tuple(pair) for pair in merges]
        self.tokens = [*BYTES, *("".join(pair) for pair in merges), *SPECIAL]
        self.number: Mapping[str, int] = {token: at for at, token in enumerate(self.tokens)}
        self._rank = {pair: at for at, pair in enumerate(self.merges)}
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Return the tokens of ``text``; special tokens are not looked for in it."""
        out: list[int] = []
        for piece in PIECES.findall(text):
            if piece not in self._known:
                self._known[piece] = self._piece(piece)
            out += self._known[piece]
        return out

    def _piece(self, piece: str) -> list[int]:
        word = as_bytes(piece)
        while len(word) > 1:
            pairs = set(itertools.pairwise(word)) & self._rank.keys()
            if not pairs:
                break
            word = joined(word, min(pairs, key=self._rank.__getitem__))
        return [self.number[token] for token in word]
