"""The heartbeat, and the guardian that listens to it, with real child processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent.errors import SetupError
from agent.phone.watchdog import Heartbeat
from agent.service.guardian import Guardian, State

ALLOWED = 0.6
"""Seconds without a heartbeat that are fatal here: short, but a loaded machine keeps it."""

CHILD = """
import asyncio, signal
from agent.phone.watchdog import Heartbeat

async def main():
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    heartbeat = Heartbeat.from_environment()
    await heartbeat.start()
    {then}
    await told.wait()
    await heartbeat.stop()

asyncio.run(main())
"""


def child(then: str = "pass") -> tuple[str, ...]:
    return sys.executable, "-c", CHILD.format(then=then)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  another process changes it
            await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process is there at all, a zombie included."""
    return Path(f"/proc/{pid}").exists()


def listener(address: str) -> socket.socket:
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.setblocking(False)
    notify.bind(address)
    return notify


def receive(notify: socket.socket) -> Awaitable[bytes]:
    return asyncio.get_running_loop().sock_recv(notify, 4096)


async def test_heartbeat_speaks_systemds_words(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with listener(address) as notify:
        heartbeat = Heartbeat.from_environment(
            {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "30000", "WATCHDOG_PID": str(os.getpid())}
        )
        await heartbeat.start()
        async with asyncio.timeout(5):
            assert [await receive(notify) for _ in range(4)] == [
                b"READY=1",
                b"WATCHDOG=1",
                b"WATCHDOG=1",
                b"WATCHDOG=1",
            ]
            await heartbeat.stop()
            while (said := await receive(notify)) == b"WATCHDOG=1":
                pass
            assert said == b"STOPPING=1"


async def test_heartbeat_knows_abstract_sockets() -> None:
    with listener(f"\0pickup-test-{os.getpid()}") as notify:
        heartbeat = Heartbeat.from_environment(
            {"NOTIFY_SOCKET": f"@pickup-test-{os.getpid()}", "WATCHDOG_USEC": ""}
        )
        await heartbeat.start()
        async with asyncio.timeout(5):
            assert await receive(notify) == b"READY=1"
        await heartbeat.stop()


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": "", "WATCHDOG_USEC": "1000"}, {"NOTIFY_SOCKET": "/nowhere/at/all"}],
)
async def test_heartbeat_needs_no_supervisor(environment: dict[str, str]) -> None:
    heartbeat = Heartbeat.from_environment(environment)
    await heartbeat.start()
    await heartbeat.stop()


async def test_a_frozen_child_is_killed_and_started_anew() -> None:
    states: list[State] = []
    guardian = Guardian(child(), watchdog_seconds=ALLOWED, on_state=states.append)
    await guardian.start()
    await guardian.ready()
    first = guardian.pid
    assert first is not None
    os.kill(first, signal.SIGSTOP)
    await until(lambda: guardian.starts == 2)
    await guardian.ready()
    assert guardian.kills == 1
    assert not alive(first)
    second = guardian.pid
    assert second is not None
    assert await guardian.stop() == 0
    assert not alive(second)
    assert states == [
        State.STARTING,
        State.READY,
        State.WAITING,
        State.STARTING,
        State.READY,
        State.STOPPING,
        State.ENDED,
    ]


async def test_a_child_whose_event_loop_stalls_is_killed() -> None:
    guardian = Guardian(child("import time; time.sleep(60)"), watchdog_seconds=ALLOWED)
    await guardian.start()
    await until(lambda: guardian.kills >= 1)
    await guardian.stop()


async def test_a_killed_child_is_started_anew_and_leaves_no_grandchild(tmp_path: Path) -> None:
    note = tmp_path / "grandchild"
    then = (
        "import subprocess, pathlib; "
        f"pathlib.Path({str(note)!r}).write_text(str(subprocess.Popen(['sleep', '60']).pid))"
    )
    guardian = Guardian(child(then), watchdog_seconds=ALLOWED)
    await guardian.start()
    await until(lambda: note.exists() and note.read_text() != "")
    grandchild = int(note.read_text())
    assert alive(grandchild)
    note.unlink()
    pid = guardian.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await until(lambda: guardian.starts == 2 and guardian.state is State.READY)
    assert guardian.kills == 0
    assert not _runs(grandchild)
    await guardian.stop()


def _runs(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_child_that_ends_well_is_left_in_peace(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    guardian = Guardian(
        (sys.executable, "-c", "print('done')"), watchdog_seconds=ALLOWED, log_file=log
    )
    await guardian.start()
    assert await guardian.wait() == 0
    assert guardian.starts == 1
    assert log.read_text() == "done\n"
    with pytest.raises(SetupError, match="before it was ready"):
        await guardian.ready()


async def test_sigterm_is_passed_on() -> None:
    guardian = Guardian(child(), watchdog_seconds=ALLOWED)
    running = asyncio.create_task(guardian.run())
    await until(lambda: guardian.state is State.READY)
    pid = guardian.pid
    assert pid is not None
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0
    assert not alive(pid)
