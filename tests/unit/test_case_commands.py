"""``pickup eval`` and ``pickup chat`` as they are typed."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from agent.cli import app
from agent.errors import CaseError

ORDER = """
cases:
  - case: order
    talk:
      - {caller: I'd like to place an order, step: confirm_caller_id}
"""
WRONG = ORDER.replace("confirm_caller_id", "spam")
PENDING = WRONG.replace("    talk:", "    level: pending\n    why: it is no spam\n    talk:")
NOWHERE = ORDER.replace("    talk:", "    world: {restaurant: nowhere}\n    talk:")


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def command(*arguments: str, text: str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), input=text)
    return result.exit_code, result.stdout


@pytest.mark.parametrize(
    ("text", "code", "seen"),
    [
        (ORDER, 0, "1 passed, 0 failed"),
        (WRONG, 1, "step 'confirm_caller_id', not 'spam'"),
        (PENDING, 0, "0 failed, 0 errored, 1 pending"),
        (NOWHERE, 2, "errored  order"),
    ],
    ids=["passed", "failed", "pending", "errored"],
)
def test_eval_tells_how_it_went(text: str, code: int, seen: str, tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(text, encoding="utf-8")
    status, output = command("eval", str(path))
    assert status == code, output
    assert seen in output


def test_eval_as_json_and_repeated(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(ORDER, encoding="utf-8")
    status, output = command("eval", str(path), "--json", "--repeat", "2")
    report = json.loads(output)
    assert status == 0
    assert (report["cases"], report["passed"], report["unsteady"]) == (1, 1, 0)
    assert report["results"][0]["words"] == ["I'd like to place an order"]


def test_eval_of_no_case_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(ORDER, encoding="utf-8")
    assert command("eval", str(path), "-k", "sushi boat")[0] == 2


def test_the_gate_that_could_not_tell_exits_with_two(tmp_path: Path) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(ORDER, encoding="utf-8")
    missing = str(tmp_path / "missing.json")
    assert command("eval", str(path), "--gate", "--baseline", missing)[0] == 2
    assert command("eval", str(tmp_path / "missing.yaml"), "--gate")[0] == 2
    path.write_text("cases: [", encoding="utf-8")
    assert command("eval", str(path), "--gate")[0] == 2


def test_chat_talks_shows_what_would_be_sent_and_ends() -> None:
    status, output = command("chat", "-v", text="I want to order\nyes\n\nno thanks\n")
    words = " ".join(output.split())
    assert status == 0
    assert "the link would be texted to +13165550150" in words
    assert "Are you still there?" in words
    assert "order (" in words
    assert "The call is over: goodbye." in words


def test_chat_hung_up_passes_on_what_was_told() -> None:
    _, output = command("chat", "--caller", "withheld", text="table for four on Friday at seven\n")
    words = " ".join(output.split())
    assert "the owner would get: reservation; Friday" in words
    assert "no name, no number" in words
    assert "The call is over: caller." in words


@pytest.mark.parametrize("arguments", [("--restaurant", "nowhere"), ("--caller", "555")])
def test_chat_names_a_wrong_option(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["chat", *arguments])
    assert isinstance(result.exception, CaseError)
