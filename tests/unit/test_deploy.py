"""``deploy/install`` into a folder: it lays out, updates, keeps edits, goes back, and goes."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from agent.cli import app
from agent.phone import PhoneServer
from agent.service.ports import loopback_settings
from agent.settings import CHECKOUT, load_settings
from tests.pbx.phone.house import echo

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


CONTAINER = CHECKOUT / "deploy" / "container"


def test_compose_and_dockerfile_name_what_there_is() -> None:
    compose = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
    dockerfile = (CONTAINER / "Dockerfile").read_text()
    commands = [re.findall(r'"([^"]+)"', line) for line in dockerfile.splitlines() if "CMD" in line]
    commands += [s["command"] for s in compose["services"].values() if "command" in s]
    known = {command.name or command.callback.__name__ for command in app.registered_commands}  # type: ignore[union-attr]
    assert {command[1] for command in commands if command[0] == "pickup"} == {"run", "backup"}
    assert {"run", "backup"} <= known
    assert os.access(CONTAINER / "healthy", os.X_OK)
    context = (CONTAINER / compose["services"]["pickup"]["build"]["context"]).resolve()
    assert (context / compose["services"]["pickup"]["build"]["dockerfile"]).is_file()
    for service in compose["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        named = {volume.split(":")[0] for volume in service["volumes"] if volume[0] != "/"}
        assert named <= set(compose["volumes"])
    left_out = set((CHECKOUT / ".dockerignore").read_text().split())
    assert {".git", ".venv", "build", "var"} <= left_out


async def test_the_container_is_healthy_while_the_agent_answers(tmp_path: Path) -> None:
    settings = loopback_settings(tmp_path)

    async def health() -> tuple[int, str]:
        where = {"PICKUP_HOME": str(tmp_path), "PICKUP_AGENT__PORT": str(settings.agent.port)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(CONTAINER / "healthy")),
            env={**os.environ, **where},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    status, said = await health()
    assert status == 1
    assert "no agent at 127.0.0.1" in said
    server = PhoneServer(settings, echo)
    await server.start()
    assert await health() == (0, "ok\n")
    await server.stop(grace=0)
