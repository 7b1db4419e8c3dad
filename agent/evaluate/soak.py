"""What many calls leave behind: memory, tasks, threads, sockets, files, channels, bridges."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from agent.errors import SetupError
from agent.evaluate.script import Plan, plan

SCRIPTS: Final = ("questions", "questions", "impatient", "questions", "order", "hangs-up")
"""Mostly questions: many short turns; some orders, barge-ins, and callers who just leave."""

SETTLE_SECONDS: Final = 6.0
"""Asterisk closes a call's socket 3.5 s after the call has left (measured)."""

MEMORY_SHARE: Final = 0.05
"""Resident memory may differ by as much between two rounds without growing: allocators keep
what threads and caches once used."""

SLACK: Final = 2
"""Handles, threads and tasks that may differ: a thread of a pool, a kept connection."""


class Running(Protocol):
    """What is measured: a stack of the box (``agent.service.stack.Stack``)."""

    @property
    def agent(self) -> Any:
        """The guardian of the agent."""

    @property
    def pbx(self) -> Any:
        """The restaurant's Asterisk."""

    @property
    def health(self) -> Callable[[], Awaitable[dict[str, object]]]:
        """Ask the agent how it is."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is there at one moment, with no call under way.

    Attributes:
        when: Which moment.
        turns: Caller turns so far.
        agent_kib: Resident memory of the agent, KiB.
        asterisk_kib: The same of Asterisk.
        tasks: The agent's asyncio tasks.
        threads: Its threads.
        files: Its open file handles, sockets included.
        sockets: Its sockets.
        asterisk_files: Asterisk's open file handles.
        channels: Asterisk's channels.
        bridges: Asterisk's bridges.
    """

    when: str
    turns: int
    agent_kib: int
    asterisk_kib: int
    tasks: int
    threads: int
    files: int
    sockets: int
    asterisk_files: int
    channels: int
    bridges: int

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return asdict(self)


def soak_plans(count: int, batch: int) -> list[Plan]:
    """Return a round of callers; the line forwards at once and nobody thinks for long."""
    plans = []
    for number in range(count):
        chosen = plan(SCRIPTS[number % len(SCRIPTS)], batch * count + number, manner="impatient")
        at_once = chosen.script.model_copy(update={"staff": "always-forward"})
        plans.append(replace(chosen, script=at_once))
    return plans


async def sample(stack: Running, when: str, turns: int) -> Sample:
    """Wait until no call is left, and look.

    Raises:
        SetupError: agent or Asterisk does not run.
    """
    await asyncio.sleep(SETTLE_SECONDS)
    health = await stack.health()
    agent, pbx = stack.agent and stack.agent.pid, stack.pbx.pid
    if not agent or not pbx:
        raise SetupError("Agent or Asterisk does not run any more.", remedy="See their logs.")
    channels = await asyncio.to_thread(stack.pbx.command, "core show channels count")
    bridges = await asyncio.to_thread(stack.pbx.command, "bridge show all")
    files = _files(agent)
    return Sample(
        when=when,
        turns=turns,
        agent_kib=_status(agent, "VmRSS"),
        asterisk_kib=_status(pbx, "VmRSS"),
        tasks=int(str(health["tasks"])),
        threads=_status(agent, "Threads"),
        files=len(files),
        sockets=sum(name.startswith("socket:") for name in files),
        asterisk_files=len(_files(pbx)),
        channels=int(channels.split()[0]),
        bridges=bridges.count("pickup-"),
    )


def leaks(before: Sample, after: Sample) -> list[str]:
    """Return the names of what is more than before, beyond what may differ."""
    grown = []
    for name, was in before.as_json().items():
        now = getattr(after, name)
        if name in {"when", "turns"}:
            continue
        slack = MEMORY_SHARE * was if name.endswith("_kib") else SLACK
        if name in {"channels", "bridges"}:
            slack = 0
        if now > was + slack:
            grown.append(name)
    return grown


def _status(pid: int, field: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1])


def _files(pid: int) -> list[str]:
    found = []
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(handle.readlink()))
        except FileNotFoundError:  # it was closed meanwhile
            continue
    return found
