"""The worker: one process that takes jobs, sweeps the open promises and hears the carrier.

Any number may run; a promise is held by one at a time. ``python -m agent.promises.worker``
or ``pickup worker``. SIGTERM and SIGINT stop it after what is under way is written down.
"""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Final

import redis
import structlog
from aiohttp import web

from agent.errors import PromiseError
from agent.pause import PauseStore
from agent.promises.inbound import OwnersSwitch
from agent.promises.jobs import Jobs, Queue
from agent.promises.keeper import Keeper
from agent.promises.ledger import Ledger
from agent.promises.owner import OwnersList
from agent.promises.twilio import Carrier
from agent.promises.webhook import Webhook
from agent.restaurant import load_restaurant
from agent.settings import Settings, load_settings

_log = structlog.get_logger(__name__)

STOP_SECONDS: Final = 40.0
"""Longest wait at the end for a request under way: the carrier's time-out and some."""

REPEAT_SECONDS: Final = 30.0
"""A job for the same step is not queued again within this time."""


class Sweeper:
    """Finds open promises with something due, whoever forgot them, and has them tended.

    Through the queue while Redis is up; with its own hands while Redis is down.
    """

    def __init__(self, ledger: Ledger, keeper: Keeper, queue: Queue) -> None:
        """Sweep ``ledger``."""
        self._ledger = ledger
        self._keeper = keeper
        self._queue = queue
        self._queued: dict[str, tuple[float, float]] = {}

    def sweep(self, now: float) -> None:
        """Look at every open promise once; ``now`` is Unix time. Blocking."""
        open_ids = self._ledger.open_ids()
        self._queued = {i: seen for i, seen in self._queued.items() if i in open_ids}
        for promise_id in open_ids:
            due = self._keeper.due(promise_id)
            if due is None or due > now:
                continue
            step, at = self._queued.get(promise_id, (-1.0, 0.0))
            if step == due and now - at < REPEAT_SECONDS:
                continue
            try:
                self._queue.nudge(promise_id)
                self._queued[promise_id] = (due, now)
            except redis.RedisError:
                _log.warning("redis_down_keeping_directly", promise=promise_id)
                self._queued.clear()
                self._keeper.tend(promise_id)


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT.

    Raises:
        RestaurantError: the restaurant file is wrong.
        OSError: the webhook's port is taken.
    """
    restaurant = load_restaurant(settings.restaurant)
    ledger = Ledger(settings)
    queue = Queue(settings.redis.url, wait=1.0)
    owner = OwnersList(settings.home)
    keeper = Keeper(ledger, Carrier(settings.twilio), queue, owner, restaurant)
    sweeper = Sweeper(ledger, keeper, queue)
    jobs = Jobs(settings.redis.url, keeper.tend)

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    pause = PauseStore(settings)
    switch = OwnersSwitch(restaurant, pause, time.time)
    app = Webhook(settings.twilio, ledger, queue, switch).app()
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, settings.twilio.webhook_host, settings.twilio.webhook_port)
    await site.start()
    jobs.start()
    _log.info("worker_ready", webhook_port=settings.twilio.webhook_port)
    try:
        while not stop.is_set():
            try:
                await asyncio.to_thread(sweeper.sweep, time.time())
            except (OSError, PromiseError):
                # a full disk: what can't be written down must not be done; it stays due
                _log.critical("sweep_failed", exc_info=True)
            try:
                async with asyncio.timeout(settings.promises.sweep_seconds):
                    await stop.wait()
            except TimeoutError:
                continue
    finally:
        await runner.cleanup()
        await asyncio.to_thread(jobs.stop, STOP_SECONDS)
        await queue.close()
        await pause.close()
        await ledger.close()
        _log.info("worker_stopped")


def main() -> None:
    """Run the worker with the machine's settings."""
    asyncio.run(run(load_settings()))


if __name__ == "__main__":
    main()
