"""``pickup ask``, with the real mind."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.errors import SettingsError


def test_a_file_gives_one_object_a_line(tmp_path: Path) -> None:
    file = tmp_path / "turns.txt"
    file.write_text("is there parking\n\nI'm Maria, table for four on Friday at seven\n", "utf-8")
    run = CliRunner().invoke(app, ["ask", "--file", str(file)])
    assert run.exit_code == 0, run.output
    parking, table = map(json.loads, run.stdout.splitlines())
    assert parking["moves"][0]["name"] == "answer"
    assert parking["moves"][0]["fact"] == "parking"
    assert 0 <= parking["moves"][0]["score"] <= 1
    assert "behind the building" in parking["line"]
    assert [move["name"] for move in table["moves"]] == ["reservation"]
    assert table["slots"]["size"] == "four"
    assert table["ms"] > 0


def test_a_sentence_is_shown_readably() -> None:
    run = CliRunner().invoke(app, ["ask", "can I talk to a person"])
    assert run.exit_code == 0, run.output
    assert "wants_human" in run.stdout
    assert "says: I can't transfer calls." in run.stdout


@pytest.mark.parametrize("arguments", [[], ["hello", "--file", "x"]])
def test_either_a_sentence_or_a_file(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["ask", *arguments]).exit_code == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "turns.txt"
    if content is not None:
        file.write_bytes(content)
    run = CliRunner().invoke(app, ["ask", "--file", str(file)])
    assert isinstance(run.exception, SettingsError)
