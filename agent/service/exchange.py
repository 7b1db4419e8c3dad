"""Both Asterisks and nothing else: a telephone network for calls that this process serves.

No Redis, no worker, no Twilio, not even its stand-in: what is promised in such a call can't
reach anybody.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from agent.service.asterisk import AsteriskServer
from agent.service.ports import loopback_settings
from agent.settings import Settings

ALWAYS: Final = {
    "closed": "take",
    "anonymous": "take",
    "failed_attestation": "take",
    "spam": "take",
    "most_load": 1e6,
    "rush_calls": 10**6,
}
"""The gate of a replay takes every call: that it was taken is known."""


def exchange_settings(settings: Settings, home: Path) -> Settings:
    """Return settings for an exchange in ``home``: ports and secrets of its own, today's agent.

    Args:
        settings: The machine's: restaurant file, models.
        home: A folder with a short path; bundles go into its ``calls``.
    """
    return loopback_settings(
        home,
        restaurant=settings.restaurant,
        models=settings.models.model_dump(),
        mind=settings.mind.model_dump(),
        gate=ALWAYS,
    )


class Exchange:
    """The restaurant's PBX and the phone company, running: ``async with Exchange(settings)``."""

    def __init__(self, settings: Settings) -> None:
        """Take settings from :func:`exchange_settings`."""
        self.pbx = AsteriskServer("pbx", settings)
        self.carrier = AsteriskServer("carrier", settings)
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start both.

        Raises:
            SetupError: one did not come up; what had is stopped again.
        """
        async with contextlib.AsyncExitStack() as stack:
            for server in (self.pbx, self.carrier):
                await asyncio.to_thread(server.start)
                stack.push_async_callback(asyncio.to_thread, server.stop)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop both."""
        await self._exit.aclose()
