"""The gate: what it lets through, what it stops, and that it sees every kind of harm."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from agent.errors import CaseError
from agent.evaluate.case import WORLDS, Level
from agent.evaluate.case_file import CASES, load_cases
from agent.evaluate.gate import (
    Baseline,
    Decision,
    Exit,
    decide,
    read_baseline,
    write_baseline,
)
from agent.evaluate.inputs import inputs_hash, inputs_of
from agent.evaluate.results import Played, Status
from agent.evaluate.text import TextDriver, played
from agent.mind import wording
from agent.settings import Models, Settings
from tests.unit.gguf_models import instruct_model

FILES = [CASES / name for name in ("pilot.yaml", "tools.yaml", "facts.yaml")]
HOUSE = Settings().models.mind


# ── the decision ────────────────────────────────────────────────────────────────────────


def one(
    status: Status, *, level: Level = Level.BLOCKING, name: str = "a", banned: bool = False
) -> Played:
    faults = ("wrong",) if status is not Status.PASSED else ()
    return Played(name, name, (), level, status, faults, banned=banned)


def said(run: Played, before: Status | None) -> Decision:
    runs = {} if before is None else {run.key: before}
    return decide([run], Baseline(runs, {}), {})


PASSED, FAILED, ERRORED = Status.PASSED, Status.FAILED, Status.ERRORED


@pytest.mark.parametrize(
    ("run", "before", "exit_"),
    [
        (one(PASSED), PASSED, Exit.PASS),
        (one(PASSED), FAILED, Exit.PASS),
        (one(PASSED), None, Exit.PASS),
        (one(FAILED), PASSED, Exit.REGRESSION),
        (one(FAILED), None, Exit.REGRESSION),
        (one(FAILED), FAILED, Exit.REGRESSION),  # blocking is blocking
        (one(FAILED, level=Level.PENDING), FAILED, Exit.PASS),
        (one(FAILED, level=Level.PENDING), None, Exit.PASS),
        (one(FAILED, level=Level.PENDING), PASSED, Exit.REGRESSION),  # no way around it
        (one(FAILED, level=Level.NIGHTLY), PASSED, Exit.REGRESSION),
        (one(ERRORED), PASSED, Exit.UNKNOWN),
        (one(ERRORED, level=Level.PENDING), None, Exit.UNKNOWN),
        (one(FAILED, level=Level.NIGHTLY, banned=True), FAILED, Exit.REGRESSION),
    ],
)
def test_what_the_gate_lets_through(run: Played, before: Status | None, exit_: Exit) -> None:
    assert said(run, before).exit is exit_


def test_a_regression_weighs_more_than_an_error() -> None:
    runs = [one(ERRORED, name="a"), one(FAILED, name="b")]
    assert decide(runs, Baseline({}, {}), {}).exit is Exit.REGRESSION


def test_repeats_that_differ_keep_it_shut() -> None:
    unsteady = Played("a", "a", (), Level.BLOCKING, PASSED, steady=False)
    assert said(unsteady, PASSED).exit is Exit.REGRESSION


def test_it_tells_what_is_better_new_gone_and_changed() -> None:
    now = [one(PASSED, name="mended"), one(PASSED, name="fresh")]
    before = Baseline({"mended: ": FAILED, "lost: ": PASSED}, {"code": "1", "model mind": "2"})
    decision = decide(now, before, {"code": "1", "model mind": "3"})
    assert decision.mended == ("mended: ",)
    assert decision.new == ("fresh: ",)
    assert decision.gone == ("lost: ",)
    assert decision.changed == ("model mind",)


def test_a_baseline_is_read_as_it_was_written_and_faults_are_not_accepted(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    write_baseline([one(PASSED), one(FAILED, name="b", level=Level.PENDING)], {"code": "1"}, path)
    assert read_baseline(path) == Baseline({"a: ": PASSED, "b: ": FAILED}, {"code": "1"})
    with pytest.raises(CaseError, match="errored"):
        write_baseline([one(ERRORED)], {}, path)
    with pytest.raises(CaseError, match="must never be said"):
        write_baseline([one(FAILED, banned=True)], {}, path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"baseline": 9, "runs": {}, "inputs": {}}'])
def test_a_bad_baseline_is_an_error_with_its_remedy(text: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(text)
    with pytest.raises(CaseError, match="--update"):
        read_baseline(path)
    with pytest.raises(CaseError, match="--update"):
        read_baseline(tmp_path / "missing.json")


# ── harm of every kind is seen ──────────────────────────────────────────────────────────


async def gate(settings: Settings, worlds: Path, accepted: Baseline) -> Decision:
    inputs = inputs_of(settings, worlds)
    return decide(await play(settings, worlds), accepted, inputs)


async def play(settings: Settings, worlds: Path) -> list[Played]:
    runs = [next(case.runs()) for case in load_cases(FILES)]
    async with TextDriver(settings, worlds) as driver:
        return [played([await driver.play(run)]) for run in runs]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def accepted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Baseline]:
    path = tmp_path_factory.mktemp("gate") / "baseline.json"
    settings = Settings()
    write_baseline(await play(settings, WORLDS), inputs_of(settings, WORLDS), path)
    yield read_baseline(path)


def mind_with(folder: Path, **changed: Callable[[Path], None]) -> Settings:
    """Return settings whose mind is the house's with some of its files changed."""
    shutil.copytree(HOUSE, folder, ignore=shutil.ignore_patterns("data", "heldout"))
    for name, change in changed.items():
        change(folder / {"heads": "heads.npz", "examples": "examples.toml"}[name])
    return Settings(models=Models(mind=folder))


def weights(path: Path, **changes: Callable[[np.ndarray], np.ndarray]) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    for prefix, change in changes.items():
        for name in arrays:
            if name.startswith(prefix.replace("_", ".")):
                arrays[name] = change(arrays[name])
    np.savez(path, **arrays)


def thresholds(path: Path) -> None:
    weights(path, threshold_values=lambda values: np.full_like(values, 0.01))


def worse_model(path: Path) -> None:
    random = np.random.default_rng(1)
    weights(path, move_1=lambda w: w + random.normal(0, 0.5, w.shape).astype(w.dtype))


def rotated_examples(path: Path) -> None:
    """Give every move the examples of the next."""
    moves = tomllib.loads(path.read_text("utf-8"))
    names = list(moves)
    rotated = {name: moves[names[at - 1]] for at, name in enumerate(names)}
    path.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in rotated.items()), "utf-8")


def world_with(folder: Path, change: Callable[[str], str]) -> Path:
    shutil.copytree(WORLDS, folder)
    for file in folder.glob("*.toml"):
        file.write_text(change(file.read_text("utf-8")), "utf-8")
    return folder


asyncio_module = pytest.mark.asyncio(loop_scope="module")


@asyncio_module
async def test_nothing_changed_passes(accepted: Baseline) -> None:
    decision = await gate(Settings(), WORLDS, accepted)
    assert (decision.exit, decision.changed, decision.gone) == (Exit.PASS, (), ())


@asyncio_module
async def test_harm_to_thresholds_is_caught(accepted: Baseline, tmp_path: Path) -> None:
    decision = await gate(mind_with(tmp_path / "mind", heads=thresholds), WORLDS, accepted)
    assert decision.exit is Exit.REGRESSION
    assert "model mind" in decision.changed


@asyncio_module
async def test_harm_to_the_model_is_caught(accepted: Baseline, tmp_path: Path) -> None:
    decision = await gate(mind_with(tmp_path / "mind", heads=worse_model), WORLDS, accepted)
    assert decision.exit is Exit.REGRESSION


@asyncio_module
async def test_harm_to_the_examples_is_caught(accepted: Baseline, tmp_path: Path) -> None:
    """The heads carry a mind whose examples are wrong; without heads the examples decide."""
    without = mind_with(tmp_path / "without", heads=Path.unlink)
    harmed = mind_with(tmp_path / "harmed", heads=Path.unlink, examples=rotated_examples)
    before = await gate(without, WORLDS, accepted)
    decision = await gate(harmed, WORLDS, accepted)
    assert decision.exit is Exit.REGRESSION
    assert len(decision.regressions) > len(before.regressions)


@asyncio_module
async def test_harm_to_facts_is_caught(accepted: Baseline, tmp_path: Path) -> None:
    """Somebody deletes the parking fact."""
    worlds = world_with(
        tmp_path / "worlds",
        lambda text: re.sub(r'\[\[facts\]\]\nid = "parking".*?(?=\n\[)', "", text, flags=re.S),
    )
    decision = await gate(Settings(), worlds, accepted)
    assert decision.exit is Exit.REGRESSION
    assert "worlds" in decision.changed


@asyncio_module
async def test_harm_to_tools_is_caught(accepted: Baseline, tmp_path: Path) -> None:
    """Somebody takes the ordering link out: no tool sends it any more."""
    worlds = world_with(
        tmp_path / "worlds", lambda text: re.sub(r"^ordering_link.*\n", "", text, flags=re.M)
    )
    decision = await gate(Settings(), worlds, accepted)
    assert decision.exit is Exit.REGRESSION


@asyncio_module
async def test_harm_to_the_wording_is_caught(
    accepted: Baseline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody promises what can't be done, and the claims know the new words too."""
    receipts = {
        key: tuple("Done. I transfer you to the staff." for _ in words)
        for key, words in wording.RECEIPTS.items()
    }
    monkeypatch.setattr("agent.mind.wording.RECEIPTS", receipts)
    monkeypatch.setattr("agent.mind.claims.RECEIPTS", receipts)
    decision = await gate(Settings(), WORLDS, accepted)
    assert decision.exit is Exit.REGRESSION


@asyncio_module
async def test_harm_by_a_language_model_is_caught(accepted: Baseline, tmp_path: Path) -> None:
    """A model whose weights are random is asked what the heads are unsure of."""
    model = instruct_model(tmp_path / "random.gguf")
    decision = await gate(Settings(models=Models(decide=model)), WORLDS, accepted)
    assert decision.exit is Exit.REGRESSION
    assert "model decide" in decision.changed


@asyncio_module
async def test_a_mind_that_does_not_load_could_not_be_told(
    accepted: Baseline, tmp_path: Path
) -> None:
    settings = Settings(models=Models(embedder=tmp_path / "missing.gguf"))
    decision = await gate(settings, WORLDS, accepted)
    assert decision.exit is Exit.UNKNOWN
    assert len(decision.errored) > 20


def test_the_hash_of_what_decides_changes_with_it() -> None:
    settings = Settings()
    inputs = inputs_of(settings, WORLDS)
    assert inputs_hash(inputs, repeat=1) != inputs_hash(inputs, repeat=2)
    other = inputs_of(settings, WORLDS, [next(load_cases(FILES[:1])[0].runs())])
    assert inputs["code"] == other["code"]
    assert inputs["cases"] != other["cases"]


def test_the_baseline_that_ships_knows_the_cases_that_ship() -> None:
    known = json.loads((CASES.parent / "baseline.json").read_text("utf-8"))["runs"]
    blocking = {case.case for case in load_cases() if case.level is Level.BLOCKING}
    missing = [name for name in blocking if not any(key.startswith(f"{name}:") for key in known)]
    assert len(missing) < len(blocking) / 4, "pickup eval --gate --update"
