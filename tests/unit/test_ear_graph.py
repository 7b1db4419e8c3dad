"""The house ear's words: tests stay out of its text, and what callers need is known."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from agent.ear.grammar import NUMBER_GRAMMAR
from agent.settings import Models

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "stt_models" / "recipe"


@pytest.fixture(scope="module")
def wordings() -> Iterator[ModuleType]:
    """The recipe's text module under a name of its own; it needs nothing but Python."""
    spec = importlib.util.spec_from_file_location("ear_wordings", RECIPE / "wordings.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["ear_wordings"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["ear_wordings"]


def known() -> set[str]:
    lines = (Models().ear / "graph" / "words.txt").read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines}


def test_no_turn_of_the_text_is_a_test_sentence(wordings: ModuleType) -> None:
    names = [("maria", 1.0), ("lopez", 1.0)]
    drawn = list(wordings.turns(20_000, 7, names, names))
    assert len(drawn) > 19_000
    assert not wordings.kept_out() & set(drawn)


def test_the_callers_lines_are_kept_out(wordings: ModuleType) -> None:
    assert "hi can i order some ramen to go" in wordings.kept_out()
    assert "yes" not in wordings.kept_out()


def test_the_same_seed_gives_the_same_turns(wordings: ModuleType) -> None:
    names = [("ann", 1.0)]
    assert list(wordings.turns(50, 3, names, names)) == list(wordings.turns(50, 3, names, names))


def test_every_slot_can_be_filled(wordings: ModuleType) -> None:
    speaker = wordings.Speaker(1, [("ann", 1.0)], [("lee", 1.0)])
    for line, _ in wordings.wordings():
        sentence = speaker.sentence(line)
        assert not set(sentence) - set("abcdefghijklmnopqrstuvwxyz' "), (line, sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "can i order some ramen to go",
        "two spicy tuna rolls an order of gyoza and a tonkotsu ramen",
        "could you text me the link",
        "you have reached the wrong department of the university",
        "zero oh double triple hundred",
    ],
)
def test_words_that_callers_use_are_known(sentence: str) -> None:
    assert set(sentence.split()) <= known()


def test_the_number_grammar_is_known() -> None:
    assert {word for entry in NUMBER_GRAMMAR for word in entry.split()} <= known()
