"""Callers on the line, and what is live at an Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import numpy as np

from agent.evaluate.line import LiveCaller
from agent.service.asterisk import AsteriskServer

CALLER = "+13165550111"

LIMIT = 15.0
"""Seconds; a bound for waiting, never a measure."""


async def until(true: Callable[[], object], what: str) -> None:
    """Wait until ``true()`` holds; fails with ``what`` after LIMIT."""
    deadline = time.monotonic() + LIMIT
    while not await asyncio.to_thread(true):
        if time.monotonic() > deadline:
            raise AssertionError(f"within {LIMIT:.0f} s never: {what}")
        await asyncio.sleep(0.02)


def channels(server: AsteriskServer) -> list[str]:
    """Return the live channels, one ``!``-separated line each."""
    return server.command("core show channels concise").split()


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
