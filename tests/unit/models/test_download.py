"""Fetching a file: whole and verified, or gone on with, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import SetupError
from agent.service.download import fetch
from tests.unit.models.shop import BODY, SUM, Shop, names


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
