"""A model folder that can't work is refused with the reason, before Vosk sees it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agent.ear import EarEngine
from agent.errors import EarError
from agent.settings import Models

HOUSE = Models().ear


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(HOUSE, tmp_path / "model"))


def refused(folder: Path) -> str:
    with pytest.raises(EarError) as caught:
        EarEngine(folder)
    assert caught.value.remedy
    return str(caught.value)


def test_no_folder(tmp_path: Path) -> None:
    assert "is no folder" in refused(tmp_path / "absent")


def test_a_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert "am/final.mdl is missing" in refused(tmp_path)


@pytest.mark.parametrize(
    "name", ["am/final.mdl", "conf/mfcc.conf", "conf/model.conf", "graph/Gr.fst", "graph/HCLr.fst"]
)
def test_a_missing_file(model: Path, name: str) -> None:
    (model / name).unlink()
    assert name.split("/")[1] in refused(model)


@pytest.mark.parametrize(
    "name",
    [
        "am/final.mdl",
        "am/global_cmvn.stats",
        "graph/Gr.fst",
        "graph/HCLr.fst",
        "graph/disambig_tid.int",
        "graph/words.txt",
    ],
)
def test_a_file_cut_in_half(model: Path, name: str) -> None:
    path = model / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 - 1])
    refused(model)


@pytest.mark.parametrize("name", ["conf/model.conf", "graph/disambig_tid.int", "graph/Gr.fst"])
def test_an_empty_file(model: Path, name: str) -> None:
    (model / name).write_bytes(b"")
    assert "is empty" in refused(model)


def test_something_else_under_the_models_name(model: Path) -> None:
    (model / "am" / "final.mdl").write_bytes(b"PK\x03\x04" + bytes(5_000))
    assert "no Kaldi acoustic model" in refused(model)
