"""The PBX and the phone company: they boot, keep to loopback, and are restarted and edited well."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import sys
from asyncio.subprocess import PIPE
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from agent.errors import SetupError
from agent.service.asterisk import AsteriskServer
from agent.service.asterisk_config import find_asterisk
from agent.service.environment import child_environment
from agent.service.ports import loopback_settings
from agent.service.redis_server import RedisServer
from agent.service.secrets import ensure_secrets
from agent.settings import Settings
from tests.pbx.callers import LIMIT, until
from tests.pbx.sockets import listening


@pytest.mark.parametrize("role", ["pbx", "carrier"])
def test_every_module_runs_and_the_log_has_no_error(
    role: str, request: pytest.FixtureRequest
) -> None:
    server: AsteriskServer = request.getfixturevalue(role)
    wanted = re.findall(r"^load = (\S+)", (server.etc / "modules.conf").read_text(), re.M)
    running = re.findall(r"^(\S+\.so) .* Running ", server.command("module show"), re.M)
    assert set(wanted) == set(running)
    boot = server.log_file.read_text().split("Asterisk Ready.")[0]
    assert "ERROR" not in boot, boot


@pytest.mark.parametrize("role", ["pbx", "carrier"])
def test_passwords_are_nobody_elses(role: str, request: pytest.FixtureRequest) -> None:
    server: AsteriskServer = request.getfixturevalue(role)
    assert all(file.stat().st_mode & 0o077 == 0 for file in server.etc.iterdir())
    assert "@" not in re.sub(r";.*", "", (server.etc / "ari.conf").read_text())


def test_a_taken_port_is_named(settings: Settings, pbx: AsteriskServer, tmp_path: Path) -> None:
    other = settings.model_copy(update={"home": tmp_path})
    with pytest.raises(SetupError, match=f"{settings.pbx.sip_port}.*pbx.sip_port"):
        AsteriskServer("pbx", other).start()


def test_a_second_start_in_one_home_is_refused(settings: Settings, pbx: AsteriskServer) -> None:
    with pytest.raises(SetupError, match="already runs"):
        AsteriskServer("pbx", settings).start()
    assert pbx.pid is not None
    assert "Asterisk" in pbx.command("core show version")


def test_an_asterisk_without_our_modules_is_refused(settings: Settings, tmp_path: Path) -> None:
    free = {"sip_port": 0, "http_port": 0, "ami_port": 0}
    other = settings.model_copy(
        update={"home": tmp_path, "pbx": settings.pbx.model_copy(update=free)}
    )
    broken = replace(find_asterisk(), modules=tmp_path)
    server = AsteriskServer("pbx", other, installation=broken)
    with pytest.raises(SetupError, match=r"could not load .*chan_pjsip\.so"):
        server.start()
    assert server.pid is None


async def test_what_a_killed_pickup_left_running_is_stopped_first(tmp_path: Path) -> None:
    home = tmp_path / "h"
    ensure_secrets(home)
    own = loopback_settings(home)
    script = (
        "import time\n"
        "from agent.service.asterisk import AsteriskServer\n"
        "from agent.service.redis_server import RedisServer\n"
        "from agent.settings import load_settings\n"
        "settings = load_settings()\n"
        "servers = [RedisServer(settings), AsteriskServer('pbx', settings)]\n"
        "for server in servers: server.start()\n"
        "print('pids', *[server.pid for server in servers], flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=PIPE, env=child_environment(own)
    )
    assert parent.stdout is not None
    async with asyncio.timeout(LIMIT):
        while not (words := (await parent.stdout.readline()).split()) or words[0] != b"pids":
            assert parent.returncode is None
    left = [int(word) for word in words[1:]]
    parent.kill()
    await parent.communicate()
    assert all(running(pid) for pid in left)
    with RedisServer(own) as again, AsteriskServer("pbx", own) as pbx:
        assert again.pid not in (None, *left)
        assert pbx.pid not in (None, *left)
        await until(lambda: not any(running(pid) for pid in left), "what was left is gone")


def running(pid: int) -> bool:
    """Whether a process is there and no zombie (its new parent may be slow to reap it)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_redis_keeps_what_it_was_given_across_a_restart(settings: Settings, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"redis://:secret@127.0.0.1:{probe.getsockname()[1]}/0"
    own = settings.model_copy(
        update={"home": tmp_path, "redis": settings.redis.model_copy(update={"url": url})}
    )
    with RedisServer(own) as server, contextlib.closing(redis.Redis.from_url(url)) as client:
        assert server.pid is not None
        client.set("kept", "yes")
        assert {address for _, address, _ in listening(server.pid)} == {"127.0.0.1"}
        without = redis.Redis.from_url(url.replace(":secret@", ""))
        with contextlib.closing(without), pytest.raises(redis.AuthenticationError):
            without.ping()
    with RedisServer(own), contextlib.closing(redis.Redis.from_url(url)) as client:
        assert client.get("kept") == b"yes"


async def test_local_files_are_stronger_and_read_at_reload(
    settings: Settings, pbx: AsteriskServer
) -> None:
    local = settings.home / "local"
    (local / "globals.conf").write_text("GATE_SECONDS = 2\n")
    (local / "extensions.conf").write_text(
        "[from-trunk](+)\nexten => 13165550149,1,Goto(ours,1,1)\n[ours]\nexten => 1,1,Hangup()\n"
    )
    try:
        pbx.reload()
        await until(lambda: "GATE_SECONDS=2" in pbx.command("dialplan show globals"), "override")
        await until(lambda: "'ours'" in pbx.command("dialplan show ours"), "context of ours")
    finally:
        for file in local.iterdir():
            file.unlink()
        pbx.reload()
    await until(lambda: "GATE_SECONDS=1" in pbx.command("dialplan show globals"), "our default")
