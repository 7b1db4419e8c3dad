"""Measures the deciding model against the heads alone, by what had been asked.

    python llm_models/recipe/decide/compare.py --model llm_models/house-decide/decide.gguf

The turns are the held-out ones (``llm_models/house/heldout``), typed and with 10 and 20 % of
their words wrong. Only those count that the heads are unsure of, because only those are asked
about. Writes ``build/bench/decide.json``. ``p`` is a sign test's: how likely the turns that
only one of the two gets right would fall so unevenly, or more, by chance.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import (
    HELDOUT,
    RESTAURANT,
    SETS,
    Row,
    false_facts,
    is_right,
    read_rows,
    slots_right,
)
from garble import Garbler
from wordings import Speaker, one_need, read_wordings

from agent.events import Expect
from agent.mind.decide import SecondOpinion, needs_a_second_look
from agent.mind.embedder import plain
from agent.mind.moves import Understanding
from agent.mind.understanding import Mind
from agent.settings import CHECKOUT, Models, Settings
from agent.settings import Mind as MindSettings

RATES: Final = (0.0, 0.1, 0.2)
SOON: Final = 60.0
"""Seconds a decision may take here: how good it is must not depend on how busy the box is."""


@dataclass
class Pair:
    """Turns of one kind that the heads are unsure of, by heads and by model."""

    turns: int = 0
    heads: int = 0
    model: int = 0
    only_heads: int = 0
    only_model: int = 0
    slots: list[tuple[bool, bool]] = field(default_factory=list)
    wrong_facts: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, row: Row, heads: Understanding, model: Understanding) -> None:
        """Count one turn."""
        self.wrong_facts[0] += bool(false_facts({"moves": [], **row}, heads))
        self.wrong_facts[1] += bool(false_facts({"moves": [], **row}, model))
        if "moves" not in row:
            return
        one, other = is_right(row, heads), is_right(row, model)
        self.turns += 1
        self.heads += one
        self.model += other
        self.only_heads += one and not other
        self.only_model += other and not one
        pairs = zip(slots_right(row, heads), slots_right(row, model), strict=True)
        self.slots += [(a[2], b[2]) for a, b in pairs]

    def report(self) -> dict[str, Any]:
        """Return the figures."""
        return {
            "turns": self.turns,
            "heads right": self.heads,
            "model right": self.model,
            "only heads": self.only_heads,
            "only model": self.only_model,
            "p": round(sign_test(self.only_heads, self.only_model), 4),
            "slots": [len(self.slots), sum(a for a, _ in self.slots),
                      sum(b for _, b in self.slots)],
            "wrong facts": self.wrong_facts,
        }  # fmt: skip


def sign_test(a: int, b: int) -> float:
    """Return the two-sided odds of a split as uneven as ``a`` to ``b``, or more."""
    total, least = a + b, min(a, b)
    tail = sum(math.comb(total, k) for k in range(least + 1)) / 2**total
    return min(1.0, 2 * tail)


async def compare(model: Path, sets: dict[str, Sequence[Row]], show: bool) -> dict[str, Any]:
    """Return the figures by set and by what had been asked."""
    settings = Settings(
        models=Models(decide=model), mind=MindSettings(decide_seconds=SOON, decide_all=True)
    )
    mind = Mind(settings, RESTAURANT, deadline=SOON)
    await mind.start()
    if mind.faults or mind.second is None:
        raise mind.faults[0]
    second, mind.second = mind.second, None
    words = {w for t in one_need(read_wordings(), Speaker(3), 2) for w in t.text.split()}
    garbler = Garbler(words, 11)
    report: dict[str, Any] = {}
    for rate in RATES:
        tables: dict[str, Pair] = {}
        whole = {name: [0, 0, 0] for name in sets}
        for name, rows in sets.items():
            for row in rows:
                text = garbler.garble(plain(row["text"]), rate) if rate else row["text"]
                expect = Expect(row["expect"])
                heads = model_says = await mind.understand(text, expect)
                if heads.by == "heads" and needs_a_second_look(heads.moves):
                    model_says = await asked(mind, second, text, expect)
                    if model_says.by == "model":
                        for key in (f"set {name}", f"asked {expect}", "all"):
                            if key != "all" or not name.endswith("lures"):
                                tables.setdefault(key, Pair()).add(row, heads, model_says)
                        if show and not rate and "moves" in row:
                            show_row(row, heads, model_says)
                if "moves" in row:
                    whole[name][0] += 1
                    whole[name][1] += is_right(row, heads)
                    whole[name][2] += is_right(row, model_says)
        report["typed" if not rate else f"garbled {rate:.0%}"] = {
            **{key: pair.report() for key, pair in sorted(tables.items())},
            "whole sets, heads, with model": {k: v for k, v in whole.items() if v[0]},
        }
    await second.stop()
    await mind.stop()
    return report


async def asked(mind: Mind, second: SecondOpinion, text: str, expect: Expect) -> Understanding:
    """Return the turn's reading with the model in place."""
    mind.second = second
    try:
        return await mind.understand(text, expect)
    finally:
        mind.second = None


def show_row(row: Row, heads: Understanding, model: Understanding) -> None:
    """Print a turn on which the two differ."""
    one, other = is_right(row, heads), is_right(row, model)
    if one != other:
        print("lost" if one else "won ", row["expect"], row["text"], row["moves"],
              [(str(m), m.score) for m in heads.moves], [str(m) for m in model.moves])  # fmt: skip


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--also", type=Path, help="a folder of further held-out sets, not shown")
    parser.add_argument("--only-also", action="store_true", help="measure only these")
    parser.add_argument("--show", action="store_true", help="print the turns that differ")
    given = parser.parse_args()
    sets: dict[str, Sequence[Row]] = {}
    if not given.only_also:
        sets |= {name: read_rows(HELDOUT / f"{name}.jsonl") for name in SETS}
    if given.also:
        sets |= {path.stem: read_rows(path) for path in sorted(given.also.glob("*.jsonl"))}
    report = asyncio.run(compare(given.model, sets, given.show))
    for rate, tables in report.items():
        print(rate)
        for name, figures in tables.items():
            print(f"  {name:28} {json.dumps(figures)}")
    path = CHECKOUT / "build" / "bench" / "decide.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
