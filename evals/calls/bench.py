"""Precision and recall of the review's checks on the labelled calls: ``make bench-review``."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))


from labelled import Labelled, labelled_calls, later_calls
from rich.console import Console
from rich.table import Table

from agent.evidence import read_bundle
from agent.review import review_bundle
from agent.review.schema import Flag, FlagKind
from agent.settings import CHECKOUT

NEAR_SECONDS = 2.0
"""A flag counts only if it points to the fault: no further from it than this."""
NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
LATER = "-later"


def reviewed(one: Labelled, folder: Path, seed: int) -> tuple[Flag, ...]:
    """Return the flags of a labelled call."""
    return review_bundle(read_bundle(one.tape.write(folder / one.name, seed)), NOW).flags


def count(one: Labelled, flags: tuple[Flag, ...]) -> Counter[tuple[str, FlagKind]]:
    """Return hits, misses and false alarms per kind."""
    found: Counter[tuple[str, FlagKind]] = Counter()
    for kind, at in one.plants.items():
        hit = any(f.kind is kind and abs(f.at - at) <= NEAR_SECONDS for f in flags)
        found["hit" if hit else "miss", kind] += 1
    for kind in {flag.kind for flag in flags}:
        at = one.plants.get(kind)
        if at is None or not any(f.kind is kind and abs(f.at - at) <= NEAR_SECONDS for f in flags):
            found["false", kind] += 1
    return found


def main() -> None:
    """Review all labelled calls, print the table, write it as JSON."""
    console = Console(highlight=False)
    totals: dict[bool, Counter[tuple[str, FlagKind]]] = {False: Counter(), True: Counter()}
    calls: Counter[bool] = Counter()
    near = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed, one in enumerate((*labelled_calls(), *later_calls())):
            later = one.name.endswith(LATER)
            flags = reviewed(one, Path(folder), seed)
            tally = count(one, flags)
            totals[later] += tally
            calls[later] += 1
            near += one.name.startswith("near-")
            for what, kind in tally:
                if what != "hit":
                    details = [f"{f.kind} at {f.at}: {f.detail}" for f in flags]
                    console.print(f"{what}: {kind} in {one.name}: {details or 'no flags'}")
    rows = [_row(kind, totals) for kind in FlagKind]
    _show(console, rows, sum(calls.values()), near, calls[True])
    report = CHECKOUT / "build" / "bench" / "review.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    figures = {"calls": sum(calls.values()), "near_misses": near, "later": calls[True]}
    report.write_text(json.dumps({**figures, "flags": rows}, indent=1) + "\n", "utf-8")


def _row(kind: FlagKind, totals: dict[bool, Counter[tuple[str, FlagKind]]]) -> dict[str, object]:
    row: dict[str, object] = {"flag": str(kind)}
    for later, counts in totals.items():
        hits, misses, false = (counts[what, kind] for what in ("hit", "miss", "false"))
        name = "later" if later else "first"
        row[name] = {
            "planted": hits + misses,
            "found": hits,
            "false": false,
            "recall": hits / (hits + misses) if hits + misses else None,
            "precision": hits / (hits + false) if hits + false else None,
        }
    return row


def _show(
    console: Console, rows: list[dict[str, object]], calls: int, near: int, later: int
) -> None:
    title = f"{calls} labelled calls, {near} of them near misses; {later} written after the checks"
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("flag")
    for name in ("planted", "found", "false", "recall", "precision"):
        table.add_column(name, justify="right")
    for name in ("planted", "found", "false"):
        table.add_column(f"later: {name}", justify="right")
    for row in rows:
        first, second = row["first"], row["later"]
        assert isinstance(first, dict)
        assert isinstance(second, dict)
        shares = ["-" if first[n] is None else f"{first[n]:.2f}" for n in ("recall", "precision")]
        names = ("planted", "found", "false")
        table.add_row(
            str(row["flag"]),
            *(str(first[name]) for name in names),
            *shares,
            *(str(second[name]) for name in names),
        )
    console.print(table)


if __name__ == "__main__":
    main()
