"""The sums over ways through a sound that lattice-free MMI needs, and each score's part in them.

Two graphs: every sequence of sounds (a bigram over the 12 classes of the sound before), and the one
sequence that was said, each sound near the place where it was aligned. Both by the forward-backward
recursion, one step a frame for a whole batch; on a graphics card the steps are recorded once
per shape (a CUDA graph), because starting them one by one takes longer than doing them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from corpus import ENTER, PDFS, Sentence
from numpy.typing import NDArray
from phones import BASES, LOOP
from torch import Tensor

STATES: Final = PDFS // 2
"""A sound in one of its contexts; entering and staying are two pdfs, one after the other."""

FLOOR: Final = 1e-25
LEAST: Final = -60.0
"""Scores this far below a frame's best count as that."""

TOLERANCE: Final = 2
"""Output frames that a sound may begin earlier or end later than it was aligned."""


def bigram(sentences: Sequence[Sentence]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how likely each sound is to be the first, and to come after each other one."""
    follows = np.full((len(BASES), len(BASES)), 0.2)
    for sentence in sentences:
        sounds, _ = sentence.segments
        order = sounds[np.append(True, sounds[1:] != sounds[:-1])]
        np.add.at(follows, (order[:-1], order[1:]), 1)
    first = follows.sum(0) / follows.sum()
    return first.astype(np.float32), (follows / follows.sum(1, keepdims=True)).astype(np.float32)


class AllWays:
    """Every sequence of sounds, likelier if the training sentences have more of it."""

    def __init__(
        self, first: NDArray[np.float32], follows: NDArray[np.float32], device: torch.device
    ) -> None:
        entry = np.zeros((len(BASES), len(BASES), STATES), np.float32)
        starts = np.zeros(STATES, np.float32)
        sound_of = np.zeros(STATES, np.int64)
        for left in range(len(BASES)):
            for base in range(len(BASES)):
                state = ENTER[left, base] // 2
                entry[left, base, state] = follows[left, base]
                sound_of[state] = base
                starts[state] = first[base]
        by_sound = entry.sum(1)
        self._step = torch.from_numpy(by_sound[sound_of]).to(device)
        """Chance of each state (column) to be entered from each (row)."""
        self._back = self._step.T.contiguous()
        self._starts = torch.from_numpy(starts).to(device)

    def __call__(self, enter: Tensor, stay: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the log of the sum, and each moment's shares of entering and of staying.

        Args:
            enter: (frames, sounds, states) chances of entering a state in that frame.
            stay: The same of staying in it.
        """
        frames, many, _ = enter.shape
        here, coming = torch.empty_like(enter), torch.empty_like(enter)
        total = torch.empty(frames, many, 1, device=enter.device)
        coming[0] = self._starts
        torch.mul(enter[0] + stay[0], self._starts, out=here[0])
        torch.sum(here[0], 1, keepdim=True, out=total[0])
        here[0].div_(total[0].add_(FLOOR))
        for t in range(1, frames):
            torch.mm(here[t - 1], self._step, out=coming[t])
            torch.mul(here[t - 1], stay[t], out=here[t])
            here[t].addcmul_(coming[t], enter[t])
            torch.sum(here[t], 1, keepdim=True, out=total[t])
            here[t].div_(total[t].add_(FLOOR))
        entered, stayed = torch.empty_like(enter), torch.empty_like(enter)
        behind = torch.ones_like(here[0])
        for t in range(frames - 1, -1, -1):
            weight = behind / total[t]
            torch.mul(enter[t], weight, out=entered[t])
            torch.mul(stay[t], weight, out=stayed[t])
            behind = torch.addmm(stayed[t], entered[t], self._back)
        entered *= coming
        stayed[1:] *= here[:-1]
        stayed[0] *= self._starts
        return total.log().sum((0, 2)), entered, stayed


def said(enter: Tensor, stay: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same for one sequence of segments, which must be gone through in order.

    Args:
        enter: (frames, sounds, segments) chances; nothing where a segment may not be.
        stay: The same of staying.
    """
    frames, many, _ = enter.shape
    here, total = torch.empty_like(enter), torch.empty(frames, many, 1, device=enter.device)
    begin = torch.zeros_like(enter[0])
    begin[:, 0] = 1
    torch.mul(enter[0] + stay[0], begin, out=here[0])
    torch.sum(here[0], 1, keepdim=True, out=total[0])
    here[0].div_(total[0].add_(FLOOR))
    for t in range(1, frames):
        torch.mul(here[t - 1], stay[t], out=here[t])
        here[t, :, 1:].addcmul_(here[t - 1, :, :-1], enter[t, :, 1:])
        torch.sum(here[t], 1, keepdim=True, out=total[t])
        here[t].div_(total[t].add_(FLOOR))
    entered, stayed = torch.empty_like(enter), torch.empty_like(enter)
    behind = torch.ones_like(begin)
    for t in range(frames - 1, -1, -1):
        weight = behind / total[t]
        torch.mul(enter[t], weight, out=entered[t])
        torch.mul(stay[t], weight, out=stayed[t])
        behind = stayed[t].clone()
        behind[:, :-1] += entered[t, :, 1:]
    entered[1:, :, 1:] *= here[:-1, :, :-1]
    entered[1:, :, 0] = 0
    stayed[1:] *= here[:-1]
    entered[0] *= begin
    stayed[0] *= begin
    return total.log().sum((0, 2)), entered, stayed


class Recorded:
    """A function of tensors that is recorded once per shape and then played, on a card."""

    def __init__(self, function: Callable[..., tuple[Tensor, ...]]) -> None:
        self._function = function
        self._kept: dict[object, tuple[torch.cuda.CUDAGraph, list[Tensor], tuple[Tensor, ...]]] = {}

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Return what the function returns; it is overwritten by the next call of that shape."""
        if not given[0].is_cuda:
            return self._function(*given)
        shape = tuple(tuple(g.shape) for g in given)
        if shape not in self._kept:
            inputs = [g.clone() for g in given]
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self._function(*inputs)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                out = self._function(*inputs)
            self._kept[shape] = graph, inputs, out
        graph, inputs, out = self._kept[shape]
        for mine, theirs in zip(inputs, given, strict=True):
            mine.copy_(theirs)
        graph.replay()
        return out


class Mutual:
    """By how much all ways outweigh the right one."""

    def __init__(
        self, first: NDArray[np.float32], follows: NDArray[np.float32], device: torch.device
    ) -> None:
        self._all = AllWays(first, follows, device)
        self._recorded = Recorded(self._shares)

    def __call__(
        self, scores: Tensor, frames: Tensor, pdfs: Tensor, first: Tensor, many: Tensor
    ) -> Tensor:
        """Return it in logs, a frame in the mean (up to what no score changes).

        Args:
            scores: (sounds, frames, pdfs).
            frames: Frames of each that count.
            pdfs: (sounds, segments): the pdf that enters each segment.
            first: Frame in which each begins.
            many: Segments of each sound.
        """
        with torch.no_grad(), torch.autocast(scores.device.type, enabled=False):
            lost, slope = self._recorded(scores.detach(), frames, pdfs, first, many)
            slope, lost = slope.clone(), lost.clone()
        moved = (scores * slope).sum()
        return moved - moved.detach() + lost

    def _shares(
        self, scores: Tensor, frames: Tensor, pdfs: Tensor, first: Tensor, many: Tensor
    ) -> tuple[Tensor, Tensor]:
        longest = scores.shape[1]
        t = torch.arange(longest, device=scores.device)
        counts = (t < frames[:, None]).T[..., None]
        by_time = scores.transpose(0, 1)
        top = by_time.amax(-1, keepdim=True)
        chances = torch.where(counts, (by_time - top).clamp(min=LEAST).exp(), 1.0)
        lost, entered, stayed = self._all(
            (1 - LOOP) * chances[..., 0::2].contiguous(), LOOP * chances[..., 1::2].contiguous()
        )
        slope = torch.stack([entered, stayed], -1).flatten(2)
        index = pdfs.expand(longest, *pdfs.shape)
        last = torch.cat([first[:, 1:] - 1, first[:, -1:] + longest], 1)
        may = (t[:, None, None] >= first - TOLERANCE) & (t[:, None, None] <= last + TOLERANCE)
        may = may & (torch.arange(pdfs.shape[1], device=scores.device) < many[:, None])
        right, entered, stayed = said(
            torch.where(counts, (1 - LOOP) * chances.gather(2, index) * may, 0.0),
            torch.where(counts, LOOP * chances.gather(2, index + 1) * may, 1.0),
        )
        found = (right > -20.0 * longest) & right.isfinite() & lost.isfinite()
        slope = slope.scatter_add(2, index, -entered).scatter_add(2, index + 1, -stayed)
        slope = torch.where(counts & found[:, None], slope, 0.0).transpose(0, 1) / frames.sum()
        return torch.where(found, lost - right, 0.0).sum() / frames.sum(), slope
