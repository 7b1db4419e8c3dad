"""A sysadmin's mistakes, one a file: each is found, at its line, and nothing else is.

``✗ code …`` at a line's end says what is expected there.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from agent.service.dialplan import files
from agent.service.dialplan.graph import Graph
from agent.service.dialplan.source import matches
from agent.service.secrets import ensure_secrets
from agent.settings import Settings, load_settings

MISTAKES = Path(__file__).parent.parent / "data" / "dialplan"
NAMES = sorted(path.stem for path in MISTAKES.glob("*.conf"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    ensure_secrets(tmp_path)
    (tmp_path / "local").mkdir()
    return load_settings(home=tmp_path)


def found(settings: Settings, **where: Path) -> set[tuple[int, str]]:
    return {(problem.line, problem.code) for problem in files.problems(settings, **where)}


def test_there_are_enough_kinds_of_mistakes() -> None:
    codes = {
        code
        for name in NAMES
        for marks in re.findall(r"✗ (.*)", (MISTAKES / f"{name}.conf").read_text())
        for code in marks.split()
    }
    assert len(NAMES) >= 30
    assert len(codes) >= 20


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_is_found_where_it_is(settings: Settings, name: str) -> None:
    text = (MISTAKES / f"{name}.conf").read_text()
    target = settings.home / "local" / "extensions.conf"
    target.write_text(text)
    expected = {
        (number, code)
        for number, line in enumerate(text.splitlines(), 1)
        if "✗" in line
        for code in line.partition("✗")[2].split()
    }
    problems = files.problems(settings)
    assert {(p.line, p.code) for p in problems} == expected
    assert {p.file for p in problems} == {"local/extensions.conf"}
    assert all(p.text.endswith((".", "?")) or "?" in p.text for p in problems)


@pytest.mark.parametrize("numbers", [(), ("+13165550142",)])
def test_what_ships_is_right(settings: Settings, numbers: tuple[str, ...]) -> None:
    open_ = settings.model_copy(
        update={"dial_out": settings.dial_out.model_copy(update={"numbers": numbers})}
    )
    assert files.problems(open_) == []


@pytest.mark.parametrize(
    ("file", "line", "instead", "code"),
    [
        ("after.conf", " same => n,Goto(fallback,s,1)", " same => n,Hangup()", "fallback"),
        (
            "fallback.conf",
            " same => n,VoiceMail(${MAILBOX},s)",
            " same => n,Wait(1)",
            "fallback",
        ),
        ("agent.conf", " same => n,Goto(after,s,1)", "", "end"),
        ("after.conf", '"${PICKUP_ENDED}" = "yes"', '"${PICKUP_VOICEMAIL}" = ""', "fallback"),
        ("from-trunk.conf", "[from-trunk]", "[form-trunk]", "entry"),
    ],
)
def test_a_floor_taken_away_under_the_caller_is_seen(
    settings: Settings, tmp_path: Path, file: str, line: str, instead: str, code: str
) -> None:
    source = tmp_path / "dialplan"
    shutil.copytree(files.SOURCE, source)
    text = (source / file).read_text()
    assert line in text
    (source / file).write_text(text.replace(line, instead))
    assert code in {code for _, code in found(settings, source=source)}


def test_a_phone_may_be_rung_once_it_is_named(settings: Settings) -> None:
    (settings.home / "local" / "extensions.conf").write_text(
        "[from-trunk](+)\nexten => 13165550149,1,Dial(PJSIP/counter,20)\n"
        " same => n,Goto(gate,s,1)\n"
    )
    assert found(settings) == {(2, "dial-out"), (2, "module")}
    named = settings.dial_out.model_copy(update={"phones": ("counter",)})
    assert found(settings.model_copy(update={"dial_out": named})) == set()


def test_every_way_from_the_trunk_is_followed(settings: Settings) -> None:
    plan, around = files.read(settings)
    graph = Graph(plan)
    reached = graph.reachable([step for e in around.entries for step in graph.entries(e)])
    assert {step.context for step in reached.values()} == {
        "from-trunk", "who", "gate", "agent", "after", "fallback",
    }  # fmt: skip
    assert {step.exten for step in reached.values()} >= {"s", "T", "a", "o"}


@pytest.mark.parametrize(
    ("pattern", "number", "fits"),
    [
        ("_[+0-9]!", "+1316", True),
        ("_[+0-9]!", "x", False),
        ("_NXX", "316", True),
        ("_NXX", "116", False),
        ("_X.", "1", False),
        ("_X.", "12", True),
    ],
)
def test_patterns(pattern: str, number: str, fits: bool) -> None:
    assert matches(pattern, number) is fits
