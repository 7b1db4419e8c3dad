"""What both ways of training share: batches made in time, the rate of learning, the average net."""

from __future__ import annotations

import copy
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import features
import numpy as np
import torch
from channel import Batch, Line
from corpus import PDFS, Sentence
from features import CEPSTRA
from model import Tdnn, in_context, widened
from torch import Tensor

SECONDS: Final = 72.0
"""Speech in a batch, padding included."""

AVERAGE: Final = 0.995
"""The net that is kept is a moving average; this much of it stays at each step."""

WARM_UP: Final = 60
"""Steps until the full rate of learning."""

LAST_RATE: Final = 0.02
"""Share of the rate of learning that is left at the end."""

CLIP: Final = 5.0
"""Longest step of the gradient."""


def batches(sentences: Sequence[Sentence], passes: float, seed: int) -> list[list[int]]:
    """Return which sentences go together, batch by batch: of like length, in any order."""
    chance = np.random.default_rng(seed)
    long = np.array([len(s.sound) / 8_000 + 0.5 for s in sentences])
    plan: list[list[int]] = []
    for number in range(int(np.ceil(passes))):
        order = np.argsort(long * chance.uniform(0.9, 1.1, len(long)))
        groups: list[list[int]] = [[]]
        for place in order:
            if groups[-1] and (len(groups[-1]) + 1) * long[place] > SECONDS:
                groups.append([])
            groups[-1].append(int(place))
        chance.shuffle(groups)
        plan += groups[: round(len(groups) * min(1.0, passes - number))]
    return plan


def made_ahead(
    line: Line, sentences: Sequence[Sentence], plan: Sequence[Sequence[int]]
) -> Iterator[Batch]:
    """Yield the plan's batches, which a second thread makes while the first one learns."""
    ready: queue.Queue[Batch | None] = queue.Queue(maxsize=6)

    def work() -> None:
        for group in plan:
            ready.put(line([sentences[k] for k in group]))
        ready.put(None)

    threading.Thread(target=work, daemon=True).start()
    while (batch := ready.get()) is not None:
        yield batch


def rate(step: int, steps: int, top: float) -> float:
    """Return the rate of learning at a step."""
    return top * min(1.0, (step + 1) / WARM_UP) * LAST_RATE ** (step / max(1, steps))


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
        return State(torch.zeros(CEPSTRA), torch.zeros(CEPSTRA), torch.zeros(CEPSTRA))

    @staticmethod
    def load(path: Path) -> State:
        """Return what ``save`` wrote."""
        kept: dict[str, Any] = torch.load(path, weights_only=True)
        state = State(kept["prior"], kept["mean"], kept["deviation"])
        state.net.load_state_dict(widened(kept["net"]))
        state.counts, state.sequence = kept["counts"], kept["sequence"]
        return state

    def save(self, path: Path) -> None:
        """Write everything into one file, which is never half there."""
        part = path.with_suffix(".part")
        kept = {
            "net": self.net.state_dict(),
            "prior": self.prior,
            "mean": self.mean,
            "deviation": self.deviation,
            "counts": self.counts,
            "sequence": self.sequence,
        }
        torch.save(kept, part)
        part.rename(path)

    def input(self, batch: Batch) -> Tensor:
        """Return the batch's features as the net wants them."""
        return in_context((batch.x - self.mean) / self.deviation)

    def measure(self, line: Line, sentences: Sequence[Sentence]) -> None:
        """Take mean and deviation from some sentences, and the prior if there is none."""
        chance = np.random.default_rng(1)
        some = [
            sentences[k]
            for k in chance.choice(len(sentences), min(480, len(sentences)), replace=False)
        ]
        some.sort(key=lambda s: len(s.sound))
        groups = [some[k : k + 16] for k in range(0, len(some), 16)]
        heard = [line.raw(group)[:2] for group in groups]
        if not bool(self.prior.any()):
            self.prior = _pooled(heard).mean(0)
        line.prior = self.prior
        x = _pooled([(features.without_mean(x, self.prior), frames) for x, frames in heard])
        self.mean, self.deviation = x.mean(0), x.std(0)


def _pooled(heard: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Return all frames that count, one under the other."""
    return torch.cat([x[row, : 3 * int(n)] for x, frames in heard for row, n in enumerate(frames)])


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
    sentences: Sequence[Sentence],
    plan: Sequence[Sequence[int]],
    top_rate: float,
    loss_of: Callable[[Tdnn, Tensor, Batch], tuple[Tensor, dict[str, float]]],
    keep: Path,
) -> None:
    """Go through the plan; the averaged net lies in ``keep`` every few hundred steps."""
    net = state.net.train()
    average = copy.deepcopy(net)
    learners = _learners(net, top_rate)
    seen: dict[str, float] = {}
    for step, batch in enumerate(made_ahead(line, sentences, plan)):
        for learner in learners:
            for group in learner.param_groups:
                group["lr"] = rate(step, len(plan), top_rate)
        loss, told = loss_of(net, state.input(batch), batch)
        net.zero_grad()
        loss.backward()
        if not torch.nn.utils.clip_grad_norm_(net.parameters(), CLIP).isfinite():
            print(f"step {step + 1} is left out: no way through", flush=True)
            continue
        for learner in learners:
            learner.step()
        kept = min(AVERAGE, (step + 1) / (step + 10))
        with torch.no_grad():
            for old, new in zip(
                average.state_dict().values(), net.state_dict().values(), strict=True
            ):
                if old.dtype.is_floating_point:
                    old.lerp_(new, 1 - kept)
        for name, value in told.items():
            seen[name] = seen.get(name, 0) + value
        if (step + 1) % 50 == 0:
            told_now = ", ".join(f"{name} {value / 50:.3f}" for name, value in seen.items())
            print(f"step {step + 1} of {len(plan)}: {told_now}", flush=True)
            seen = {}
        if (step + 1) % 200 == 0 or step + 1 == len(plan):
            state.net = average
            state.save(keep)
            state.net = net
    state.net = average.eval()
