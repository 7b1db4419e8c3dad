"""Finds which sound is where (forced alignment), with a net that was trained on other voices."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from channel import Line
from corpus import ENTER, FRAME, NUMBER, PDFS, Pool, Sentence
from learning import DEVICE, State
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from phones import BASES, SILENCE

PRIOR_SHARE: Final = 0.7
"""Power on the prior that is taken off the net's probabilities."""

WORST: Final = 0.04
"""Share of a voice's sentences that fit their sound worst and are left out: misread ones."""


Pronunciations = dict[str, list[list[int]]]
"""Each word's ways to be said, as numbers in ``phones.BASES``."""


def pronunciations(texts: Iterable[str]) -> Pronunciations:
    """Return how the words of the texts may be said."""
    from pronounce import Dictionary  # needs word lists that aligning does not

    dictionary = Dictionary()
    told = {}
    for word in sorted({word for text in texts for word in text.split()}):
        ways = [("AH",), ("EY",)] if word == "a" else dictionary.sounds(word)[:3]
        told[word] = [[NUMBER[name] for name in way] for way in ways]
    return told


class Graph:
    """All ways to say a text: a node per sound, pauses between words if there are any."""

    def __init__(self, text: str, said: Pronunciations) -> None:
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
            for sounds in said[word]:
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


class _Job(NamedTuple):
    """A sentence's number, its text, each frame's scores of all sounds, its words' ways."""

    number: int
    text: str
    scores: NDArray[np.float32]
    said: Pronunciations


class _Found(NamedTuple):
    """Where a sentence's sounds are, and how well they fit."""

    number: int
    sounds: NDArray[np.int64]
    ends: NDArray[np.float64]
    score: float


def _found(job: _Job) -> _Found:
    graph = Graph(job.text, job.said)
    path, score = graph.best(job.scores)
    nodes = np.array(path)
    turns = np.flatnonzero(np.append(nodes[1:] != nodes[:-1], True))
    ends = (turns + 1) * FRAME
    ends[-1] += 9.0
    return _Found(job.number, np.array(graph.sounds)[nodes[turns]], ends, score)


def _scored(state: State, sentences: Sequence[Sentence], said: Pronunciations) -> Iterator[_Job]:
    pooled = _pooled().to(DEVICE)
    prior = state.counts.to(DEVICE) @ pooled
    offset = PRIOR_SHARE * torch.log(prior / prior.sum() + 1e-5)
    silence = np.zeros(1, np.int64), np.full(1, 99.0)
    pool = Pool([Sentence(s.voice, s.text, s.sound, *silence) for s in sentences], DEVICE)
    line = Line(0, pool, np.zeros((1, 1), np.float32), state.prior.to(DEVICE))
    net = state.net.to(DEVICE).eval()
    for group in torch.argsort(pool.long).split(96):
        x, frames = line.clean(group, int(pool.long[group].max()))
        with torch.no_grad():
            likely = torch.softmax(net.frames(net.deep(state.input(x))), -1) @ pooled
        scores = (torch.log(likely + 1e-7) - offset).cpu().numpy()
        for row, (k, n) in enumerate(zip(group.tolist(), frames.tolist(), strict=True)):
            text = sentences[k].text
            yield _Job(k, text, scores[row, :n], {word: said[word] for word in text.split()})
    state.net.cpu()


def aligned(
    state: State, sentences: Sequence[Sentence], said: Pronunciations
) -> Iterator[Sentence]:
    """Yield the sentences with their sounds found, the worst of each voice left out."""
    scored = _scored(state, sentences, said)
    with multiprocessing.Pool(os.cpu_count()) as workers:
        all_found = list(workers.imap(_found, scored, chunksize=32))
    voices: dict[str, list[_Found]] = {}
    for found in all_found:
        if np.isfinite(found.score):
            voices.setdefault(sentences[found.number].voice, []).append(found)
    for voice, own in sorted(voices.items()):
        scores = [found.score for found in own]
        least = np.quantile(scores, WORST)
        print(f"{voice}: {len(own)} aligned, median {np.median(scores):.2f}, least {least:.2f}")
        for found in own:
            if found.score >= least:
                s = sentences[found.number]
                yield Sentence(s.voice, s.text, s.sound, found.sounds, found.ends)
