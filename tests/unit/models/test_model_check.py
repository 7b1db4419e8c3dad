"""Models that don't fit are refused with the reason; what ships fits, and so do its catalogues."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.errors import SetupError
from agent.service.model_check import check_ear, check_mind, check_mouth
from agent.service.models import catalogue, find, is_here
from agent.settings import Models

HOUSE = Models().mouth


def changed_voice(folder: Path, change: Callable[[dict[str, object]], object]) -> Path:
    voice = folder / "v.onnx"
    shutil.copy(HOUSE, voice)
    config = json.loads(Path(f"{HOUSE}.json").read_text())
    change(config)
    Path(f"{voice}.json").write_text(json.dumps(config))
    return voice


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda config: config.pop("audio"), "lacks 'audio'"),
        (lambda config: config.update(audio={"sample_rate": 8}), "sample_rate is 8"),
        (lambda config: config.update(num_speakers=2), "must take .*sid"),
        (lambda config: config.update(num_symbols=3), "beyond num_symbols"),
        (lambda config: config.update(phoneme_type="pinyin"), "pinyin needs more"),
    ],
)
def test_a_voice_that_does_not_fit_is_refused_with_the_reason(
    tmp_path: Path, change: Callable[[dict[str, object]], object], reason: str
) -> None:
    with pytest.raises(SetupError, match=reason):
        check_mouth(changed_voice(tmp_path, change))


def test_what_ships_fits() -> None:
    assert check_mouth(HOUSE.parent) == HOUSE
    assert check_ear(Models().ear) == Models().ear


def test_a_gguf_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + bytes(8))
    assert check_mind(tmp_path) == path
    path.write_bytes(b"<htm")
    with pytest.raises(SetupError, match="no GGUF file: it begins with b'<htm'"):
        check_mind(path)


def test_our_own_catalogues_are_right() -> None:
    models = catalogue()
    assert {model.kind for model in models} >= {"ear", "mouth"}
    for entry in models:
        assert all(source.url.startswith("https://") for source in entry.sources)
        assert not entry.ships or is_here(entry, Path("/nowhere"))
    with pytest.raises(SetupError, match="2 models are called house-en"):
        find("house-en", models)
    assert find("mouth/house-en", models).ships


def test_a_wrong_entry_is_named(tmp_path: Path) -> None:
    (tmp_path / "tts_models").mkdir()
    (tmp_path / "tts_models" / "catalog.toml").write_text(
        '[[models]]\nname = "../x"\nlicence = "free"\nships = true\n'
    )
    with pytest.raises(SetupError, match=r"catalog\.toml, \.\./x: name"):
        catalogue(tmp_path)
