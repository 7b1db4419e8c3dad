"""Trains the deciding model: a llama-style network of 3.1 million weights. Needs torch.

    python llm_models/recipe/decide/learn.py --data build/decide --out build/decide/model

Takes a GPU if there is one. One CPU core reads some 4,000 tokens a second and needs many
hours (``--seconds 30000``) for what a GPU would do in minutes. Reads ``turns.jsonl.xz`` and
``merges.json`` (`turns.py`), writes ``weights.npz`` (the snapshot that was best on the lines
kept apart), ``last.npz`` and ``report.json``. Imports nothing of Pickup, so that these files
alone can go to another machine.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import os
import random
import re
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as fn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bpe import Tokenizer

WIDTH: Final = 256
LAYERS: Final = 3
HEADS: Final = 8
INNER: Final = 768
LONGEST: Final = 320
"""Tokens of a prompt with its answer; the longest few are left out."""

UNSURE: Final = 0.9
"""Share of the examples that the heads were unsure of: the others are never asked for."""

RENAMED: Final = 0.15
"""Share of the facts that get another id than their topic's. More teaches to read them, and
takes a longer training than there was."""

SLOTS: Final = ("name", "phone", "size", "when")
SYLLABLES: Final = [
    first + last
    for first in (*"bdfghjklmnprstvwyz", "ch", "sh", "st", "br")
    for last in (*"aeiou", "ee", "ai", "an", "er", "on", "el", "is")
]


# ── examples ────────────────────────────────────────────────────────────────────────────


class Examples:
    """Turns rows into token numbers, another way each time."""

    def __init__(self, rows: Sequence[dict[str, Any]], tokenizer: Tokenizer) -> None:
        """Use ``rows`` as they are in the file."""
        self.rows = rows
        self._tokens = tokenizer
        self._words = sorted({w for row in rows[::4] for w in said(row).split()})
        self._unsure = [row for row in rows if row["u"]]
        self._sure = [row for row in rows if not row["u"]]

    def draw(self, chance: random.Random) -> tuple[list[int], int]:
        """Return a random example: its tokens, and where the answer begins."""
        pool = self._unsure if chance.random() < UNSURE else self._sure
        while True:
            tokens, start = self.tokens(chance.choice(pool), chance)
            if len(tokens) <= LONGEST:
                return tokens, start

    def tokens(self, row: dict[str, Any], chance: random.Random | None) -> tuple[list[int], int]:
        """Return one row's tokens; ``chance`` changes words and facts' names, None nothing."""
        prompt, slots = row["p"], dict(row["s"])
        if chance is not None:
            front, _, words = prompt.rpartition("\ncaller ")
            words = self._noisy(words, slots, chance)
            if chance.random() < 0.08:
                front = re.sub(r"\n(read|guess) [^\n]*", r"\n\1 ", front)
            prompt = f"{front}\ncaller {words}"
        names = [fact_name(t, ways(prompt, n), chance) for n, t in enumerate(row["t"])]
        if len(set(names)) < len(names):
            names = row["t"]
        named = re.compile(r"\{(\d+)\}")

        def name(match: re.Match[str]) -> str:
            return names[int(match[1])] if int(match[1]) < len(names) else "other"

        text = named.sub(name, row["a"])
        words = f" {said({'p': prompt})} "
        text += "".join(
            f" | {slot}: {slots[slot]}"
            for slot in SLOTS
            if slots.get(slot) and f" {slots[slot]} " in words
        )
        number = self._tokens.number
        front_tokens = [
            number["<|system|>"], number["<|end|>"], number["<|user|>"],
            *self._tokens.encode(named.sub(name, prompt)),
            number["<|end|>"], number["<|assistant|>"],
        ]  # fmt: skip
        answer = [*self._tokens.encode(text), number["<|end|>"]]
        return [*front_tokens, *answer], len(front_tokens)

    def _noisy(self, words: str, slots: dict[str, str], chance: random.Random) -> str:
        """Return ``words`` with some lost and some replaced, names by made-up ones.

        Words that can't be relied on teach the model to weigh what the heads saw.
        """
        if "name" in slots and chance.random() < 0.5:
            made = "".join(chance.choice(SYLLABLES) for _ in range(chance.choice([2, 2, 3])))
            first, *rest = slots["name"].split()
            whole = " ".join([made, *rest])
            if f" {words} ".count(f" {slots['name']} ") == 1 and first:
                words = f" {words} ".replace(f" {slots['name']} ", f" {whole} ").strip()
                slots["name"] = whole
        if chance.random() < 0.35:
            return words
        kept = {word for value in slots.values() for word in value.split()}
        rate = chance.random() * 0.35
        out = []
        for word in words.split():
            if word in kept or chance.random() >= rate:
                out.append(word)
            elif chance.random() < 0.5:
                out.append(chance.choice(self._words))
        return " ".join(out) or words


def said(row: dict[str, Any]) -> str:
    """Return the caller's words of a row."""
    words: str = row["p"].rpartition("\ncaller ")[2]
    return words


def ways(prompt: str, fact: int) -> str:
    """Return how the prompt says that the n-th fact is asked for."""
    _, _, rest = prompt.partition(f"\nanswer:{{{fact}}} ")
    return rest.partition("\n")[0]


def fact_name(topic: str, asked: str, chance: random.Random | None) -> str:
    """Return an id for a fact as an owner may choose it: read, not known by heart."""
    if chance is None or chance.random() >= RENAMED:
        return topic
    kind = chance.random()
    words = topic.split("_")
    if kind < 0.3:
        return chance.choice(words)
    if kind < 0.7:
        found = re.findall(r"\b[a-z]{4,}\b", asked) or words
        return "_".join(chance.sample(found, min(len(found), chance.choice([1, 2]))))
    return "".join(chance.choice(SYLLABLES) for _ in range(chance.choice([2, 3])))


Batch = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]


def batch_of(examples: Sequence[tuple[list[int], int]]) -> Batch:
    """Return padded tokens, and for each target 2 (answer), 1 (prompt) or 0 (padding)."""
    length = 8 * math.ceil(max(len(tokens) for tokens, _ in examples) / 8)
    tokens = np.zeros((len(examples), length), np.int16)
    kinds = np.zeros((len(examples), length), np.int8)
    for row, (one, start) in enumerate(examples):
        tokens[row, : len(one)] = one
        kinds[row, :start] = 1
        kinds[row, start : len(one)] = 2
    return tokens, kinds


def as_is(batch: Batch) -> Batch:
    """Return ``batch``: arrays go through a pipe, for which no shared memory is needed."""
    return batch


class Batches(IterableDataset[Batch]):
    """An endless stream of batches of about equal lengths, another one in each worker."""

    def __init__(self, examples: Examples, size: int, seed: int) -> None:
        """Make batches of ``size`` examples."""
        self._examples, self._size, self._seed = examples, size, seed

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches for ever."""
        worker = get_worker_info()
        chance = random.Random(f"{self._seed}/{worker.id if worker else 0}")
        while True:
            drawn = [self._examples.draw(chance) for _ in range(8 * self._size)]
            drawn.sort(key=lambda one: len(one[0]))
            groups = [drawn[at : at + self._size] for at in range(0, len(drawn), self._size)]
            chance.shuffle(groups)
            yield from map(batch_of, groups)


# ── network ─────────────────────────────────────────────────────────────────────────────


class Norm(nn.Module):
    """Root mean square norm."""

    def __init__(self) -> None:
        """Start as no change."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` normed."""
        return fn.rms_norm(x, (WIDTH,), self.weight.to(x.dtype), 1e-5)


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Return ``x`` with its pairs of neighbours turned, as llama.cpp does for "llama"."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


class Block(nn.Module):
    """Attention and a gated network."""

    def __init__(self, drop: float) -> None:
        """Start small."""
        super().__init__()
        self.drop = drop
        self.before, self.between = Norm(), Norm()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.wide = nn.Linear(WIDTH, 2 * INNER, bias=False)
        self.narrow = nn.Linear(INNER, WIDTH, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Return ``x`` with what this layer adds."""
        many, length, _ = x.shape
        q, k, v = self.qkv(self.before(x)).view(many, length, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        drop = self.drop if self.training else 0.0
        q, k = turned(q, cos, sin).to(v.dtype), turned(k, cos, sin).to(v.dtype)
        seen = fn.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=drop)
        mixed = self.out(seen.transpose(1, 2).reshape(many, length, WIDTH))
        x = x + fn.dropout(mixed, drop)
        gate, up = self.wide(self.between(x)).chunk(2, -1)
        return x + fn.dropout(self.narrow(fn.silu(gate) * up), drop)


class Network(nn.Module):
    """The whole model; the output layer is the token table."""

    def __init__(self, tokens: int, drop: float) -> None:
        """Start with small random weights."""
        super().__init__()
        self.table = nn.Embedding(tokens, WIDTH)
        self.blocks = nn.ModuleList(Block(drop) for _ in range(LAYERS))
        self.last = Norm()
        size = WIDTH // HEADS
        angles = torch.outer(
            torch.arange(LONGEST + 8).float(), 1.0 / 10000.0 ** (torch.arange(0, size, 2) / size)
        )
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = math.sqrt(2 * LAYERS) if ".out." in name or ".narrow." in name else 1.0
                nn.init.normal_(weight, 0.0, 0.02 / deep)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the last hidden states, shape (many, length, width)."""
        x = self.table(tokens)
        length = tokens.shape[1]
        cos, sin = self.cos[:length].to(x.dtype), self.sin[:length].to(x.dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.last(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the odds of the next token before softmax."""
        return fn.linear(hidden, self.table.weight)


# ── training ────────────────────────────────────────────────────────────────────────────


class Training:
    """One run, bounded by the clock."""

    def __init__(self, given: argparse.Namespace) -> None:
        """Read the data and make the network."""
        self.given = given
        torch.manual_seed(given.seed)
        with lzma.open(given.data / "turns.jsonl.xz", "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        merges = json.loads((given.data / "merges.json").read_text("utf-8"))
        self.tokenizer = Tokenizer(merges)
        self.dev = [row for row in rows if row["d"] and row["u"]]
        self.examples = Examples([row for row in rows if not row["d"]], self.tokenizer)
        self.cuda = given.device == "cuda"
        size = given.batch or (512 if self.cuda else 32)
        loader = DataLoader(
            Batches(self.examples, size, given.seed),
            batch_size=None,
            collate_fn=as_is,
            num_workers=given.workers,
            prefetch_factor=6 if given.workers else None,
        )
        # Workers are forked before the GPU is touched.
        self.batches = iter(loader)
        self.network = Network(len(self.tokenizer.tokens), given.drop).to(given.device)
        matrices = [w for w in self.network.parameters() if w.dim() == 2]
        norms = [w for w in self.network.parameters() if w.dim() < 2]
        self.optimiser = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}],
            lr=given.rate,
            betas=(0.9, 0.98),
        )
        self.report: dict[str, Any] = {
            "weights": sum(w.numel() for w in self.network.parameters()),
            "rows": len(self.examples.rows),
            "dev": len(self.dev),
            "device": torch.cuda.get_device_name() if self.cuda else "cpu",
            "seen": [],
        }
        self.say(f"{self.report}, batches of {size}, {given.workers} workers")

    def say(self, line: str) -> None:
        """Print a line and keep it in the log."""
        print(line, flush=True)
        with (self.given.out / "log.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def loss(self, tokens: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss to go down and, of it, that of the answers."""
        hidden = self.network(tokens[:, :-1])
        target, kind = tokens[:, 1:], kinds[:, 1:]
        answer = kind == 2
        some = (kind == 1) & (torch.rand(kind.shape, device=kind.device) < 0.12)
        answers = fn.cross_entropy(self.network.logits(hidden[answer]).float(), target[answer])
        # Guessing the prompt's own next words teaches which words go together.
        prompts = fn.cross_entropy(self.network.logits(hidden[some]).float(), target[some])
        return answers + 0.15 * prompts, answers.detach()

    def step(self, part: float) -> float:
        """Learn from one batch; return the answers' loss, or NaN if the step was left out."""
        tokens, kinds = (
            torch.from_numpy(one).to(self.given.device).long() for one in next(self.batches)
        )
        warm = min(1.0, (self.steps + 1) / 150)
        rate = self.given.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * part)))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(self.given.device, torch.bfloat16):
            loss, answers = self.loss(tokens, kinds)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        if not bool(torch.isfinite(norm)):
            self.left_out += 1
            if self.left_out > 50:
                raise RuntimeError("the loss is not finite")
            return math.nan
        self.optimiser.step()
        return float(answers)

    def run(self) -> None:
        """Train until the time is over, looking at the lines kept apart now and then."""
        began = time.monotonic()
        self.steps = self.left_out = 0
        mean = math.nan
        looks = [0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9] if self.cuda else [0.3, 0.6, 0.8]
        best = -1.0
        while (part := (time.monotonic() - began) / self.given.seconds) < 1.0:
            value = self.step(part)
            self.steps += 1
            if math.isfinite(value):
                mean = value if not math.isfinite(mean) else 0.98 * mean + 0.02 * value
            if self.steps % 100 == 0:
                self.say(f"{self.steps} {part:.2f} loss {mean:.4f} left out {self.left_out}")
            if looks and part >= looks[0]:
                looks.pop(0)
                best = self.look(mean, part, best)
        self.save("last.npz")
        self.look(mean, 1.0, best)

    def look(self, loss: float, part: float, best: float) -> float:
        """Measure on the development lines; keep the weights if they are the best so far."""
        right, heads = self.right(2500 if self.cuda else 256)
        seen = {"part": round(part, 2), "steps": self.steps, "loss": round(loss, 4),
                "right": right, "heads": heads}  # fmt: skip
        self.report["seen"].append(seen)
        self.say(json.dumps(seen))
        if right["all"] > best:
            best = right["all"]
            self.save("weights.npz")
            self.report["kept"] = seen
        text = json.dumps(self.report, indent=1) + "\n"
        (self.given.out / "report.json").write_text(text, "utf-8")
        return best

    @torch.no_grad()
    def right(self, most: int) -> tuple[dict[str, float], dict[str, float]]:
        """Return, by what was asked, how many development turns' moves are right: model, heads."""
        self.network.eval()
        rows = self.dev[:: max(1, len(self.dev) // most)]
        ours: dict[str, list[bool]] = {"all": []}
        theirs: dict[str, list[bool]] = {"all": []}
        bar = self.tokenizer.encode("order |")[-1]
        for at in range(0, len(rows), 256):
            some = rows[at : at + 256]
            made = [self.examples.tokens(row, None) for row in some]
            kept = [(row, one) for row, one in zip(some, made, strict=True)
                    if len(one[0]) <= LONGEST]  # fmt: skip
            tokens, _ = batch_of([one for _, one in kept])
            with torch.autocast(self.given.device, torch.bfloat16):
                shown = torch.from_numpy(tokens).to(self.given.device).long()
                hidden = self.network(shown[:, :-1])
                guessed = self.network.logits(hidden).argmax(-1).cpu()
            for (row, (one, start)), guess in zip(kept, guessed, strict=True):
                end = one.index(bar, start) + 1 if bar in one[start:] else len(one)
                # The token after the moves is " |" or the end: either says that they are over.
                good = one[start : end - 1] == guess[start - 1 : end - 2].tolist()
                good = good and int(guess[end - 2]) in (bar, one[-1])
                for key in ("all", row["p"].split("\n", 1)[0].split()[1]):
                    ours.setdefault(key, []).append(good)
                    theirs.setdefault(key, []).append(bool(row["h"]))
        self.network.train()
        return shares(ours), shares(theirs)

    def save(self, name: str) -> None:
        """Write the weights as half floats."""
        arrays = {
            key: value.detach().float().cpu().numpy().astype(np.float16)
            for key, value in self.network.state_dict().items()
        }
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise RuntimeError("the weights are not finite")
        np.savez(self.given.out / name, **arrays)


def shares(found: dict[str, list[bool]]) -> dict[str, float]:
    """Return the shares of true ones in per cent."""
    return {key: round(100 * sum(ones) / len(ones), 1) for key, ones in found.items() if ones}


def main() -> None:
    """Train and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=0, help="examples a step; 0: by the device")
    parser.add_argument("--drop", type=float, default=0.0, help="dropout, for long runs")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--workers", type=int, default=max(1, min(9, (os.cpu_count() or 2) - 2)))
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.device == "cpu":
        torch.set_num_threads(1)
    training = Training(given)
    if not training.cuda:
        training.say("on a CPU: slow; see the head of this file")
    training.run()


if __name__ == "__main__":
    main()
