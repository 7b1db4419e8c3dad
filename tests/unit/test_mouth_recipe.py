"""What the house voice learns to say, and that it is measured on something else."""

from __future__ import annotations

import importlib.util
import itertools
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from agent.settings import CHECKOUT

RECIPE = CHECKOUT / "tts_models" / "recipe"


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"recipe_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def text() -> ModuleType:
    return load(RECIPE / "text.py")


def data_lines(name: str) -> list[str]:
    lines = (RECIPE / "text" / name).read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "=="))]


def test_the_same_seed_writes_the_same_sentences(text: ModuleType) -> None:
    one, two, other = (list(itertools.islice(text.Writer(s).sentences(), 300)) for s in (1, 1, 2))
    assert one == two != other
    assert len(set(one)) == 300


def test_every_sentence_is_one_unit_in_words(text: ModuleType) -> None:
    common = ["often", "judge", "theater", "owing"]
    sentences = list(itertools.islice(text.Writer(5, common).sentences(), 3000))
    assert any("judge" in sentence for sentence in sentences)
    for sentence in sentences:
        assert re.fullmatch(r"[A-Za-z', -]+[.?!]?", sentence), sentence
        assert len(sentence) <= text.LONGEST
        assert not re.search(r"  | ,|,,|^,", sentence), sentence
    assert any(len(sentence) > 140 for sentence in sentences), "long clauses"
    assert sum(sentence.islower() for sentence in sentences) > 300, "bare copies"
    assert sum(sentence.endswith("?") for sentence in sentences) > 300, "questions"


def shape(template: str, text: ModuleType) -> str:
    """Return a pattern for everything a template can become."""
    words = text.words()
    signs = {"(": "(?:", ")": ")", "|": "|", "{name}": r"\S+ \S+"}
    for blank, kind in text.KINDS.items():
        signs[f"{{{blank}}}"] = f"(?:{'|'.join(re.escape(w.lower()) for w in words[kind])})"
    parts = re.split(r"(\{[^{}]+\}|[()|])", template.rstrip(".?!").lower())
    return "".join(
        signs.get(part, r".+?" if part.startswith("{") else re.escape(part)) for part in parts
    )


def test_no_held_out_line_is_made_from_a_template(text: ModuleType) -> None:
    lines = data_lines("heldout.txt")
    assert len(lines) == len(set(lines)) >= 200
    # Blanks that take any word of English make heaps of words, no sentence.
    templates = [line for line in data_lines("lines.txt") if "{common}" not in line]
    told = [t for t in templates if len(re.findall(r"\w+", re.sub(r"\{[^}]+\}", "", t))) >= 3]
    assert len(told) > 150
    shapes = {template: re.compile(shape(template, text)) for template in told}
    for line in lines:
        plain = line.rstrip(".?!").lower()
        same = [template for template, pattern in shapes.items() if pattern.fullmatch(plain)]
        assert not same, f"{line} is {same}"
