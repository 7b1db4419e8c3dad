"""One case, three drivers: here from ear to mouth, beside text; by phone in ``tests/pbx``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agent.evaluate.case import Case, Run
from agent.evaluate.results import Status
from agent.evaluate.sound_driver import AudioDriver
from agent.evaluate.text import Result, TextDriver
from agent.settings import load_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER: dict[str, Any] = {
    "case": "order",
    "talk": [
        {"caller": "Hi, can I order some ramen to go?", "moves": "order"},
        {
            "caller": "Yes please.",
            "step": "anything_else",
            "tool": {"send_link": "+13165550150"},
            "says": "texted",
        },
        {"caller": "No thanks, that's all."},
    ],
    "ends": "goodbye",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AudioDriver]:
    async with AudioDriver(load_settings(home=tmp_path_factory.mktemp("home"))) as running:
        yield running


def run(case: Mapping[str, Any]) -> Run:
    return next(Case.model_validate(case).runs())


async def by_text(one: Run) -> Result:
    async with TextDriver(load_settings()) as driver:
        return await driver.play(one)


async def test_a_case_passes_by_sound_as_by_text_and_repeats_to_the_letter(
    driver: AudioDriver,
) -> None:
    first, second = await driver.play(run(ORDER)), await driver.play(run(ORDER))
    assert first.status is Status.PASSED, first.faults
    assert (await by_text(run(ORDER))).status is Status.PASSED
    assert first.decisions == second.decisions
    assert first.words[1] in ("yes please", "yes")


async def test_what_goes_wrong_is_named_with_its_turn(driver: AudioDriver) -> None:
    first, second, last = ORDER["talk"]
    strict = {**first, "within": 10}
    wrong = {**second, "says": "faxed", "tool": {"send_link": "+13165550151"}}
    result = await driver.play(run({**ORDER, "talk": [strict, wrong, last], "ends": "spam"}))
    assert result.status is Status.FAILED
    told = "\n".join(result.faults)
    assert "turn 2: 'faxed' is not said" in told
    assert "number is '+13165550150', not '+13165550151'" in told
    assert "the call ends 'goodbye', not 'spam'" in told
    assert "turn 1: answered after" in told


async def test_the_world_of_the_case_holds(driver: AudioDriver) -> None:
    first, second, _ = ORDER["talk"]
    world = {"caller": "+13165550150", "tools": {"order_link": "refused 21610"}}
    done = {**second, "says": (), "never": "texted", "step": None}
    result = await driver.play(run({"case": "refused", "world": world, "talk": [first, done]}))
    assert result.status is Status.PASSED, result.faults


async def test_a_persona_hears_the_agent_and_answers_it(driver: AudioDriver) -> None:
    persona = {"goal": "question", "questions": ["is there parking", "do you deliver"]}
    case = {"case": "asks", "caller": {"persona": persona}, "facts": "parking", "turns": 8}
    first, second = await driver.play(run(case)), await driver.play(run(case))
    assert first.status is Status.PASSED, first.faults
    assert first.decisions == second.decisions
    assert len(first.words) >= 3


async def test_missing_audio_is_errored_and_not_failed(driver: AudioDriver, tmp_path: Path) -> None:
    gone = {**ORDER, "caller": {"recording": str(tmp_path / "gone.wav")}}
    result = await driver.play(run(gone))
    assert result.status is Status.ERRORED
    assert "gone.wav" in result.faults[0]
