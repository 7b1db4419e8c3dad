"""The teacher: Flite's slt, its parameter tracks and phone ends; and Piper's phonemes.

Flite's parameters can be read before they become sound, so a small voice can learn them
directly and needs no trained vocoder. Piper's phonemes come from espeak-ng by way of
piper-tts; two letters that are one sound (eɪ, tʃ, iː) are one symbol, which Piper
does by itself when the voice's configuration lists them as ``vowel_clusters``.
"""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
HOP = 80
"""Samples in one frame: 5 ms."""
CEPSTRA = 25
"""Mel-cepstral coefficients of a frame, the 0th included."""
BANDS = 5
"""Strengths of the mixed excitation."""

CLUSTERS = ("aɪɚ", "aɪ", "aʊ", "ɔɪ", "eɪ", "oʊ", "tʃ", "dʒ", "iː", "uː", "ɑː", "ɔː", "ɜː")
"""Sounds written with several symbols; the longest match wins, as in Piper."""

Floats = NDArray[np.float32]


@dataclass(slots=True)
class Said:
    """One sentence as Flite said it.

    Attributes:
        f0: Hz a frame, 0 where unvoiced.
        cepstra: [frames, 25], before the post-filter.
        strengths: [frames, 5], 0 noise to 1 pulses.
        phones: Their names.
        states: End of every state in seconds; a phone has three, each with trees of its own.
        sound: int16 at 16 kHz; empty if dumped fast.
    """

    f0: Floats
    cepstra: Floats
    strengths: Floats
    phones: list[str]
    states: Floats
    sound: NDArray[np.int16]


def say(program: Path, lines: Sequence[str], *, sound: bool) -> list[Said]:
    """Let Flite say the lines; ``sound`` costs most of the time."""
    command = [program.resolve(), *([] if sound else ["fast"])]
    text = "".join(line + "\n" for line in lines).encode("ascii", "ignore")
    data = subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True).stdout
    said: list[Said] = []
    at = 0

    def count() -> int:
        nonlocal at
        at += 4
        return int(struct.unpack_from("<i", data, at - 4)[0])

    def array(kind: str, *shape: int) -> Any:
        nonlocal at
        values = np.frombuffer(data, kind, int(np.prod(shape)), at).reshape(shape).copy()
        at += values.nbytes
        return values

    for _ in lines:
        frames = count()
        track = array("<f4", frames, 1 + CEPSTRA)
        strengths = array("<f4", frames, BANDS)
        names = array("S8", count())
        phones = [name.decode() for name in names]
        states = array("<f4", count())
        sound = array("<i2", count())
        said.append(Said(track[:, 0], track[:, 1:], strengths, phones, states, sound))
    return said


def constants(program: Path) -> dict[str, Any]:
    """Return slt's vocoder constants: rate, alpha, beta, gain, five FIR filters."""
    values: dict[str, Any] = json.loads(subprocess.check_output([program.resolve(), "info"]))
    return values


def phonemes(lines: Iterable[str]) -> list[list[list[str]]]:
    """Return for every line, for every sentence Piper sees in it, its symbols."""
    from piper.phonemize_espeak import ESPEAK_DATA_DIR, EspeakPhonemizer

    espeak = EspeakPhonemizer(ESPEAK_DATA_DIR)
    clusters = {tuple(cluster) for cluster in CLUSTERS}
    return [espeak.phonemize("en-us", line, clusters) for line in lines]


def symbol_ids() -> dict[str, list[int]]:
    """Return Piper's own table of symbols with one id more for every cluster it lacks."""
    from piper.phoneme_ids import DEFAULT_PHONEME_ID_MAP

    table = {symbol: list(ids) for symbol, ids in DEFAULT_PHONEME_ID_MAP.items()}
    free = max(ids[0] for ids in table.values()) + 1
    for cluster in CLUSTERS:
        if cluster not in table:
            table[cluster] = [free]
            free += 1
    return table
