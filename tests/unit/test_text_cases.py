"""The cases that ship, played on the real mind; and that the driver sees what is wrong."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agent.evaluate.case import Case, Level, Run, World
from agent.evaluate.case_file import CASES, load_cases
from agent.evaluate.results import Status
from agent.evaluate.text import Conversation, Exchange, TextDriver
from agent.events import PromiseKind, SentenceKind
from agent.mind.tools import SendLink
from agent.settings import Models, Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILES = sorted(CASES.glob("*.yaml"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver() -> AsyncIterator[TextDriver]:
    async with TextDriver(Settings()) as driver:
        yield driver


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
async def test_every_blocking_case_holds(file: Path, driver: TextDriver) -> None:
    runs = [run for case in load_cases([file]) for run in case.runs()]
    results = [await driver.play(run) for run in runs if run.level is Level.BLOCKING]
    wrong = [(one.run.name, one.run.words, one.faults) for one in results if one.faults]
    assert not wrong


async def test_the_same_words_give_the_same_decisions(driver: TextDriver) -> None:
    for case in load_cases([CASES / "pilot.yaml", CASES / "reservations.yaml"]):
        run = next(iter(case.runs()))
        first, *others = [(await driver.play(run)).decisions for _ in range(5)]
        assert all(other == first for other in others), case.case


# ── what the driver sees ────────────────────────────────────────────────────────────────


def run_of(*talk: dict[str, Any], **case: Any) -> Run:
    return next(Case.model_validate({"case": "made", "talk": talk, **case}).runs())


ORDER: dict[str, Any] = {"caller": "I'd like to place an order", "step": "confirm_caller_id"}
YES: dict[str, Any] = {"caller": "yes", "tool": {"send_link": "+13165550150"}}
RESERVATION: dict[str, Any] = {"caller": "table for four on Friday at seven please"}
MESSAGE: dict[str, Any] = {"pass_message": "reservation", "details": "4 people"}

WRONG: dict[str, tuple[Run, str]] = {
    "move": (run_of({**ORDER, "moves": "spam"}), "turn 1: understood order, not spam"),
    "step": (run_of({**ORDER, "step": "help"}), "turn 1: step 'confirm_caller_id', not 'help'"),
    "words": (run_of({**ORDER, "says": "sushi boat"}), "turn 1: 'sushi boat' is not said"),
    "banned words": (run_of({**ORDER, "never": "ORDERING link"}), "'ORDERING link' is said"),
    "banned in the call": (run_of(ORDER, never="Hikari"), "greeting: 'Hikari' is said"),
    "fact": (
        run_of({"caller": "where can I park", "facts": []}),
        "turn 1: facts said: parking, not none",
    ),
    "fact not said": (run_of({**ORDER, "facts": "parking"}), "facts said: none, not parking"),
    "tool nobody named": (run_of(ORDER, {"caller": "yes"}), "turn 2: tools used: send_link"),
    "tool not used": (run_of({**YES, "caller": "hello"}), "turn 1: tools used: none"),
    "tool's number": (
        run_of(ORDER, {"caller": "yes", "tool": {"send_link": "+13165550199"}}),
        "send_link: number is '+13165550150', not '+13165550199'",
    ),
    "message's kind": (
        run_of(RESERVATION, {"hangs_up": True, "tool": {"pass_message": "complaint"}}),
        "pass_message: kind is 'reservation', not 'complaint'",
    ),
    "message's details": (
        run_of(RESERVATION, {"hangs_up": True, "tool": {**MESSAGE, "details": "5 people"}}),
        "'5 people' is not in its details",
    ),
    "message's name": (
        run_of(RESERVATION, {"hangs_up": True, "tool": {**MESSAGE, "name": "Bo"}}),
        "pass_message: name is '', not 'bo'",
    ),
    "end": (run_of(ORDER, ends="goodbye"), "the call ends 'open', not 'goodbye'"),
}


@pytest.mark.parametrize("kind", WRONG)
async def test_what_is_wrong_is_seen(kind: str, driver: TextDriver) -> None:
    run, named = WRONG[kind]
    result = await driver.play(run)
    assert result.status is Status.FAILED
    assert named in " | ".join(result.faults)


async def test_what_is_right_passes(driver: TextDriver) -> None:
    run = run_of(ORDER, {**YES, "says": "texted"}, {"caller": "no bye"}, ends="goodbye")
    result = await driver.play(run)
    assert result.status is Status.PASSED, result.faults
    assert [one.step for one in result.exchanges] == [
        "greeting",
        "confirm_caller_id",
        "anything_else",
        "goodbye",
    ]


async def test_what_the_world_says_of_a_tool_is_what_the_caller_hears(driver: TextDriver) -> None:
    world = World.model_validate({"tools": {"order_link": ["refused 21211", "pending"]}})
    talk = Conversation(await driver.mind("hikari"), world)
    await talk.hear("I want to order")
    refused = await talk.hear("yes")
    assert refused.tools == (SendLink("+13165550150"),)
    assert "Texts can't reach that number" in refused.said
    await talk.hear("three one six five five five oh one nine nine")
    pending = await talk.hear("yes")
    assert "I couldn't send it just now" in pending.said


async def test_a_sentence_that_nothing_backs_fails_the_case(
    driver: TextDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bold(*_: object, **__: object) -> object:
        return replace(first, text="Your table is booked.", kind=SentenceKind.RECEIPT)

    first = Conversation(await driver.mind("hikari"), World()).open().sentences[0]
    monkeypatch.setattr("agent.mind.wording.greeting", bold)
    result = await driver.play(run_of({"silence": True}))
    assert "greeting: nothing backs 'Your table is booked.' (greeting)" in result.faults


async def test_a_fault_of_ours_is_errored_not_failed(tmp_path: Path) -> None:
    settings = Settings(models=Models(embedder=tmp_path / "missing.gguf"))
    async with TextDriver(settings) as broken:
        result = await broken.play(run_of(ORDER))
        lost = await broken.play(run_of(ORDER, world={"restaurant": "nowhere"}))
    assert (result.status, lost.status) == (Status.ERRORED, Status.ERRORED)
    assert "engine.mind" in result.faults[0]
    assert "nowhere.toml" in lost.faults[0]


# ── another restaurant file ─────────────────────────────────────────────────────────────

TALKS = {
    "nothing to do with facts": ("are you a robot", "okay", "can you repeat that", "no thanks bye"),
    "a person": ("can I talk to a person", "no", "no goodbye"),
    "spam": ("we can lower your credit card processing fees are you the owner",),
}


@pytest.mark.parametrize("words", TALKS.values(), ids=TALKS)
async def test_other_facts_change_no_step(words: tuple[str, ...], driver: TextDriver) -> None:
    walks = []
    for restaurant in ("hikari", "diner", "taqueria"):
        talk = Conversation(await driver.mind(restaurant), World(restaurant=restaurant))
        walks.append([(await talk.hear(said)).step for said in words])
    assert walks[0] == walks[1] == walks[2]


async def test_only_own_facts_are_said(driver: TextDriver) -> None:
    questions = ("what time do you close", "where can I park", "who's playing live music tonight")
    known = {
        "hikari": (["hours"], ["parking"], []),
        "diner": (["hours"], [], ["music"]),
        "taqueria": (["hours"], [], []),
    }
    for restaurant, facts in known.items():
        for question, wanted in zip(questions, facts, strict=True):
            talk = Conversation(await driver.mind(restaurant), World(restaurant=restaurant))
            heard = await talk.hear(question)
            assert facts_said(heard) == wanted, (restaurant, question, heard.said)


async def test_tools_that_are_off_are_neither_used_nor_offered(driver: TextDriver) -> None:
    for can in ((), (PromiseKind.ORDER_LINK,), (PromiseKind.OWNER_MESSAGE,)):
        for words in ("I want to order", "I have a complaint", "can I talk to a person"):
            talk = Conversation(await driver.mind("hikari"), World(can=can))
            heard = [await talk.hear(words), await talk.hear("yes")]
            assert {tool.promise_kind for one in heard for tool in one.tools} <= set(can)
            assert not any(one.unbacked for one in heard), [one.said for one in heard]


def facts_said(exchange: Exchange) -> list[str]:
    return [one.ref for one in exchange.sentences if one.kind is SentenceKind.FACT]
