"""What a promise needs: real Redis, the worker, the real ``twilio`` package, its stand-in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from agent.evaluate.standin import TwilioStandIn
from agent.events import PromiseKind
from agent.promises import worker
from agent.promises.ledger import Ledger, PromiseNews
from agent.promises.state import News, Promise
from agent.promises.texts import carries
from agent.settings import Settings
from tests.redis_fixture import RedisServer, free_port

ACCOUNT = "AC" + "0" * 32
TOKEN = "a token for tests"
CALLER = "+13165550123"
DEADLINE = 20.0


@dataclass
class House:
    """Everything a promise needs, and short ways to ask about it."""

    settings: Settings
    standin: TwilioStandIn
    redis: RedisServer
    ledger: Ledger
    bundle: Path

    def promise(self, to: str = CALLER, kind: PromiseKind = PromiseKind.ORDER_LINK) -> Promise:
        return self.ledger.make(kind, to, "Order at https://order.example/?t={token}", self.bundle)

    async def kept(self, promise: Promise, within: float = DEADLINE) -> PromiseNews:
        await self.ledger.keep(promise)
        return await self.ledger.outcome(promise.id, within)

    def news(self, promise: Promise) -> list[News]:
        return [line.news for line in self.ledger.history(promise)]

    def sent(self, promise: Promise) -> int:
        return sum(carries(m.body, promise.id) for m in self.standin.messages)

    def environment(self) -> dict[str, str]:
        """Return the settings as a child process reads them."""
        twilio = self.settings.twilio
        patience = self.settings.promises
        return {
            **os.environ,
            "PICKUP_HOME": str(self.settings.home),
            "PICKUP_REDIS__URL": self.settings.redis.url,
            "PICKUP_TWILIO__ACCOUNT_SID": twilio.account_sid,
            "PICKUP_TWILIO__AUTH_TOKEN": TOKEN,
            "PICKUP_TWILIO__FROM_NUMBER": twilio.from_number,
            "PICKUP_TWILIO__API_BASE": twilio.api_base,
            "PICKUP_TWILIO__WEBHOOK_PORT": str(free_port()),
            "PICKUP_PROMISES__UNCERTAIN_SECONDS": str(patience.uncertain_seconds),
            "PICKUP_PROMISES__SWEEP_SECONDS": str(patience.sweep_seconds),
        }

    @contextlib.asynccontextmanager
    async def worker_process(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a worker of its own until SIGTERM, which must end it well unless it was killed."""
        environment = self.environment()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "agent.promises.worker",
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(DEADLINE):
                while not await listens(int(environment["PICKUP_TWILIO__WEBHOOK_PORT"])):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            yield process
            if process.returncode is None:
                process.terminate()
                assert await asyncio.wait_for(process.wait(), DEADLINE) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@contextlib.asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """Run the worker in this process until the block ends."""
    task = asyncio.create_task(worker.run(settings))
    try:
        async with asyncio.timeout(DEADLINE):
            while not await listens(settings.twilio.webhook_port):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def listens(port: int) -> bool:
    """Tell whether something accepts connections on this port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def until(true: Callable[[], bool], within: float = DEADLINE) -> None:
    """Wait until ``true()``.

    Raises:
        TimeoutError: it did not become true in time.
    """
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110 - the news comes from disk and from other processes
            await asyncio.sleep(0.02)
