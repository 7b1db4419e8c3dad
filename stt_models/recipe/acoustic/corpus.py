"""The training speech as it lies on disk, and which sound is where in it.

A sentence's sounds are its *segments*: numbers of ``phones.BASES`` with the second in which each
ends. They become frames only when the sound has been stretched and padded.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from phones import BASES, CLASS_OF, NOISE, SILENCE, SOUNDS

NUMBER: Final = {name: number for number, name in enumerate(BASES)}

FOREIGN_NAMES: Final = {
    "pau": SILENCE, "h#": SILENCE, "ssil": SILENCE, "brth": NOISE, "ax": "AH", "axr": "ER",
    "nx": "N", "dx": "T", "em": "M", "en": "N", "el": "L", "hv": "HH", "ix": "IH", "ux": "UW",
}  # fmt: skip
"""flite's names of sounds where they are not cmudict's."""

CONTEXTS: Final = 12
PDFS: Final = 2 * (2 + CONTEXTS * len(SOUNDS))

FRAME: Final = 0.030
CENTRE: Final = 0.0125
"""Seconds per output frame, and where in its window a frame's middle is."""


@dataclass(frozen=True)
class Sentence:
    """One sentence of one voice."""

    voice: str
    text: str
    sound: NDArray[np.int16]
    sounds: NDArray[np.int64] | None
    """Numbers in ``BASES``, or nothing where the aligner must find them."""

    ends: NDArray[np.float64] | None
    """Seconds; the last one may lie behind the sound."""

    @property
    def segments(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Sounds and ends.

        Raises:
            ValueError: Nobody has found them yet.
        """
        if self.sounds is None or self.ends is None:
            raise ValueError(f"not aligned: {self.voice}: {self.text}")
        return self.sounds, self.ends


def number_of(name: str) -> int:
    """Return a sound's number from a synthesiser's name for it."""
    return NUMBER[FOREIGN_NAMES.get(name, name.upper())]


def load(folder: Path, voices: list[str] | None = None) -> list[Sentence]:
    """Return the sentences in ``folder``, in the order of the voices' names."""
    sentences = []
    for path in sorted(folder.glob("*.npz")):
        if voices is not None and path.stem not in voices:
            continue
        with np.load(path) as file:
            sound, about = file["sound"], json.loads(str(file["about"]))
        for entry in about:
            piece = sound[entry["at"] : entry["at"] + entry["long"]]
            told = entry["segments"]
            sounds = np.array([number_of(name) for name, _ in told]) if told else None
            ends = np.array([end for _, end in told]) if told else None
            sentences.append(Sentence(path.stem, entry["text"], piece, sounds, ends))
    return sentences


def _pdf_table() -> NDArray[np.int64]:
    """Return the pdf that enters a sound, by left sound and sound; staying in it is one more.

    The order is that of `phones.Transitions`, which the graph is made with.
    """
    first: dict[tuple[int, int], int] = {}
    for base, name in enumerate(BASES):
        for context in [0] if name in {SILENCE, NOISE} else range(CONTEXTS):
            first[context, base] = 2 * len(first)
    table = np.empty((len(BASES), len(BASES)), np.int64)
    for left, name in enumerate(BASES):
        for base, own in enumerate(BASES):
            table[left, base] = first[0 if own in {SILENCE, NOISE} else CLASS_OF[name], base]
    return table


ENTER: Final = _pdf_table()


class Pool:
    """Many sentences where the batches are made: one flat sound, and tables of what is where."""

    def __init__(self, sentences: Sequence[Sentence], device: str) -> None:
        self.voices = [s.voice for s in sentences]
        longs = [len(s.sound) for s in sentences]
        self.long = torch.tensor(longs, device=device)
        """Samples of each sentence."""
        self.at = torch.cumsum(self.long, 0) - self.long
        """Where each begins in ``sound``."""
        self.sound = torch.from_numpy(np.concatenate([s.sound for s in sentences])).to(device)
        merged = [_merged(*s.segments) for s in sentences]
        most = max(len(sounds) for sounds, _ in merged)
        sounds = np.zeros((len(merged), most), np.int64)
        starts = np.full((len(merged), most), 1e6, np.float32)
        for row, (own, ends) in enumerate(merged):
            sounds[row, : len(own)] = own
            starts[row, 0], starts[row, 1 : len(own)] = -1e3, ends[:-1]
        self.many = torch.tensor([len(own) for own, _ in merged], device=device)
        """Segments of each."""
        self.sounds = torch.from_numpy(sounds).to(device)
        """Each segment's sound: (sentences, segments)."""
        self.starts = torch.from_numpy(starts).to(device)
        """Second at which each begins; far behind the end where there is none."""
        before = np.concatenate([np.zeros((len(merged), 1), np.int64), sounds[:, :-1]], 1)
        self.pdfs = torch.from_numpy(ENTER[before, sounds]).to(device)
        """The pdf that enters each segment; staying in it is one more."""

    def first_frames(self, chosen: Tensor, before: Tensor, slower: Tensor) -> Tensor:
        """Return the output frame in which each segment of the chosen sentences begins.

        Each gets one frame at least, as the model's topology wants it.

        Args:
            chosen: Numbers of sentences.
            before: Seconds put before each of them.
            slower: How much longer each lasts than it was spoken.
        """
        times = (self.starts[chosen] + before[:, None]) * slower[:, None]
        first = torch.ceil((times - CENTRE) / FRAME).clamp(0, 1e6).long()
        first[:, 0] = 0
        order = torch.arange(first.shape[1], device=first.device)
        return torch.cummax(first - order, 1).values + order


def _merged(
    sounds: NDArray[np.int64], ends: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the segments with silences in a row as one."""
    last = np.flatnonzero(np.append(sounds[1:] != sounds[:-1], True) | (sounds > 0))
    return sounds[last], ends[last]
