"""The hops in order: what a later one needs stands before it, so the first bad one is the cause."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from agent.errors import PickupError
from agent.service.doctor import (
    agent,
    asterisk,
    canary,
    machine,
    models,
    ports,
    stores,
    texts,
    trunk,
)
from agent.service.doctor.finding import Finding, Patient, Verdict, bad

Hop = Callable[[Patient], Awaitable[Finding]]

HOPS: Final[tuple[Hop, ...]] = (
    machine.restaurant,
    machine.secrets,
    machine.disk,
    machine.evidence,
    texts.clock,
    asterisk.installed,
    asterisk.running,
    asterisk.config,
    asterisk.dialplan,
    asterisk.modules,
    asterisk.prompts,
    ports.ports,
    trunk.trunk,
    trunk.codecs,
    models.models,
    stores.store,
    agent.ari,
    agent.ami,
    agent.agent,
    agent.stasis,
    agent.gate,
    machine.pause,
    stores.worker,
    texts.texts,
    texts.webhook,
    stores.promises,
    stores.watch,
    stores.voicemail,
    stores.backup,
    agent.probe,
    trunk.forwarding,
    trunk.sound,
    canary.canary,
    models.speed,
)

NEEDED: Final = frozenset({"restaurant", "asterisk"})
"""Without these the hops after them can't even be looked at."""


async def examine(patient: Patient, *, until_bad: bool = False) -> AsyncIterator[Finding]:
    """Yield every hop's finding, in order.

    Args:
        patient: The house.
        until_bad: Stop after the first that is not well.
    """
    for hop in HOPS:
        finding = await _look(hop, patient)
        yield finding
        if finding.verdict is Verdict.BAD and (until_bad or finding.hop in NEEDED):
            return
        if finding.verdict is Verdict.WARN and until_bad:
            return


async def _look(hop: Hop, patient: Patient) -> Finding:
    """Look at one hop; what keeps us from looking is itself a finding."""
    name = getattr(hop, "__name__", "hop")
    try:
        return await hop(patient)
    except (OSError, PickupError, ValueError) as error:
        saw = f"It can't be looked at: {type(error).__name__}: {error}"
        return bad(name, saw, "Mend what is red before it first.")
