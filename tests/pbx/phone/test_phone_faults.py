"""What the agent can't do, and agents that die: the caller always hears the apology."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from agent.phone import CallLeg, GateServer
from agent.phone.ari import Ari
from agent.phone.sweep import sweep
from agent.service.asterisk import AsteriskServer
from agent.service.environment import child_environment
from agent.service.guardian import Guardian
from agent.settings import Settings
from tests.pbx.crash import again_if_asterisk_crashes
from tests.pbx.phone.house import (
    House,
    at_once,
    no_channels,
    no_channels_nor_bridges,
    opened,
    sip_address,
    until,
)
from tests.pbx.sip_caller import SipCaller, tone


async def test_a_call_that_crashes_goes_to_the_apology(house: House) -> None:
    async def on_call(leg: CallLeg) -> None:
        await leg.answer()
        await leg.open_media()
        raise RuntimeError("a fault of ours")

    house.on_call = on_call
    async with house.caller() as caller:
        await caller.dial()
        await until(lambda: caller.loud_seconds > 0.3)
        assert not caller.ended.is_set()
        assert house.server.calls == 0


async def test_a_call_given_back_goes_to_the_apology(house: House) -> None:
    async def on_call(leg: CallLeg) -> None:
        await leg.to_voicemail("test")

    house.on_call = on_call
    async with house.caller() as caller:
        assert await caller.dial() == 200
        await until(lambda: caller.loud_seconds > 0.3)


async def test_over_capacity_goes_to_the_apology(house: House) -> None:
    async with house.caller() as one, house.caller() as two, house.caller() as three:
        for caller in (one, two, three):
            await caller.dial()
        await until(lambda: len(house.legs) == 3)
        async with aiohttp.ClientSession() as http:
            agent = house.settings.agent
            async with http.get(f"http://{agent.host}:{agent.port}/health") as health:
                assert health.status == 503
                told = await health.json()
                assert (told["status"], told["calls"], told["max_calls"]) == ("full", 3, 3)
        async with house.caller() as fourth:
            assert await fourth.dial() == 200
            await until(lambda: fourth.loud_seconds > 0.3)
    assert len(house.legs) == 3


async def test_a_stopping_server_gives_its_callers_back(
    settings: Settings, pbx: AsteriskServer
) -> None:
    house = House(settings)
    await house.server.start()
    async with house.caller() as caller:
        await caller.dial()
        await until(lambda: bool(house.legs))
        await house.server.stop(grace=0.1)
        await until(lambda: caller.loud_seconds > 0.3)
    async with house.ari:
        await until(lambda: no_channels_nor_bridges(house.ari))


async def test_strangers_are_turned_away(house: House) -> None:
    agent = house.settings.agent
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(f"ws://{agent.host}:{agent.port}/ari", protocols=("ari",))
    assert refused.value.status == 401


async def test_the_gate_sends_a_loop_away_and_survives_a_port_probe(
    settings: Settings, pbx: AsteriskServer
) -> None:
    async with opened(settings, pbx) as house:
        gate = GateServer(settings, house.server)
        await gate.start()
        try:
            _, probe = await asyncio.open_connection(settings.agent.host, settings.agent.gate_port)
            probe.close()
            await probe.wait_closed()
            ours = settings.trunk.number
            for loop in (
                (f"Diversion: <sip:{ours}@127.0.0.2>;reason=no-answer",),
                (f"History-Info: <sip:{ours}@c>;index=1,<sip:+13165550142@c>;index=1.1,"
                 f"<sip:{ours}@c>;index=1.1.1",),
                tuple(f"Diversion: <sip:+1316555017{n}@c>;counter=1" for n in range(4)),
            ):  # fmt: skip
                async with house.caller(headers=loop) as caller:
                    assert await caller.dial() == 486, loop
            async with house.caller(caller=ours) as caller:
                assert await caller.dial() == 486
            async with house.caller() as caller:
                assert await caller.dial() == 200
        finally:
            await gate.stop()


async def test_what_a_killed_agent_left_is_swept(house: House) -> None:
    await house.ari.create_bridge("pickup-left-behind")
    await house.ari.external_media("pickup-media-left-behind", house.settings.pbx.app)
    assert {bridge.id for bridge in await house.ari.bridges()} == {"pickup-left-behind"}
    assert await sweep(house.ari, at_once) == 2


async def test_a_caller_whose_socket_breaks_goes_to_the_apology(house: House) -> None:
    async with house.caller() as caller:
        await caller.dial()
        await until(lambda: bool(house.legs))
        for socket in tuple(house.server._sockets):
            await socket.close()
        await until(lambda: caller.loud_seconds > 0.3)
        assert not caller.ended.is_set()


ECHO_AGENT = """
import asyncio
from agent.phone import Heartbeat, PhoneServer
from agent.settings import load_settings

async def echo(leg):
    await leg.answer()
    media = await leg.open_media()
    async for frame in media.frames():
        await media.play(frame)

async def main():
    await PhoneServer(load_settings(), echo).start()
    await Heartbeat.from_environment().start()
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def echo_agent(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an agent in a process of its own that echoes, until killed."""
    agent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        ECHO_AGENT,
        env=child_environment(settings),
        stdout=asyncio.subprocess.DEVNULL,
    )

    async def serves() -> bool:
        health = f"http://{settings.agent.host}:{settings.agent.port}/health"
        async with aiohttp.ClientSession() as http:
            try:
                async with http.get(health) as answer:
                    return answer.status == 200
            except aiohttp.ClientConnectorError:
                return False

    try:
        await until(serves)
        yield agent
    finally:
        if agent.returncode is None:
            agent.kill()
        await agent.wait()


async def talked(caller: SipCaller) -> None:
    """Have the caller heard and echoed."""
    await caller.dial()
    caller.say(tone(700, 0.4))
    await until(lambda: caller.loud_seconds > 0.3)


@again_if_asterisk_crashes
async def test_a_killed_agents_caller_hears_the_apology(
    settings: Settings, pbx: AsteriskServer
) -> None:
    async with echo_agent(settings) as agent, Ari(settings.pbx) as ari:
        async with SipCaller(sip_address(settings), settings.trunk.number) as caller:
            await talked(caller)
            before = caller.loud_seconds
            agent.kill()
            await until(lambda: caller.loud_seconds > before + 0.5)
            assert not caller.ended.is_set()
        await until(lambda: no_channels(ari))
        assert len(await ari.bridges()) == 1
        assert await sweep(ari, at_once) == 1
        await until(lambda: no_channels_nor_bridges(ari))  # it may be listed a moment longer


@again_if_asterisk_crashes
async def test_a_killed_agents_successor_does_not_leave_its_caller_in_silence(
    settings: Settings, pbx: AsteriskServer
) -> None:
    async with (
        echo_agent(settings) as agent,
        SipCaller(sip_address(settings), settings.trunk.number) as caller,
    ):
        await talked(caller)
        before = caller.loud_seconds
        agent.kill()
        await agent.wait()
        async with opened(settings, pbx) as successor:
            await until(lambda: caller.loud_seconds > before + 0.5)
            assert not caller.ended.is_set()
            assert successor.legs == []
            await caller.hang_up()
            await sweep(successor.ari, at_once)


@again_if_asterisk_crashes
async def test_a_frozen_agents_caller_hears_the_apology(
    settings: Settings, pbx: AsteriskServer
) -> None:
    guardian = Guardian(
        (sys.executable, "-c", ECHO_AGENT), watchdog_seconds=1.0, env=child_environment(settings)
    )
    await guardian.start()
    try:
        await guardian.ready()
        async with SipCaller(sip_address(settings), settings.trunk.number) as caller:
            await talked(caller)
            before = caller.loud_seconds
            assert guardian.pid is not None
            os.kill(guardian.pid, signal.SIGSTOP)
            await until(lambda: caller.loud_seconds > before + 0.5)
            assert not caller.ended.is_set()
            assert guardian.kills == 1
        await guardian.ready()
    finally:
        await guardian.stop()
    async with Ari(settings.pbx) as ari:
        await until(lambda: no_channels(ari))
        await sweep(ari, at_once)
