"""Fetching models from a real HTTP server on the loopback interface."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import re
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agent.cli import models as command
from agent.errors import SetupError
from agent.service.download import fetch
from agent.service.model_check import check_ear, check_mind, check_mouth
from agent.service.models import MANIFEST, Model, catalogue, copy_in, find, is_here, place, pull
from agent.settings import Models

BODY = bytes(range(256)) * 4096
SUM = hashlib.sha256(BODY).hexdigest()
HOUSE = Models().mouth


class Shop(http.server.ThreadingHTTPServer):
    """Serves files from memory, with ranges; can cut answers off and change files."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Clerk)
        self.files: dict[str, bytes] = {}
        self.etag = '"one"'
        self.cut_after: list[int] = []
        self.asked: list[str | None] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Clerk(http.server.BaseHTTPRequestHandler):
    server: Shop
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        shop = self.server
        shop.asked.append(self.headers.get("Range"))
        body = shop.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        start = 0
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and self.headers.get("If-Range") == shop.etag:
            start = int(wanted[1])
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        if shop.etag:
            self.send_header("ETag", shop.etag)
        self.end_headers()
        end = start + shop.cut_after.pop(0) if shop.cut_after else len(body)
        self.wfile.write(body[start:end])
        if end < len(body):
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as shop:
        thread = threading.Thread(target=shop.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        shop.files["model.gguf"] = BODY
        yield shop
        shop.shutdown()
        thread.join()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_and_verified(shop: Shop, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    fetched = fetch(
        shop.url("model.gguf"),
        tmp_path / "m",
        sha256=SUM,
        size=len(BODY),
        on_progress=lambda there, whole: seen.append((there, whole)),
    )
    assert (fetched.path.read_bytes(), fetched.verified, fetched.resumed) == (BODY, True, 0)
    assert seen[-1] == (len(BODY), len(BODY))
    assert names(tmp_path) == ["m"]


def test_without_a_checksum_it_is_said_that_nothing_was_verified(
    shop: Shop, tmp_path: Path
) -> None:
    fetched = fetch(shop.url("model.gguf"), tmp_path / "m")
    assert (fetched.sha256, fetched.verified) == (SUM, False)


def test_a_cut_connection_is_taken_up_where_it_ended(shop: Shop, tmp_path: Path) -> None:
    shop.cut_after = [1000, 5000]
    fetch(shop.url("model.gguf"), tmp_path / "m", sha256=SUM)
    assert shop.asked == [None, "bytes=1000-", "bytes=6000-"]
    assert (tmp_path / "m").read_bytes() == BODY


def test_a_later_run_goes_on_after_an_earlier_one(shop: Shop, tmp_path: Path) -> None:
    shop.cut_after = [700_000, 0]
    with pytest.raises(SetupError, match="goes on after 700,000 bytes"):
        fetch(shop.url("model.gguf"), tmp_path / "m", sha256=SUM)
    assert names(tmp_path) == ["m.part", "m.part.etag"]
    fetched = fetch(shop.url("model.gguf"), tmp_path / "m", sha256=SUM)
    assert fetched.resumed == 700_000
    assert shop.asked[-1] == "bytes=700000-"
    assert names(tmp_path) == ["m"]


def test_a_file_that_changed_meanwhile_is_begun_anew(shop: Shop, tmp_path: Path) -> None:
    shop.cut_after = [700_000, 0]
    with pytest.raises(SetupError):
        fetch(shop.url("model.gguf"), tmp_path / "m")
    shop.files["model.gguf"], shop.etag = BODY[::-1], '"two"'
    assert fetch(shop.url("model.gguf"), tmp_path / "m").path.read_bytes() == BODY[::-1]


def test_without_a_version_nothing_is_glued_together(shop: Shop, tmp_path: Path) -> None:
    shop.etag = ""
    shop.cut_after = [700_000]
    fetch(shop.url("model.gguf"), tmp_path / "m", sha256=SUM)
    assert shop.asked == [None, None]


def test_a_part_that_is_too_long_is_dropped(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "m.part").write_bytes(BODY + b"more")
    (tmp_path / "m.part.etag").write_text(shop.etag)
    with pytest.raises(SetupError, match="was dropped"):
        fetch(shop.url("model.gguf"), tmp_path / "m", sha256=SUM)
    assert fetch(shop.url("model.gguf"), tmp_path / "m", sha256=SUM).verified


@pytest.mark.parametrize(
    ("name", "expected", "reason"),
    [
        ("model.gguf", {"sha256": "0" * 64}, "isn't the file the catalogue means"),
        ("model.gguf", {"size": 5}, "the catalogue says 5"),
        ("nobody.gguf", {}, "answers 404"),
    ],
)
def test_another_file_than_expected_leaves_nothing_behind(
    shop: Shop, tmp_path: Path, name: str, expected: dict[str, object], reason: str
) -> None:
    with pytest.raises(SetupError, match=reason):
        fetch(shop.url(name), tmp_path / "m", **expected)  # type: ignore[arg-type]
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "url", ["http://example.org/m", "ftp://127.0.0.1/m", "file:///etc/passwd", "http://10.0.0.1/m"]
)
def test_only_https_or_this_machine(url: str, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no https address"):
        fetch(url, tmp_path / "m")


def test_nobody_there_is_a_clear_error(shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"can't be fetched.*refused"):
        fetch("http://127.0.0.1:1/m", tmp_path / "m")


# ── whole models ────────────────────────────────────────────────────────────────────────


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


# ── copied in ───────────────────────────────────────────────────────────────────────────


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


# ── checks and catalogues ───────────────────────────────────────────────────────────────


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
