"""The PBX and the phone company: they boot, keep to loopback, and no caller is left alone.

No agent runs here: what the dialplan does by itself is what is tested.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
import sys
import time
import wave
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import redis

from agent.errors import SetupError
from agent.evaluate.line import Clip, Line, LiveCaller
from agent.restaurant import Restaurant
from agent.service.asterisk import AsteriskServer
from agent.service.asterisk_config import find_asterisk
from agent.service.environment import child_environment
from agent.service.ports import loopback_settings
from agent.service.redis_server import RedisServer
from agent.service.secrets import ensure_secrets
from agent.settings import CHECKOUT, Settings

CALLER = "+13165550111"
LIMIT = 15.0
"""Seconds; a bound for waiting, never a measure."""

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")

DIALS_OUT = (
    r"\b(Dial|Originate|Page|Queue|FollowMe|RetryDial|ChanIsAvail|Transfer|BlindTransfer"
    r"|AttendedTransfer|DISA|ConfBridge|BridgeWait|System|TrySystem|Exec|TryExec|SendText"
    r"|MessageSend|ExternalIVR|EAGI|DeadAGI|SMS)\("
)


async def until(true: Callable[[], object], what: str) -> None:
    """Wait until ``true()`` holds; fails with ``what`` after LIMIT."""
    deadline = time.monotonic() + LIMIT
    while not await asyncio.to_thread(true):
        if time.monotonic() > deadline:
            raise AssertionError(f"within {LIMIT:.0f} s never: {what}")
        await asyncio.sleep(0.02)


def listening(pid: int) -> set[tuple[str, str, int]]:
    """Return (tcp or udp, address, port) of every TCP listener and UDP socket of a process."""
    sockets = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            sockets.add(str(fd.readlink()))
    found = set()
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        file = Path(f"/proc/{pid}/net/{table}")
        lines = file.read_text().splitlines()[1:] if file.exists() else []
        for line in lines:
            fields = line.split()
            if f"socket:[{fields[9]}]" not in sockets or fields[3] != state:
                continue
            address, port = fields[1].split(":")
            words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
            found.add((table[:3], str(ipaddress.ip_address(b"".join(words))), int(port, 16)))
    return found


def assert_keeps_to_loopback(server: AsteriskServer) -> None:
    """Fail if the server can be reached from outside.

    Asterisk's SIP library asks DNS servers from two UDP sockets (IPv4, IPv6) on ports that
    the kernel picks; nothing can be configured there. They take answers to questions only.
    """
    assert server.pid is not None
    first, last = (int(n) for n in EPHEMERAL.read_text().split())
    outside = {s for s in listening(server.pid) if not ipaddress.ip_address(s[1]).is_loopback}
    assert len(outside) <= 2, outside
    for protocol, address, port in outside:
        assert protocol == "udp"
        assert ipaddress.ip_address(address).is_unspecified
        assert first <= port <= last


def channels(server: AsteriskServer) -> list[str]:
    """Return the live channels, one ``!``-separated line each."""
    return server.command("core show channels concise").split()


@pytest.fixture
async def line(
    settings: Settings, restaurant: Restaurant, pbx: AsteriskServer, carrier: AsteriskServer
) -> AsyncIterator[Line]:
    async with Line(settings, restaurant.public_number) as line:
        yield line
    await until(lambda: not channels(pbx) and not channels(carrier), "all channels gone")


@contextlib.asynccontextmanager
async def phoning(caller: LiveCaller) -> AsyncIterator[LiveCaller]:
    """Keep the caller's line alive, and clean up after it."""

    async def keep() -> None:
        async for _ in caller.slots():
            pass

    async with caller:
        task = asyncio.create_task(keep())
        try:
            yield caller
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def heard_voice(caller: LiveCaller) -> bool:
    """Whether half a second of sound has reached the caller's ear."""
    heard = caller.recording().samples[:, 1].astype(np.int32)
    return int((np.abs(heard) > 1000).sum()) > 2000


# ── boot ────────────────────────────────────────────────────────────────────────────────


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


# ── nobody gets in, nothing gets out ────────────────────────────────────────────────────


def test_the_pbx_has_no_way_to_dial(pbx: AsteriskServer) -> None:
    applications = pbx.command("core show applications")
    assert " Stasis:" in applications
    for name in ("Dial", "Originate", "System", "Transfer", "Queue", "DISA", "Exec"):
        assert f" {name}:" not in applications
    dialplan = pbx.command("dialplan show")
    assert "[ Context 'from-trunk'" in dialplan
    assert not re.search(DIALS_OUT, dialplan), re.search(DIALS_OUT, dialplan)
    # Every way on from one context leads to another of these.
    goes_to = set(re.findall(r"(?:Goto\(|[?:])(\$\{TAKE\}|[a-z-]+),s,1", dialplan))
    assert goes_to == {"who", "gate", "${TAKE}", "after", "fallback"}
    assert "REFER" not in pbx.command("module show like res_pjsip_refer")


def test_nobody_may_place_a_call_through_ami(pbx: AsteriskServer, settings: Settings) -> None:
    secret = settings.pbx.ami_password.get_secret_value()
    login = f"Action: Login\nUsername: {settings.pbx.ami_user}\nSecret: {secret}\nEvents: off"
    with socket.create_connection((settings.pbx.host, settings.pbx.ami_port), LIMIT) as ami:
        talk = ami.makefile("rwb")

        def ask(action: str) -> list[str]:
            talk.write((action + "\n\n").replace("\n", "\r\n").encode())
            talk.flush()
            return [text.decode().strip() for text in iter(talk.readline, b"\r\n")]

        assert "Response: Success" in ask(login)
        assert "Response: Success" in ask("Action: CoreStatus")
        for refused in (
            "Originate\nChannel: PJSIP/1@trunk\nApplication: Hangup",
            "Command\nCommand: core show version",
            "Redirect\nChannel: x\nContext: agent\nExten: s\nPriority: 1",
            "GetConfig\nFilename: pjsip.conf",
        ):
            assert "Message: Permission denied" in ask(f"Action: {refused}"), refused
    assert not channels(pbx)


async def invite(source: str, settings: Settings, number: str) -> int:
    """Send one INVITE from a loopback address and return the final status."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.setblocking(False)
        port = sock.getsockname()[1]
        target = (settings.pbx.sip_host, settings.pbx.sip_port)
        body = (
            f"v=0\r\no=- 1 1 IN IP4 {source}\r\ns=-\r\nc=IN IP4 {source}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\n"
        )
        head = (
            f"INVITE sip:{number}@{target[0]}:{target[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {source}:{port};rport;branch=z9hG4bK{port}{number}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:+13165550111@{source}>;tag=1\r\n"
            f"To: <sip:{number}@{target[0]}>\r\nCall-ID: {port}-{number}\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:x@{source}:{port}>\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        await loop.sock_sendto(sock, (head + body).encode(), target)
        async with asyncio.timeout(LIMIT):
            while True:
                answer = (await loop.sock_recv(sock, 4096)).decode()
                status = int(answer.split()[1])
                if status >= 200:
                    return status


async def test_a_stranger_is_not_answered(pbx: AsteriskServer, settings: Settings) -> None:
    assert await invite("127.0.0.3", settings, settings.trunk.number) == 401
    assert not channels(pbx)


@pytest.mark.parametrize("number", ["+442071838750", "911", "+13165550144", "13165550143-1"])
async def test_the_trunk_reaches_only_the_restaurants_numbers(
    pbx: AsteriskServer, settings: Settings, number: str
) -> None:
    assert await invite(settings.trunk.peer, settings, number) == 404
    await until(lambda: not channels(pbx), "channel gone")


# ── without an agent ────────────────────────────────────────────────────────────────────


async def test_without_an_agent_callers_hear_the_apology_and_leave_a_voicemail(
    line: Line, settings: Settings, pbx: AsteriskServer, carrier: AsteriskServer
) -> None:
    with wave.open(str(CHECKOUT / "asterisk" / "sounds" / "apology.wav")) as prompt:
        words = np.frombuffer(prompt.readframes(prompt.getnframes()), np.int16)
    box = settings.voicemail / "default" / "restaurant"
    async with (
        phoning(await line.place(CALLER, staff="busy")) as first,
        phoning(await line.place("+13165550112", staff="busy", withheld=True)) as second,
    ):
        for caller in (first, second):
            await until(lambda caller=caller: heard_voice(caller), "the apology")  # type: ignore[misc]
        assert_keeps_to_loopback(pbx)
        assert_keeps_to_loopback(carrier)
        ports = {port for _, _, port in listening(pbx.pid or 0)}
        assert ports & set(range(settings.pbx.rtp_first, settings.pbx.rtp_last + 1))

        await until(lambda: len(list((box / "tmp").glob("*.wav"))) == 2, "both recordings begun")
        for caller in (first, second):
            caller.say(Clip("message", words, 0, len(words) - 1))
        for caller in (first, second):
            await until(lambda caller=caller: not caller.speaking, "message said")  # type: ignore[misc]
            await caller.press("#")
        for caller in (first, second):
            await until(lambda caller=caller: caller.gone, "the PBX hung up")  # type: ignore[misc]
            assert caller.cause == 16

    kept = sorted((box / "INBOX").glob("*.wav"))
    assert len(kept) == 2
    for file in kept:
        with wave.open(str(file)) as message:
            assert message.getframerate() == 8000
            assert message.getnframes() / 8000 > len(words) / 8000 * 0.9
    said_by = [re.search(r"^callerid=(.*)$", f.with_suffix(".txt").read_text(), re.M) for f in kept]
    assert sorted(found[1] for found in said_by if found) == [CALLER, "Unknown"]


async def test_when_the_staff_answer_the_pbx_never_rings(line: Line, pbx: AsteriskServer) -> None:
    before = pbx.command("core show channels count").splitlines()[-1]
    async with phoning(await line.place(CALLER, staff="answers")) as caller:
        await until(lambda: caller.answered is not None, "the staff answer")
    assert pbx.command("core show channels count").splitlines()[-1] == before


async def test_hanging_up_while_it_rings_cancels_the_call(
    line: Line, pbx: AsteriskServer, settings: Settings
) -> None:
    # A listener that never answers keeps Stasis() busy, so the call rings.
    with socket.create_server((settings.agent.host, settings.agent.port)):
        async with phoning(await line.place(CALLER, staff="busy")) as caller:
            await until(lambda: any("!Ring!Stasis!" in c for c in channels(pbx)), "ringing")
            assert caller.answered is None
            await caller.hang_up()
        await until(lambda: not channels(pbx), "channel gone")


# ── the gate ────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def gate(settings: Settings, verdict: str | None) -> AsyncIterator[list[str]]:
    """Answer FastAGI with ``verdict``, or accept and stay silent; yields what was asked."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.extend((await reader.readuntil(b"\n\n")).decode().splitlines())
        if verdict is None:
            await reader.read()
        else:
            writer.write(f"SET VARIABLE GATE_VERDICT {verdict}\n".encode())
            await reader.readline()
        writer.close()

    server = await asyncio.start_server(answer, settings.agent.host, settings.agent.gate_port)
    try:
        yield asked
    finally:
        server.close()
        await server.wait_closed()


async def test_the_gate_is_told_who_calls_and_may_refuse(
    line: Line, pbx: AsteriskServer, settings: Settings
) -> None:
    async with (
        gate(settings, "reject") as asked,
        phoning(await line.place(CALLER, staff="busy")) as caller,
    ):
        await until(lambda: caller.gone, "refused")
        assert caller.answered is None
        assert caller.cause == 17
    assert [text.split(": ", 1)[1] for text in asked if text.startswith("agi_arg_")] == [
        "caller=%2B13165550111",
        "called=13165550143",
        "diverted_from=%2B13165550142",
        "diversion_reason=cfb",
        "withheld=no",
        "probe=",
    ]


async def test_a_withheld_number_is_forgotten_at_the_door(
    line: Line, pbx: AsteriskServer, settings: Settings
) -> None:
    async with (
        gate(settings, "reject") as asked,
        phoning(await line.place(CALLER, staff="no-answer", withheld=True)) as caller,
    ):
        await until(lambda: caller.gone, "refused")
    assert "agi_arg_1: caller=" in [text.strip() for text in asked]
    assert "agi_arg_4: diversion_reason=cfnr" in asked
    assert "agi_arg_5: withheld=yes" in asked
    assert CALLER not in "\n".join(asked)


@pytest.mark.parametrize("verdict", ["voicemail", "nonsense", None])
async def test_whatever_the_gate_does_the_caller_hears_somebody(
    line: Line, pbx: AsteriskServer, settings: Settings, verdict: str | None
) -> None:
    async with (
        gate(settings, verdict),
        phoning(await line.place(CALLER, staff="busy")) as caller,
    ):
        await until(lambda: heard_voice(caller), "the apology")
