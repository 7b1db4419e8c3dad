"""``pickup watch``: the process beside the agent that looks after the line.

It hears Asterisk over AMI, tells people of faults, passes voicemail on and sends the canary when
it is due. It has no part in any call: when it is away, calls go on and nothing is lost, only
later. What it knows is in ``<home>/watch.json``, for `pickup doctor` and the metrics.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import structlog

from agent.errors import PickupError
from agent.phone.watch import Sign, Watch
from agent.promises.files import put_file
from agent.restaurant import load_restaurant
from agent.service.alerts import Alerts
from agent.service.voicemail import Collector, waiting
from agent.settings import Settings

log = structlog.get_logger()

STATE_FILE: Final = "watch.json"

VOICEMAIL_SECONDS: Final = 2.0
STATE_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 10.0

LEAST_DISK: Final = 500 * 1024 * 1024
"""Bytes free: some 80 hours of both sides of calls; below it people are told."""

LATE_VOICEMAIL_SECONDS: Final = 600.0
"""A voicemail that waits longer than this is not being passed on."""


class Watcher:
    """All that the process does."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        """Prepare to watch. ``clock`` gives Unix time.

        Raises:
            RestaurantError: the restaurant file is wrong.
        """
        self._settings = settings
        self._clock = clock
        self._restaurant = load_restaurant(settings.restaurant)
        self._alerts = Alerts(settings, clock)
        self._collector = Collector(settings, self._restaurant, clock)
        self._signs: asyncio.Queue[Sign] = asyncio.Queue()
        self._watch = Watch(settings.pbx, self._signs.put_nowait)
        self._began = clock()

    async def run(self) -> None:
        """Watch until SIGTERM or SIGINT."""
        told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in {
                "ami": self._watch.run(),
                "alerts": self._tell(),
                "voicemail": _every(VOICEMAIL_SECONDS, self._collect),
                "look": _every(LOOK_SECONDS, self._look),
                "state": _every(STATE_SECONDS, self._write_state),
            }.items()
        ]
        ended = asyncio.create_task(told.wait(), name="told to stop")
        log.info("Pickup watches.", ami_port=self._settings.pbx.ami_port)
        try:
            done, _ = await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {ended}:
                task.result()  # it never ends by itself: what it raised ends the process
        finally:
            for task in (*tasks, ended):
                task.cancel()
            await asyncio.gather(*tasks, ended, return_exceptions=True)

    async def _tell(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    sign = await self._signs.get()
                    await asyncio.to_thread(self._alerts.note, sign)
            await asyncio.to_thread(self._alerts.tell)

    async def _collect(self) -> None:
        await self._collector.collect()

    async def _look(self) -> None:
        """See what nobody tells: the disk, the agent, messages that stay."""
        free = (await asyncio.to_thread(shutil.disk_usage, self._settings.home)).free
        said = f"{free // 2**20} MiB free where the evidence lies."
        self._signs.put_nowait(Sign("disk.free", free >= LEAST_DISK, said))
        self._signs.put_nowait(await self._agent_answers())
        left = await asyncio.to_thread(waiting, self._settings.voicemail, self._clock())
        late = [m for m in left if self._clock() - m.left > LATE_VOICEMAIL_SECONDS]
        said = f"{len(late)} voicemail messages wait to be passed on."
        self._signs.put_nowait(Sign("voicemail.passed_on", not late, said))

    async def _agent_answers(self) -> Sign:
        agent = self._settings.agent
        try:
            async with asyncio.timeout(3):
                _, writer = await asyncio.open_connection(agent.host, agent.port)
            writer.close()
        except (OSError, TimeoutError):
            said = f"No agent at {agent.host}:{agent.port}: callers reach the mailbox."
            return Sign("agent.answers", well=False, detail=said)
        return Sign("agent.answers", well=True, detail="The agent takes calls.")

    async def _write_state(self) -> None:
        counts = self._watch.signs.counts
        row: dict[str, Any] = {
            "time": self._clock(),
            "since": self._began,
            "trunk": counts.trunk,
            "round_trip_seconds": counts.round_trip_seconds,
            "calls": counts.calls,
            "causes": {str(cause): n for cause, n in sorted(counts.causes.items())},
            "security": dict(sorted(counts.security.items())),
            "rtp_stalls": counts.stalls,
            "asterisk_restarts": counts.restarts,
            "faults": {name: asdict(fault) for name, fault in self._alerts.open.items()},
        }
        await asyncio.to_thread(put_file, self._settings.home / STATE_FILE, row)


async def _every(pause: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except (OSError, PickupError) as error:
            log.error("A part of the watch failed and is tried again.", error=str(error))
        await asyncio.sleep(pause)


def state_file(home: Path) -> Path:
    """Return where a watcher of this home writes what it knows."""
    return home / STATE_FILE
