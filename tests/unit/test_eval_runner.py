"""Runs in worker processes: crashes, hangs, interruptions; and the reports of how they went."""

from __future__ import annotations

import json
import multiprocessing
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.evaluate.case import Case, Level, Persona, Run
from agent.evaluate.junit import write_junit
from agent.evaluate.page import write_page
from agent.evaluate.persona import PersonaCaller
from agent.evaluate.results import Played, Spoke, Status, tally
from agent.evaluate.runner import Journal, Plan, play_all
from agent.settings import Settings

HELLO = "can I order some food"


def runs(*words: str, **case: Any) -> list[Run]:
    talk = [{"caller": words or (HELLO,), "step": "confirm_caller_id"}]
    return list(Case.model_validate({"case": "made", "talk": talk, **case}).runs())


def plan(**how: Any) -> Plan:
    return Plan(Settings(), **how)


def kill_workers() -> None:
    for child in multiprocessing.active_children():
        child.kill()


# ── worker processes ────────────────────────────────────────────────────────────────────


def test_a_killed_worker_loses_no_run() -> None:
    """Every worker alive is killed after the first result; all runs are played all the same."""
    todo = runs(*(f"{HELLO} {number}" for number in range(6)))
    killed: list[str] = []

    def kill_once(one: Played) -> None:
        if not killed:
            killed.append(one.name)
            kill_workers()

    found = list(play_all(todo, plan(jobs=2), on_played=kill_once))
    assert killed
    assert sorted(one.name for one in found) == sorted(run.name for run in todo)
    assert all(one.status in (Status.PASSED, Status.FAILED) for one in found)


def test_a_run_that_takes_its_workers_with_it_is_errored() -> None:
    done = threading.Event()

    def killer() -> None:
        while not done.wait(0.01):
            kill_workers()

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        (one,) = play_all(runs(HELLO), plan())
    finally:
        done.set()
        thread.join()
    assert one.status is Status.ERRORED
    assert "its worker died 2 times (signal 9)" in one.faults[0]


def test_a_run_that_hangs_is_errored_and_the_next_is_played() -> None:
    (one,) = play_all(runs(HELLO), plan(patience=0.001))
    assert (one.status, one.faults) == (Status.ERRORED, ("took longer than 0 s",))


def test_what_is_not_for_a_driver_is_not_run() -> None:
    (one,) = play_all(runs(HELLO, drivers="phone"), plan())
    assert (one.status, one.holds) == (Status.NOT_RUN, True)
    assert str(tally([one])).endswith("1 not run.")


def test_an_interrupted_evaluation_goes_on_where_it_stopped(tmp_path: Path) -> None:
    todo = runs(HELLO, "I'd like to place an order", "where can I park")
    first = Journal(tmp_path / "j.jsonl", "same", resume=False)
    broken_off = play_all(todo, plan(), journal=first)
    known = next(broken_off)
    broken_off.close()
    with (tmp_path / "j.jsonl").open("a") as file:
        file.write('{"name": "made/2", "ca')  # torn as it was killed
    played: list[str] = []
    again = Journal(tmp_path / "j.jsonl", "same", resume=True)
    found = list(play_all(todo, plan(), journal=again, on_played=lambda p: played.append(p.name)))
    assert found[0] == known
    assert played == ["made/2", "made/3"]
    assert [one.status for one in found] == [Status.PASSED, Status.PASSED, Status.FAILED]
    assert Journal(tmp_path / "j.jsonl", "other", resume=True).known == {}


# ── personas ────────────────────────────────────────────────────────────────────────────


PERSONAS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "order": ({"goal": "order"}, {"tool": {"send_link": "+13165550150"}}),
    "order to another number": (
        {"goal": "order", "number": "+13165550199"},
        {"tool": {"send_link": "+13165550199"}},
    ),
    "reservation": (
        {"goal": "reservation", "details": "friday at seven for four people"},
        {"tool": {"pass_message": "reservation", "name": "dana miller", "details": "4 people"}},
    ),
    "questions": (
        {"goal": "question", "questions": ["is there parking", "do you deliver"]},
        {"facts": ["parking", "delivery"], "tool": []},
    ),
}


@pytest.mark.parametrize("name", PERSONAS)
def test_a_persona_gets_what_it_wants_and_is_the_same_every_time(name: str) -> None:
    persona, expected = PERSONAS[name]
    case = {"case": "persona", "ends": "goodbye", "turns": 10, **expected}
    todo = [
        next(Case.model_validate({**case, "caller": {"persona": persona, "seed": seed}}).runs())
        for seed in (1, 1, 2)
    ]
    named = [
        Run(run.case.model_copy(update={"case": f"p{i}"}), run.level, run.words, run.index)
        for i, run in enumerate(todo)
    ]
    found = {one.name: one for one in play_all(named, plan())}
    assert [one.faults for one in found.values()] == [(), (), ()]
    assert found["p0"].talk == found["p1"].talk


@given(st.lists(st.text(max_size=60), max_size=12), st.integers())
def test_a_persona_always_comes_to_an_end(said: list[str], seed: int) -> None:
    caller = PersonaCaller(Persona(goal="order", patience=1), seed)
    answers = [
        caller.answer(words) for words in ("How can I help?", *said, *["Anything else?"] * 9)
    ]
    assert None in answers


# ── reports ─────────────────────────────────────────────────────────────────────────────


def some(status: Status, **more: Any) -> Played:
    name = f"a-{status}-{len(more)}"
    return Played(name, name, ("hi",), Level.BLOCKING, status, ("<wrong> & \x07",), **more)


def test_a_result_survives_its_journal() -> None:
    one = some(Status.FAILED, talk=(Spoke("hi", "Hello.", "help", ("order",), ("t",)),))
    assert Played.from_json(json.loads(json.dumps(one.as_json()))) == one


def test_junit_tells_failed_from_errored_from_skipped(tmp_path: Path) -> None:
    pending = Played("p", "p", (), Level.PENDING, Status.FAILED, ("x",), why="too hard")
    played = [some(status) for status in Status] + [pending, some(Status.PASSED, steady=False)]
    write_junit(played, tmp_path / "j.xml", "text")
    suite = ET.parse(tmp_path / "j.xml").getroot()  # noqa: S314 - written above
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "6", "failures": "2", "errors": "1", "skipped": "2"}
    assert suite.find("testcase/failure") is not None


def test_the_page_shows_what_failed_first_and_escapes_it(tmp_path: Path) -> None:
    talk = (Spoke("hi <b>", "Hello.", "help"),)
    played = [some(Status.PASSED), some(Status.FAILED, talk=talk)]
    write_page(played, tmp_path / "p.html", "text")
    page = (tmp_path / "p.html").read_text("utf-8")
    assert page.index("a-failed") < page.index("a-passed")
    assert "hi &lt;b&gt;" in page
    assert "&lt;wrong&gt;" in page
