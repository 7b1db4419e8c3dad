"""Measures the mind on the held-out turns; prints a table, writes ``build/bench/mind.json``.

    python llm_models/recipe/bench.py [--by recall]

The held-out turns (``llm_models/house/heldout``) were written apart from the wordings that
train and calibrate. Reported: moves right (the whole set of moves of a turn), typed and
with recognition errors; slots; facts said wrongly; lures; repeatability; time per decision.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))

from garble import Garbler
from wordings import HOUSE, Speaker, one_need, read_wordings

from agent.events import Expect, Move
from agent.mind.embedder import plain
from agent.mind.moves import SURE, UNSURE, MoveName, Understanding
from agent.mind.understanding import Mind
from agent.restaurant import load_restaurant
from agent.settings import CHECKOUT, load_settings

HELDOUT: Final = HOUSE / "heldout"
SETS: Final = ("one_need", "questions", "several_needs", "prior")
MANNERS: Final = {"thanks", "smalltalk"}

Row = Mapping[str, Any]


def read_rows(name: str) -> list[Row]:
    """Return the rows of a held-out file; none if there is no such file."""
    path = HELDOUT / f"{name}.jsonl"
    return (
        [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        if path.is_file()
        else []
    )


def effective(understood: Understanding) -> list[Move]:
    """Return the moves as the policy reads them: what is too uncertain is unclear."""
    return [move for move in understood.moves if move.score >= UNSURE] or [Move(MoveName.UNCLEAR)]


def is_right(row: Row, understood: Understanding) -> bool:
    """Return whether the whole set of moves is one of those accepted."""
    said = {str(move) for move in effective(understood)}
    accepted = [set(one) for one in (row["moves"], *row.get("or", ()))]
    return said in accepted or (said - MANNERS) in [
        one - MANNERS for one in accepted if one - MANNERS
    ]


def false_facts(row: Row, understood: Understanding) -> list[str]:
    """Return the facts that would be said and answer nothing that was asked."""
    wanted = {
        m.split(":")[1] for one in (row["moves"], *row.get("or", ())) for m in one if ":" in m
    }
    wanted |= set(row.get("facts", ()))
    return [
        move.fact
        for move in understood.moves
        if move.name == MoveName.ANSWER and move.score >= SURE and move.fact not in wanted
    ]


def slots_right(row: Row, understood: Understanding) -> list[bool]:
    """Return, per slot that was said, whether it was found."""
    found = {name: " ".join(str(value).split()) for name, value in understood.slots.items()}
    return [
        any(found.get(name, "") == accepted for accepted in ones)
        for name, ones in row.get("slots", {}).items()
    ]


def share(values: Sequence[bool]) -> float:
    """Return the share of true ones in per cent."""
    return round(100 * sum(values) / len(values), 1) if values else 0.0


async def measure(mind: Mind, show: int) -> dict[str, Any]:
    """Return all figures."""
    report: dict[str, Any] = {}
    vocabulary = {w for t in one_need(read_wordings(), Speaker(3), 2) for w in t.text.split()}
    for rate in (0.0, 0.1, 0.2):
        garbler = Garbler(vocabulary, 11)
        rights: dict[str, list[bool]] = {}
        slots: list[bool] = []
        unknowns: list[bool] = []
        for name in SETS:
            for row in read_rows(name):
                text = garbler.garble(plain(row["text"]), rate) if rate else row["text"]
                understood = await mind.understand(text, Expect(row["expect"]))
                right = is_right(row, understood)
                rights.setdefault(name, []).append(right)
                if name != "prior":
                    slots += slots_right(row, understood)
                if row["moves"] == ["unknown"] and name == "questions":
                    unknowns.append(bool(false_facts(row, understood)))
                if show and not rate and not right:
                    print(f"  {name} {row['expect']}: {row['text']} {row['moves']} "
                          f"{[(str(m), m.score) for m in understood.moves]}")  # fmt: skip
        one = rights["one_need"] + rights["questions"]
        key = "typed" if not rate else f"garbled {rate:.0%}"
        report[key] = {
            "one need": share(one),
            "several needs": share(rights["several_needs"]),
            **{name: share(values) for name, values in rights.items()},
            "slots": share(slots),
            "facts said to unknown questions": share(unknowns),
        }
    lures = read_rows("lures")
    fooled = []
    for row in lures:
        row = {"moves": [], **row}
        understood = await mind.understand(row["text"], Expect(row["expect"]))
        wrong = false_facts(row, understood)
        fooled.append(bool(wrong))
        if show and wrong:
            print(f"  lure: {row['text']} {wrong} {[m.score for m in understood.moves]}")
    report["lures"] = {"attempts": len(lures), "false facts": share(fooled)}
    report["repeatable"] = await repeatable(mind)
    report["milliseconds"] = await timing(mind)
    return report


async def repeatable(mind: Mind) -> str:
    """Return how many held-out turns were decided the same way five times of five."""
    rows = [row for name in SETS for row in read_rows(name)][::7]
    same = 0
    for row in rows:
        runs = [await mind.understand(row["text"], Expect(row["expect"])) for _ in range(5)]
        same += len({(run.moves, tuple(sorted(run.slots.items()))) for run in runs}) == 1
    return f"{same}/{len(rows)}"


async def timing(mind: Mind) -> dict[str, float]:
    """Return decision times in milliseconds, alone and with four calls at once."""
    rows = [row for name in SETS for row in read_rows(name)][::3]
    alone = []
    for row in rows:
        began = time.perf_counter()
        await mind.understand(row["text"], Expect(row["expect"]))
        alone.append(1000 * (time.perf_counter() - began))

    together: list[float] = []

    async def call(mine: Sequence[Row]) -> None:
        for row in mine:
            began = time.perf_counter()
            await mind.understand(row["text"], Expect(row["expect"]))
            together.append(1000 * (time.perf_counter() - began))

    await asyncio.gather(*(call(rows[n::4]) for n in range(4)))
    return {
        "alone p50": round(statistics.median(alone), 1),
        "alone p90": round(statistics.quantiles(alone, n=10)[8], 1),
        "four calls p50": round(statistics.median(together), 1),
        "four calls p90": round(statistics.quantiles(together, n=10)[8], 1),
    }


async def run(show: int, without_heads: bool) -> dict[str, Any]:
    """Start the mind, measure, stop it."""
    settings = load_settings()
    restaurant = load_restaurant(CHECKOUT / "evals" / "worlds" / "hikari.toml")
    # How well it understands must not depend on how busy this machine is.
    mind = Mind(settings, restaurant, deadline=60.0)
    await mind.start()
    if mind.fault:
        raise mind.fault
    if without_heads:
        mind.heads = None
    try:
        return await measure(mind, show)
    finally:
        await mind.stop()


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--by", choices=["heads", "recall"], default="heads")
    parser.add_argument("--show", action="store_true", help="print what went wrong")
    given = parser.parse_args()
    report = asyncio.run(run(given.show, given.by == "recall"))
    for name, value in report.items():
        print(f"{name:14} {json.dumps(value) if not isinstance(value, str) else value}")
    path = CHECKOUT / "build" / "bench" / ("mind.json" if given.by == "heads" else "recall.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
