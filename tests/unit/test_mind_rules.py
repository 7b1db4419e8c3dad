"""Answers to what was just asked, and keywords for bad days."""

import pytest

from agent.events import Expect
from agent.mind import rules
from agent.mind.moves import MoveName, SlotName
from agent.restaurant import load_restaurant
from agent.settings import CHECKOUT

HIKARI = load_restaurant(CHECKOUT / "evals" / "worlds" / "hikari.toml")


@pytest.mark.parametrize(
    ("text", "move"),
    [
        ("yes", MoveName.YES),
        ("uh yeah sure", MoveName.YES),
        ("that's right", MoveName.YES),
        ("mm hm", MoveName.YES),
        ("no", MoveName.NO),
        ("no that's wrong", MoveName.NO),
        ("nope not that number", MoveName.NO),
        ("that is not correct", MoveName.NO),
    ],
)
def test_yes_and_no(text: str, move: MoveName) -> None:
    understood = rules.answer_to(text, Expect.YES_NO)
    assert understood is not None
    assert [m.name for m in understood.moves] == [move]


@pytest.mark.parametrize("text", ["yes and what time do you close", "no i want a person", "maybe"])
def test_more_than_yes_or_no_is_left_to_the_heads(text: str) -> None:
    assert rules.answer_to(text, Expect.YES_NO) is None


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("it's three one six five five five oh one two", "three one six five five five oh one two"),
        ("316 555 0142", "316 555 0142"),
        ("my number is 3165550142 thanks", "3165550142"),
        ("table for four at seven", ""),
    ],
)
def test_the_span_of_a_phone_number(text: str, span: str) -> None:
    assert rules.phone_span(text) == span


def test_a_number_answers_the_question_for_it() -> None:
    understood = rules.answer_to("316 555 0142", Expect.PHONE_NUMBER)
    assert understood is not None
    assert understood.has(MoveName.GIVES)
    assert understood.slots == {SlotName.PHONE: "316 555 0142"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("it's maria lopez", "maria lopez"),
        ("um keisha please", "keisha"),
        ("can i talk to you", ""),
    ],
)
def test_names(text: str, name: str) -> None:
    assert rules.name_span(text) == name


@pytest.mark.parametrize("expect", Expect)
@pytest.mark.parametrize("text", ["", "um", "uh er"])
def test_nothing_said_is_unclear(text: str, expect: Expect) -> None:
    understood = rules.answer_to(text, expect)
    assert understood is not None
    assert understood.has(MoveName.UNCLEAR)


@pytest.mark.parametrize(
    ("text", "move"),
    [
        ("i want to order some food", "order"),
        ("can i speak to the manager", "wants_human"),
        ("is there parking", "answer:parking"),
        ("okay goodbye now", "goodbye"),
        ("flurb", "unclear"),
        ("somebody is choking", "emergency"),
    ],
)
def test_keywords_know_the_plainest_needs(text: str, move: str) -> None:
    understood = rules.by_keywords(text, Expect.OPEN, HIKARI)
    assert [str(m) for m in understood.moves] == [move]
    assert understood.by == "rules"


def test_details_are_kept_word_for_word_without_an_engine() -> None:
    understood = rules.by_keywords("friday at seven for four", Expect.DETAILS, HIKARI)
    assert understood.slots[SlotName.DETAILS] == "friday at seven for four"
