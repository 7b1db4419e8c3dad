"""What is backed up comes back: evidence, secrets, and promises that are still to be kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.errors import SetupError
from agent.events import PromiseKind
from agent.promises.ledger import Ledger
from agent.service.backup import backup, restore
from agent.settings import Settings

NOW = datetime(2026, 11, 27, 4, 10, tzinfo=UTC)


def house(home: Path) -> Settings:
    settings = Settings(home=home)
    call = settings.calls / "2026-11-27" / "120000-abcd"
    call.mkdir(parents=True)
    (call / "call.json").write_text("{}")
    (call / "caller.wav").write_bytes(b"RIFF")
    (home / "secrets.toml").write_text("[pbx]\n")
    (home / "secrets.toml").chmod(0o600)
    (home / "phrases").mkdir()
    (home / "phrases" / "made-again.wav").write_bytes(b"x")
    Ledger(settings).make(PromiseKind.ORDER_LINK, "+13165550111", "x {token}", call)
    return settings


def test_it_comes_back_whole(tmp_path: Path) -> None:
    settings = house(tmp_path / "old")
    (promise,) = Ledger(settings).open_ids()
    archive = backup(settings, tmp_path / "backups", NOW)
    assert archive.stat().st_mode & 0o077 == 0
    new = Settings(home=tmp_path / "new")
    assert restore(new, archive) == (1, 1)
    assert Ledger(new).open_ids() == [promise]
    assert (new.calls / "2026-11-27" / "120000-abcd" / "caller.wav").read_bytes() == b"RIFF"
    assert (new.home / "secrets.toml").stat().st_mode & 0o077 == 0
    assert not (new.home / "phrases").exists()
    assert "Hikari" in (new.home / "restaurant.restored.toml").read_text()


def test_a_lost_marker_is_put_back_from_the_evidence(tmp_path: Path) -> None:
    settings = house(tmp_path / "old")
    for marker in settings.open_promises.glob("*.json"):
        marker.unlink()
    archive = backup(settings, tmp_path / "backups", NOW)
    assert restore(Settings(home=tmp_path / "new"), archive) == (1, 1)


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    settings = house(tmp_path / "old")
    for night in range(4):
        newest = backup(settings, tmp_path / "backups", NOW + timedelta(days=night), keep=2)
    left = sorted((tmp_path / "backups").iterdir())
    assert len(left) == 2
    assert left[-1] == newest


def test_a_home_in_use_is_not_overwritten(tmp_path: Path) -> None:
    settings = house(tmp_path / "old")
    archive = backup(settings, tmp_path / "backups", NOW)
    with pytest.raises(SetupError, match="already"):
        restore(settings, archive)


def test_what_is_no_backup_is_told(tmp_path: Path) -> None:
    wrong = tmp_path / "x.tar.gz"
    wrong.write_bytes(b"no archive")
    with pytest.raises(SetupError, match="no backup"):
        restore(Settings(home=tmp_path / "new"), wrong)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    settings = house(tmp_path / "old")
    (tmp_path / "backups").write_text("a file")
    with pytest.raises(SetupError, match="another folder"):
        backup(settings, tmp_path / "backups", NOW)
