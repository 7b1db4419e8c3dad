"""``pickup watch``: the process beside the agent that looks after the line.

It hears Asterisk over AMI, tells people of faults, passes voicemail on and sends the canary when
it is due. It has no part in any call: when it is away, calls go on and nothing is lost, only
later. What it knows is in ``<home>/watch.json`` for `pickup doctor`; Prometheus reads it at
``/metrics`` or in ``metrics.prom``.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import aiohttp
import structlog

from agent.errors import PickupError, SetupError
from agent.phone.watch import Sign, Watch
from agent.promises.files import put_file
from agent.promises.ledger import Ledger
from agent.restaurant import load_restaurant
from agent.review.job import call_is_on
from agent.service import metrics
from agent.service.alerts import Alerts
from agent.service.canary import sing
from agent.service.exporter import Exporter
from agent.service.retention import carry_out
from agent.service.voicemail import Collector, waiting
from agent.service.watch_state import LATE_VOICEMAIL_SECONDS, STATE_SECONDS, state_file
from agent.settings import Settings

log = structlog.get_logger()

VOICEMAIL_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 10.0
CANARY_SECONDS: Final = 20.0
"""How often it is looked whether the canary is due; its times are full minutes."""

RETENTION_SECONDS: Final = 3600.0
"""How often calls past their time are looked for; it is days that are counted."""

HEALTH_SECONDS: Final = 3.0
"""An agent that takes longer to say how it is, is not well."""

LEAST_DISK: Final = 500 * 1024 * 1024
"""Bytes free: some 80 hours of both sides of calls; below it people are told."""


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
        self._ledger = Ledger(settings, clock)
        self._alerts = Alerts(settings, clock)
        self._collector = Collector(settings, self._restaurant, clock)
        self._signs: asyncio.Queue[Sign] = asyncio.Queue()
        self._watch = Watch(settings.pbx, self._signs.put_nowait)
        self._began = clock()
        self._sang = ""
        self._state: dict[str, Any] = {}
        self._looked: dict[str, int] = {}
        self._exporter = Exporter(settings.metrics, lambda: self._state | self._looked)

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
                "canary": _every(CANARY_SECONDS, self._canary),
                "retention": _every(RETENTION_SECONDS, self._retain),
                "state": _every(STATE_SECONDS, self._write_state),
            }.items()
        ]
        ended = asyncio.create_task(told.wait(), name="told to stop")
        try:
            await self._exporter.start()
        except SetupError as error:  # the line is looked after all the same
            log.error("Prometheus can't read the figures.", error=str(error))
        log.info("Pickup watches.", ami_port=self._settings.pbx.ami_port)
        try:
            done, _ = await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {ended}:
                task.result()  # it never ends by itself: what it raised ends the process
        finally:
            for task in (*tasks, ended):
                task.cancel()
            await asyncio.gather(*tasks, ended, return_exceptions=True)
            await self._exporter.stop()
            await self._ledger.close()

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
        open_ids = await asyncio.to_thread(self._ledger.open_ids)
        self._looked |= {"disk_free": free, "promises_open": len(open_ids)}
        self._signs.put_nowait(await self._agent_answers())
        left = await asyncio.to_thread(waiting, self._settings.voicemail, self._clock())
        self._looked["voicemail_waiting"] = len(left)
        late = [m for m in left if self._clock() - m.left > LATE_VOICEMAIL_SECONDS]
        said = f"{len(late)} voicemail messages wait to be passed on."
        self._signs.put_nowait(Sign("voicemail.passed_on", not late, said))

    async def _retain(self) -> None:
        """Let go of evidence that is past its time, while no call wants the disk."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        if not await asyncio.to_thread(call_is_on, self._settings.calls, self._clock()):
            await asyncio.to_thread(lambda: list(carry_out(self._settings, now)))

    async def _canary(self) -> None:
        """Send the canary at its times, once each."""
        now = datetime.fromtimestamp(self._clock(), ZoneInfo(self._restaurant.time_zone))
        due = f"{now:%Y-%m-%d %H:%M}"
        if f"{now:%H:%M}" not in self._settings.canary.at or due == self._sang:
            return
        self._sang = due
        song = await sing(self._settings, self._clock)
        self._signs.put_nowait(Sign("canary.sings", song.well, song.sentence))

    async def _agent_answers(self) -> Sign:
        agent = self._settings.agent
        url = f"http://{agent.host}:{agent.port}/health"
        timeout = aiohttp.ClientTimeout(total=HEALTH_SECONDS)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
                health = await answer.json()
            self._looked |= {"calls_now": health["calls"], "calls_limit": health["max_calls"]}
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            self._looked |= {"calls_now": 0, "calls_limit": 0}
            said = f"No agent at {agent.host}:{agent.port}: callers reach the mailbox."
            return Sign("agent.answers", well=False, detail=said)
        return Sign("agent.answers", well=True, detail="The agent takes calls.")

    async def _write_state(self) -> None:
        counts = self._watch.signs.counts
        self._state = row = {
            **self._looked,
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
        await asyncio.to_thread(put_file, state_file(self._settings.home), row)
        await asyncio.to_thread(metrics.write, self._settings.home, row)


async def _every(pause: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except (OSError, PickupError) as error:
            log.error("A part of the watch failed and is tried again.", error=str(error))
        await asyncio.sleep(pause)
