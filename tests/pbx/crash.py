"""A second try for tests that kill an agent in mid-call, because of a fault of Asterisk's.

Asterisk 22.10.1 itself crashes (segmentation fault) in about one of ten cases when the process
behind a call's control and media sockets is killed; seen 5 times in about 45 kills. In production a
supervisor starts it again; here the test is played once more on a fresh Asterisk. A test that
fails while Asterisk lives has failed.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable

from agent.service.asterisk import AsteriskServer
from agent.settings import Settings

Test = Callable[[Settings, AsteriskServer], Awaitable[None]]


def again_if_asterisk_crashes(test: Test) -> Test:
    """Play a test of ``settings`` and ``pbx`` a second time if Asterisk crashed in it."""

    @functools.wraps(test)
    async def played(settings: Settings, pbx: AsteriskServer) -> None:
        try:
            await test(settings, pbx)
        except Exception:  # whatever failed: the question is only whether Asterisk still lives
            if pbx.pid is not None:
                raise
            await asyncio.to_thread(pbx.stop)
            await asyncio.to_thread(pbx.start)
            await test(settings, pbx)

    return played
