"""Nearest neighbours: pure arithmetic and the plain file of examples."""

from pathlib import Path

import numpy as np
import pytest

from agent.errors import MindError
from agent.mind.moves import MoveName
from agent.mind.recall import Bank, load_examples
from agent.settings import CHECKOUT

EAST, NORTH = np.array([1.0, 0.0], np.float32), np.array([0.0, 1.0], np.float32)


def test_the_nearest_sentence_of_each_name_counts() -> None:
    bank = Bank(["order", "hours", "order"], [EAST, NORTH, np.array([0.6, 0.8], np.float32)])
    assert bank.names == ("order", "hours")
    assert bank.best(NORTH).tolist() == pytest.approx([0.8, 1.0])
    assert [(one.name, round(one.score, 3)) for one in bank.ranked(EAST)] == [
        ("order", 1.0),
        ("hours", 0.0),
    ]


def test_ties_keep_the_order_of_the_names() -> None:
    bank = Bank(["b", "a"], [EAST, EAST])
    assert [one.name for one in bank.ranked(EAST)] == ["b", "a"]


def test_an_empty_bank_has_nothing_near() -> None:
    assert Bank([], []).ranked(EAST) == []


def test_every_move_a_caller_can_make_has_examples() -> None:
    examples = load_examples(CHECKOUT / "llm_models" / "house" / "examples.toml")
    by_rule = {MoveName.ANSWER, MoveName.GIVES}
    assert set(examples) == set(MoveName) - by_rule


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("dance = ['hi']", "'dance' is no move"),
        ("order = 'hi'", "list of sentences"),
        ("order = [", "can't be read"),
    ],
)
def test_a_wrong_examples_file_says_what_is_wrong(
    tmp_path: Path, text: str, complaint: str
) -> None:
    file = tmp_path / "examples.toml"
    file.write_text(text, "utf-8")
    with pytest.raises(MindError, match=complaint):
        load_examples(file)


def test_a_missing_examples_file_has_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(MindError) as caught:
        load_examples(tmp_path / "none.toml")
    assert caught.value.remedy
