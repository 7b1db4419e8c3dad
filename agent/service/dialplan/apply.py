"""Puts an edited dialplan to use, and takes it back when calls no longer get through.

::

    check ─► probe call ─► copy (the old one kept) ─► reload ─► probe call ─► keep, or take back

Calls in progress go on through all of it: Asterisk finishes each with the dialplan it has, and
a reload does not touch its channel.

The reload goes through Asterisk's control socket, which only its own user can open. AMI could do
it too, but its right to reload is the right to rewrite every file Asterisk reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from agent.errors import DialplanError, PhoneError
from agent.service.asterisk import AsteriskServer
from agent.service.dialplan import files
from agent.service.dialplan.source import Problem
from agent.service.probe import Probe, probe_call
from agent.settings import Settings

log = structlog.get_logger()

_WORTH = {"agent": 2, "fallback": 1, "nobody": 0}


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of it.

    Attributes:
        changed: Files that differ from what was in use.
        problems: What is wrong with them; if anything, nothing was done.
        before: The probe call with the old dialplan, None if none was made.
        after: The same with the new one.
        kept: Whether the new one is in use now.
    """

    changed: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    before: Probe | None = None
    after: Probe | None = None
    kept: bool = False


async def apply(settings: Settings, on_step: Callable[[str], None] = lambda _: None) -> Applied:
    """Apply the files that the sysadmin edited, if they are right and calls still get through.

    Args:
        settings: The machine's settings; Asterisk runs.
        on_step: Hears what is being done, for a person who waits.

    Raises:
        PhoneError: Asterisk does not answer; nothing was changed.
        DialplanError: the new dialplan was bad and could not be taken back.
    """
    changed = tuple(files.changed(settings))
    on_step("check")
    if wrong := files.problems(settings):
        return Applied(changed, tuple(wrong))
    server = AsteriskServer("pbx", settings)
    on_step("probe call, as it is")
    before = await probe_call(settings)
    on_step("put to use")
    await asyncio.to_thread(files.put, settings)
    await _reload(server)
    on_step("probe call, as it is now")
    after = await _probe(settings)
    if after is not None and worth(after) >= worth(before):
        return Applied(changed, before=before, after=after, kept=True)
    on_step("take back")
    if not await asyncio.to_thread(files.take_back, settings):
        raise DialplanError(
            "Calls no longer get through, and there is no earlier dialplan to go back to.",
            remedy="Undo your last edit and run pickup dialplan apply again.",
        )
    await _reload(server)
    again = await _probe(settings)
    if again is None or worth(again) < worth(before):
        raise DialplanError(
            "The dialplan was taken back, and calls still don't get through.",
            remedy="Run pickup doctor: something else broke at the same time.",
        )
    return Applied(changed, before=before, after=after, kept=False)


def worth(probe: Probe) -> tuple[int, bool]:
    """Return how good a probe call went, for comparing: who answered, and whether all was well."""
    return _WORTH[probe.by], probe.well or probe.by != "agent"


async def _probe(settings: Settings) -> Probe | None:
    try:
        return await probe_call(settings)
    except PhoneError as error:
        log.warning("The probe call failed.", error=str(error))
        return None


async def _reload(server: AsteriskServer) -> None:
    await asyncio.to_thread(server.render)
    await asyncio.to_thread(server.command, "dialplan reload")
