"""Whether the owner has switched the agent off, and until when.

Kept twice: in ``<home>/pause.json``, which survives everything, and in Redis, which every
agent behind one number sees. The newer of the two counts, so neither being away matters.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import redis
import redis.asyncio
import structlog
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from agent.errors import SettingsError
from agent.settings import Settings

log = structlog.get_logger()

KEY: Final = "pickup:pause"

REDIS_SECONDS: Final = 0.15
"""Longest wait for Redis while a caller waits; the dialplan gives the whole gate a second."""

LONGEST_SECONDS: Final = 7 * 86_400
"""A pause longer than a week is more likely a slip than a wish."""

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Pause:
    """The owner's last word on the matter.

    Attributes:
        since: Unix time of the word.
        until: Unix time at which the agent takes calls again; None: until told so.
            At or before ``since``: the agent is on.
        by: Who said it, e.g. ``owner`` or ``sysadmin``.
    """

    since: float = 0.0
    until: float | None = 0.0
    by: str = ""

    def holds(self, now: float) -> bool:
        """Whether the agent is off at ``now`` (Unix time)."""
        return self.until is None or now < self.until


ON: Final = Pause()


def read_duration(text: str) -> float:
    """Return the seconds that ``30m``, ``2h``, ``90s`` or ``1d`` mean; a bare number is minutes.

    Raises:
        SettingsError: it is no duration, or longer than a week.
    """
    found = re.fullmatch(r"\s*(\d{1,6})\s*([smhd]?)[a-z]*\s*", text.lower())
    seconds = int(found[1]) * _UNITS[found[2] or "m"] if found else 0
    if not 0 < seconds <= LONGEST_SECONDS:
        raise SettingsError(
            f"{text!r} is no length of time up to a week.", remedy="Write 30m, 2h or 1d."
        )
    return float(seconds)


class PauseStore:
    """Reads and writes the pause. Safe from several processes at once."""

    def __init__(self, settings: Settings) -> None:
        """Use the home folder and the Redis of ``settings``; connects when asked."""
        self._path = settings.home / "pause.json"
        self._url = settings.redis.url
        self._redis = redis.asyncio.Redis.from_url(
            self._url,
            socket_timeout=REDIS_SECONDS,
            socket_connect_timeout=REDIS_SECONDS,
            retry=AsyncRetry(NoBackoff(), 1),
        )

    async def read(self) -> Pause:
        """Return the newest word. Never raises: with neither place readable the agent is on."""
        try:
            shared = _parse(await self._redis.get(KEY))
        except redis.RedisError:
            shared = ON
        return max(self.on_disk(), shared, key=lambda pause: pause.since)

    def on_disk(self) -> Pause:
        """Return what the disk says."""
        try:
            return _parse(self._path.read_bytes())
        except OSError:
            return ON

    def write(self, pause: Pause) -> bool:
        """Keep the word in both places. Blocking.

        Returns:
            False if Redis did not take it: agents on other machines don't know then.

        Raises:
            SettingsError: the disk did not take it; nothing has changed.
        """
        row = json.dumps(asdict(pause))
        draft = self._path.with_suffix(f".{os.getpid()}.draft")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft.write_text(row)
            draft.replace(self._path)
        except OSError as error:
            raise SettingsError(
                f"{self._path} can't be written ({error.strerror}).",
                remedy="Free some space, and run this as the user that Pickup runs as.",
            ) from error
        client = redis.Redis.from_url(
            self._url, socket_timeout=1.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0)
        )
        try:
            client.set(KEY, row)
        except redis.RedisError as error:
            log.warning("Redis did not take the pause; the disk has it.", error=str(error))
            return False
        finally:
            client.close()
        return True

    async def close(self) -> None:
        """Let go of Redis."""
        await self._redis.aclose()


def _parse(raw: bytes | str | None) -> Pause:
    try:
        row: Any = json.loads(raw or "{}")
        if not isinstance(row, Mapping):
            return ON
        until = row.get("until", 0.0)
        return Pause(
            since=float(row.get("since", 0.0)),
            until=None if until is None else float(until),
            by=str(row.get("by", "")),
        )
    except (ValueError, TypeError):
        log.warning("A pause that can't be read is passed over.")
        return ON
