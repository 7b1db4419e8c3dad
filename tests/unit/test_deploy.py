"""``deploy/install`` into a folder: it lays out, updates, keeps edits, goes back, and goes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.settings import CHECKOUT, load_settings

INSTALL = CHECKOUT / "deploy" / "install"


def run(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        [INSTALL, *arguments],
        env={**os.environ, "ROOT": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_install_update_rollback_uninstall(tmp_path: Path) -> None:
    run(tmp_path)
    program, settings = tmp_path / "opt" / "pickup", tmp_path / "etc" / "pickup" / "pickup.toml"
    assert (program / "dialplan" / "gate.conf").is_file()
    assert (tmp_path / "var" / "lib" / "pickup").stat().st_mode & 0o077 == 0
    settings.write_text("# mine\n")
    (program / "old-version").touch()
    run(tmp_path)
    assert settings.read_text() == "# mine\n"
    assert not (program / "old-version").exists()
    run(tmp_path, "rollback")
    assert (program / "old-version").exists()
    evidence = tmp_path / "var" / "lib" / "pickup" / "calls"
    evidence.mkdir()
    run(tmp_path, "uninstall")
    assert not program.exists()
    assert not list((tmp_path / "etc" / "systemd" / "system").iterdir())
    assert evidence.is_dir()
    assert settings.exists()


def test_the_settings_it_brings_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICKUP_SETTINGS", str(CHECKOUT / "deploy" / "examples" / "pickup.toml"))
    settings = load_settings(home=tmp_path)
    assert settings.restaurant == Path("/etc/pickup/restaurant.toml")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here to ask")
def test_the_units_are_right(tmp_path: Path) -> None:
    run(tmp_path)
    program = tmp_path / "opt" / "pickup" / ".venv" / "bin" / "pickup"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    units = [path.name for path in (CHECKOUT / "deploy" / "systemd").iterdir()]
    done = subprocess.run(
        [
            "systemd-analyze",
            "verify",
            "--man=no",
            "--recursive-errors=no",
            f"--root={tmp_path}",
            *units,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
