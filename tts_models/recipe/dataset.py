"""What the voice learns from: sentences, as Piper's symbols and as Flite's frames.

Kept in shards of 1,000 sentences, each an ``.npz`` of flat arrays with the bounds of each
sentence: 45 MB in half precision, made in about a minute, read in a moment.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import teacher
from acoustic import FRAMES_IN_STEP, LOG_F0, VALUES, VOICED
from align import FRAME, aligned
from numpy.typing import NDArray
from text import Writer
from vocoder import post_filtered

DEAREST = 0.25
"""Sentences on whose sounds espeak-ng and Flite disagree more (cost of a phone) are left out."""
COMMONEST = 12_000
"""Words of English, by how often they are written; most stand for sounds between sounds that the
restaurant's own words don't have."""
SHARD = 1_000
"""Sentences in one file."""
_AT_ONCE = 100


@dataclass(slots=True)
class Sentence:
    """One sentence: ids of its symbols, frames of their states, values of its frames.

    Shapes: [symbols], [symbols, 3] and [frames, 32].
    """

    ids: NDArray[np.int64]
    durations: NDArray[np.int64]
    frames: NDArray[np.float16]


def build(program: Path, count: int, seed: int, folder: Path) -> None:
    """Write ``count`` sentences, have Flite say them, align them; shards that exist are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = list(itertools.islice(Writer(seed, common_words()).sentences(), count))
    for number, at in enumerate(range(0, count, SHARD)):
        out = folder / f"{number:03d}.npz"
        if not out.exists():
            _build_shard(program, lines[at : at + SHARD], out)


def common_words() -> list[str]:
    """Return the commoner words of English that are no abbreviations."""
    from wordfreq import top_n_list

    return [
        word
        for word in top_n_list("en", COMMONEST)
        if re.fullmatch("[a-z]{3,}", word) and re.search("[aeiouy]", word)
    ]


def _build_shard(program: Path, lines: list[str], out: Path) -> None:
    constants = teacher.constants(program)
    table = {symbol: ids[0] for symbol, ids in teacher.symbol_ids().items()}
    kept: list[Sentence] = []
    total_cost = 0.0
    for at in range(0, len(lines), _AT_ONCE):
        some = lines[at : at + _AT_ONCE]
        said = teacher.say(program, some, sound=False)
        for symbols, sentence in zip(teacher.phonemes(some), said, strict=True):
            if len(symbols) != 1 or (sentence.f0 > 0).sum() < 5:
                continue
            found = aligned(symbols[0], sentence.phones, sentence.states, len(sentence.f0))
            total_cost += found.cost
            if found.cost > DEAREST or found.durations.min() < 0:
                continue
            frames = values(sentence, constants)[found.first : found.last]
            if found.durations.sum() != len(frames) or any(s not in table for s in found.symbols):
                continue
            if len(frames) % FRAMES_IN_STEP:
                frames = np.concatenate([frames, frames[-1:]])
            ids = np.array([table[symbol] for symbol in found.symbols])
            kept.append(Sentence(ids, found.durations, frames.astype(np.float16)))
    minutes = sum(len(sentence.frames) for sentence in kept) * FRAME / 60
    print(
        f"  {out.stem}: {len(kept)} of {len(lines)} sentences kept, {minutes:.0f} minutes, "
        f"mean cost of a phone {total_cost / len(lines):.3f}",
        flush=True,
    )
    part = out.with_suffix(".part.npz")
    np.savez(
        part,
        ids=np.concatenate([sentence.ids for sentence in kept]),
        durations=np.concatenate([sentence.durations for sentence in kept]),
        frames=np.concatenate([sentence.frames for sentence in kept]),
        symbols=np.array([len(sentence.ids) for sentence in kept]),
        lengths=np.array([len(sentence.frames) for sentence in kept]),
    )
    part.rename(out)


def values(said: teacher.Said, constants: dict[str, float]) -> NDArray[np.float32]:
    """Return what the voice shall draw for this sentence, [frames, 32]."""
    voiced = said.f0 > 0
    out = np.zeros((len(said.f0), VALUES), np.float32)
    out[:, :LOG_F0] = post_filtered(said.cepstra, constants["alpha"], constants["beta"])
    where = np.flatnonzero(voiced)
    out[:, LOG_F0] = np.interp(np.arange(len(voiced)), where, np.log(said.f0[voiced]))
    out[:, VOICED] = voiced
    out[:, VOICED + 1 :] = said.strengths
    return out


def load(path: Path) -> Iterator[Sentence]:
    """Read the sentences of a file that `build` wrote."""
    with np.load(path) as file:
        data = dict(file)
    symbol_ends, frame_ends = np.cumsum(data["symbols"]), np.cumsum(data["lengths"])
    for symbols, symbol_end, length, frame_end in zip(
        data["symbols"], symbol_ends, data["lengths"], frame_ends, strict=True
    ):
        span = slice(symbol_end - symbols, symbol_end)
        yield Sentence(
            data["ids"][span],
            data["durations"][span],
            data["frames"][frame_end - length : frame_end],
        )
