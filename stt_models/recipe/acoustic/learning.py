"""What both ways of training share: batches, the rate of learning, the average net."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import features
import numpy as np
import torch
from channel import Batch, Line
from corpus import PDFS, Pool
from features import CEPSTRA
from model import Tdnn, in_context
from numpy.typing import NDArray
from torch import Tensor
from voices import SHARES

DEVICE: Final = "cuda" if torch.cuda.is_available() else "cpu"

SHORT_FLOATS: Final = DEVICE == "cuda" or torch.cpu._is_amx_tile_supported()
"""Half precision, where it is multiplied several times as fast."""

SECONDS: Final = 1_200.0 if DEVICE == "cuda" else 72.0
"""Speech in a batch, padding included."""

LONGEST: Final = (0.8, 1.2, 1.7, 2.3, 3.1, 4.2, 5.6, 7.6, 10.2)
"""Sentences up to each of these seconds go together; longer ones are left out."""

ROOM: Final = 0.9
"""Seconds that batches are longer than their sentences: silence, slow talkers."""

AVERAGE: Final = 0.998
"""The net that is kept is a moving average; this much of it stays at each step."""

WARM_UP: Final = 100
"""Steps until the full rate of learning."""

LAST_RATE: Final = 0.02
"""Share of the rate of learning that is left at the end."""

CLIP: Final = 5.0
"""Longest step of the gradient."""


@dataclass(frozen=True)
class How:
    """How long and how fast to learn.

    Attributes:
        steps: Batches.
        seconds: Or until then, if that is sooner; the rate of learning falls in time with it.
        rate: Of learning at its most.
        seed: Of all chance.
    """

    steps: int
    seconds: float
    rate: float
    seed: int


def weather(work: Path) -> NDArray[np.float32]:
    """Return the noises that `make.py` left in the folder."""
    rows: NDArray[np.float32] = np.load(work / "noises.npy").astype(np.float32)
    return rows


class Drawn:
    """Sentences that go together: of like length, each voice as often as it should be heard."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self._chance = np.random.default_rng(seed)
        seconds = pool.long.cpu().numpy() / 8_000
        voices = np.array([voice.removeprefix("answers_") for voice in pool.voices])
        weights = np.zeros(len(voices))
        for voice in sorted(set(voices)):
            weights[voices == voice] = SHARES[voice] / seconds[voices == voice].sum()
        self._device = pool.sound.device
        self._groups: list[tuple[NDArray[np.int64], NDArray[np.float64], int, int]] = []
        masses = []
        for low, high in zip((0.0, *LONGEST), LONGEST, strict=False):
            own = np.flatnonzero((seconds > low) & (seconds <= high))
            if not len(own):
                continue
            long = high * 1.05 + ROOM
            many = max(4, round(SECONDS / long / 4) * 4)
            chances = weights[own] / weights[own].sum()
            self._groups.append((own, chances, many, round(long * 50) * 160))
            masses.append((weights[own] * seconds[own]).sum() / (many * high))
        self._chances = np.array(masses) / np.sum(masses)

    def batch(self) -> tuple[Tensor, int]:
        """Return the numbers of some sentences, and the samples to give each."""
        own, chances, many, samples = self._groups[
            self._chance.choice(len(self._groups), p=self._chances)
        ]
        chosen = self._chance.choice(own, many, p=chances)
        return torch.from_numpy(chosen).to(self._device), samples


def rate(done: float, step: int, top: float) -> float:
    """Return the rate of learning after that share of the training."""
    return top * min(1.0, (step + 1) / WARM_UP) * float(LAST_RATE ** min(1.0, done))


class State:
    """A net with what belongs to it, as it is kept on disk."""

    def __init__(self, prior: Tensor, mean: Tensor, deviation: Tensor) -> None:
        self.net = Tdnn()
        self.prior, self.mean, self.deviation = prior, mean, deviation
        self.counts = torch.ones(PDFS)
        """How often each pdf was a target: the prior that decoding takes off."""
        self.sequence = False
        """Whether the scores are of sequences (no prior to take off)."""

    @staticmethod
    def fresh() -> State:
        """Return an untrained net."""
        torch.manual_seed(20261127)
        return State(torch.zeros(CEPSTRA), torch.zeros(CEPSTRA), torch.zeros(CEPSTRA))

    @staticmethod
    def load(path: Path) -> State:
        """Return what ``save`` wrote."""
        kept: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        state = State(kept["prior"], kept["mean"], kept["deviation"])
        state.net.load_state_dict(kept["net"])
        state.counts, state.sequence = kept["counts"], kept["sequence"]
        return state

    def save(self, path: Path) -> None:
        """Write everything into one file, which is never half there."""
        part = path.with_suffix(".part")
        kept = {
            "net": {name: value.cpu() for name, value in self.net.state_dict().items()},
            "prior": self.prior.cpu(),
            "mean": self.mean.cpu(),
            "deviation": self.deviation.cpu(),
            "counts": self.counts.cpu(),
            "sequence": self.sequence,
        }
        torch.save(kept, part)
        part.rename(path)

    def input(self, x: Tensor) -> Tensor:
        """Return features as the net wants them."""
        return in_context((x - self.mean.to(x.device)) / self.deviation.to(x.device))

    def measure(self, line: Line, pool: Pool) -> None:
        """Take the prior, then mean and deviation, from some calls."""
        draw = Drawn(pool, 1)
        heard = [line.raw(*draw.batch())[:2] for _ in range(12)]
        self.prior = _pooled(heard).mean(0)
        line.prior = self.prior
        x = _pooled([(features.without_mean(x, self.prior), frames) for x, frames in heard])
        self.mean, self.deviation = x.mean(0), x.std(0)


def _pooled(heard: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return all frames that count, one under the other."""
    return torch.cat(
        [x[torch.arange(x.shape[1], device=x.device) < 3 * n[:, None]] for x, n in heard]
    )


PRIOR_SHARE: Final = 0.9
"""Power on the prior that is taken off when scores of frames become scores of sequences."""


def _log_prior(state: State) -> Tensor:
    return PRIOR_SHARE * (state.counts / state.counts.sum()).clamp(min=1e-5).log()


def as_sequences(state: State) -> None:
    """Let the scores of sequences begin as those of frames without their prior."""
    with torch.no_grad():
        state.net.out.weight.copy_(state.net.frames.weight)
        state.net.out.bias.copy_(state.net.frames.bias - _log_prior(state))
    state.sequence = True


def as_frames(state: State) -> None:
    """Let the scores of frames begin as those of sequences with the prior."""
    with torch.no_grad():
        state.net.frames.weight.copy_(state.net.out.weight)
        state.net.frames.bias.copy_(state.net.out.bias + _log_prior(state))
    state.sequence = False


def _learners(net: Tdnn, top_rate: float) -> list[torch.optim.Optimizer]:
    """Return Muon for the layers' weights (it learns in fewer steps), AdamW for the rest."""
    layers = [net.first.weight, *(layer.affine.weight for layer in net.layers)]
    rest = [p for p in net.parameters() if all(p is not weight for weight in layers)]
    return [
        torch.optim.Muon(layers, top_rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, top_rate, weight_decay=1e-3),
    ]


def train(
    state: State,
    line: Line,
    pool: Pool,
    how: How,
    loss_of: Callable[[Tdnn, Tensor, Batch], dict[str, Tensor]],
    keep: Path,
) -> None:
    """Learn; the averaged net lies in ``keep`` every few hundred steps and at the end."""
    net = state.net.to(DEVICE).train()
    average = copy.deepcopy(net)
    learners = _learners(net, how.rate)
    draw = Drawn(pool, how.seed)
    pairs = [
        (old, new)
        for old, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True)
        if old.dtype.is_floating_point
    ]
    began, spoken, step = time.monotonic(), 0.0, 0
    seen: dict[str, Tensor] = {}
    while step < how.steps:
        done = max(step / how.steps, (time.monotonic() - began) / how.seconds)
        for learner in learners:
            for group in learner.param_groups:
                group["lr"] = rate(done, step, how.rate)
        chosen, samples = draw.batch()
        batch = line(chosen, samples)
        with torch.autocast(DEVICE, torch.bfloat16, enabled=SHORT_FLOATS):
            losses = loss_of(net, state.input(batch.x), batch)
        net.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        for weights in net.parameters():
            if weights.grad is not None:
                weights.grad.nan_to_num_(0.0, 0.0, 0.0)
        torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP, foreach=True)
        spoken += len(chosen) * samples / 8_000
        step += 1
        for name, value in losses.items():
            seen[name] = value.detach() + seen.get(name, 0)
        for learner in learners:
            learner.step()
        kept = min(AVERAGE, (step + 1) / (step + 10))
        with torch.no_grad():
            torch._foreach_lerp_([old for old, _ in pairs], [new for _, new in pairs], 1 - kept)
        if step % 50 == 0:
            told = ", ".join(f"{name} {float(value) / 50:.3f}" for name, value in seen.items())
            hours = spoken / 3_600
            print(f"{step}: {told}; {hours:.0f} h, {time.monotonic() - began:.0f} s", flush=True)
            seen.clear()
        if step % 500 == 0:
            _kept(state, net, average, keep)
        if done >= 1:
            break
    _kept(state, net, average, keep)
    print(f"{step} steps, {spoken / 3_600:.1f} h of speech", flush=True)
    state.net = average.cpu().eval()


def _kept(state: State, net: Tdnn, average: Tdnn, keep: Path) -> None:
    state.net = average
    state.save(keep)
    state.net = net
