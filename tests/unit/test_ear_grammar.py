"""Spoken digits, and when the digit recogniser is believed."""

from __future__ import annotations

import itertools

import pytest

from agent.ear.grammar import (
    DIGITS,
    NUMBER_GRAMMAR,
    grammar_for,
    is_whole_number,
    prefers_bound,
    spoken_digits,
)
from agent.events import Expect

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


def test_any_digit_may_follow_any_in_the_grammar() -> None:
    followed = {pair for phrase in NUMBER_GRAMMAR for pair in itertools.pairwise(phrase.split())}
    assert set(itertools.product(DIGITS, DIGITS)) <= followed


def test_only_a_phone_number_binds_the_recogniser() -> None:
    assert [expect for expect in Expect if grammar_for(expect)] == [Expect.PHONE_NUMBER]


@pytest.mark.parametrize(
    ("free", "bound", "bound_wins"),
    [
        (WHOLE[:-1], WHOLE, True),
        (WHOLE, WHOLE[::-1], False),
        (WHOLE[:-1], WHOLE[:-2], False),
        (["can", "you", "use", "the", "same", "number"], WHOLE, False),
        ([], WHOLE, False),
    ],
)
def test_digits_are_believed_only_where_they_complete_a_number(
    free: list[str], bound: list[str], *, bound_wins: bool
) -> None:
    assert prefers_bound(free, bound) is bound_wins
