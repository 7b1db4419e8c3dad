"""Whole models: pulled, unpacked, copied in, listed."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agent.cli import models as command
from agent.errors import SetupError
from agent.service.models import MANIFEST, Model, copy_in, is_here, place, pull
from agent.settings import Models
from tests.unit.models.shop import BODY, Shop, names

HOUSE = Models().mouth


def model(shop: Shop, kind: str, *files: str, **more: object) -> Model:
    sources = [{"url": shop.url(name)} for name in files]
    return Model(kind=kind, name="some", licence="free", files=sources, **more)


def serve_voice(shop: Shop) -> None:
    shop.files["v.onnx"] = HOUSE.read_bytes()
    shop.files["v.onnx.json"] = Path(f"{HOUSE}.json").read_bytes()


def test_a_voice_is_pulled_checked_and_ready_for_its_setting(shop: Shop, tmp_path: Path) -> None:
    serve_voice(shop)
    entry = model(shop, "mouth", "v.onnx", "v.onnx.json")
    pulled = pull(entry, tmp_path)
    assert pulled.path == tmp_path / "models" / "mouth" / "some" / "v.onnx"
    assert pulled.unverified == ("v.onnx", "v.onnx.json")
    manifest = json.loads((pulled.path.parent / MANIFEST).read_text())
    assert manifest["sha256"]["v.onnx"] == hashlib.sha256(HOUSE.read_bytes()).hexdigest()
    assert is_here(entry, tmp_path)
    requests = len(shop.asked)
    again = pull(entry, tmp_path)
    assert (again.was_here, again.unverified) == (True, pulled.unverified)
    assert len(shop.asked) == requests


def test_what_is_no_model_is_refused_and_removed(shop: Shop, tmp_path: Path) -> None:
    serve_voice(shop)
    shop.files["v.onnx"] = b"<html>Sign in</html>"
    with pytest.raises(SetupError, match=r"v\.onnx can't be loaded"):
        pull(model(shop, "mouth", "v.onnx", "v.onnx.json"), tmp_path)
    assert list((tmp_path / "models" / "mouth").iterdir()) == []


def test_half_a_model_waits_for_the_rest(shop: Shop, tmp_path: Path) -> None:
    serve_voice(shop)
    config = shop.files.pop("v.onnx.json")
    entry = model(shop, "mouth", "v.onnx", "v.onnx.json")
    with pytest.raises(SetupError, match="404"):
        pull(entry, tmp_path)
    assert not is_here(entry, tmp_path)
    assert not place(entry, tmp_path).exists()
    shop.files["v.onnx.json"] = config
    requests = len(shop.asked)
    assert pull(entry, tmp_path).path.is_file()
    assert len(shop.asked) == requests + 1, "the first file is not fetched again"


def test_a_folder_of_somebody_else_is_left_alone(shop: Shop, tmp_path: Path) -> None:
    entry = model(shop, "mind", "model.gguf")
    place(entry, tmp_path).mkdir(parents=True)
    with pytest.raises(SetupError, match="not put there by pickup"):
        pull(entry, tmp_path)
    assert shop.asked == []


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def small_model() -> dict[str, bytes]:
    """A folder ``m`` with the house model's files, the big ones cut to what is looked at."""
    house = Models().ear
    whole = ["conf/mfcc.conf", "conf/model.conf", "graph/disambig_tid.int", "graph/words.txt"]
    files = {f"m/{name}": (house / name).read_bytes() for name in whole}
    for name in ("am/final.mdl", "graph/HCLr.fst", "graph/Gr.fst"):
        files[f"m/{name}"] = (house / name).read_bytes()[:90]
    return files


def test_a_zip_is_unpacked_to_its_model(shop: Shop, tmp_path: Path) -> None:
    shop.files["m.zip"] = zipped(small_model())
    pulled = pull(model(shop, "ear", "m.zip"), tmp_path)
    assert names(pulled.path) == ["am", "conf", "graph", MANIFEST]
    assert names(pulled.path.parent) == ["some"]


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        (b"no zip", "is no zip file"),
        (zipped({"../../evil": "x"}), "outside its folder"),
        (zipped({"m/readme": "x"}), r"no whole Vosk model: am/final\.mdl"),
    ],
)
def test_a_bad_archive_is_refused_and_removed(
    shop: Shop, tmp_path: Path, archive: bytes, reason: str
) -> None:
    shop.files["m.zip"] = archive
    with pytest.raises(SetupError, match=reason):
        pull(model(shop, "ear", "m.zip"), tmp_path)
    assert list((tmp_path / "models" / "ear").iterdir()) == []
    assert names(tmp_path) == ["models"]


def test_without_internet_a_zip_is_copied_in(shop: Shop, tmp_path: Path) -> None:
    small = tmp_path / "m.zip"
    small.write_bytes(zipped(small_model()))
    home = tmp_path / "home"
    entry = model(shop, "ear", "m.zip")
    copied = copy_in(entry, small, home)
    assert names(copied.path) == ["am", "conf", "graph", MANIFEST]
    assert is_here(entry, home)
    assert copied.unverified == ("m.zip",)
    assert small.is_file()
    assert shop.asked == []
    with pytest.raises(SetupError, match="here already"):
        copy_in(entry, small, home)


def test_an_unpacked_folder_is_copied_in(shop: Shop, tmp_path: Path) -> None:
    for name, content in small_model().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    copied = copy_in(model(shop, "ear", "m.zip"), tmp_path / "m", tmp_path / "home")
    assert names(copied.path) == ["am", "conf", "graph", MANIFEST]


def test_a_copy_that_is_no_model_leaves_nothing(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    with pytest.raises(SetupError, match="no whole Vosk model"):
        copy_in(model(shop, "ear", "m.zip"), tmp_path / "m", tmp_path / "home")
    assert list((tmp_path / "home" / "models" / "ear").iterdir()) == []
    with pytest.raises(SetupError, match="nothing at"):
        copy_in(model(shop, "ear", "m.zip"), tmp_path / "absent", tmp_path / "home")


def test_the_command_lists_pulls_and_checks(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = model(shop, "mind", "model.gguf", note="a small one")
    shop.files["model.gguf"] = b"GGUF" + BODY
    monkeypatch.setattr("agent.service.models.catalogue", lambda: [entry])
    monkeypatch.setenv("PICKUP_HOME", str(tmp_path))
    app = typer.Typer()
    command.register(app)
    run = CliRunner()

    def pickup(*arguments: str) -> str:
        result = run.invoke(app, ["models", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "pickup models pull some" in pickup("list")
    said = pickup("pull", "some")
    path = tmp_path / "models" / "mind" / "some" / "model.gguf"
    assert "Not verified: the catalogue has no checksum of model.gguf." in said
    assert f"PICKUP_MODELS__DECIDE={path.parent / 'model.gguf'}" in said
    assert json.loads(pickup("list", "--json"))[0]["here"] == "pulled"
    assert pickup("check", "some").strip().endswith("fits.")
    assert json.loads(pickup("check", str(path), "--for", "mind", "--json"))["for"] == "mind"
