"""How long 500 text cases take on two worker processes: ``make bench-eval``."""

from __future__ import annotations

import json
import os
import time
from itertools import cycle, islice
from statistics import median

from rich.console import Console
from rich.table import Table

from agent.evaluate.case import Level, Run
from agent.evaluate.case_file import load_cases
from agent.evaluate.results import tally
from agent.evaluate.runner import Plan, play_all
from agent.settings import CHECKOUT, load_settings

CASES = 500
JOBS = 2
ROUNDS = 3


def main() -> None:
    """Play them, loading of the minds included; print the table, write it as JSON."""
    firsts = [next(case.runs()) for case in load_cases() if case.level is Level.BLOCKING]
    runs = []
    for number, run in enumerate(islice(cycle(firsts), CASES)):
        name = f"n{number}"
        case = run.case.model_copy(update={"case": name})
        runs.append(Run(case, run.level, run.words, 0))
    turns = sum(len(run.case.talk) for run in runs)
    seconds, each = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        played = list(play_all(runs, Plan(load_settings(), jobs=JOBS)))
        seconds.append(time.perf_counter() - began)
        each += [one.seconds for one in played]
        counted = tally(played)
    each.sort()
    figures = {
        "cases": CASES,
        "turns": turns,
        "jobs": JOBS,
        "cores": os.cpu_count(),
        "rounds_seconds": [round(one, 2) for one in seconds],
        "case_ms": {
            f"p{p}": round(1000 * each[min(len(each) - 1, len(each) * p // 100)], 1)
            for p in (50, 90, 95)
        },
        "outcome": str(counted),
    }
    table = Table(title=f"{CASES} text cases, {turns} turns, {JOBS} processes", box=None)
    for name in ("round", "seconds", "cases a second"):
        table.add_column(name, justify="right")
    for number, one in enumerate(seconds, 1):
        table.add_row(str(number), f"{one:.1f}", f"{CASES / one:.0f}")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"median {median(seconds):.1f} s; a case, ms: {figures['case_ms']}; {counted}")
    report = CHECKOUT / "build" / "bench" / "eval.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
