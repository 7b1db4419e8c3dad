"""A failure becomes a test: the pilot's four stories, from the recorded call to the gate.

The calls were recorded by phone with a deliberately worse configuration
(``evals/calls/record.py``); the same configuration is put together here for "red", the house's
own for "green".
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
from typer.testing import CliRunner

from agent.cli import app
from agent.errors import CaseError
from agent.evaluate.case import WORLDS
from agent.evaluate.case_file import load_cases
from agent.evaluate.promote import promote, write_case, write_recording
from agent.evaluate.results import Status
from agent.evaluate.text import TextDriver
from agent.evidence import Bundle, read_bundle
from agent.evidence.wav import read_wav
from agent.review import Flag, FlagKind, review_bundle
from agent.settings import CHECKOUT, Models, Settings

CALLS = CHECKOUT / "evals" / "calls"
sys.path.insert(0, str(CALLS))

from labelled import labelled_calls  # noqa: E402
from record import (  # type: ignore[import-not-found] # noqa: E402
    worse_mind,
    worse_worlds,
)

NOW = datetime(2026, 11, 27, tzinfo=UTC)
STORIES = {
    "goodbye-loop": FlagKind.MISSED_GOODBYE,
    "transfer-that-did-not-exist": FlagKind.UNAVAILABLE_ACTION,
    "live-music": FlagKind.WRONG_FACT,
    "spam": FlagKind.SPAM_SERVED,
}
MADE = {one.name: one for one in labelled_calls()}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Worse:
    settings: Settings
    worlds: Path
    driver: TextDriver


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worse(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Worse]:
    """The configuration that the calls were recorded with."""
    folder = tmp_path_factory.mktemp("worse")
    settings = Settings(models=Models(mind=worse_mind(folder / "mind")))
    worlds = worse_worlds(folder / "worlds")
    async with TextDriver(settings, worlds) as driver:
        yield Worse(settings, worlds, driver)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fixed() -> AsyncIterator[TextDriver]:
    async with TextDriver(Settings()) as driver:
        yield driver


def flagged(story: str) -> tuple[Bundle, Flag]:
    bundle = read_bundle(CALLS / "stories" / story)
    flags = [flag for flag in review_bundle(bundle, NOW).flags if flag.kind is STORIES[story]]
    assert flags, review_bundle(bundle, NOW).flags
    return bundle, flags[0]


@pytest.mark.parametrize("story", STORIES)
async def test_flag_case_red_fix_green(
    story: str, worse: Worse, fixed: TextDriver, tmp_path: Path
) -> None:
    bundle, flag = flagged(story)

    made = await promote(bundle, flag, worse.driver, worse.worlds)
    assert made.fails, made.result.faults
    before, after = made.turns
    assert after <= before
    path = write_case(made, bundle, tmp_path)

    (case,) = load_cases([path])
    run = next(case.runs())
    red = await worse.driver.play(run)
    assert red.status is Status.FAILED
    assert red.faults == made.result.faults

    green = await fixed.play(run)
    assert green.status is Status.PASSED, green.faults


async def test_the_gate_holds_what_was_promoted(
    worse: Worse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As typed: accept with the fix, then somebody brings the old configuration back."""
    cases, baseline = tmp_path / "cases", tmp_path / "baseline.json"
    for story in STORIES:
        bundle, flag = flagged(story)
        write_case(await promote(bundle, flag, worse.driver, worse.worlds), bundle, cases)

    def gate(*more: str) -> tuple[int, str]:
        arguments = ["eval", str(cases), "--gate", "--baseline", str(baseline), "-j1", *more]
        result = CliRunner().invoke(app, arguments)
        return result.exit_code, result.stdout

    runs = [run for case in load_cases([cases]) for run in case.runs()]
    keys = [f"{run.case.case}: {' / '.join(filter(None, run.words))}" for run in runs]
    baseline.write_text(
        json.dumps({"baseline": 1, "inputs": {}, "runs": dict.fromkeys(keys, "passed")})
    )
    status, output = gate()
    assert status == 0, output
    monkeypatch.setenv("PICKUP_MODELS__MIND", str(worse.settings.models.mind))
    status, output = gate("--worlds", str(worse.worlds))
    assert status == 1, output
    assert output.count("worse  ") == len(STORIES)


# ── what is promoted is redacted, and what can't be says so ─────────────────────────────


async def test_names_and_numbers_do_not_get_into_a_case(
    worse: Worse, fixed: TextDriver, tmp_path: Path
) -> None:
    folder = tmp_path / "2026-11-24" / "170000-aaaa"
    bundle = read_bundle(MADE["asked-twice-name"].tape.write(folder, seed=3))
    events = (folder / "events.jsonl").read_text().replace("+13165550150", "+13162684477")
    events = events.replace("0 1 5 0", "4 4 7 7")
    (folder / "events.jsonl").write_text(events)
    bundle = read_bundle(folder)
    flags = review_bundle(bundle, NOW).flags
    flag = next(flag for flag in flags if flag.kind is FlagKind.ASKED_TWICE)
    made = await promote(bundle, flag, fixed, WORLDS)
    text = json.dumps(made.case)
    assert "maria" not in text
    assert "lopez" not in text
    assert "4477" not in text
    assert made.case["world"]["caller"] == "+13165550150"
    assert made.case["world"]["clock"] == "2026-11-24 17:00"
    assert not made.fails  # the house asks a name once


async def test_a_call_that_does_not_fail_now_is_said_to_be_fixed(
    fixed: TextDriver, tmp_path: Path
) -> None:
    bundle, flag = flagged("spam")
    made = await promote(bundle, flag, fixed, WORLDS)
    assert not made.fails
    write_case(made, bundle, tmp_path)
    with pytest.raises(CaseError, match="is there already"):
        write_case(made, bundle, tmp_path)


@pytest.mark.parametrize("name", ["dropped-fault", "promise-abandoned", "fault-evidence"])
async def test_what_no_words_bring_back_is_refused_with_a_way_on(
    name: str, fixed: TextDriver, tmp_path: Path
) -> None:
    bundle = read_bundle(MADE[name].tape.write(tmp_path / name, seed=1))
    flag = review_bundle(bundle, NOW).flags[0]
    with pytest.raises(CaseError, match="can't be made a case"):
        await promote(bundle, flag, fixed, WORLDS)


async def test_outcomes_of_tools_are_frozen(fixed: TextDriver, tmp_path: Path) -> None:
    bundle = read_bundle(MADE["near-asked-twice-other-number"].tape.write(tmp_path / "c", seed=1))
    flag = Flag(kind=FlagKind.MISSED_GOODBYE, at=bundle.seconds - 3, quote="no", who="caller")
    made = await promote(bundle, flag, fixed, WORLDS)
    assert made.case["world"]["tools"] == {"order_link": ["refused", "accepted"]}


async def test_the_recording_of_a_case_is_silent_where_it_is_personal(tmp_path: Path) -> None:
    bundle = read_bundle(MADE["misheard-number"].tape.write(tmp_path / "c", seed=1))
    write_recording(bundle, tmp_path / "out.wav")
    before = read_wav(bundle.folder / "caller.wav").channel(0)
    after = read_wav(tmp_path / "out.wav").channel(0)
    first, number = bundle.transcript()[1], bundle.transcript()[3]
    start = round(first.at * 16000)
    assert (after[start : start + 8000] == before[start : start + 8000]).all()
    start = round(number.at * 16000)
    assert before[start : start + 32000].any()
    assert not after[start : start + 32000].any()
