"""The held-out turns are kept apart from what teaches the mind."""

import json
import sys
import tomllib
from pathlib import Path

import pytest

from agent.mind.embedder import plain
from agent.mind.moves import MoveName
from agent.settings import CHECKOUT

HOUSE = CHECKOUT / "llm_models" / "house"
SETS = sorted((HOUSE / "heldout").glob("*.jsonl"))


def taught() -> set[str]:
    """Every example, and many ways to say every wording, as the mind reads them."""
    sys.path.insert(0, str(CHECKOUT / "llm_models" / "recipe"))
    try:
        from wordings import Speaker, one_need, read_wordings
    finally:
        sys.path.pop(0)
    turns = one_need(read_wordings(), Speaker(1), 12)
    examples = tomllib.loads((HOUSE / "examples.toml").read_text("utf-8"))
    return {plain(t.text) for t in turns} | {plain(s) for ones in examples.values() for s in ones}


def test_no_held_out_turn_is_taught() -> None:
    known = {frozenset(text.split()) for text in taught()}
    known = {words for words in known if len(words) >= 4}
    for path in SETS:
        for line in path.read_text("utf-8").splitlines():
            words = frozenset(plain(json.loads(line)["text"]).split())
            if len(words) >= 4:  # "no thank you" is said by everybody
                same = [one for one in known if len(one & words) >= 0.7 * len(one | words)]
                assert not same, f"{path.name}: {sorted(words)} is taught as {sorted(same[0])}"


@pytest.mark.parametrize("path", SETS, ids=lambda path: path.stem)
def test_held_out_rows_are_well_formed(path: Path) -> None:
    names = {move.value for move in MoveName}
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        for moves in (row.get("moves", []), *row.get("or", [])):
            assert {move.split(":")[0] for move in moves} <= names
