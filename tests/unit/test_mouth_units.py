"""Where a line is cut for synthesis."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.mouth.lines import clean
from agent.mouth.units import CLAUSE_PAUSE, JOIN_PAUSE, SENTENCE_PAUSE, clauses, pause_after

CUTS = [
    "Thanks for calling Hikari Sushi and Ramen. | I'm the automated assistant. | How can I help?",
    "We're open Tuesday to Thursday from eleven to nine, "
    "| Friday and Saturday from eleven to ten, and Sunday from noon to eight. "
    "| We're closed on Monday.",
    "We have gluten free soy sauce and several rolls without gluten, | but our kitchen is shared.",
    "Our ramen bowls are between $13.50 and $16.",
    "Sure. | Shall I text the ordering link | to 316 555 0142?",
    "We close at 9 p.m. today.",
    "We close at 9 p.m. | Come by!",
    "Ask for Dr. Smith on St. Francis.",
    "Sure, what's your name?",
    "Well... | I don't know.",
]


@pytest.mark.parametrize("line", CUTS)
def test_cuts_fall_where_a_speaker_would_breathe(line: str) -> None:
    units = line.split(" | ")
    assert clauses(" ".join(units)) == units


@pytest.mark.parametrize("text", ["", "   ", "🍣", "<speak></speak>", "...", "- - -"])
def test_nothing_to_say_gives_no_unit(text: str) -> None:
    assert clauses(text) == []


words = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=12)


@given(st.lists(words, max_size=80).map(" ".join))
def test_no_word_is_lost_or_made_up(text: str) -> None:
    joined = " ".join(clauses(text))
    letters = [character for character in clean(text) if character.isalnum()]
    assert [character for character in joined if character.isalnum()] == letters


@given(st.text(max_size=3000))
def test_no_unit_is_long_or_silent(text: str) -> None:
    for unit in clauses(text):
        assert any(character.isalnum() for character in unit)
        assert len([word for word in unit.split() if word.isalpha()]) <= 15
        assert len(unit.encode()) <= 4096


def test_a_word_without_end_is_cut() -> None:
    units = clauses("a" * 10_000)
    assert all(len(unit) <= 41 * 15 for unit in units)


@pytest.mark.parametrize(
    ("unit", "pause"),
    [
        ("Hello.", SENTENCE_PAUSE),
        ("Really?", SENTENCE_PAUSE),
        ("Sure,", CLAUSE_PAUSE),
        ("the ordering link", JOIN_PAUSE),
        ("", JOIN_PAUSE),
    ],
)
def test_the_pause_follows_the_punctuation(unit: str, pause: float) -> None:
    assert pause_after(unit) == pause
