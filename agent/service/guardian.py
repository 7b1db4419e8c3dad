"""Keeps one program alive where there is no systemd: restarts it, and kills it when it hangs.

The same protocol as systemd's (sd_notify(3)): the child gets a ``NOTIFY_SOCKET``, says
READY=1 and then WATCHDOG=1 at a third of the allowed time. A child that stalls after that,
even one that is stopped by SIGSTOP, is killed with SIGKILL, together with what it started,
and started anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from agent.errors import SetupError

log = structlog.get_logger()

START_SECONDS: Final = 90.0
"""A child that is not ready after this is taken for hung; systemd's own default."""

STOP_SECONDS: Final = 45.0
"""How long a child may take to end after SIGTERM, calls in progress included."""

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0
"""Seconds between a child's end and its restart: doubled each time, up to the longest."""

STEADY_SECONDS: Final = 30.0
"""A child that lived this long after READY has earned the first pause again."""


class State(StrEnum):
    """What the child is doing, as far as its guardian knows."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    """It ended, or was killed; it will be started anew after a pause."""
    STOPPING = "stopping"
    ENDED = "ended"


class Guardian:
    """Runs ``command`` until told to stop, or until it ends by itself with status 0.

    Attributes:
        state: What the child is doing now.
        starts: How often the child was started.
        kills: How often it was killed because it hung.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        watchdog_seconds: float,
        env: Mapping[str, str] = os.environ,
        log_file: Path | None = None,
        on_state: Callable[[State], None] = lambda state: None,
    ) -> None:
        """Say what to run.

        Args:
            command: Program and arguments.
            watchdog_seconds: A stall this long after READY=1 is fatal for the child.
            env: The child's environment, to which the protocol's variables are added.
            log_file: The child's output is appended to it; None: it goes where ours goes.
            on_state: Hears of every change of state.
        """
        self.state = State.ENDED
        self.starts = 0
        self.kills = 0
        self._command = tuple(command)
        self._watchdog = watchdog_seconds
        self._env = dict(env)
        self._log_file = log_file
        self._on_state = on_state
        self._child: asyncio.subprocess.Process | None = None
        self._told_to_stop = asyncio.Event()
        self._news = asyncio.Event()
        self._patience: asyncio.Timeout | None = None
        self._running: asyncio.Task[int] | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is no child."""
        return self._child.pid if self._child and self._child.returncode is None else None

    async def start(self) -> None:
        """Start the child and keep it alive from now on. Does not wait for READY=1."""
        if self._running is None:
            self._enter(State.STARTING)
            self._running = asyncio.create_task(self._keep_alive(), name="guardian")

    async def ready(self) -> None:
        """Wait until the child has said READY=1.

        Raises:
            SetupError: it ended for good before.
        """
        while self.state is not State.READY:
            if self.state is State.ENDED:
                raise SetupError(
                    f"{self._command[0]} ended before it was ready.",
                    remedy=f"See {self._log_file}." if self._log_file else "See its output.",
                )
            self._news.clear()
            await self._news.wait()

    async def stop(self) -> int:
        """Have the child end: SIGTERM, and SIGKILL when it takes too long.

        Returns:
            Its last exit status; negative: the signal that ended it.
        """
        self._told_to_stop.set()
        return await self.wait()

    async def wait(self) -> int:
        """Wait until there is no child any more; returns as :meth:`stop`."""
        return await asyncio.shield(self._running) if self._running else 0

    async def run(self) -> int:
        """Start, pass SIGTERM and SIGINT on to the child as a wish to stop, and wait.

        For a process that does nothing else; returns as :meth:`stop`.
        """
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        for number in numbers:
            loop.add_signal_handler(number, self._told_to_stop.set)
        try:
            await self.start()
            return await self.wait()
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    async def _keep_alive(self) -> int:
        loop = asyncio.get_running_loop()
        with (
            tempfile.TemporaryDirectory(prefix="pickup-") as folder,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
        ):
            address = Path(folder) / "notify"
            notify.setblocking(False)
            notify.bind(str(address))
            loop.add_reader(notify, self._listen, notify)
            try:
                return await self._start_over_and_over(address)
            finally:
                loop.remove_reader(notify)
                self._enter(State.ENDED)

    async def _start_over_and_over(self, address: Path) -> int:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            began = loop.time()
            status = await self._live_once(address)
            if self._told_to_stop.is_set() or status == 0:
                return status
            if loop.time() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE
            log.error("A program ended.", command=self._command, status=status, again_in=pause)
            self._enter(State.WAITING)
            if await self._told_within(pause):
                return status
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _live_once(self, address: Path) -> int:
        """Start the child and see it to its end, however that comes; return its status."""
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(self._log_file.open("ab")) if self._log_file else None
            self._child = child = await asyncio.create_subprocess_exec(
                *self._command,
                env={
                    **self._env,
                    "NOTIFY_SOCKET": str(address),
                    "WATCHDOG_USEC": str(round(self._watchdog * 1_000_000)),
                },
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.starts += 1
        self._enter(State.STARTING)
        watching = asyncio.create_task(self._watch(child), name="watchdog")
        try:
            return await child.wait()
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            # What the child had started must not outlive it and hold its ports; nor must the
            # child outlive a guardian that is cancelled.
            _kill_group(child.pid)
            await child.wait()

    async def _watch(self, child: asyncio.subprocess.Process) -> None:
        """Stop the child when told to, and kill it when our patience is over."""
        try:
            async with asyncio.timeout(START_SECONDS) as self._patience:
                await self._told_to_stop.wait()
                self._begin_to_stop()
                with contextlib.suppress(ProcessLookupError):
                    child.terminate()
                await asyncio.Event().wait()
        except TimeoutError:
            self.kills += 1
            log.error("A program hung and is killed.", command=self._command, state=self.state)
            _kill_group(child.pid)
        finally:
            self._patience = None

    def _allow(self, seconds: float) -> None:
        if self._patience is not None and not self._patience.expired():
            self._patience.reschedule(asyncio.get_running_loop().time() + seconds)

    async def _told_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._told_to_stop.wait()
        except TimeoutError:
            return False
        return True

    def _listen(self, notify: socket.socket) -> None:
        words = set(notify.recv(4096).decode(errors="replace").splitlines())
        if self.state is State.STOPPING:
            return
        if "STOPPING=1" in words:
            self._begin_to_stop()
            return
        if "READY=1" in words:
            self._enter(State.READY)
        if self.state is State.READY and words & {"READY=1", "WATCHDOG=1"}:
            self._allow(self._watchdog)

    def _begin_to_stop(self) -> None:
        self._enter(State.STOPPING)
        self._allow(STOP_SECONDS)

    def _enter(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._news.set()
            self._on_state(state)


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
