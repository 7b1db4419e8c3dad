"""Small networks in numpy, and the vectors they learn from."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from agent.mind import heads
from agent.mind.embedder import Embedder, plain
from agent.settings import CHECKOUT, load_settings

VECTORS: Final = CHECKOUT / "build" / "mind" / "vectors.npz"
SEED: Final = 7


# ── vectors ─────────────────────────────────────────────────────────────────────────────


class Vectors:
    """Embeddings of texts, kept on disk between runs."""

    def __init__(self) -> None:
        """Read what is there."""
        self._known: dict[str, np.ndarray] = {}
        if VECTORS.is_file():
            with np.load(VECTORS) as file:
                self._known = dict(zip(file["keys"].tolist(), file["values"], strict=True))

    def learn(self, texts: Sequence[str]) -> None:
        """Embed the texts that are new."""
        new = sorted({plain(t) for t in texts} - self._known.keys())
        if new:
            asyncio.run(self._embed(new))
            VECTORS.parent.mkdir(parents=True, exist_ok=True)
            keys = np.array(list(self._known))
            np.savez(VECTORS, keys=keys, values=np.array([self._known[k] for k in keys]))

    async def _embed(self, texts: Sequence[str]) -> None:
        embedder = Embedder(load_settings().models.embedder)
        await embedder.start()
        began = time.monotonic()
        for at in range(0, len(texts), 500):
            batch = texts[at : at + 500]
            done = await embedder.embed(batch, within=600)
            self._known.update(
                {
                    t: np.concatenate([e.vector, e.peak]).astype(np.float16)
                    for t, e in zip(batch, done, strict=True)
                }
            )
            print(
                f"  {at + len(batch)}/{len(texts)} vectors, {time.monotonic() - began:.0f} s",
                flush=True,
            )
        await embedder.stop()

    def __getitem__(self, text: str) -> np.ndarray:
        """Return the unit vector of ``text``."""
        both = self._known[plain(text)]
        return both[: len(both) // 2].astype(np.float32)

    def peak(self, text: str) -> np.ndarray:
        """Return the peak of ``text``'s words."""
        both = self._known[plain(text)]
        return both[len(both) // 2 :].astype(np.float32)

    def all(self, texts: Sequence[str]) -> np.ndarray:
        """Return the unit vectors of ``texts``, one a row."""
        return np.array([self[text] for text in texts], np.float32)


# ── training ────────────────────────────────────────────────────────────────────────────

Loss = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Takes outputs and targets, returns the gradient at the outputs."""


def train(
    x: np.ndarray,
    y: np.ndarray,
    sizes: Sequence[int],
    gradient: Loss,
    *,
    epochs: int,
    rate: float = 3e-3,
    decay: float = 0.02,
    drop: float = 0.2,
    batch: int = 160,
    noise: float = 0.0,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the layers of a ReLU network fitted by AdamW."""
    random = np.random.default_rng(SEED)
    layers = [
        (random.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32), np.zeros(b, np.float32))
        for a, b in itertools.pairwise(sizes)
    ]
    state = [[np.zeros_like(p) for p in (*layer, *layer)] for layer in layers]
    steps = epochs * -(-len(x) // batch)
    step = 0
    for _ in range(epochs):
        order = random.permutation(len(x))
        for at in range(0, len(x), batch):
            rows = order[at : at + batch]
            step += 1
            now = rate * min(1.0, step / 50) * max(0.02, 1 - step / steps)
            value = x[rows]
            if noise:
                value = value + random.normal(0, noise, value.shape).astype(np.float32)
            values, masks = [value], []
            for index, (w, b) in enumerate(layers):
                value = values[-1] @ w + b
                if index < len(layers) - 1:
                    mask = (value > 0) * (random.random(value.shape) >= drop) / (1 - drop)
                    masks.append(mask.astype(np.float32))
                    value = value * masks[-1]
                values.append(value)
            back = gradient(values[-1], y[rows]) / len(rows)
            for index in range(len(layers) - 1, -1, -1):
                w, b = layers[index]
                grads = (values[index].T @ back, back.sum(axis=0))
                if index:
                    back = (back @ w.T) * masks[index - 1]
                for which, (parameter, grad) in enumerate(zip((w, b), grads, strict=True)):
                    if which == 0:
                        parameter *= 1.0 - now * decay
                    adam(parameter, grad, *state[index][which::2], now, step)
    return layers


def adam(
    parameter: np.ndarray,
    grad: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    rate: float,
    step: int,
) -> None:
    """Move ``parameter`` against ``grad``, in place (Kingma and Ba; betas 0.9 and 0.999)."""
    first *= 0.9
    first += 0.1 * grad
    np.square(grad, out=grad)
    second *= 0.999
    grad *= 0.001
    second += grad
    np.sqrt(second, out=grad)
    grad /= np.sqrt(1 - 0.999**step)
    grad += 1e-8
    np.divide(first, grad, out=grad)
    grad *= rate / (1 - 0.9**step)
    parameter -= grad


def binary(out: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Gradient of the sum of logistic losses."""
    return heads.sigmoid(out) - target


def balanced(y: np.ndarray) -> Loss:
    """Return `binary` with rare labels counting more (square root of their rarity)."""
    share = y.sum(axis=0)
    weight = np.sqrt(share.mean() / np.maximum(share, 1.0)).clip(0.5, 3.0).astype(np.float32)

    def gradient(out: np.ndarray, target: np.ndarray) -> np.ndarray:
        return binary(out, target) * np.where(target > 0, weight, 1.0)

    return gradient


def categorical(out: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Gradient of the cross entropy; targets are distributions."""
    return heads.softmax(out) - target


def as_weights(name: str, layers: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Return the layers by the names `heads.relu_layers` looks for."""
    weights = {}
    for index, (w, b) in enumerate(layers):
        weights[f"{name}.{index}.w"] = w
        weights[f"{name}.{index}.b"] = b
    return weights
