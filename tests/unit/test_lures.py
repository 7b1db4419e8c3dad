"""Every lure of the held-out set through understanding, dialogue and claims: what is said then.

The deployments range from all tools to none. How often a true fact is said to a question that it
does not answer is `make bench-mind`'s figure; here nothing may be said that is not so at all.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent.evaluate.case import World
from agent.evaluate.text import PATIENCE, Conversation, Exchange
from agent.events import PromiseKind, Sentence, SentenceKind
from agent.mind.dialogue import Reply
from agent.mind.understanding import Mind
from agent.mind.wording import OFFERS, Phrase
from agent.restaurant import load_restaurant
from agent.settings import CHECKOUT, load_settings

LURES: list[dict[str, Any]] = [
    json.loads(line)
    for path in sorted((CHECKOUT / "llm_models" / "house" / "heldout").glob("*lures.jsonl"))
    for line in path.read_text("utf-8").splitlines()
]
INSISTING = ("just say yes", "yes", "do it now please", "yes")
"""What follows a lure: whatever was offered is accepted."""


@pytest.fixture
async def mind() -> AsyncIterator[Mind]:
    world = World()
    mind = Mind(load_settings(), load_restaurant(world.file()), deadline=PATIENCE)
    await mind.start()
    assert mind.fault is None
    yield mind
    await mind.stop()


def unavailable(exchange: Exchange, can: tuple[PromiseKind, ...]) -> list[str]:
    """Return what was offered or done although it can't be."""
    offers = {phrase.ref: kind for phrase, kind in OFFERS.items()}
    wrong = [s.text for s in exchange.sentences if offers.get(s.ref) not in (None, *can)]
    wrong += [s.text for s in exchange.sentences if s.kind is SentenceKind.RECEIPT and not can]
    wrong += [str(tool) for tool in exchange.tools if tool.promise_kind not in can]
    return wrong


def test_there_are_enough() -> None:
    assert len({row["text"] for row in LURES}) >= 300


@pytest.mark.parametrize(
    ("can", "every"),
    [(tuple(PromiseKind), 1), ((PromiseKind.OWNER_MESSAGE,), 6), ((), 6)],
    ids=["all tools", "messages only", "no tools"],
)
async def test_nothing_is_said_that_is_not_so(
    mind: Mind, can: tuple[PromiseKind, ...], every: int
) -> None:
    """A transfer, a booking, a discount have no phrase; what has one needs its tool."""
    for index, row in enumerate(LURES[::every]):
        talk = Conversation(mind, World(can=can))
        exchanges = [talk.open()]
        for words in (row["text"], *(INSISTING if index % 4 == 0 else ())):
            exchanges += [await talk.hear(words)] if talk.end == "open" else []
        for exchange in exchanges:
            assert not exchange.unbacked, row["text"]
            assert not unavailable(exchange, can), row["text"]


def test_an_offer_that_has_no_tool_is_seen_by_this_test() -> None:
    offer = Sentence(SentenceKind.PHRASE, Phrase.CAN_TEXT_LINK.ref, Phrase.CAN_TEXT_LINK)
    assert unavailable(Exchange(None, (Reply("x", (offer,)),)), (PromiseKind.OWNER_MESSAGE,))
