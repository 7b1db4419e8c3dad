"""The held-out turns are kept apart from what teaches the mind."""

import importlib
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.mind.embedder import plain
from agent.mind.heads import relu_layers
from agent.mind.moves import MoveName
from agent.settings import CHECKOUT

HOUSE = CHECKOUT / "llm_models" / "house"
SETS = sorted((HOUSE / "heldout").glob("*.jsonl"))
STRANGERS = sorted((HOUSE / "strangers_again").glob("*.jsonl"))


sys.path.insert(0, str(CHECKOUT / "llm_models" / "recipe"))

apart: Any = importlib.import_module("apart")
wordings: Any = importlib.import_module("wordings")
join: Any = importlib.import_module("join")


def taught() -> set[str]:
    """Every example, and many ways to say every wording, as the mind reads them."""
    turns = wordings.one_need(wordings.read_wordings(), wordings.Speaker(1), 6)
    examples = tomllib.loads((HOUSE / "examples.toml").read_text("utf-8"))
    return {plain(t.text) for t in turns} | {plain(s) for ones in examples.values() for s in ones}


def test_no_held_out_turn_is_taught() -> None:
    known = taught()
    held_out = apart.HeldOut(HOUSE / "heldout")
    assert not [text for text in sorted(known) if held_out.is_close(text)]
    for path in SETS:
        for line in path.read_text("utf-8").splitlines():
            text = plain(json.loads(line)["text"])
            assert len(text.split()) < 4 or text not in known, f"{path.name}: {text}"


def test_what_is_nearly_a_held_out_turn_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text('{"text": "Do you have parking for a truck?"}', "utf-8")
    held_out = apart.HeldOut(tmp_path)
    assert held_out.is_close("um do you have parking for a truck")
    assert not held_out.is_close("do you have a table for two")
    assert not held_out.is_close("a truck")


@pytest.mark.parametrize("path", [*SETS, *STRANGERS], ids=lambda path: path.stem)
def test_held_out_rows_are_well_formed(path: Path) -> None:
    names = {move.value for move in MoveName}
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        for moves in (row.get("moves", []), *row.get("or", [])):
            assert {move.split(":")[0] for move in moves} <= names


def test_joined_heads_say_the_weighted_mean_of_both() -> None:
    random = np.random.default_rng(1)

    def made_up(facts: float) -> dict[str, Any]:
        made = {"moves": np.array(["yes", "no"]), "fact.0.w": np.full((1, 1), facts)}
        for name in join.SHARED:
            shapes = {"0.w": (5, 4), "0.b": (4,), "1.w": (4, 2), "1.b": (2,)}
            made |= {f"{name}.{k}": random.normal(size=v).astype("f2") for k, v in shapes.items()}
        return made

    later, earlier = made_up(1.0), made_up(2.0)
    both = join.joined(later, earlier)
    x = random.normal(size=(3, 5)).astype(np.float32)
    for name in join.SHARED:
        one, other = (relu_layers(x, heads, name) for heads in (earlier, later))
        mean = join.EARLIER * one + (1 - join.EARLIER) * other
        assert relu_layers(x, both, name) == pytest.approx(mean, abs=0.01)
    assert both["fact.0.w"] == later["fact.0.w"]
    with pytest.raises(ValueError, match="different moves"):
        join.joined(later, {**earlier, "moves": np.array(["yes"])})
