"""The house ear's words: tests stay out of its text, and what callers need is known."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from agent.ear.grammar import grammar_for
from agent.events import Expect
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


@pytest.mark.parametrize("expect", [expect for expect in Expect if grammar_for(expect)])
def test_the_grammars_are_known(expect: Expect) -> None:
    assert {word for phrase in grammar_for(expect) or () for word in phrase.split()} <= known()


def test_no_human_prompt_is_in_the_text(wordings: ModuleType) -> None:
    """Their texts are for testing; nor may the trigrams be theirs: the generic model is CMU's."""
    lines = (RECIPE / "heldout" / "prompts.txt").read_text(encoding="utf-8").splitlines()
    prompts = {line.split(" ", 1)[1] for line in lines if not line.startswith("#")}
    assert len(prompts) > 100
    assert prompts <= wordings.kept_out()
    for line, _ in wordings.wordings():
        assert wordings.as_heard(line) not in prompts


def test_the_test_files_are_read_nowhere_else() -> None:
    """Only the bench and the list of what is kept out may open the held-out files."""
    readers = [path for path in RECIPE.rglob("*.py") if "heldout" in path.read_text("utf-8")]
    assert {path.relative_to(RECIPE).as_posix() for path in readers} <= {
        "wordings.py",
        "bench/material.py",
        "acoustic/split.py",
        "acoustic/evaluate.py",
    }
