"""``pickup review`` as it is typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.settings import CHECKOUT

STORIES = CHECKOUT / "evals" / "calls" / "stories"


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PICKUP_HOME", str(tmp_path))
    return tmp_path / "calls" / "2026-11-27"


def test_one_call_with_its_flags_and_what_to_do(day: Path) -> None:
    shutil.copytree(STORIES / "spam", day / "120000-aaaa")
    result = CliRunner().invoke(app, ["review", "12"])
    assert result.exit_code == 1
    assert "spam_served" in result.stdout
    assert "google business listing" in " ".join(result.stdout.split())
    assert "pickup promote 120000-aaaa" in result.stdout
    assert (day / "120000-aaaa" / "review.json").is_file()


def test_a_day_of_which_one_call_is_from_a_newer_pickup(day: Path) -> None:
    for number, story in enumerate(("spam", "live-music", "goodbye-loop")):
        shutil.copytree(STORIES / story, day / f"12000{number}-aaaa")
    card = day / "120001-aaaa" / "call.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "bundle": 99}))
    result = CliRunner().invoke(app, ["review", "--since", "2026-11-27", "--json"])
    assert result.exit_code == 2
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row.get("code", "") for row in rows] == ["", "", "evidence.newer"]
    assert [row["type"] for row in rows if "type" in row] == ["spam", "order"]
    later = CliRunner().invoke(app, ["review", "--since", "2026-11-28"])
    assert (later.exit_code, later.stdout.strip()) == (0, "No calls.")


def test_what_is_no_day_is_said(day: Path) -> None:
    assert CliRunner().invoke(app, ["review", "--since", "yesterday"]).exit_code == 2
    assert not day.exists()
