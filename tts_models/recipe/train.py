"""Teach the voice. One core, one process; a checkpoint every minute, so that any stop is usable.

The pace of learning follows the budget that runs out first, processor time or wall time: a
run beside other work ends in good order too.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from acoustic import FRAMES_IN_STEP, LOG_F0, VALUES, VOICED, Acoustic, places
from dataset import Sentence, load
from torch import Tensor
from torch.nn import functional

HELD_OUT = 60
"""Sentences of the first shard that are never learned from."""
BATCH = 6
PEAK_RATE = 1.5e-3
PEAK_RATE_GOING_ON = 8e-4
_WARM_STEPS = 150
_CHECKPOINT_SECONDS = 60.0
_DECIBELS = 10 / math.log(10) * math.sqrt(2)
"""Factor of a mel-cepstral distance: 10 / ln 10 * sqrt(2 * sum of squares)."""


@dataclass(slots=True)
class Item:
    """One sentence, ready for a batch; times in 5 ms frames, steps of 10 ms."""

    ids: Tensor
    durations: Tensor
    owner: Tensor
    time: Tensor
    start: Tensor
    length: Tensor
    target: Tensor

    @classmethod
    def of(cls, sentence: Sentence) -> Item:
        """Spread the symbols over the sentence's steps."""
        steps = len(sentence.frames) // FRAMES_IN_STEP
        middles = FRAMES_IN_STEP * np.arange(steps) + 0.5
        ends = np.cumsum(sentence.durations)
        owner = np.minimum(np.searchsorted(ends, middles, side="right"), len(ends) - 1)
        return cls(
            torch.from_numpy(sentence.ids),
            torch.from_numpy(sentence.durations).float(),
            torch.from_numpy(owner),
            torch.from_numpy(middles).float(),
            torch.from_numpy((ends - sentence.durations)[owner]).float(),
            torch.from_numpy(sentence.durations[owner]).float(),
            torch.from_numpy(sentence.frames.reshape(steps, FRAMES_IN_STEP * VALUES)),
        )


@dataclass(slots=True)
class Scores:
    """How far off: all means over a batch.

    Attributes:
        loss: What is learned by.
        cepstral: Mel-cepstral distance in dB, true durations given.
        pitch: Percent of F0, where voiced.
        voicing: Percent of frames with the wrong voicing.
        duration: Frames a symbol, of those that last.
    """

    loss: Tensor
    cepstral: float
    pitch: float
    voicing: float
    duration: float


def train(
    folder: Path,
    out: Path,
    *,
    minutes: float,
    wall_minutes: float,
    seed: int = 1,
    start: dict[str, Tensor] | None = None,
) -> None:
    """Learn from the shards in ``folder`` until a budget is used up; write ``out``.

    Shards that appear meanwhile are read at the start of the next round.

    Args:
        folder: What `dataset.build` writes.
        out: The weights, a torch state.
        minutes: Of processor time.
        wall_minutes: Of time.
        seed: Of the first weights and of the order of sentences.
        start: Weights to go on from (`start.weights_of`); from nothing without.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    dice = random.Random(seed)
    shards = _Shards(folder)
    shards.read_new()
    net = Acoustic()
    if start:
        net.load_state_dict(start)
    else:
        net.mean[:], net.deviation[:] = _spread(shards.learned)
    peak = PEAK_RATE_GOING_ON if start else PEAK_RATE
    weights = _weights()
    optimizer = torch.optim.AdamW(net.parameters(), peak, betas=(0.9, 0.98), weight_decay=0.01)
    count = sum(parameter.numel() for parameter in net.parameters())
    print(f"  {count / 1e6:.2f} million parameters", flush=True)
    cpu, wall, saved = time.process_time(), time.monotonic(), time.monotonic()
    step, rounds, recent = 0, 0, []
    used = 0.0
    while used < 1:
        rounds += 1
        for batch in _batches(shards.learned, dice):
            used = max(
                (time.process_time() - cpu) / 60 / minutes,
                (time.monotonic() - wall) / 60 / wall_minutes,
            )
            if used >= 1:
                break
            # Half a cosine, so that the last tenth settles.
            pace = min(1, (step + 1) / _WARM_STEPS) * max(
                0.01, 0.5 + 0.5 * math.cos(math.pi * used)
            )
            for group in optimizer.param_groups:
                group["lr"] = peak * pace
            scores = score(net, batch, weights)
            optimizer.zero_grad()
            scores.loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            step += 1
            recent.append([scores.loss.item(), scores.cepstral])
            if time.monotonic() - saved > _CHECKPOINT_SECONDS:
                saved = time.monotonic()
                loss, cepstral = np.mean(recent, 0)
                recent = []
                _save(net, out)
                print(
                    f"  {used:4.0%}  round {rounds}, step {step}, {len(shards.learned)} sentences, "
                    f"{(time.process_time() - cpu) / 60:.1f} min CPU: "
                    f"loss {loss:.3f}, {cepstral:.2f} dB",
                    flush=True,
                )
        shards.read_new()
    _save(net, out)
    net.eval()
    with torch.no_grad():
        held = [score(net, [item], weights) for item in shards.held_out]
    print(
        f"  held out: {np.mean([s.cepstral for s in held]):.2f} dB, "
        f"F0 {np.mean([s.pitch for s in held]):.1f} %, "
        f"voicing {np.mean([s.voicing for s in held]):.1f} % wrong, "
        f"durations {np.mean([s.duration for s in held]):.2f} frames; {step} steps",
        flush=True,
    )


class _Shards:
    """The sentences on disk, as far as they are made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: set[Path] = set()
        self.held_out: list[Item] = []
        self.learned: list[Item] = []

    def read_new(self) -> None:
        """Read the shards that were not there before."""
        for path in sorted(self._folder.glob("[0-9]*[0-9].npz")):
            if path not in self._seen:
                items = [Item.of(sentence) for sentence in load(path)]
                if not self._seen:
                    self.held_out, items = items[:HELD_OUT], items[HELD_OUT:]
                self.learned += items
                self._seen.add(path)


def _spread(items: Sequence[Item]) -> tuple[Tensor, Tensor]:
    frames = torch.cat([item.target.reshape(-1, VALUES) for item in items[:1000]]).float()
    mean, deviation = frames.mean(0), frames.std(0)
    mean[VOICED], deviation[VOICED] = 0, 1
    return mean, deviation


def _weights() -> Tensor:
    """Return how much each value counts: low cepstra and pitch are heard most."""
    weights = torch.ones(VALUES)
    weights[:6] = torch.tensor([3, 2.5, 2, 2, 1.5, 1.5])
    weights[:LOG_F0] /= weights[:LOG_F0].mean()
    return weights


def _batches(items: Sequence[Item], dice: random.Random) -> Iterator[list[Item]]:
    """Yield batches of sentences of about one length, in a new order every round."""
    order = sorted(range(len(items)), key=lambda at: len(items[at].owner) + dice.random() * 40)
    batches = [order[at : at + BATCH] for at in range(0, len(order), BATCH)]
    dice.shuffle(batches)
    for batch in batches:
        yield [items[at] for at in batch]


def _padded(parts: Sequence[Tensor]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True)


def score(net: Acoustic, batch: Sequence[Item], weights: Tensor) -> Scores:
    """Return how far the voice is off over a batch, true durations given."""
    ids, durations = _padded([i.ids for i in batch]), _padded([i.durations for i in batch])
    owner = _padded([i.owner for i in batch])
    at = places(*(_padded([getattr(i, n) for i in batch]) for n in ("time", "start", "length")))
    target = _padded([i.target for i in batch]).float().view(*owner.shape, -1, VALUES)
    symbols = _padded([torch.ones(len(i.ids)) for i in batch])
    steps = _padded([torch.ones(len(i.owner)) for i in batch])
    encoded, timing = net.encode(ids, symbols[..., None])
    spread = torch.gather(encoded, 1, owner[..., None].expand(-1, -1, encoded.shape[2]))
    drawn = net.decode(spread, at, steps[..., None]).view_as(target)

    frames = FRAMES_IN_STEP * steps.sum()
    mask = steps[..., None, None]
    off = (drawn - (target - net.mean) / net.deviation) * mask
    error = off.abs() * weights
    voiced = target[..., VOICED] * mask[..., 0]
    voicing = functional.binary_cross_entropy_with_logits(
        drawn[..., VOICED], target[..., VOICED], reduction="none"
    )
    timing_error = ((timing - torch.log1p(durations)).abs() * symbols).sum() / symbols.sum()
    loss = (
        error[..., :LOG_F0].sum() / frames / LOG_F0
        + 1.6 * (error[..., LOG_F0] * voiced).sum() / voiced.sum()
        + 0.4 * error[..., VOICED + 1 :].sum() / frames / (VALUES - VOICED - 1)
        + 0.5 * (voicing * mask[..., 0]).sum() / frames
        + timing_error
    )
    with torch.no_grad():
        real = off * net.deviation
        distance = _DECIBELS * real[..., 1:LOG_F0].square().sum(-1).sqrt().sum() / frames
        pitch = (torch.expm1(real[..., LOG_F0]).abs() * voiced).sum() / voiced.sum()
        wrong = ((drawn[..., VOICED] > 0).float() != target[..., VOICED]) * mask[..., 0]
        lasting = (durations > 0).float()
        late = ((torch.expm1(timing) - durations).abs() * lasting).sum() / lasting.sum()
    return Scores(
        loss,
        distance.item(),
        100 * pitch.item(),
        100 * (wrong.sum() / frames).item(),
        late.item(),
    )


def _save(net: Acoustic, out: Path) -> None:
    part = out.with_suffix(".part")
    torch.save(net.state_dict(), part)
    part.rename(out)
