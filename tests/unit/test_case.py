"""Case files: what is read, and how a mistake is named."""

import json
from pathlib import Path
from textwrap import dedent

import pytest

from agent.errors import CaseError
from agent.evaluate.case import Level
from agent.evaluate.case_file import SCHEMA, case_schema, load_cases, read_cases
from agent.events import PromiseKind
from agent.restaurant import load_restaurant


def written(folder: Path, text: str) -> Path:
    path = folder / "some.yaml"
    path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def test_yes_no_and_times_stay_words(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        cases:
          - case: plain
            talk:
              - {caller: yes}
              - {caller: [no, 7:30, on, "316", 1_000, ~]}
        """,
    )
    (case,) = load_cases([path])
    assert [turn.caller for turn in case.talk] == [
        ("yes",),
        ("no", "7:30", "on", "316", "1_000", "~"),
    ]


def test_each_wording_is_a_run_and_a_pending_one_blocks_nothing(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        cases:
          - case: wordings
            why: too odd
            talk:
              - caller: [one, two, three]
                pending: odd
              - caller: [yes, yeah]
              - silence: true
        """,
    )
    (case,) = load_cases([path])
    runs = list(case.runs())
    assert [(run.name, run.level, run.words) for run in runs] == [
        ("wordings", Level.BLOCKING, ("one", "yes", "")),
        ("wordings/2", Level.BLOCKING, ("two", "yeah", "")),
        ("wordings/3", Level.BLOCKING, ("three", "yes", "")),
        ("wordings/4", Level.PENDING, ("odd", "yes", "")),
    ]


def test_cases_of_a_file_share_its_world_and_its_bans(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        world: {caller: withheld, can: [order_link]}
        never: booked
        cases:
          - case: shared
            talk: [{caller: hello}]
          - case: own
            world: {caller: "+13165550199", tools: {order_link: [refused 21211, accepted]}}
            never: [free]
            talk: [{caller: hello}]
        """,
    )
    shared, own = load_cases([path])
    assert (shared.world.caller, shared.never) == ("withheld", ("booked",))
    assert (own.world.caller, own.never) == ("+13165550199", ("booked", "free"))
    assert shared.world.can == own.world.can == (PromiseKind.ORDER_LINK,)
    assert own.world.tools[PromiseKind.ORDER_LINK] == ("refused 21211", "accepted")


HEAD = "cases:\n  - case: one\n    talk:\n      - caller: hello\n"

MISTAKES = {
    "an unknown key": (HEAD + "        stpe: help\n", 5, "no key 'stpe'. Did you mean step?"),
    "an unknown step": (HEAD + "        step: confirm_calller\n", 5, "mean confirm_caller_id?"),
    "an unknown move": (HEAD + "        moves: [answer]\n", 5, "'answer' is no move"),
    "one of the moves": (HEAD + "        moves:\n        - spam\n        - oder\n", 7, "order?"),
    "an unknown end": (HEAD + "    ends: goodby\n", 5, "ends"),
    "a bad number": (HEAD + "        tool: {send_link: 555-0199}\n", 5, "+13165550150"),
    "two tools in one": (
        HEAD + '        tool: {send_link: "+13165550150", pass_message: other}\n',
        5,
        "name one tool",
    ),
    "an unknown outcome": (
        HEAD + "    world: {tools: {order_link: lost}}\n",
        5,
        "accepted, pending or refused",
    ),
    "a tool nobody has": (HEAD + "    world: {can: [fly]}\n", 5, "order_link"),
    "nothing done": ("cases:\n  - case: one\n    talk:\n      - step: help\n", 4, "exactly one of"),
    "two deeds": (HEAD + "        silence: true\n", 4, "exactly one of"),
    "pending without why": (HEAD + "    level: pending\n", 2, "needs a why"),
    "no talk": ("cases:\n  - case: one\n", 2, "write what the caller says in talk"),
    "a script and a persona": (
        HEAD + "    caller: {persona: {goal: order}}\n",
        2,
        "or name a caller.persona",
    ),
    "a persona without details": (
        "cases:\n  - case: one\n    caller: {persona: {goal: catering}}\n",
        3,
        "needs details",
    ),
    "a recording that is not there": (
        HEAD + "    caller: {recording: lost.wav}\n",
        5,
        "no recording lost.wav",
    ),
    "a limit that is none": (HEAD + "        within: soon\n", 5, "within"),
    "no cases": ("about: nothing\n", 1, "cases: is missing"),
    "an empty file": ("", 1, "cases: is missing"),
    "a key twice": (HEAD + "        step: help\n        step: help\n", 6, "'step' is there twice"),
    "no YAML": ("cases:\n  - case: one\n   talk: {\n", 3, "is no YAML"),
    "a clock with a zone": (HEAD + '    world: {clock: "2026-11-24T17:00Z"}\n', 5, "zone"),
    "a name with spaces": ("cases:\n  - case: my case\n    talk: [{caller: hi}]\n", 2, "case"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_line(mistake: str, tmp_path: Path) -> None:
    text, line, named = MISTAKES[mistake]
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CaseError) as error:
        load_cases([path])
    assert f"{path}:{line}:" in str(error.value)
    assert named in str(error.value)


def test_a_name_used_twice_is_an_error(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(HEAD, encoding="utf-8")
    with pytest.raises(CaseError, match="'one' is used twice"):
        load_cases([tmp_path])


def test_a_mistake_loses_its_case_and_nothing_else(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        cases:
          - case: one
            talk: [{caller: hello}]
          - case: two
            talk: [{caler: hello}]
          - case: three
            talk: [{caller: hello}]
          - case: four
            talk: [{caller: hello}]
            caller: {recording: lost.wav}
          - case: five
            ends: never
            talk: [{caller: hello}]
        """,
    )
    (tmp_path / "torn.yaml").write_text("cases: [", encoding="utf-8")
    loaded = read_cases([tmp_path])
    assert [case.case for case in loaded.cases] == ["one", "three"]
    told = [str(error) for error in loaded.errors]
    for line, said in ((5, "Did you mean caller?"), (10, "lost.wav"), (12, "ends")):
        assert any(f"{path}:{line}:" in one and said in one for one in told), told
    assert any("torn.yaml:" in one and "is no YAML" in one for one in told)


def test_a_recording_lies_beside_its_case_file(tmp_path: Path) -> None:
    (tmp_path / "caller.wav").write_bytes(b"")
    path = written(
        tmp_path,
        """
        cases:
          - case: recorded
            drivers: [audio, phone]
            caller: {recording: caller.wav}
            talk: [{caller: hello, within: 1200, barge_in: 0.8}]
        """,
    )
    (case,) = load_cases([path])
    assert case.caller.recording == str(tmp_path / "caller.wav")
    assert case.drivers == ("audio", "phone")
    assert (case.talk[0].within, case.talk[0].barge_in) == (1200, 0.8)


def test_the_published_schema_is_the_readers() -> None:
    assert json.loads(SCHEMA.read_text("utf-8")) == case_schema(), "pickup eval --schema"


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_no_file_and_an_empty_folder_are_errors(name: str, tmp_path: Path) -> None:
    with pytest.raises(CaseError):
        load_cases([tmp_path / name])


def test_the_cases_that_ship() -> None:
    cases = load_cases()
    assert len(cases) >= 120
    assert sum(case.origin == "pilot" for case in cases) >= 4
    lures = [case for case in cases if case.case.startswith("lure-")]
    assert sum(1 for case in lures for _ in case.runs()) >= 40
    for case in cases:
        facts = {fact.id for fact in load_restaurant(case.world.file()).facts}
        named = {fact for turn in case.talk for fact in turn.facts or ()}
        assert named <= facts, f"{case.case} names facts that {case.world.restaurant} lacks"
