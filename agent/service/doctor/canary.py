"""The last canary: how it went, and how long ago."""

from __future__ import annotations

from typing import Final

from agent.promises.files import read_lines
from agent.service.doctor.finding import Finding, Patient, bad, warn, well
from agent.service.watch_state import CANARY_HISTORY

STALE_SECONDS: Final = 2 * 86_400.0
"""A daily canary that was silent for two days does not sing any more."""


async def canary(patient: Patient) -> Finding:
    """The line's own test call got through lately; if it is used at all."""
    settings = patient.settings
    rows = read_lines(settings.home / CANARY_HISTORY)
    if not settings.dial_out.numbers:
        return well("canary", "Not used: [dial_out] numbers is empty.")
    if not rows and settings.canary.at:
        return warn("canary", "It is to be sent daily and never was.", "pickup canary")
    if not rows:
        return well("canary", "Never sent, and none is due: [canary] at is empty.")
    last = rows[-1]
    if not last.get("well"):
        return bad(
            "canary", f"The last one failed: {last.get('sentence')}", str(last.get("do", ""))
        )
    age = patient.clock() - float(last.get("time", 0))
    if age > STALE_SECONDS and settings.canary.at:
        return warn(
            "canary", f"The last was {age / 86400:.0f} days ago.", "Is `pickup watch` running?"
        )
    return well("canary", str(last.get("sentence", "")))
