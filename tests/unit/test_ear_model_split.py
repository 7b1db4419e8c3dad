"""The acoustic model was not trained on what it is tested with."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "stt_models" / "recipe"
ACOUSTIC = RECIPE / "acoustic"
VOICES = tomllib.loads((ACOUSTIC / "voices.toml").read_text(encoding="utf-8"))
CALLERS = tomllib.loads((ROOT / "evals" / "callers" / "lines.toml").read_text(encoding="utf-8"))


def _module(path: Path) -> ModuleType:
    name = f"recipe_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


split = _module(ACOUSTIC / "split.py")
wordings = _module(RECIPE / "wordings.py")


def _lines(name: str) -> list[str]:
    lines = (RECIPE / "heldout" / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_held_out_voices_read_nothing() -> None:
    training = {*VOICES["sentences"], *VOICES["espeak"]["variants"], *VOICES["espeak"]["higher"]}
    assert len(VOICES["held_out"]) >= 2
    assert not training & set(VOICES["held_out"])


@pytest.mark.parametrize(
    "sentences",
    [
        pytest.param(_lines("sentences.txt"), id="sentences"),
        pytest.param([line.split(" ", 1)[1] for line in _lines("prompts.txt")], id="prompts"),
        pytest.param([line for part in CALLERS.values() for line in part.values()], id="callers"),
    ],
)
def test_no_test_sentence_was_read(sentences: list[str]) -> None:
    read = set((ACOUSTIC / "read.sha256").read_text(encoding="ascii").split())
    heard = {wordings.as_heard(sentence) for sentence in sentences}
    tested = {text for text in heard if len(text.split()) >= wordings.SHORTEST_KEPT_OUT}
    assert len(read) > 10_000
    assert {text for text in tested if split.fingerprint(text) in read} == set()


def test_prompts_to_tune_on_are_about_half_and_always_the_same() -> None:
    prompts = [line.split(" ", 1)[0] for line in _lines("prompts.txt")]
    dev = [prompt for prompt in prompts if split.is_dev(prompt)]
    assert 0.35 < len(dev) / len(prompts) < 0.65
    assert split.is_dev("agent-pass")
    assert not split.is_dev("agent-alreadyon")
