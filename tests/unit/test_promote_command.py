"""``pickup promote`` as it is typed."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from agent.cli import app
from agent.errors import CaseError
from agent.evaluate.case_file import load_cases
from agent.settings import CHECKOUT

CALLS = CHECKOUT / "evals" / "calls"
sys.path.insert(0, str(CALLS))

from record import (  # type: ignore[import-not-found] # noqa: E402
    worse_mind,
    worse_worlds,
)


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_case_is_written_if_it_fails_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tmp_path / "calls" / "2026-11-27"
    shutil.copytree(CALLS / "stories" / "live-music", calls / "120000-abcd")
    monkeypatch.setenv("PICKUP_HOME", str(tmp_path))
    worlds = worse_worlds(tmp_path / "worlds")
    arguments = ["promote", "last", "--worlds", str(worlds), "--out", str(tmp_path / "cases")]

    fixed = CliRunner().invoke(app, arguments)
    assert fixed.exit_code == 1, fixed.stdout
    assert "does not fail now" in " ".join(fixed.stdout.split())
    assert not (tmp_path / "cases").exists()

    monkeypatch.setenv("PICKUP_MODELS__MIND", str(worse_mind(tmp_path / "mind")))
    red = CliRunner().invoke(app, arguments)
    assert red.exit_code == 0, red.stdout
    assert "fails now" in red.stdout
    (case,) = load_cases([tmp_path / "cases"])
    assert case.origin == "2026-11-27/120000-abcd"
    assert case.talk[0].facts == ()

    beyond = CliRunner().invoke(app, [*arguments, "--flag", "9"])
    assert isinstance(beyond.exception, CaseError)
