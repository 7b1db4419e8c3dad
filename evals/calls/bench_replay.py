"""``make bench-replay``: are replays by phone steady? Records calls through the carrier first.

Twenty callers of the scripts that ship phone a whole Pickup; then their recordings are put on
a real line again, twice. Printed: how many calls are decided the same in both replays, and how
many as in the recorded call; written to ``build/bench/replay.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import platform
import shutil
from pathlib import Path

from agent import __version__
from agent.evaluate.caller import ScriptedCaller
from agent.evaluate.calls import FIRST_NUMBER
from agent.evaluate.engines import Engines
from agent.evaluate.line import Line
from agent.evaluate.phone_line import PhoneLine
from agent.evaluate.replay import Replayed, replay_all
from agent.evaluate.script import plan
from agent.evidence.bundle import bundle_folders, read_bundle
from agent.evidence.measures import distribution
from agent.restaurant import load_restaurant
from agent.service.exchange import Exchange, exchange_settings
from agent.service.logs import configure_logs
from agent.service.ports import loopback_settings
from agent.service.stack import Stack
from agent.settings import CHECKOUT, Settings

SCRIPTS = (
    "order",
    "question",
    "reservation",
    "order-other-number",
    "order-withheld",
    "impatient",
    "transfer",
    "chatty-goodbye",
    "silent",
    "hangs-up",
)
HOME = CHECKOUT / "var" / "bench-replay"


async def record(settings: Settings, calls: int, at_once: int) -> None:
    """Have ``calls`` callers phone, script after script, each with its own seed and voice."""
    number = load_restaurant(settings.restaurant).public_number
    places = asyncio.Semaphore(at_once)

    async def one(seed: int, line: Line) -> None:
        chosen = plan(SCRIPTS[seed % len(SCRIPTS)], seed)
        wav = settings.home / "callers" / f"{seed:02}.wav"
        async with places:
            await ScriptedCaller(line, chosen, f"+{FIRST_NUMBER + seed}", wav).run()

    async with Stack(settings, carrier=True), Line(settings, number) as line:
        await asyncio.gather(*(one(seed, line) for seed in range(calls)))


async def replay(settings: Settings, times: int, at_once: int) -> list[list[Replayed]]:
    """Replay every recorded call so many times."""
    there = exchange_settings(settings, settings.home / "replay")
    bundles = [
        bundle
        for bundle in map(read_bundle, bundle_folders(settings.calls))
        if bundle.ended in ("agent: goodbye", "caller: hung_up")  # no voicemail, no fault
    ]
    calls = there.calls
    async with (
        Exchange(there),
        Engines(there, settings.restaurant, settings.phrases) as engines,
        PhoneLine(engines, calls) as line,
    ):
        return [
            await replay_all(bundles, engines, calls, driver="phone", line=line, at_once=at_once)
            for _ in range(times)
        ]


def report(runs: list[list[Replayed]], at_once: int, load: float) -> dict[str, object]:
    """Print the table and return it as JSON values."""
    steady = 0
    differ = []
    for call in zip(*runs, strict=True):
        same = all(one.decisions == call[0].decisions for one in call)
        steady += same and not any(one.fault for one in call)
        words = ["as then" if one.same else one.fault or "differs from then" for one in call]
        print(f"{call[0].call}  {'same' if same else 'DIFFERS'}  {' / '.join(words)}")
        if not same:
            differ.append(call[0].call)
    every = [one for run in runs for one in run]
    ear = distribution([latency for one in every for latency in one.ear])
    found = {
        "calls": len(runs[0]),
        "replays_each": len(runs),
        "steady": steady,
        "as_then": [sum(one.same for one in run) for run in runs],
        "not_replayed": sum(bool(one.fault) for one in every),
        "differ": differ,
        "ear_p50": ear.p50,
        "ear_p95": ear.p95,
        "at_once": at_once,
        "load_before": load,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "pickup": __version__,
    }
    for name, value in found.items():
        print(f"{name:14} {value}")
    return found


def main() -> None:
    """Record, replay, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--again", action="store_true", help="replay what was recorded before")
    asked = parser.parse_args()
    configure_logs(person=True, level=logging.ERROR)
    load = round(os.getloadavg()[0], 2)
    if not asked.again:
        shutil.rmtree(HOME / "calls", ignore_errors=True)
    settings = loopback_settings(HOME)
    if not asked.again:
        asyncio.run(record(settings, asked.calls, asked.at_once))
    found = report(asyncio.run(replay(settings, 2, asked.at_once)), asked.at_once, load)
    results = Path(CHECKOUT / "build" / "bench" / "replay.json")
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_text(json.dumps(found, indent=1) + "\n")
    print(f"Written to {results}")


if __name__ == "__main__":
    main()
