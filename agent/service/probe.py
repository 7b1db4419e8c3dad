"""A real call of our own, from inside: does the whole chain behind the trunk work?

A Local channel is put into ``[from-trunk]``, as a call from the trunk would be. The gate is
asked, the agent is handed the call, greets, and listens for our tone. Nothing leaves the
machine, and no list of calls shows it (``agent.service.own_call``).
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from agent.errors import EvidenceError, PickupError
from agent.evaluate.line import Clip, Line, LiveCaller
from agent.evaluate.line_sound import RATE
from agent.evidence.bundle import bundle_folders, read_card
from agent.service.own_call import DEAF, FOLDER, LOUD
from agent.settings import Carrier, Settings

ANSWER_SECONDS: Final = 12.0
"""Longest wait for the answer: the gate's second, two tries to reach the agent, a busy machine."""

LISTEN_SECONDS: Final = 25.0
"""Longest wait for the end of the call after that: greeting, tone, hang-up."""

HEARD_SECONDS: Final = 0.5
"""So much sound has to come for the other side to have spoken."""

EVIDENCE_SECONDS: Final = 3.0

TONE_HERTZ: Final = 440
TONE_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What a call of our own met.

    Attributes:
        by: Who answered: ``agent``, ``fallback`` (apology and mailbox), or ``nobody``.
        answered: Seconds until the answer, None if there was none.
        heard: Seconds of sound that we heard.
        deaf: The agent did not hear our tone.
        fault: What the agent says went wrong; empty if nothing.
        folder: The agent's evidence, None if the call did not reach it.
        cause: Q.850 cause if the network ended the call before any answer.
    """

    by: str
    answered: float | None
    heard: float
    deaf: bool = False
    fault: str = ""
    folder: Path | None = None
    cause: int | None = None

    @property
    def well(self) -> bool:
        """Whether the agent answered, was heard, and heard."""
        return self.by == "agent" and self.heard >= HEARD_SECONDS and not self.fault

    @property
    def sentence(self) -> str:
        """What happened, for a person."""
        if self.answered is None:
            return "Nobody answered the probe call."
        if self.by == "fallback":
            return f"Apology and mailbox answered after {self.answered:.1f} s, not the agent."
        if self.deaf:
            return "The agent answered but does not hear the caller: one-way audio."
        if self.heard < HEARD_SECONDS:
            return "The agent answered, but the caller hears nothing: one-way audio."
        if self.fault:
            return f"The agent answered and then failed ({self.fault})."
        return f"The agent answered after {self.answered:.1f} s, greeted, and heard the caller."


def inside(settings: Settings) -> Settings:
    """Return settings whose ``carrier`` is the PBX itself, for placing calls inside it."""
    pbx = settings.pbx
    here = Carrier(
        host=pbx.host,
        http_port=pbx.http_port,
        ari_user=pbx.ari_user,
        ari_password=pbx.ari_password,
    )
    return settings.model_copy(update={"carrier": here})


async def probe_call(settings: Settings, number: str = "") -> Probe:
    """Place the call and return what it met.

    Args:
        settings: The machine's settings.
        number: The number that is "dialled"; by default the trunk's.

    Raises:
        AriError: Asterisk does not take the call at all.
    """
    called = (number or settings.trunk.number).lstrip("+")
    endpoint = f"Local/{called}@from-trunk/n"
    return await own_call(settings, endpoint, {"PROBE": "yes"}, ANSWER_SECONDS)


async def own_call(
    settings: Settings, endpoint: str, variables: dict[str, str], within: float
) -> Probe:
    """Place a call of our own to ``endpoint`` and return what it met; raises as probe_call.

    Args:
        settings: The machine's settings.
        endpoint: What Asterisk is to dial.
        variables: Channel variables, handed on through the Local channel.
        within: Longest wait for the answer, seconds.
    """
    known = set(bundle_folders(settings.home / FOLDER))
    async with Line(inside(settings), settings.trunk.number) as line:
        caller = LiveCaller(line)
        try:
            await caller.dial(endpoint, variables)
            await _stay(caller, within)
            heard = _loud_seconds(caller)
            answered, cause = caller.answered, caller.cause
        finally:
            with contextlib.suppress(PickupError):
                await caller.close()
    folder = await _evidence(settings, known)
    if folder is None:
        by = "fallback" if answered is not None else "nobody"
        return Probe(by, answered, heard, cause=cause)
    how = read_card(folder).get("ended") or {}
    reason = str(how.get("reason", "not closed"))
    fault = "" if reason in ("probe", "canary") else reason
    return Probe("agent", answered, heard, deaf=reason == DEAF, fault=fault, folder=folder)


async def _stay(caller: LiveCaller, within: float) -> None:
    """Keep the line until it is over or patience is; speak a tone once it is answered."""
    spoken = False
    async for slot in caller.slots():
        if caller.answered is None:
            if slot.at > within:
                return
        elif not spoken:
            caller.say(_tone())
            spoken = True
        elif slot.at > caller.answered + LISTEN_SECONDS:
            return


def _tone() -> Clip:
    at = np.arange(int(RATE * TONE_SECONDS)) / RATE
    samples = (8000 * np.sin(2 * np.pi * TONE_HERTZ * at)).astype(np.int16)
    return Clip("tone", samples, 0, len(samples) - 1)


def _loud_seconds(caller: LiveCaller) -> float:
    sound = caller.recording()
    heard = np.abs(sound.samples[:, 1].astype(np.int32))
    blocks = heard[: len(heard) // 160 * 160].reshape(-1, 160)
    return float((blocks.max(axis=1) > LOUD).sum() * 160 / sound.rate) if len(blocks) else 0.0


async def _evidence(settings: Settings, known: set[Path]) -> Path | None:
    """Return the new bundle of a test call, once it is closed."""
    folder = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(EVIDENCE_SECONDS):
            while True:
                new = [f for f in bundle_folders(settings.home / FOLDER) if f not in known]
                folder = new[-1] if new else None
                with contextlib.suppress(EvidenceError):
                    if folder is not None and read_card(folder).get("closed"):
                        break
                await asyncio.sleep(0.05)
    return folder
