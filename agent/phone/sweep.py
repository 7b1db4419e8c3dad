"""What a killed agent left behind in Asterisk, and how it is taken away.

A process that dies can't destroy its bridges, nor the media channel it had not connected
to yet. Both carry our prefix in their ids, so the next process to start removes them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from agent.errors import AriError, CallGone
from agent.phone.ari import Ari
from agent.phone.leg import BRIDGE_PREFIX

log = structlog.get_logger()

APART_SECONDS: Final = 5.0
"""Between two looks. A call that is just set up uses its parts long before (10–20 ms)."""

PATIENCE: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds to wait before each new try while Asterisk is not there yet."""

Sleep = Callable[[float], Awaitable[None]]


async def sweep(ari: Ari, sleep: Sleep = asyncio.sleep) -> int:
    """Remove our bridges and media channels that two looks, apart in time, find unused.

    Two looks, because another agent may be setting up a call on the same Asterisk now.
    While Asterisk is not there it is tried again, about two minutes in all, and then given
    up with a log line; calls are not affected.

    Returns:
        How many were removed.
    """
    for wait in PATIENCE:
        try:
            first = await _unused(ari)
            if not first:
                return 0
            await sleep(APART_SECONDS)
            return await _remove(ari, first & await _unused(ari))
        except AriError as error:
            log.debug("Asterisk can't be swept yet.", error=str(error), again_in=wait)
        await sleep(wait)
    log.warning("Asterisk was not swept: it did not answer.")
    return 0


async def _unused(ari: Ari) -> frozenset[tuple[str, str]]:
    bridges = await ari.bridges()
    bridged = {channel for bridge in bridges for channel in bridge.channels}
    empty = {("bridge", b.id) for b in bridges if not b.channels}
    stray = {("channel", c.id) for c in await ari.channels() if c.id not in bridged}
    return frozenset(found for found in empty | stray if found[1].startswith(BRIDGE_PREFIX))


async def _remove(ari: Ari, unused: frozenset[tuple[str, str]]) -> int:
    for kind, name in sorted(unused):
        try:
            await (ari.destroy_bridge(name) if kind == "bridge" else ari.hang_up(name))
        except CallGone:
            continue
        log.info("Removed what an earlier process had left in Asterisk.", kind=kind, id=name)
    return len(unused)
