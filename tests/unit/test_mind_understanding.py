"""The mind with its real embedder and heads."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.errors import MindError
from agent.events import Expect
from agent.mind import embedder as embedder_module
from agent.mind.embedder import Embedder, plain
from agent.mind.moves import SURE, MoveName, SlotName
from agent.mind.understanding import Mind
from agent.restaurant import Fact, Restaurant, load_restaurant
from agent.settings import CHECKOUT, Models, Settings, load_settings

HIKARI = load_restaurant(CHECKOUT / "evals" / "worlds" / "hikari.toml")
HOUSE = CHECKOUT / "llm_models" / "house"


def mind_with(models: Models, restaurant: Restaurant = HIKARI) -> Mind:
    return Mind(Settings(models=models), restaurant)


@pytest.fixture
async def mind() -> AsyncIterator[Mind]:
    mind = Mind(load_settings(), HIKARI)
    await mind.start()
    assert mind.fault is None
    yield mind
    await mind.stop()


async def moves(mind: Mind, text: str, expect: Expect = Expect.OPEN) -> list[str]:
    return [str(move) for move in (await mind.understand(text, expect)).moves]


FIRST_WORDS = {
    "I'd like to order some food for pickup": ["order"],
    "what time do you close tonight?": ["answer:hours"],
    "Can you transfer me to a real person": ["wants_human"],
    "I want to book a table for four on Friday": ["reservation"],
    "Who's playing live music tonight?": ["unknown"],
    "is this a robot": ["are_you_human"],
    "your google listing is not verified": ["spam"],
}


async def test_first_words_are_understood(mind: Mind) -> None:
    assert {text: await moves(mind, text) for text in FIRST_WORDS} == FIRST_WORDS


async def test_two_needs_in_one_breath(mind: Mind) -> None:
    said = await moves(mind, "is there parking and what time do you close")
    assert set(said) == {"answer:parking", "answer:hours"}


async def test_the_owners_own_ways_of_asking_are_answered_for_sure(mind: Mind) -> None:
    for fact in HIKARI.facts:
        for asked in fact.asked:
            understood = await mind.understand(asked, Expect.OPEN)
            said = {str(move) for move in understood.moves if move.score >= SURE}
            assert f"answer:{fact.id}" in said, asked


async def test_details_are_the_callers_own_words(mind: Mind) -> None:
    understood = await mind.understand("Friday at seven for four people", Expect.DETAILS)
    assert understood.has(MoveName.GIVES)
    assert understood.slots[SlotName.DETAILS] == "friday at seven for four people"


async def test_the_same_words_are_always_taken_the_same_way(mind: Mind) -> None:
    text = "my order was wrong and I want to talk to a manager"
    once = await mind.understand(text, Expect.OPEN)
    again = [await mind.understand(text, Expect.OPEN) for _ in range(5)]
    assert all(one.moves == once.moves and one.slots == once.slots for one in again)


async def test_calls_at_once_get_what_they_would_get_alone(mind: Mind) -> None:
    texts = ["is there parking", "i want to order", "are you a robot", "what time do you close"] * 3
    alone = [await moves(mind, text) for text in texts]
    together = await asyncio.gather(*(moves(mind, text) for text in texts))
    assert list(together) == alone


async def test_any_text_is_answered(mind: Mind) -> None:
    for text in ("", "?!", "<s>[CLS]{}", "a" * 5000, "word " * 2000, "\x00", "日本"):
        for expect in Expect:
            assert (await mind.understand(text, expect)).moves


async def test_other_facts_change_what_can_be_said(mind: Mind) -> None:
    assert await moves(mind, "do you have wifi") == ["unknown"]
    wifi = Fact(id="wifi", say="Yes, it's free.", asked=("do you have wifi", "is there free wifi"))
    await mind.use(HIKARI.model_copy(update={"facts": (wifi,)}))
    assert await moves(mind, "do you have wifi") == ["answer:wifi"]
    assert "answer:hours" not in await moves(mind, "what time do you close")


async def test_a_restaurant_without_facts_answers_nothing(mind: Mind) -> None:
    await mind.use(HIKARI.model_copy(update={"facts": ()}))
    assert await moves(mind, "what time do you close") == ["unknown"]


async def test_no_fact_is_said_that_the_file_lacks(mind: Mind) -> None:
    known = {fact.id for fact in HIKARI.facts}
    for line in (HOUSE / "heldout" / "lures.jsonl").read_text("utf-8").splitlines()[::8]:
        understood = await mind.understand(json.loads(line)["text"], Expect.OPEN)
        assert {m.fact for m in understood.moves if m.fact} <= known


async def test_without_an_embedder_the_caller_is_still_served(tmp_path: Path) -> None:
    mind = mind_with(Models(embedder=tmp_path / "none.gguf"))
    await mind.start()
    assert isinstance(mind.fault, MindError)
    assert "make setup" in mind.fault.remedy
    understood = await mind.understand("I want to order some food", Expect.OPEN)
    assert [str(move) for move in understood.moves] == ["order"]
    assert understood.by == "rules"
    await mind.stop()


async def test_a_corrupt_embedder_is_no_reason_not_to_answer(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(5000))
    mind = mind_with(Models(embedder=broken))
    await mind.start()
    assert mind.fault is not None
    assert await moves(mind, "can I speak to the manager") == ["wants_human"]
    await mind.stop()


async def test_broken_heads_leave_the_examples(tmp_path: Path) -> None:
    (tmp_path / "examples.toml").write_bytes((HOUSE / "examples.toml").read_bytes())
    (tmp_path / "heads.npz").write_bytes(b"not an archive")
    mind = mind_with(Models(mind=tmp_path))
    await mind.start()
    understood = await mind.understand("I'd like to place an order", Expect.OPEN)
    assert understood.by == "recall"
    assert [str(move) for move in understood.moves] == ["order"]
    await mind.stop()


async def test_a_model_damaged_during_a_call_changes_nothing(tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(load_settings().models.embedder.read_bytes())
    mind = mind_with(Models(embedder=copy))
    await mind.start()
    before = await moves(mind, "is there parking and can I order some food")
    with copy.open("r+b") as file:
        file.write(bytes(copy.stat().st_size))
    assert await moves(mind, "is there parking and can I order some food") == before
    await mind.stop()


async def test_an_engine_that_is_late_once_costs_one_turn() -> None:
    mind = Mind(load_settings(), HIKARI, deadline=0.0)
    await mind.start()
    late = await mind.understand("can I speak to the manager", Expect.OPEN)
    assert (late.by, late.fault, str(late.moves[0])) == ("rules", "engine.mind", "wants_human")
    await mind.stop()


async def test_nobody_waits_for_an_engine_that_hangs(
    mind: Mind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedder_module, "HANGS", -60.0)
    with pytest.raises(MindError, match="did not answer"):
        await mind._embedder.embed(["one two three four five"] * 400, within=0.05)
    understood = await mind.understand("can I speak to the manager", Expect.OPEN)
    assert (understood.by, understood.fault) == ("rules", "engine.mind")
    assert mind._embedder._late is not None
    await asyncio.wait_for(asyncio.wrap_future(mind._embedder._late[0]), 120)
    assert (await mind.understand("can I speak to the manager", Expect.OPEN)).by == "heads"


async def test_an_edit_leaves_calls_in_progress_what_they_began_with(mind: Mind) -> None:
    wifi = Fact(id="wifi", say="Yes, it's free.", asked=("do you have wifi", "is there free wifi"))
    edited = await mind.edited(HIKARI.model_copy(update={"facts": (wifi,)}))
    assert await moves(edited, "do you have wifi") == ["answer:wifi"]
    assert await moves(mind, "do you have wifi") == ["unknown"]
    assert await moves(mind, "is there parking") == ["answer:parking"]


async def test_an_engine_that_stops_during_a_call_leaves_keywords(mind: Mind) -> None:
    await mind.stop()
    understood = await mind.understand("is there parking", Expect.OPEN)
    assert understood.by == "rules"
    assert [str(move) for move in understood.moves] == ["answer:parking"]


async def test_an_embedder_that_is_late_says_so() -> None:
    embedder = Embedder(load_settings().models.embedder)
    await embedder.start()
    with pytest.raises(MindError, match="did not answer"):
        await embedder.embed(["one two three"] * 500, within=0.001)
    await embedder.stop()


async def test_one_pass_serves_sentence_and_words() -> None:
    embedder = Embedder(load_settings().models.embedder)
    await embedder.start()
    one, none = await embedder.embed(["Smörgåsbord for four, please!", "!?"], within=60)
    await embedder.stop()
    assert len(one.words) == len(plain("Smörgåsbord for four, please!").split())
    assert float(one.vector @ one.vector) == pytest.approx(1.0, abs=1e-3)
    assert not none.vector.any()
    assert len(none.words) == 0


async def test_sure_moves_are_sure_on_the_policys_scale(mind: Mind) -> None:
    understood = await mind.understand("I'd like to place an order for pickup", Expect.OPEN)
    assert all(SURE <= move.score <= 1 for move in understood.moves)
