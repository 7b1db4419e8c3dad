"""The watch at a real Asterisk: a trunk that goes, an intruder, a voicemail that is passed on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from agent.errors import CallGone
from agent.phone import CallLeg
from agent.phone.watch import Sign, Watch
from agent.promises.owner import OwnersList
from agent.restaurant import load_restaurant
from agent.service.asterisk import AsteriskServer
from agent.service.ports import loopback_settings
from agent.service.voicemail import Collector
from agent.settings import Settings
from tests.pbx.phone.house import opened, sound
from tests.pbx.sip_caller import SipCaller, tone

PATIENCE = 30.0


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return loopback_settings(tmp_path_factory.mktemp("w"))


@pytest.fixture(scope="module")
def pbx(settings: Settings) -> Iterator[AsteriskServer]:
    with AsteriskServer("pbx", settings) as server:
        yield server


class Seen(list[Sign]):
    async def until(self, name: str, well: bool) -> Sign:
        """Wait for a sign and forget all until then."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for number, sign in enumerate(self):
                    if (sign.name, sign.well) == (name, well):
                        del self[: number + 1]
                        return sign
                await asyncio.sleep(0.02)


@pytest.fixture
async def seen(settings: Settings, pbx: AsteriskServer) -> AsyncIterator[Seen]:
    seen = Seen()
    task = asyncio.create_task(Watch(settings.pbx, seen.append).run())
    yield seen
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def command(pbx: AsteriskServer, line: str) -> None:
    await asyncio.to_thread(pbx.command, line)


async def test_trunk_asterisk_and_intruders(
    seen: Seen, pbx: AsteriskServer, settings: Settings
) -> None:
    await seen.until("asterisk.answers", well=True)
    carrier = AsteriskServer("carrier", settings)
    await asyncio.to_thread(carrier.start)
    try:
        await command(pbx, "pjsip qualify trunk")
        await seen.until("trunk.reachable", well=True)
    finally:
        await asyncio.to_thread(carrier.stop)
    await command(pbx, "pjsip qualify trunk")
    sign = await seen.until("trunk.reachable", well=False)
    assert settings.trunk.peer in sign.detail

    for _ in range(5):
        await asyncio.to_thread(guess, settings)
    sign = await seen.until("security.guessing", well=False)
    assert "127.0.0.1" in sign.detail

    await asyncio.to_thread(pbx.stop)
    await seen.until("asterisk.answers", well=False)
    await asyncio.to_thread(pbx.start)
    await seen.until("asterisk.answers", well=True)
    await seen.until("asterisk.restarted", well=False)


def guess(settings: Settings) -> None:
    """Try a wrong AMI password."""
    with socket.create_connection((settings.pbx.host, settings.pbx.ami_port), 5) as ami:
        ami.sendall(b"Action: Login\r\nUsername: pickup\r\nSecret: wrong\r\n\r\n")
        while b"Authentication failed" not in ami.recv(4096):
            pass


async def test_a_caller_whose_sound_stops_arriving_is_seen(
    seen: Seen, settings: Settings, pbx: AsteriskServer
) -> None:
    await seen.until("asterisk.answers", well=True)

    async def speak(leg: CallLeg) -> None:
        await leg.answer()
        media = await leg.open_media()
        with contextlib.suppress(CallGone):
            while True:
                await media.play(sound(440, 1.0))

    async with opened(settings, pbx) as house, house.caller() as caller:
        house.on_call = speak
        assert await caller.dial() == 200
        caller.mute()
        await seen.until("rtp.flows", well=False)


async def test_a_voicemail_left_while_the_agent_was_away_reaches_the_owner(
    settings: Settings, pbx: AsteriskServer
) -> None:
    where = (settings.pbx.sip_host, settings.pbx.sip_port)
    async with SipCaller(where, settings.trunk.number, caller="+13165550112") as caller:
        assert await caller.dial() == 200
        recording = settings.voicemail / "default" / "restaurant" / "tmp"
        await until(lambda: list(recording.glob("*.wav")))
        caller.say(tone(440, 3.0))
        caller.press("#")
        await asyncio.wait_for(caller.ended.wait(), PATIENCE)
    await until(lambda: list(settings.voicemail.rglob("INBOX/msg*.txt")))
    collector = Collector(settings, load_restaurant(settings.restaurant), lambda: 2e9)
    (bundle,) = await collector.collect()
    (note,) = OwnersList(settings.home).read()
    assert "(316) 555-0112" in note.text
    assert (bundle / "caller.wav").stat().st_size > 16_000
    assert not list(recording.parent.rglob("msg*"))


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.02)
