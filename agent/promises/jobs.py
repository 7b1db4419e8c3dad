"""Redis between the call and the worker: a job that wakes the worker, and news that wakes the call.

Nothing here is needed to keep a promise: the worker's sweeper looks at the disk too. Redis
makes it fast. The job carries nothing but the promise's id; it may be lost, doubled or late
without harm, because the keeper decides by the promise's history alone. That is also where
retries are reckoned (``state.next_step``): a pause kept in Redis would die with Redis.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

QUEUE: Final = "promises"
JOB: Final = "keep_promise"
NAMESPACE: Final = "pickup"
CHANNEL: Final = "pickup:promise:"

POLL_MILLISECONDS: Final = 50
"""dramatiq's Redis consumer has no blocking read: it polls, and when idle it waits 50–100 % of
the worker timeout between two looks. See docs/promises.md for what this costs and gives."""

WORKER_THREADS: Final = 4
"""Messages under way at once; each may hold its thread for the carrier's whole time-out."""


def _broker(url: str, wait: float) -> RedisBroker:
    # one retry and no pause: enough to replace a connection that a Redis restart has cut
    client = redis.Redis.from_url(
        url,
        socket_timeout=wait,
        socket_connect_timeout=wait,
        retry=Retry(NoBackoff(), 1),
    )
    # no middleware: TimeLimit would interrupt a keeper between "sent" and "written down"
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=client, namespace=NAMESPACE, middleware=[]
    )


class Queue:
    """The sending side of the jobs, and the news channel."""

    def __init__(self, url: str, wait: float) -> None:
        """Use the Redis at ``url``; no single answer is waited for longer than ``wait`` seconds."""
        self._broker = _broker(url, wait)
        self._news = AsyncRedis.from_url(
            url,
            socket_timeout=wait,
            socket_connect_timeout=wait,
            retry=AsyncRetry(NoBackoff(), 1),
        )

    def nudge(self, promise_id: str) -> None:
        """Queue a job for this promise. Blocking; call it from a thread.

        Raises:
            redis.RedisError: Redis is down or did not answer in time.
        """
        message = dramatiq.Message[None](
            queue_name=QUEUE, actor_name=JOB, args=(promise_id,), kwargs={}, options={}
        )
        self._broker.enqueue(message)

    def announce(self, promise_id: str) -> None:
        """Tell whoever waits that there is news of this promise. Blocking.

        Raises:
            redis.RedisError: Redis is down or did not answer in time.
        """
        self._broker.client.publish(CHANNEL + promise_id, "news")

    @asynccontextmanager
    async def hearing(self, promise_id: str) -> AsyncIterator[Callable[[float], Awaitable[None]]]:
        """Subscribe to a promise's news; the context value waits for some, up to given seconds.

        Raises:
            redis.RedisError: Redis is down or did not answer in time.
        """
        async with self._news.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(CHANNEL + promise_id)

            async def heard(seconds: float) -> None:
                await channel.get_message(timeout=seconds)

            yield heard

    async def close(self) -> None:
        """Close all connections."""
        await self._news.aclose()
        self._broker.client.close()


class Jobs:
    """The receiving side: dramatiq's worker threads, each calling ``tend(promise_id)``."""

    def __init__(self, url: str, tend: Callable[[str], None]) -> None:
        """Prepare to take jobs from the Redis at ``url``; ``start`` begins."""
        self._broker = _broker(url, wait=5.0)
        dramatiq.actor(actor_name=JOB, queue_name=QUEUE, broker=self._broker)(tend)
        self._worker = dramatiq.Worker(
            self._broker, worker_timeout=POLL_MILLISECONDS, worker_threads=WORKER_THREADS
        )

    def start(self) -> None:
        """Begin taking jobs; comes back by itself after Redis was away (within 3 s)."""
        self._worker.start()

    def stop(self, seconds: float) -> None:
        """Finish what is under way, ``seconds`` at most. Blocking."""
        self._worker.stop(timeout=int(seconds * 1000))
        self._broker.client.close()
