"""Teach the voice. One core, one process; a checkpoint every minute, so that any stop is usable.

The pace of learning follows the budget that runs out first, processor time or wall time: a
run beside other work ends in good order too.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from acoustic import FRAMES_IN_STEP, LOG_F0, VALUES, VOICED, Acoustic, Bounds, places
from align import STATES
from dataset import Sentence, load
from torch import Tensor
from torch.nn import functional

HELD_OUT = 60
"""Sentences of the first shard that are never learned from."""
BATCH = 6
TIMING_BATCH = 32
"""Sentences; symbols alone are a sixth of the work."""
TIMING_SHARE = 0.2
"""Of the budget for the durations; the frames have the rest."""
PEAK_RATE = 1.5e-3
PEAK_RATE_GOING_ON = 8e-4
_WARM_STEPS = 150
_CHECKPOINT_SECONDS = 60.0
_DECIBELS = 20 / math.log(10)
"""Of a natural logarithm of a magnitude."""


@dataclass(slots=True)
class Item:
    """One sentence, ready for a batch; a step is 10 ms, two frames.

    Attributes:
        ids: [symbols].
        durations: Frames of each state, [symbols, 3].
        state: Which state each step belongs to, [steps].
        places: Where each step lies, [steps, PLACES], in half precision.
        target: [steps, 2 * VALUES], in half precision.
    """

    ids: Tensor
    durations: Tensor
    state: Tensor
    places: Tensor
    target: Tensor

    @classmethod
    def of(cls, sentence: Sentence, breaks: Tensor) -> Item:
        """Spread the states over the sentence's steps; ``breaks``: `Acoustic.breaks`."""
        ids = torch.from_numpy(sentence.ids)
        durations = torch.from_numpy(sentence.durations).float()
        steps = len(sentence.frames) // FRAMES_IN_STEP
        middles = float(FRAMES_IN_STEP) * torch.arange(steps) + 0.5
        ends = torch.cumsum(durations.reshape(-1), 0)
        state = torch.searchsorted(ends, middles, right=True).clamp(max=len(ends) - 1)
        at = places(middles, state, Bounds.of(ends, breaks[ids]))
        target = torch.from_numpy(sentence.frames.reshape(steps, FRAMES_IN_STEP * VALUES))
        return cls(ids, durations, state, at.half(), target)


@dataclass(slots=True)
class Scores:
    """How far off the frames are: all means over a batch.

    Attributes:
        loss: What is learned by.
        spectral: dB between the spectra (root mean square over the bent frequency axis), true
            durations given.
        pitch: Percent of F0, where voiced.
        voicing: Percent of frames with the wrong voicing.
    """

    loss: Tensor
    spectral: float
    pitch: float
    voicing: float


@dataclass(slots=True)
class Budget:
    """Minutes of processor time and of time; what runs out first ends the work."""

    minutes: float
    wall_minutes: float

    def share(self, part: float) -> Budget:
        """Return that part of the budget."""
        return Budget(part * self.minutes, part * self.wall_minutes)


def train(
    folder: Path,
    out: Path,
    budget: Budget,
    *,
    seed: int = 1,
    start: dict[str, Tensor] | None = None,
) -> None:
    """Learn from the shards in ``folder`` until the budget is used up; write ``out``.

    Shards that appear meanwhile are read at the start of the next round.

    Args:
        folder: What `dataset.build` writes.
        out: The weights, a torch state.
        budget: Of durations and frames together.
        seed: Of the first weights and of the order of sentences.
        start: Weights to go on from (`start.weights_of`); from nothing without.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    net = Acoustic()
    shards = _Shards(folder, net.breaks)
    shards.read_new()
    if start:
        net.load_state_dict(start)
    else:
        net.mean[:], net.deviation[:] = _spread(shards.learned)
    peak = PEAK_RATE_GOING_ON if start else PEAK_RATE
    count = sum(parameter.numel() for parameter in net.parameters())
    print(f"  {count / 1e6:.2f} million parameters", flush=True)
    for what, part, batch in (
        ("durations", TIMING_SHARE, TIMING_BATCH),
        ("frames", 1 - TIMING_SHARE, BATCH),
    ):
        work = _Work(net, out, shards, random.Random(seed), peak, budget.share(part))
        if what == "durations":
            work.run(what, batch, lambda batch: _timed(timing_loss(net, batch)))
        else:
            work.run(what, batch, lambda batch: _framed(score(net, batch)))
    net.eval()
    with torch.no_grad():
        held = [score(net, [item]) for item in shards.held_out]
        late = [timing_loss(net, [item])[1] for item in shards.held_out]
    print(
        f"  held out: {np.mean([s.spectral for s in held]):.2f} dB, "
        f"F0 {np.mean([s.pitch for s in held]):.1f} %, "
        f"voicing {np.mean([s.voicing for s in held]):.1f} % wrong, "
        f"durations {np.mean(late):.2f} frames a symbol",
        flush=True,
    )


def _timed(scored: tuple[Tensor, float]) -> tuple[Tensor, str, float]:
    return scored[0], "frames a symbol", scored[1]


def _framed(scored: Scores) -> tuple[Tensor, str, float]:
    return scored.loss, "dB", scored.spectral


@dataclass(slots=True)
class _Work:
    """One thing to learn within a budget."""

    net: Acoustic
    out: Path
    shards: _Shards
    dice: random.Random
    peak: float
    budget: Budget

    def run(
        self, what: str, size: int, scored: Callable[[list[Item]], tuple[Tensor, str, float]]
    ) -> None:
        """Learn; ``scored`` returns the loss of a batch and a figure for people with its unit."""
        optimizer = torch.optim.AdamW(
            self.net.parameters(), self.peak, betas=(0.9, 0.98), weight_decay=0.01, fused=True
        )
        cpu, wall, saved = time.process_time(), time.monotonic(), time.monotonic()
        step, rounds, used = 0, 0, 0.0
        recent: list[float] = []
        while used < 1:
            rounds += 1
            for batch in _batches(self.shards.learned, self.dice, size):
                spent = (time.process_time() - cpu) / 60
                used = max(
                    spent / self.budget.minutes,
                    (time.monotonic() - wall) / 60 / self.budget.wall_minutes,
                )
                if used >= 1:
                    break
                # Half a cosine, so that the last tenth settles.
                pace = min(1, (step + 1) / _WARM_STEPS)
                pace *= max(0.01, 0.5 + 0.5 * math.cos(math.pi * used))
                for group in optimizer.param_groups:
                    group["lr"] = self.peak * pace
                loss, unit, figure = scored(batch)
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
                optimizer.step()
                step += 1
                recent.append(figure)
                if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                    saved = time.monotonic()
                    _save(self.net, self.out)
                    print(
                        f"  {what} {used:4.0%}  round {rounds}, step {step}, "
                        f"{len(self.shards.learned)} sentences, {spent:.1f} min CPU: "
                        f"{np.mean(recent):.2f} {unit}",
                        flush=True,
                    )
                    recent = []
            self.shards.read_new()
        _save(self.net, self.out)


class _Shards:
    """The sentences on disk, as far as they are made."""

    def __init__(self, folder: Path, breaks: Tensor) -> None:
        self._folder, self._breaks = folder, breaks
        self._seen: set[Path] = set()
        self.held_out: list[Item] = []
        self.learned: list[Item] = []

    def read_new(self) -> None:
        """Read the shards that were not there before."""
        for path in sorted(self._folder.glob("[0-9]*[0-9].npz")):
            if path not in self._seen:
                items = [Item.of(sentence, self._breaks) for sentence in load(path)]
                if not self._seen:
                    self.held_out, items = items[:HELD_OUT], items[HELD_OUT:]
                self.learned += items
                self._seen.add(path)


def _spread(items: Sequence[Item]) -> tuple[Tensor, Tensor]:
    frames = torch.cat([item.target.reshape(-1, VALUES) for item in items[:1000]]).float()
    mean, deviation = frames.mean(0), frames.std(0)
    mean[VOICED], deviation[VOICED] = 0, 1
    return mean, deviation


def _batches(items: Sequence[Item], dice: random.Random, size: int) -> Iterator[list[Item]]:
    """Yield batches of sentences of about one length, in a new order every round."""
    order = sorted(range(len(items)), key=lambda at: len(items[at].state) + dice.random() * 40)
    batches = [order[at : at + size] for at in range(0, len(order), size)]
    dice.shuffle(batches)
    for batch in batches:
        yield [items[at] for at in batch]


def _padded(parts: Sequence[Tensor]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)


def timing_loss(net: Acoustic, batch: Sequence[Item]) -> tuple[Tensor, float]:
    """Return how far the durations are off: the loss, and frames a symbol that lasts."""
    ids, durations = _padded([i.ids for i in batch]), _padded([i.durations for i in batch])
    symbols = _padded([torch.ones(len(i.ids)) for i in batch])[..., None]
    with torch.autocast("cpu", torch.bfloat16, enabled=net.training):
        timing = net.time(ids, symbols).float()
    off = ((timing - torch.log1p(durations)).abs() * symbols).sum() / symbols.sum() / STATES
    whole = torch.expm1(timing.clamp(max=6.0)).sum(2) - durations.sum(2)
    lasting = (durations.sum(2) > 0).float()
    late = (whole.abs() * lasting).sum() / lasting.sum()
    return off + 0.03 * late, late.item()


def score(net: Acoustic, batch: Sequence[Item]) -> Scores:
    """Return how far the frames are off over a batch, true durations given."""
    ids, state = _padded([i.ids for i in batch]), _padded([i.state for i in batch])
    at = _padded([i.places.float() for i in batch])
    target = _padded([i.target for i in batch]).float().view(*state.shape, -1, VALUES)
    symbols = _padded([torch.ones(len(i.ids)) for i in batch])
    steps = _padded([torch.ones(len(i.state)) for i in batch])
    # Matrix products in bfloat16 are three times as fast where the processor knows them.
    with torch.autocast("cpu", torch.bfloat16, enabled=net.training):
        states = net.encode(ids, symbols[..., None])
        spread = torch.gather(states, 1, state[..., None].expand(-1, -1, states.shape[2]))
        drawn = net.decode(spread, at, steps[..., None]).float().view_as(target)

    frames = FRAMES_IN_STEP * steps.sum()
    mask = steps[..., None, None]
    off = (drawn - (target - net.mean) / net.deviation) * mask
    spectral = spectral_distance((off * net.deviation)[..., :LOG_F0]).sum() / frames
    voiced = target[..., VOICED] * mask[..., 0]
    pitch = (off[..., LOG_F0].abs() * voiced).sum() / voiced.sum()
    voicing = functional.binary_cross_entropy_with_logits(
        drawn[..., VOICED], target[..., VOICED], reduction="none"
    )
    loss = (
        spectral
        + 1.2 * pitch
        + 0.3 * off[..., VOICED + 1 :].abs().sum() / frames / (VALUES - VOICED - 1)
        + 0.5 * (voicing * mask[..., 0]).sum() / frames
    )
    with torch.no_grad():
        real = (off[..., LOG_F0] * net.deviation[LOG_F0]).abs()
        wrong = ((drawn[..., VOICED] > 0).float() != target[..., VOICED]) * mask[..., 0]
    return Scores(
        loss,
        spectral.item(),
        100 * ((torch.expm1(real) * voiced).sum() / voiced.sum()).item(),
        100 * (wrong.sum() / frames).item(),
    )


def spectral_distance(cepstra: Tensor) -> Tensor:
    """Return the dB (root mean square along the bent frequency axis) that [..., 25] stand for.

    By Parseval: what `evaluate.distance` measures on the sound, before noise and time.
    """
    squares = torch.cat([cepstra[..., :1] ** 2, 0.5 * cepstra[..., 1:] ** 2], -1)
    return _DECIBELS * torch.sqrt(squares.sum(-1) + 1e-6)


def _save(net: Acoustic, out: Path) -> None:
    part = out.with_suffix(".part")
    torch.save(net.state_dict(), part)
    part.rename(out)
