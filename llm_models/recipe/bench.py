"""Measures the mind on the held-out turns; prints a table, writes ``build/bench/mind.json``.

    python llm_models/recipe/bench.py [--by recall] [--ear 4]

The held-out turns (``llm_models/house/heldout``) were written apart from the wordings that
train and calibrate. Reported: moves right (the whole set of moves of a turn), typed and
with recognition errors; slots; facts said wrongly; lures; repeatability; time per decision.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import shutil
import statistics
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as `agent` has it, and numpy is first here

import numpy as np
import soxr
from garble import Garbler
from wordings import HOUSE, Speaker, one_need, read_wordings

from agent.audio import FRAME_BYTES, SAMPLE_RATE, pad_to_frame, seconds
from agent.ear import EarEngine
from agent.events import Expect, Move
from agent.mind.embedder import plain
from agent.mind.moves import SURE, UNSURE, MoveName, SlotName, Understanding
from agent.mind.slots import When, read_count, read_introduced, read_name, read_phone, read_when
from agent.mind.understanding import Mind
from agent.restaurant import load_restaurant
from agent.settings import CHECKOUT, load_settings

HELDOUT: Final = HOUSE / "heldout"
SETS: Final = ("one_need", "questions", "several_needs", "prior", "lures")
MANNERS: Final = {"thanks", "smalltalk"}
RESTAURANT: Final = load_restaurant(CHECKOUT / "evals" / "worlds" / "hikari.toml")
HOURS: Final = RESTAURANT.hours
NOW: Final = datetime(2026, 11, 24, 15, 0)  # a Tuesday afternoon; the labels name no year

Row = Mapping[str, Any]


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a held-out file; none if there is no such file."""
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if line.strip()]


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


def slots_right(row: Row, understood: Understanding) -> list[tuple[str, bool, bool]]:
    """Return, per slot that was said: its name, whether the span is exact, and the value right.

    The value is what the policy's readers make of it, the turn's other words included: a
    span whose edges are off by a word may be read right, and an exact one wrong.
    """
    found = {name: " ".join(str(value).split()) for name, value in understood.slots.items()}
    return [
        (name, found.get(name, "") in ones, value_right(name, ones, found.get(name, ""), row))
        for name, ones in row.get("slots", {}).items()
        if name != SlotName.DETAILS
    ]


def value_right(name: str, accepted: Sequence[str], span: str, row: Row) -> bool:
    """Return whether the policy would read what was said, from ``span`` and the whole turn."""
    text, expect = plain(row["text"]), Expect(row["expect"])
    match name:
        case SlotName.PHONE:
            got = read_phone(text) or read_phone(span)
            return any(got == read_phone(one) for one in accepted)
        case SlotName.SIZE:
            size = read_count(text) or read_count(span, sole=True)
            return size is not None and any(size == read_count(o, sole=True) for o in accepted)
        case SlotName.NAME:
            heard = text if expect is Expect.NAME else ""
            name_read = read_introduced(text) or read_name(span) or read_name(heard)
            return any(name_read == (read_name(one) or one.title()) for one in accepted)
        case SlotName.WHEN:
            got_when = read_when(span, NOW, HOURS) or read_when(text, NOW, HOURS)
            return any(_same_when(got_when, read_when(one, NOW, HOURS)) for one in accepted)
        case _:
            return span in accepted


def _same_when(got: When | None, said: When | None) -> bool:
    """Return whether everything that was said was read; a label may leave the time out."""
    if got is None or said is None:
        return got is said
    return (said.day in (None, got.day)) and (said.at in (None, got.at))


def share(values: Sequence[bool]) -> float:
    """Return the share of true ones in per cent."""
    return round(100 * sum(values) / len(values), 1) if values else 0.0


@dataclass
class Tally:
    """What was right of one set of turns."""

    moves: list[bool] = field(default_factory=list)
    exact: list[bool] = field(default_factory=list)
    value: list[bool] = field(default_factory=list)
    misled: list[bool] = field(default_factory=list)
    """Of questions that no fact answers: whether a fact is said."""

    def add(self, row: Row, understood: Understanding) -> bool:
        """Count one turn; return whether its moves are right."""
        if "moves" in row:
            self.moves.append(is_right(row, understood))
        for _, exact, value in slots_right(row, understood):
            self.exact.append(exact)
            self.value.append(value)
        if row.get("moves") in ([], ["unknown"], None):
            self.misled.append(bool(false_facts({"moves": [], **row}, understood)))
        return not self.moves or self.moves[-1]

    def report(self) -> dict[str, Any]:
        """Return the shares in per cent, with how many turns, slots and questions there were."""
        figures: dict[str, Any] = {}
        for name, values in (("moves", self.moves), ("slots, exact span", self.exact),
                             ("slots, value", self.value),
                             ("facts said to unknown", self.misled)):  # fmt: skip
            if values:
                figures[name] = [share(values), len(values)]
        return figures


async def measure(mind: Mind, sets: Mapping[str, Sequence[Row]], show: bool) -> dict[str, Any]:
    """Return the figures of every set, typed and with recognition errors."""
    report: dict[str, Any] = {}
    vocabulary = {w for t in one_need(read_wordings(), Speaker(3), 2) for w in t.text.split()}
    for rate in (0.0, 0.1, 0.2):
        garbler = Garbler(vocabulary, 11)
        key = "typed" if not rate else f"garbled {rate:.0%}"
        report[key] = {}
        for name, rows in sets.items():
            if rate and name.endswith("lures"):
                continue
            tally = Tally()
            for row in rows:
                text = garbler.garble(plain(row["text"]), rate) if rate else row["text"]
                understood = await mind.understand(text, Expect(row["expect"]))
                good = tally.add(row, understood)
                good = good and all(value for _, _, value in slots_right(row, understood))
                good = good and not (tally.misled and name.endswith("lures") and tally.misled[-1])
                if show and not rate and not good and name in SETS:
                    print(f"  {name} {row['expect']}: {row['text']} {row.get('moves')} "
                          f"{[(str(m), m.score) for m in understood.moves]} "
                          f"{dict(understood.slots)}")  # fmt: skip
            report[key][name] = tally.report()
    return report


async def heard(mind: Mind, sets: Mapping[str, Sequence[Row]], every: int) -> dict[str, Any]:
    """Return the figures of every n-th turn said by synthetic callers and heard by the ear.

    The callers are flite's and espeak-ng's voices on a telephone line (`evals/callers`);
    without those programs on this machine there are no figures.
    """
    if shutil.which("flite") is None or shutil.which("espeak-ng") is None:
        return {"not measured": "flite and espeak-ng are not installed"}
    sys.path.insert(0, str(CHECKOUT / "evals" / "callers"))
    make = importlib.import_module("make")
    voices = list(tomllib.loads((CHECKOUT / "evals/callers/voices.toml").read_text()).values())
    engine = EarEngine(load_settings().models.ear)
    report: dict[str, Any] = {}
    count = 0
    wrong, said = 0, 0
    for name, rows in sets.items():
        tally = Tally()
        for row in rows[::every]:
            voice = voices[count % len(voices)]
            count += 1
            text = await asyncio.to_thread(hear, make, engine, voice, row)
            tally.add(row, await mind.understand(text, Expect(row["expect"])))
            reference = plain(row["text"]).split()
            wrong += word_errors(reference, plain(text).split())
            said += len(reference)
        report[name] = tally.report()
    engine.close()
    return {**report, "words wrong": round(100 * wrong / max(said, 1), 1)}


def hear(make: Any, engine: EarEngine, voice: Mapping[str, Any], row: Row) -> str:
    """Return what the ear makes of ``row``'s words in ``voice``."""
    speech = make.spoken(voice["program"], voice["arguments"], row["text"])
    clip, _, _ = make.finished(make.trimmed(speech))
    samples = soxr.resample(clip.astype(np.float32), make.RATE, SAMPLE_RATE)
    pause = bytes(SAMPLE_RATE)  # half a second before and after
    pcm = pad_to_frame(pause + samples.astype("<i2").tobytes() + 2 * pause)

    async def listen() -> str:
        ear = engine.open()
        ear.expect(Expect(row["expect"]))
        for start in range(0, len(pcm), FRAME_BYTES):
            await ear.hear(pcm[start : start + FRAME_BYTES], seconds(pcm[:start]))
        final = await ear.finish(seconds(pcm))
        ear.close()
        return final.text

    return asyncio.run(listen())


def word_errors(reference: Sequence[str], got: Sequence[str]) -> int:
    """Return the least number of words replaced, lost and added."""
    row = list(range(len(got) + 1))
    for index, word in enumerate(reference, 1):
        before, row[0] = row[0], index
        for place, other in enumerate(got, 1):
            before, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, before + (word != other)),
            )
    return row[-1]


async def repeatable(mind: Mind, rows: Sequence[Row]) -> str:
    """Return how many held-out turns were decided the same way five times of five."""
    rows = rows[::7]
    same = 0
    for row in rows:
        runs = [await mind.understand(row["text"], Expect(row["expect"])) for _ in range(5)]
        same += len({(run.moves, tuple(sorted(run.slots.items()))) for run in runs}) == 1
    return f"{same}/{len(rows)}"


async def timing(mind: Mind, rows: Sequence[Row]) -> dict[str, float]:
    """Return decision times in milliseconds, alone and with four calls at once.

    With four calls every one's next turn comes as soon as the last is decided: more than
    four callers who also listen would ask of it.
    """
    rows = rows[::3]
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


async def run(given: argparse.Namespace) -> dict[str, Any]:
    """Start the mind, measure, stop it."""
    settings = load_settings()
    # How well it understands must not depend on how busy this machine is.
    mind = Mind(settings, RESTAURANT, deadline=60.0)
    await mind.start()
    if mind.fault:
        raise mind.fault
    if given.by == "recall":
        mind.heads = None
    sets = {name: read_rows(HELDOUT / f"{name}.jsonl") for name in SETS}
    if given.also:
        sets |= {path.stem: read_rows(path) for path in sorted(given.also.glob("*.jsonl"))}
    rows = [row for name in SETS if name != "lures" for row in sets[name]]
    try:
        report = {"milliseconds": await timing(mind, rows)}
        if not given.timing:
            report |= await measure(mind, sets, given.show)
            report["repeatable"] = await repeatable(mind, rows)
        if given.ear:
            report["through the ear"] = await heard(mind, sets, given.ear)
    finally:
        await mind.stop()
    return report


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--by", choices=["heads", "recall"], default="heads")
    parser.add_argument("--show", action="store_true", help="print what went wrong")
    parser.add_argument("--also", type=Path, help="a folder of further held-out sets, not shown")
    parser.add_argument("--ear", type=int, default=0, metavar="N",
                        help="say every N-th turn aloud and hear it with the ear")  # fmt: skip
    parser.add_argument("--timing", action="store_true", help="measure nothing but time")
    given = parser.parse_args()
    report = asyncio.run(run(given))
    for name, value in report.items():
        if isinstance(value, dict) and any(isinstance(one, dict) for one in value.values()):
            for inner, figures in value.items():
                print(f"{name:16} {inner:22} {json.dumps(figures)}")
        else:
            print(f"{name:16} {json.dumps(value)}")
    path = CHECKOUT / "build" / "bench" / ("mind.json" if given.by == "heads" else "recall.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
