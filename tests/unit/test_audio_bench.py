"""The bench's callers in audio time: real ear, mind and mouth, and no clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from agent.evaluate.audio_bench import run_in_audio_time
from agent.evaluate.bench import figures
from agent.evaluate.calls import Outcome
from agent.evaluate.engines import Engines
from agent.evaluate.script import plan
from agent.settings import CHECKOUT, load_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

HIKARI = CHECKOUT / "evals" / "worlds" / "hikari.toml"
WHEN = datetime(2026, 11, 24, 17, 0, tzinfo=ZoneInfo("America/Chicago"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engines]:
    home = tmp_path_factory.mktemp("bench")
    async with Engines(load_settings(home=home), HIKARI, home / "phrases") as running:
        yield running


async def one_call(engines: Engines, folder: Path, script: str, manner: str, seed: int) -> Outcome:
    callers = [plan(script, seed, manner=manner)]
    (outcome,) = await run_in_audio_time(engines, callers, WHEN, folder)
    return outcome


async def test_who_stops_in_mid_sentence_and_mid_number_is_let_finish(
    engines: Engines, tmp_path: Path
) -> None:
    outcome = await one_call(engines, tmp_path, "order-other-number", "hesitant", 5)
    assert outcome.failure == ""
    found = figures([outcome])
    assert (found.turns, found.cut_ins, found.missed) == (5, 0, 0)


async def test_a_full_room_drops_no_line_of_ours(engines: Engines, tmp_path: Path) -> None:
    outcome = await one_call(engines, tmp_path, "order", "noisy", 3)
    assert outcome.failure == ""
    found = figures([outcome])
    assert (found.turns, found.cut_ins, found.false_yields) == (3, 0, 0)
