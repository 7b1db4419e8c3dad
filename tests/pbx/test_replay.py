"""Recorded callers on a real line again: carrier, SIP, dialplan, gate, ARI and media."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.evaluate.caller import ScriptedCaller
from agent.evaluate.line import Line
from agent.evaluate.script import plan
from agent.evidence.bundle import bundle_folders, read_bundle
from agent.restaurant import load_restaurant
from agent.service.ports import loopback_settings
from agent.service.stack import Stack

SCRIPTS = ("order", "question")


async def record(home: Path) -> list[str]:
    """Have two callers phone a whole Pickup; return the ids of their calls."""
    # Whatever else this box does: a recording is wanted.
    patient = {"watchdog_seconds": 20}
    settings = loopback_settings(home, agent=patient, gate={"most_load": 1_000.0})
    number = load_restaurant(settings.restaurant).public_number
    async with Stack(settings, carrier=True), Line(settings, number) as line:
        callers = [
            ScriptedCaller(line, plan(script, 0, "slt"), f"+1316555015{n}", home / f"{n}.wav")
            for n, script in enumerate(SCRIPTS)
        ]
        results = await asyncio.gather(*(caller.run() for caller in callers))
    assert [result.ended for result in results] == ["agent"] * len(SCRIPTS)
    found = {read_bundle(folder).caller: folder.name for folder in bundle_folders(settings.calls)}
    return [found[result.caller] for result in results]


def replay(home: Path, ids: list[str]) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "agent.cli", "replay", *ids, "--json"],
        env=os.environ | {"PICKUP_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in (0, 1), run.stderr
    told = [json.loads(line) for line in run.stdout.splitlines()]
    return {one["call"]: one for one in told}


def decisions(told: dict[str, Any]) -> list[Any]:
    kinds = ("moves", "steps", "tools", "facts")
    now = [[[one[kind] for kind in kinds] for one in row["now"]] for row in told["rows"]]
    return [now, told["now"], told["left"]]


async def test_recorded_callers_get_the_same_decisions_twice_and_no_text(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("r")
    ids = await record(home)
    texts = (home / "inbox.jsonl").read_bytes()
    first, second = [await asyncio.to_thread(replay, home, ids) for _ in range(2)]
    assert set(first) == set(ids)
    for call in ids:
        assert not first[call]["fault"], first[call]
        assert decisions(first[call]) == decisions(second[call])
    assert (home / "inbox.jsonl").read_bytes() == texts
    assert not (home / "replay" / "promises").exists()
