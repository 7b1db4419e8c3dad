"""Spoken digits, and when the digit recogniser is believed."""

from __future__ import annotations

import itertools

import pytest

from agent.ear.grammar import (
    DIGITS,
    NAME_GRAMMAR,
    NUMBER_GRAMMAR,
    WHEN_GRAMMAR,
    grammar_for,
    is_whole_number,
    prefers_bound,
    spoken_digits,
)
from agent.ear.lexicon import read
from agent.ear.likeness import Likeness
from agent.events import Expect
from agent.settings import Models

WHOLE = ["three", "one", "six", "five", "five", "five", "zero", "one", "two", "three"]


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("three one six", "316"),
        ("it's oh double five", "055"),
        ("triple two nine", "2229"),
        ("double", ""),
        ("a table for two", "2"),
        ("", ""),
    ],
)
def test_spoken_digits(words: str, digits: str) -> None:
    assert spoken_digits(words.split()) == digits


@pytest.mark.parametrize(
    ("digits", "whole"),
    [
        ("3165550123", True),
        ("13165550123", True),
        ("1316555012", False),
        ("5550123", False),
        ("31655501234", False),
        ("", False),
    ],
)
def test_whole_number(digits: str, *, whole: bool) -> None:
    assert is_whole_number(digits) is whole


@pytest.mark.parametrize(
    ("grammar", "words"),
    [(NUMBER_GRAMMAR, tuple(DIGITS)), (NAME_GRAMMAR, tuple("abcdefghijklmnopqrstuvwxyz"))],
)
def test_any_digit_or_letter_may_follow_any(
    grammar: tuple[str, ...], words: tuple[str, ...]
) -> None:
    followed = {pair for phrase in grammar for pair in itertools.pairwise(phrase.split())}
    assert set(itertools.product(words, words)) <= followed


@pytest.mark.parametrize(
    "answer",
    ["friday at seven", "october twenty first", "half past six", "six thirty p m", "four people"],
)
def test_each_step_of_an_answer_to_when_is_in_its_grammar(answer: str) -> None:
    steps = {pair for phrase in WHEN_GRAMMAR for pair in itertools.pairwise(phrase.split())}
    assert set(itertools.pairwise(answer.split())) <= steps


def test_a_free_question_binds_nothing() -> None:
    assert [expect for expect in Expect if not grammar_for(expect)] == [Expect.OPEN]


@pytest.mark.parametrize(
    ("free", "bound", "alike", "bound_wins"),
    [
        (WHOLE[:-1], WHOLE, 0.0, True),
        (WHOLE, WHOLE[::-1], 0.9, False),
        (WHOLE[:-1], WHOLE[:-2], 0.0, False),
        (["for", "one", "ate"], ["four", "one", "eight"], 0.9, True),
        (["can", "you", "use", "the", "same", "number"], WHOLE, 0.3, False),
        (["can", "i"], ["nine", "[unk]"], 0.9, False),
        (["yes"], [], 0.0, False),
        ([], WHOLE, 0.0, False),
    ],
)
def test_bound_words_count_only_where_they_sound_like_the_free_ones(
    free: list[str], bound: list[str], alike: float, *, bound_wins: bool
) -> None:
    assert prefers_bound(free, bound, alike) is bound_wins


def test_likeness_is_by_sound() -> None:
    likeness = Likeness(read(Models().ear / "lexicon.txt"))
    said = ["four", "one", "eight", "two"]
    assert likeness.of(said, said) == 1.0
    assert likeness.of(["for", "one", "ate", "to"], said) > 0.9
    assert likeness.of(["can", "i", "talk", "to", "somebody"], said) < 0.5
    assert likeness.of([], said) == 0.0
