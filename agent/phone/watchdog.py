"""Proof of life: systemd's notification protocol, sent from the event loop.

A loop that stalls stops sending, and whoever supervises the process kills it: systemd by
``WatchdogSec=``, or our own :class:`agent.service.guardian.Guardian` where there is no
systemd. An established call with a hung agent would otherwise stay silent for ever:
Asterisk does not notice (measured). The protocol is sd_notify(3): datagrams of
``KEY=VALUE`` lines to the Unix socket named by ``NOTIFY_SOCKET``.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import Self

import structlog

log = structlog.get_logger()


class Heartbeat:
    """Tells the supervisor that we are ready, alive, and going away.

    Does nothing where nobody supervises (no ``NOTIFY_SOCKET``), and sends no heartbeats
    where none are asked for (no ``WATCHDOG_USEC``, or it is meant for another process).
    """

    def __init__(self, address: str, interval: float | None) -> None:
        """Say whom to tell.

        Args:
            address: The supervisor's Unix socket, ``@`` first if abstract; empty: nobody.
            interval: Seconds between heartbeats; None: none are asked for.
        """
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._interval = interval
        self._socket: socket.socket | None = None
        self._beating: asyncio.Task[None] | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return a heartbeat as the supervisor asks for it: every third of WATCHDOG_USEC."""
        return cls(environment.get("NOTIFY_SOCKET", ""), _interval(environment))

    async def start(self) -> None:
        """Say that calls can be taken (READY=1), and begin the heartbeat."""
        if not self._address or self._socket is not None:
            return
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._say("READY=1")
        if self._interval is not None:
            self._beating = asyncio.create_task(self._beat(self._interval), name="heartbeat")

    async def stop(self) -> None:
        """Say that we are going away (STOPPING=1), and end the heartbeat."""
        self._say("STOPPING=1")
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
            self._beating = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _beat(self, interval: float) -> None:
        while True:
            self._say("WATCHDOG=1")
            await asyncio.sleep(interval)

    def _say(self, message: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(message.encode(), self._address)
        except OSError as error:
            log.warning("The supervisor did not take our word.", said=message, error=str(error))


def _interval(environment: Mapping[str, str]) -> float | None:
    allowed = environment.get("WATCHDOG_USEC", "")
    meant_for = environment.get("WATCHDOG_PID", "")
    if not allowed.isdigit() or int(allowed) == 0 or meant_for not in ("", str(os.getpid())):
        return None
    return int(allowed) / 1_000_000 / 3
