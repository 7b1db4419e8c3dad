"""The training speech as it lies on disk, and which sound is where in it.

A sentence's sounds are its *segments*: numbers of ``phones.BASES`` with the second in which each
ends. They become labels only when the sound has been stretched and padded.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

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


def labels(sounds: NDArray[np.int64], ends: NDArray[np.float64], frames: int) -> NDArray[np.int64]:
    """Return the pdf of every output frame.

    Each sound gets one frame at least, as the model's topology wants it.
    """
    same = np.flatnonzero(np.append(sounds[1:] != sounds[:-1], True) | (sounds > 0))
    sounds, ends = sounds[same], ends[same]
    starts = np.ceil((np.append(-1.0, ends[:-1]) - CENTRE) / FRAME).astype(np.int64)
    starts[0] = 0
    order = np.arange(len(starts))
    starts = np.maximum.accumulate(starts - order) + order
    kept = starts < frames
    starts, sounds = starts[kept], sounds[kept]
    lengths = np.diff(np.append(starts, frames))
    entering = ENTER[np.append(0, sounds[:-1]), sounds]
    pdfs = np.repeat(entering, lengths) + 1
    pdfs[starts] -= 1
    return pdfs
