"""Thinking ahead, with the real mind, dialogue and voice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from agent.call.ahead import Ahead, Asked
from agent.call.parts import GUESSES_AT_ONCE, Parts
from agent.ear import EarEngine
from agent.events import Expect, PromiseKind, ThoughtAhead
from agent.mind.dialogue import Dialogue, DialogueState, Heard
from agent.mind.tools import capabilities_of
from agent.mind.understanding import Mind
from agent.mouth import Mouth, Phrases
from agent.promises.ledger import Ledger
from agent.restaurant import load_restaurant
from agent.settings import Settings, load_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Table:
    """What a guess needs, and the notes it left."""

    parts: Parts
    dialogue: Dialogue
    ahead: Ahead
    notes: list[ThoughtAhead]
    home: Path

    def talk(self) -> DialogueState:
        return self.dialogue.open()[0]

    async def settled(self) -> None:
        """Let every guess under way come to its end."""
        while tasks := [t for t in asyncio.all_tasks() if t.get_name() == "think ahead"]:
            await asyncio.wait(tasks)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ahead")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def parts(home: Path) -> AsyncIterator[Parts]:
    settings = Settings(home=home)
    restaurant = load_restaurant(settings.restaurant)
    mind, mouth = Mind(load_settings(), restaurant), Mouth(settings)
    ears, ledger = EarEngine(settings.models.ear), Ledger(settings)
    await mind.start()
    await mouth.start()
    yield Parts(
        restaurant=restaurant,
        ears=ears,
        mind=mind,
        mouth=mouth,
        phrases=Phrases(home / "phrases", mouth),
        ledger=ledger,
        capabilities=capabilities_of(restaurant, frozenset(PromiseKind)),
        longest_call=60.0,
    )
    await ledger.close()
    ears.close()
    await mouth.stop()
    await mind.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def table(parts: Parts, home: Path) -> AsyncIterator[Table]:
    dialogue = Dialogue(
        restaurant=parts.restaurant,
        caller="+13165550150",
        withheld=False,
        capabilities=parts.capabilities,
        now=datetime(2026, 11, 20, 18, tzinfo=UTC),
    )
    notes: list[ThoughtAhead] = []
    ahead = Ahead(parts, dialogue, notes.append, lambda: 1.0)
    yield Table(parts, dialogue, ahead, notes, home)
    await ahead.close()


async def test_a_guess_is_used_if_the_final_words_are_the_same(table: Table) -> None:
    asked = Asked(Expect.OPEN, "How can I help?")
    table.ahead.guess("do you deliver", asked, table.talk())
    understood = await table.ahead.understood("do you deliver", asked)
    assert understood is not None
    plain = await table.parts.mind.understand("do you deliver", asked.expect, asked.said)
    assert (understood.moves, understood.slots) == (plain.moves, plain.slots)
    await table.settled()
    await table.ahead.close()
    assert [(note.text, note.used) for note in table.notes] == [("do you deliver", True)]


async def test_other_words_or_another_question_use_nothing(table: Table) -> None:
    table.ahead.guess("yes", Asked(Expect.YES_NO), table.talk())
    table.ahead.guess("yes that's", Asked(Expect.YES_NO), table.talk())
    assert await table.ahead.understood("yes that's fine", Asked(Expect.YES_NO)) is None
    assert [note.used for note in table.notes] == [False, False]
    table.ahead.guess("yes", Asked(Expect.YES_NO), table.talk())
    assert await table.ahead.understood("yes", Asked(Expect.MORE)) is None


async def test_the_first_sentence_that_is_not_kept_is_spoken_ahead(table: Table) -> None:
    asked = Asked(Expect.OPEN)
    table.ahead.guess("do you deliver", asked, table.talk())
    await table.settled()
    assert await table.ahead.understood("do you deliver", asked) is not None
    fact = table.parts.restaurant.fact("delivery")
    assert fact is not None
    sound = table.ahead.spoken(fact.say)
    assert sound
    assert " ".join(chunk.text for chunk in sound) == fact.say
    assert table.ahead.spoken(fact.say) is None


async def test_no_tool_is_used_on_a_guess(table: Table) -> None:
    talk, _ = table.dialogue.open()
    order = await table.parts.mind.understand("i want to order", Expect.OPEN)
    talk, reply = table.dialogue.step(talk, Heard(order, "i want to order"))
    assert reply.expect is Expect.YES_NO
    table.ahead.guess("yes please", Asked(Expect.YES_NO), talk)
    await table.settled()
    assert await table.ahead.understood("yes please", Asked(Expect.YES_NO)) is not None
    assert not list(Settings(home=table.home).open_promises.glob("*"))


async def test_a_box_at_its_limit_does_not_guess(table: Table) -> None:
    for _ in range(GUESSES_AT_ONCE):
        await table.parts.guessing.acquire()
    table.ahead.guess("do you deliver", Asked(), table.talk())
    assert await table.ahead.understood("do you deliver", Asked()) is None
    assert table.notes == []
    for _ in range(GUESSES_AT_ONCE):
        table.parts.guessing.release()
