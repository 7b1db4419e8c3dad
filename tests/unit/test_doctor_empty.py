"""The doctor in a house where nothing was ever started: every hop says so, none raises."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cli import main
from agent.service.doctor.chain import HOPS, examine
from agent.service.doctor.finding import Patient, Verdict, worst
from agent.service.secrets import ensure_secrets
from agent.settings import load_settings


async def test_nothing_runs(tmp_path: Path) -> None:
    ensure_secrets(tmp_path)
    redis = {"url": "redis://127.0.0.1:1/0"}
    patient = Patient(load_settings(home=tmp_path, redis=redis))
    findings = [finding async for finding in examine(patient)]
    assert len(findings) == len(HOPS)
    assert worst(findings) is Verdict.BAD
    first = next(finding for finding in findings if finding.verdict is Verdict.BAD)
    assert first.hop == "running"
    assert all(finding.do for finding in findings if finding.verdict is not Verdict.WELL)


async def test_no_home_at_all(tmp_path: Path) -> None:
    patient = Patient(load_settings(home=tmp_path / "none"))
    findings = [finding async for finding in examine(patient, until_bad=True)]
    assert findings[-1].hop == "secrets"


def test_brackets_in_a_remedy_are_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PICKUP_HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["pickup", "canary"])
    with pytest.raises(SystemExit):
        main()
    assert "[dial_out] numbers" in capsys.readouterr().err
