"""Finds which sound is where (forced alignment), with a net that was trained on other voices."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import torch
from channel import Line
from corpus import ENTER, FRAME, NUMBER, PDFS, Sentence
from learning import State
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from phones import BASES, SILENCE
from pronounce import Dictionary

PRIOR_SHARE: Final = 0.7
"""Power on the prior that is taken off the net's probabilities."""

WORST: Final = 0.04
"""Share of a voice's sentences that fit their sound worst and are left out: misread ones."""


@cache
def _dictionary() -> Dictionary:
    return Dictionary()


@cache
def _sounds_of(word: str) -> list[tuple[int, ...]]:
    told = _dictionary().sounds(word)
    if word == "a":
        told = [("AH",), ("EY",)]
    return [tuple(NUMBER[name] for name in sounds) for sounds in told[:3]]


class Graph:
    """All ways to say a text: a node per sound, pauses between words if there are any."""

    def __init__(self, text: str) -> None:
        self.sounds: list[int] = []
        before: list[list[int]] = []

        def node(sound: int, after: list[int]) -> int:
            self.sounds.append(sound)
            before.append(after)
            return len(self.sounds) - 1

        ends = [-1]
        for word in text.split():
            pause = node(NUMBER[SILENCE], ends)
            starts, ends = [*ends, pause], []
            for sounds in _sounds_of(word):
                here = starts
                for sound in sounds:
                    here = [node(sound, here)]
                ends += here
        self.ends = [*ends, node(NUMBER[SILENCE], ends)]
        most = max(len(b) for b in before) + 1
        self.first = np.array([-1 in b for b in before])
        self.before = np.full((len(before), most), len(before))
        for number, after in enumerate(before):
            real = [number, *(k for k in after if k >= 0)]
            self.before[number, : len(real)] = real

    def best(self, scores: NDArray[np.float32]) -> tuple[list[int], float]:
        """Return the likeliest node of every frame and the score of a frame in the mean."""
        frames, nodes = len(scores), len(self.sounds)
        own = scores[:, self.sounds]
        back = np.zeros((frames, nodes), np.int32)
        now = np.full(nodes + 1, -np.inf, np.float32)
        now[:nodes][self.first] = own[0][self.first]
        rows = np.arange(nodes)
        for frame in range(1, frames):
            ways = now[self.before]
            which = ways.argmax(1)
            back[frame] = self.before[rows, which]
            now[:nodes] = ways[rows, which] + own[frame]
        end = max(self.ends, key=lambda node: now[node])
        path = [end]
        for frame in range(frames - 1, 0, -1):
            path.append(int(back[frame, path[-1]]))
        return path[::-1], float(now[end]) / frames


def _pooled() -> torch.Tensor:
    """Return which pdfs belong to which sound: (pdfs, sounds)."""
    table = torch.zeros(PDFS, len(BASES))
    for left in range(len(BASES)):
        for base in range(len(BASES)):
            table[ENTER[left, base], base] = table[ENTER[left, base] + 1, base] = 1
    return table


def aligned(state: State, sentences: Sequence[Sentence]) -> Iterator[Sentence]:
    """Yield the sentences with their sounds found, the worst of each voice left out."""
    pooled = _pooled()
    prior = state.counts @ pooled
    offset = PRIOR_SHARE * torch.log(prior / prior.sum() + 1e-5)
    line = Line(0, sentences[:20], state.prior)
    net = state.net.eval()
    order = sorted(range(len(sentences)), key=lambda k: len(sentences[k].sound))
    found: dict[int, tuple[Sentence, float]] = {}
    for start in range(0, len(order), 24):
        group = order[start : start + 24]
        batch = line.clean([sentences[k] for k in group])
        with torch.no_grad():
            likely = torch.softmax(net.frames(net.deep(state.input(batch))), -1) @ pooled
        scores = (torch.log(likely + 1e-7) - offset).numpy()
        for row, k in enumerate(group):
            sentence = sentences[k]
            path, score = Graph(sentence.text).best(scores[row, : int(batch.frames[row])])
            if not np.isfinite(score):
                continue
            nodes = np.array(path)
            turns = np.flatnonzero(np.append(nodes[1:] != nodes[:-1], True))
            sounds = np.array(Graph(sentence.text).sounds)[nodes[turns]]
            ends = (turns + 1) * FRAME
            ends[-1] += 9.0
            found[k] = (
                Sentence(sentence.voice, sentence.text, sentence.sound, sounds, ends),
                score,
            )
    for voice in sorted({s.voice for s in sentences}):
        own = {k: pair for k, pair in sorted(found.items()) if pair[0].voice == voice}
        scores_of = [score for _, score in own.values()]
        least = np.quantile(scores_of, WORST)
        print(
            f"{voice}: {len(own)} aligned, score {np.median(scores_of):.2f}, least {least:.2f}",
            flush=True,
        )
        yield from (sentence for sentence, score in own.values() if score >= least)
