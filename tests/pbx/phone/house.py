"""A phone server on a real PBX, its callers, and the check that nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from agent.audio import FRAME_BYTES, SAMPLE_RATE
from agent.errors import CallGone
from agent.events import Event
from agent.phone import CallLeg, PhoneServer
from agent.phone.ari import Ari
from agent.service.asterisk import AsteriskServer
from agent.settings import Settings
from tests.pbx.sip_caller import SipCaller, tone

OnCall = Callable[[CallLeg], Awaitable[None]]


def sound(frequency: float, duration: float) -> bytes:
    """Return a tone as the agent plays it: slin16, whole frames."""
    pcm = tone(frequency, duration, SAMPLE_RATE).astype("<i2").tobytes()
    return pcm[: len(pcm) // FRAME_BYTES * FRAME_BYTES]


async def until(true: Callable[[], bool | Awaitable[bool]], seconds: float = 8.0) -> None:
    """Wait for something to become true; fail if it does not."""

    async def holds() -> bool:
        answer = true()
        return answer if isinstance(answer, bool) else await answer

    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110  another process changes it
            await asyncio.sleep(0.01)


async def no_channels(ari: Ari) -> bool:
    return not await ari.channels()


async def no_channels_nor_bridges(ari: Ari) -> bool:
    return await no_channels(ari) and not await ari.bridges()


async def no_applications(pbx: AsteriskServer) -> bool:
    """Whether Asterisk has given up every socket to an agent, and tries to open none anew."""
    return "pickup:" not in await asyncio.to_thread(pbx.command, "ari show apps")


async def at_once(seconds: float) -> None:
    """Sleep as the sweep does, but not at all."""


def sip_address(settings: Settings) -> tuple[str, int]:
    return settings.pbx.sip_host, settings.pbx.sip_port


class House:
    """A phone server on a PBX, and callers to it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.on_call: OnCall = echo
        self.legs: list[CallLeg] = []
        self.server = PhoneServer(settings, self._serve)
        self.ari = Ari(settings.pbx)

    async def _serve(self, leg: CallLeg) -> None:
        self.legs.append(leg)
        await self.on_call(leg)

    def caller(self, **how: str | tuple[str, ...]) -> SipCaller:
        return SipCaller(sip_address(self.settings), self.settings.trunk.number, **how)  # type: ignore[arg-type]

    async def nothing_left(self) -> None:
        """Wait until neither Asterisk nor the server has anything of a call."""
        await until(lambda: self.server.calls == 0)
        await until(lambda: no_channels_nor_bridges(self.ari))


def open_files() -> set[str]:
    """Return what this process has open: numbers, and where they lead."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(f"{link.name} → {link.readlink()}")
    return found


@asynccontextmanager
async def opened(settings: Settings, pbx: AsteriskServer) -> AsyncIterator[House]:
    """Open a house, and see that it leaves no task and no file open in this process."""
    files, tasks = open_files(), asyncio.all_tasks()
    house = House(settings)
    await house.server.start()
    try:
        yield house
        await house.nothing_left()
    finally:
        await house.server.stop(grace=1.0)
        # Or Asterisk would open this house's sockets anew in the next one.
        await until(lambda: no_applications(pbx))
        await house.ari.close()
    here = asyncio.current_task()

    def left() -> list[str]:
        found = [repr(task) for task in asyncio.all_tasks() - tasks if task is not here]
        return found + sorted(open_files() - files)

    with contextlib.suppress(TimeoutError):
        await until(lambda: not left())
    assert left() == []


async def echo(leg: CallLeg) -> None:
    await leg.answer()
    media = await leg.open_media()
    try:
        async for frame in media.frames():
            await media.play(frame)
    except CallGone:
        return


async def events_of(leg: CallLeg) -> list[Event]:
    return [event async for event in leg.events()]
