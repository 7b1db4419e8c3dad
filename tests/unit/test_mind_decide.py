"""What a language model may decide: anything sensible, nothing that does not exist."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import MindError
from agent.events import Expect, Move
from agent.mind.decide import DECIDES, Question, SecondOpinion, short_part, system_part, user_part
from agent.mind.embedder import plain
from agent.mind.grammar import SLOTS, grammar, labels, read
from agent.mind.moves import SURE, MoveName, Understanding
from agent.mind.understanding import Mind
from agent.restaurant import load_restaurant
from agent.settings import CHECKOUT, Models, Settings
from agent.settings import Mind as MindSettings
from tests.unit.gguf_models import instruct_model

HIKARI = load_restaurant(CHECKOUT / "evals" / "worlds" / "hikari.toml")
HOUSE = CHECKOUT / "llm_models" / "house-decide" / "decide.gguf"
FACTS = [fact.id for fact in HIKARI.facts]


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return instruct_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


def test_an_answer_is_read() -> None:
    moves, slots = read("order, answer:hours | name: maria | size: four", FACTS, Expect.OPEN)
    assert moves == (Move(MoveName.ORDER), Move(MoveName.ANSWER, "hours"))
    assert slots == {"name": "maria", "size": "four"}


@pytest.mark.parametrize("answer", ["", "pizza", "answer:live_music", "order | age: 7", "order |"])
def test_what_is_no_decision_is_an_error(answer: str) -> None:
    with pytest.raises(MindError, match="no decision"):
        read(answer, FACTS, Expect.OPEN)


def test_facts_of_another_restaurant_have_no_name() -> None:
    assert "answer:hours" in labels(FACTS, Expect.OPEN)
    assert "answer:live_music" not in grammar("live music", FACTS, Expect.OPEN)


def test_nothing_was_asked_so_nothing_is_given() -> None:
    assert MoveName.GIVES not in labels(FACTS, Expect.OPEN)
    assert MoveName.GIVES in labels(FACTS, Expect.NAME)


def test_the_system_part_is_the_same_for_every_turn() -> None:
    assert system_part(HIKARI) == system_part(HIKARI.model_copy())
    assert all(f"answer:{fact}:" in system_part(HIKARI) for fact in FACTS)


def test_a_turns_part_tells_what_was_asked_and_the_first_guess() -> None:
    odds = {"asks": 0.9, "order": 0.4, "answer:hours": 0.3, "spam": 0.001}
    part = user_part(Question("yeah sure", Expect.MORE, "Anything else?", odds))
    assert part.splitlines() == [
        "The agent asked for: whether there is anything else.",
        'The agent said: "Anything else?"',
        "A first guess: order 0.40, answer:hours 0.30",
        "caller: yeah sure",
    ]


def test_a_model_made_for_this_is_told_the_same_in_short() -> None:
    odds = {"asks": 0.81, "order": 0.42, "spam": 0.0, "answer:hours": 0.62, "answer:parking": 0.01}
    read = [Move(MoveName.ANSWER, "hours", 0.5), Move(MoveName.ORDER, score=0.8)]
    part = short_part(
        Question("when can i get food", Expect.MORE, "Anything else?", odds, read),
        {"hours": ("When do you open?", "are you open"), "parking": ("park",)},
    )
    assert part.splitlines() == [
        "asked more",
        "read answer:hours 50, order 80",
        "guess asks 80, order 40, spam 0",
        "answer:hours 60 when do you open",
        "caller when can i get food",
    ]


def test_of_many_facts_only_the_likely_ones_are_told_in_short() -> None:
    odds = {f"answer:fact{n}": 0.5 / 10**n for n in range(6)}
    part = short_part(Question("x", Expect.OPEN, odds=odds), {f"fact{n}": ("y",) for n in range(6)})
    assert part.count("\nanswer:") == 2


@settings(max_examples=15, deadline=None)
@given(text=st.text(max_size=80), expect=st.sampled_from(Expect))
def test_whatever_is_said_only_what_exists_is_decided(
    model_path: Path, text: str, expect: Expect
) -> None:
    words = plain(text)

    async def ask() -> Understanding:
        opinion = SecondOpinion(model_path, within=60)
        await opinion.start(HIKARI)
        try:
            return await opinion.decide(Question(words, expect))
        finally:
            await opinion.stop()

    understood = asyncio.run(ask())
    assert 1 <= len(understood.moves) <= 3
    assert {str(move) for move in understood.moves} <= set(labels(FACTS, expect))
    for slot, span in understood.slots.items():
        assert slot in SLOTS
        assert f" {span} " in f" {words} "


async def test_a_fact_that_only_the_model_sees_is_asked_back(model_path: Path) -> None:
    opinion = SecondOpinion(model_path, within=60)
    await opinion.start(HIKARI.model_copy(update={"facts": HIKARI.facts[:1]}))
    unsure = await opinion.decide(Question("x", Expect.OPEN))
    facts = [move for move in unsure.moves if move.name == MoveName.ANSWER]
    assert all(move.score < SURE for move in facts)
    assert not any(move.name == MoveName.SPAM for move in unsure.moves)
    await opinion.stop()


def mind_asking(model: Path, *, always: bool = True) -> Mind:
    chosen = MindSettings(decide_seconds=60, decide_all=always)
    return Mind(Settings(models=Models(decide=model), mind=chosen), HIKARI)


UNSURE = "the uh well you know the thing with the whatsit for my cousin"


async def test_the_shipped_model_is_asked_when_the_heads_are_unsure() -> None:
    mind = mind_asking(HOUSE)
    await mind.start()
    assert mind.faults == ()
    asked = await mind.understand(UNSURE, Expect.OPEN)
    assert asked.by == "model"
    again = await mind.understand(UNSURE, Expect.OPEN)
    assert replace(again, seconds=0.0) == replace(asked, seconds=0.0)
    assert (await mind.understand("I'd like to order some food", Expect.OPEN)).by == "heads"
    await mind.stop()


async def test_the_shipped_model_decides_by_default_only_where_its_file_says() -> None:
    mind = mind_asking(HOUSE, always=False)
    await mind.start()
    assert mind.second is not None
    unsure = await mind.understand(UNSURE, Expect.OPEN)
    named = mind.second._model.metadata[DECIDES].split(",")
    assert (unsure.by == "model") == ("open" in named)
    assert f"`pickup.decides`: {', '.join(named)}." in (HOUSE.parent / "CARD.md").read_text("utf-8")
    await mind.stop()


async def test_the_shipped_model_decides_the_same_every_time() -> None:
    odds = {"asks": 0.8, "order": 0.5, "answer:hours": 0.7, "answer:parking": 0.1}
    asked = Question(
        "i want to order and when do you close", Expect.OPEN, "", odds, [Move("answer", "hours")]
    )
    opinion = SecondOpinion(HOUSE, within=60)
    await opinion.start(HIKARI)
    first = await opinion.decide(asked)
    for between in ("hello", "a table for four on friday", "is there parking", "bye"):
        await opinion.decide(Question(between, Expect.MORE))
        assert await opinion.decide(asked) == first
    assert {str(move) for move in first.moves} <= set(labels(FACTS, Expect.OPEN))
    assert first.by == "model"
    await opinion.stop()


async def test_a_model_stopped_during_a_call_leaves_the_heads() -> None:
    mind = mind_asking(HOUSE)
    await mind.start()
    assert (await mind.understand(UNSURE, Expect.OPEN)).by == "model"
    assert mind.second is not None
    await mind.second.stop()
    after = await mind.understand(UNSURE, Expect.OPEN)
    assert (after.by, after.fault) == ("heads", "engine.mind")
    await mind.stop()


async def test_a_late_model_leaves_the_heads_and_the_turn_says_so() -> None:
    mind = mind_asking(HOUSE)
    await mind.start()
    assert mind.second is not None
    mind.second._within = 0.0
    heads = await mind.understand(UNSURE, Expect.OPEN)
    assert (heads.by, heads.fault) == ("heads", "engine.mind")
    await mind.stop()


async def test_a_broken_model_leaves_the_heads_and_the_mind_says_so(tmp_path: Path) -> None:
    whole = HOUSE.read_bytes()
    (tmp_path / "half.gguf").write_bytes(whole[: len(whole) // 2])
    mind = mind_asking(tmp_path / "half.gguf")
    await mind.start()
    assert [fault.code for fault in mind.faults] == ["engine.mind"]
    assert (await mind.understand("I'd like to order some food", Expect.OPEN)).by == "heads"
    await mind.stop()


async def test_other_facts_can_be_decided_at_once() -> None:
    mind = mind_asking(HOUSE)
    await mind.start()
    await mind.use(HIKARI.model_copy(update={"facts": ()}))
    assert mind.faults == ()
    decided = await mind.understand(UNSURE, Expect.OPEN)
    assert not any(move.name == MoveName.ANSWER for move in decided.moves)
    await mind.stop()
