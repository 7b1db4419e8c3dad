"""Cutting a breath into its needs."""

import pytest

from agent.mind.clauses import MOST, clauses

CLOSE = "what time do you close"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (f"is there parking and {CLOSE}", ["is there parking", CLOSE]),
        (f"i want to order some food {CLOSE}", ["i want to order some food", CLOSE]),
        (f"okay {CLOSE}", [f"okay {CLOSE}"]),
        ("i have celiac what can i eat", ["i have celiac what can i eat"]),
        ("do you know what time you close", ["do you know what time you close"]),
        ("two rolls and soup", ["two rolls soup"]),
        ("my food was cold goodbye", ["my food was cold", "goodbye"]),
        ("hello", ["hello"]),
    ],
)
def test_cuts(words: str, parts: list[str]) -> None:
    assert clauses(words) == parts


def test_a_long_story_is_not_cut_without_end() -> None:
    parts = clauses(" and ".join([*["we waited an hour"] * 20, "i want a refund"]))
    assert len(parts) == MOST
    assert parts[-1] == "i want a refund"
