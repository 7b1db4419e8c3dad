"""The restaurant file is taken up when it was edited; no call and no agent is restarted for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from agent.errors import PickupError
from agent.restaurant import Restaurant, load_restaurant

EVERY_SECONDS: Final = 2.0
"""How often the file is looked at: a `stat` costs microseconds, and owners wait no longer."""

log = structlog.get_logger()


class Edits:
    """Looks whether a restaurant file was edited."""

    def __init__(self, path: Path, take_up: Callable[[Restaurant], Awaitable[None]]) -> None:
        """Watch ``path`` as it is now.

        Args:
            path: The restaurant file.
            take_up: Called with what an edited file says.
        """
        self._path = path
        self._take_up = take_up
        self._seen = self._stamp()

    async def follow(self) -> None:
        """Look every few seconds until cancelled."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            await self.look()

    async def look(self) -> bool:
        """Take the file up if it was edited; return whether it was.

        A file that can't be used is logged, once, and what served before goes on serving.
        """
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            restaurant = load_restaurant(self._path)
            await self._take_up(restaurant)
        except PickupError as error:
            log.error(
                "The edited restaurant file can't be used; the one before it serves.",
                code=error.code, reason=str(error), remedy=error.remedy,
            )  # fmt: skip
            return False
        log.info("The edited restaurant file serves the next call.", facts=len(restaurant.facts))
        return True

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0)  # an editor is replacing it
        return found.st_mtime_ns, found.st_size
