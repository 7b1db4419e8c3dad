"""The phone on a real Asterisk: SIP in, ARI and media over real sockets, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from agent.audio import FRAME_BYTES, SAMPLE_RATE
from agent.errors import CallGone
from agent.events import CallerHungUp, Event, KeyPressed
from agent.phone import CallLeg, GateServer, Media, PhoneServer
from agent.phone.ari import Ari
from agent.phone.sweep import sweep
from agent.service.asterisk import AsteriskServer
from agent.service.environment import child_environment
from agent.service.guardian import Guardian
from agent.service.ports import loopback_settings
from agent.service.secrets import ensure_secrets
from agent.settings import Settings
from tests.pbx.sip_caller import SipCaller, tone

pytestmark = pytest.mark.pbx

WITHHELD = ("Privacy: id", "P-Asserted-Identity: <sip:+13165550111@127.0.0.2>")

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


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("phone")
    ensure_secrets(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PICKUP_HOME", str(home))
        yield loopback_settings(home, agent={"max_calls": 3})


@pytest.fixture(scope="module")
def pbx(settings: Settings) -> Iterator[AsteriskServer]:
    with AsteriskServer("pbx", settings) as server:
        yield server


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


@pytest.fixture
async def house(settings: Settings, pbx: AsteriskServer) -> AsyncIterator[House]:
    async with opened(settings, pbx) as house:
        yield house


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


# ── a call that goes well ───────────────────────────────────────────────────────────────


async def test_a_forwarded_caller_is_answered_and_hears_an_echo(house: House) -> None:
    diverted = ("Diversion: <sip:+13165550142@127.0.0.2>;reason=no-answer;counter=1",)
    async with house.caller(headers=diverted) as caller:
        assert await caller.dial() == 200
        caller.say(tone(700, 1.0))
        await until(lambda: caller.loud_seconds > 0.9)
        assert caller.pitch() == pytest.approx(700, abs=10)
    info = house.legs[0].info
    assert (info.caller, info.diverted_from, info.diversion_reason, info.withheld) == (
        "+13165550111",
        "+13165550142",
        "cfnr",
        False,
    )
    assert info.called == house.settings.trunk.number.lstrip("+")


async def test_a_withheld_number_is_not_known_to_us(house: House) -> None:
    async with house.caller(headers=WITHHELD) as caller:
        await caller.dial()
        await until(lambda: bool(house.legs))
    assert house.legs[0].info.withheld
    assert house.legs[0].info.caller == ""


async def test_marks_come_in_order_when_heard_and_the_agent_hangs_up(house: House) -> None:
    marks: list[str] = []
    heard_at_mark: list[float] = []
    events: list[Event] = []

    async with house.caller() as caller:

        async def on_call(leg: CallLeg) -> None:
            await leg.answer()
            media = await leg.open_media()

            def on_mark(name: str) -> None:
                marks.append(name)
                heard_at_mark.append(caller.loud_seconds)

            media.on_mark = on_mark
            for name in ("first", "a name " + "far longer than Asterisk would take " * 4):
                await media.play(sound(600, 0.5))
                await media.mark(name)
            await until(lambda: len(marks) == 2)
            await leg.hang_up()
            events.extend(await events_of(leg))

        house.on_call = on_call
        await caller.dial()
        await until(caller.ended.is_set)
    assert [mark[:6] for mark in marks] == ["first", "a name"]
    assert 0.3 < heard_at_mark[0] < 0.7
    assert heard_at_mark[1] > 0.8
    assert events == []


async def test_flush_drops_what_was_not_heard_and_says_what_was(house: House) -> None:
    marks: list[str] = []

    async def on_call(leg: CallLeg) -> None:
        await leg.answer()
        media = await leg.open_media()
        media.on_mark = marks.append
        for number in range(20):
            await media.play(sound(600, 0.2))
            await media.mark(str(number))
        await until(lambda: len(marks) >= 2)
        await media.flush()
        marks.append("flushed")
        await media.play(sound(1500, 0.2))
        await media.mark("after")
        await until(lambda: marks[-1] == "after")
        await leg.hang_up()

    house.on_call = on_call
    async with house.caller() as caller:
        await caller.dial()
        await until(caller.ended.is_set)
        assert caller.loud_seconds < 1.2
    flushed = marks.index("flushed")
    assert marks[:flushed] == [str(number) for number in range(flushed)]
    assert marks[flushed:] == ["flushed", "after"]


async def test_pause_is_silence_and_resume_goes_on_where_it_was(house: House) -> None:
    steps: list[float] = []
    async with house.caller() as caller:

        async def on_call(leg: CallLeg) -> None:
            await leg.answer()
            media = await leg.open_media()
            marks: list[str] = []
            media.on_mark = marks.append
            await media.play(sound(600, 1.0))
            await media.mark("end")
            await until(lambda: caller.loud_seconds > 0.3)
            await media.pause()
            held = [frame async for frame in frames(media, 15)]
            steps.append(caller.loud_seconds)
            assert len(held) == 15
            held = [frame async for frame in frames(media, 15)]
            steps.append(caller.loud_seconds)
            assert marks == []
            await media.resume()
            await until(lambda: marks == ["end"])
            await leg.hang_up()

        house.on_call = on_call
        await caller.dial()
        await until(caller.ended.is_set)
        steps.append(caller.loud_seconds)
    assert steps[0] < 0.6
    assert steps[1] == steps[0]
    assert steps[2] == pytest.approx(1.0, abs=0.05)


async def frames(media: Media, count: int) -> AsyncIterator[bytes]:
    """Yield the next ``count`` frames: the caller's line is the clock of these tests."""
    source = media.frames()
    for _ in range(count):
        yield await anext(source)
    await source.aclose()  # type: ignore[attr-defined]


async def test_long_audio_waits_for_its_turn_and_loses_nothing(house: House) -> None:
    """25 s are more than Asterisk's queue of 20 s: flush must end a play that waits."""
    returned = asyncio.Event()

    async def on_call(leg: CallLeg) -> None:
        await leg.answer()
        media = await leg.open_media()
        playing = asyncio.create_task(media.play(sound(600, 25.0)))
        _ = [frame async for frame in frames(media, 30)]
        assert not playing.done()
        await media.flush()
        await playing
        returned.set()
        await media.play(sound(600, 0.1))
        await leg.hang_up()

    house.on_call = on_call
    async with house.caller() as caller:
        await caller.dial()
        await until(caller.ended.is_set)
    assert returned.is_set()


async def test_each_key_comes_once(house: House) -> None:
    keys: list[Event] = []

    async def on_call(leg: CallLeg) -> None:
        await leg.answer()
        await leg.open_media()
        keys.extend(await events_of(leg))

    house.on_call = on_call
    async with house.caller() as caller:
        await caller.dial()
        caller.press("10*#5")
        await until(lambda: not caller._packets)
        await asyncio.sleep(0)
        await caller.hang_up()
        await until(lambda: bool(keys))
    assert [key.digit for key in keys if isinstance(key, KeyPressed)] == list("10*#5")
    assert isinstance(keys[-1], CallerHungUp)


async def test_two_calls_at_once_do_not_mix(house: House) -> None:
    async with house.caller() as one, house.caller(caller="+13165550112") as two:
        assert set(await asyncio.gather(one.dial(), two.dial())) == {200}
        one.say(tone(500, 1.0))
        two.say(tone(1300, 1.0))
        await until(lambda: min(one.loud_seconds, two.loud_seconds) > 0.9)
        assert one.pitch() == pytest.approx(500, abs=10)
        assert two.pitch() == pytest.approx(1300, abs=10)
        for caller, other in ((one, 1300), (two, 500)):
            heard = np.concatenate(caller.loud).astype(float)
            spectrum = np.abs(np.fft.rfft(heard))
            bin_of_other = round(other * len(heard) / 8000)
            assert spectrum[bin_of_other] < spectrum.max() / 100


# ── a caller who leaves, at any moment ──────────────────────────────────────────────────


async def test_hang_up_before_the_answer(house: House) -> None:
    told: list[Event] = []
    outcome: list[str] = []

    async def on_call(leg: CallLeg) -> None:
        told.extend(await events_of(leg))
        try:
            await leg.answer()
        except CallGone:
            outcome.append("gone")

    house.on_call = on_call
    async with house.caller() as caller:
        dialling = asyncio.create_task(caller.dial())
        await until(lambda: bool(house.legs))
        caller.cancel()
        assert await dialling == 487
        await until(lambda: bool(outcome))
    assert [type(event) for event in told] == [CallerHungUp]


async def test_hang_up_between_answer_and_audio(house: House) -> None:
    outcome: list[str] = []
    async with house.caller() as caller:

        async def on_call(leg: CallLeg) -> None:
            await leg.answer()
            await until(lambda: caller.answered)
            await caller.hang_up()
            try:
                await leg.open_media()
            except CallGone:
                outcome.append("gone")
            outcome.extend(type(event).__name__ for event in await events_of(leg))

        house.on_call = on_call
        await caller.dial()
        await until(lambda: len(outcome) == 2)
    assert outcome == ["gone", "CallerHungUp"]


@pytest.mark.parametrize("after", [0.0, 0.001, 0.002, 0.004, 0.006, 0.009, 0.013])
async def test_hang_up_while_audio_is_set_up(house: House, after: float) -> None:
    """Wherever in the set-up it falls: the call ends as gone or as an ordinary hang-up."""
    outcome: list[str] = []

    async def on_call(leg: CallLeg) -> None:
        await leg.answer()
        try:
            media = await leg.open_media()
        except CallGone:
            outcome.append("gone")
        else:
            async for _ in media.frames():
                pass
            outcome.append("frames ended")
        assert isinstance((await events_of(leg))[-1], CallerHungUp)
        outcome.append("told")

    house.on_call = on_call
    async with house.caller() as caller:
        await caller.dial()
        await asyncio.sleep(after)
        await caller.hang_up()
        await until(lambda: "told" in outcome)


async def test_hang_up_in_the_middle_of_a_line(house: House) -> None:
    outcome: list[str] = []
    async with house.caller() as caller:

        async def on_call(leg: CallLeg) -> None:
            await leg.answer()
            media = await leg.open_media()
            playing = asyncio.create_task(media.play(sound(600, 30.0)))
            async for _ in media.frames():
                pass
            with pytest.raises(CallGone):
                await playing
            for late in (media.mark("late"), media.pause(), media.resume(), media.flush()):
                with pytest.raises(CallGone):
                    await late
            assert isinstance((await events_of(leg))[-1], CallerHungUp)
            outcome.append("over")

        house.on_call = on_call
        await caller.dial()
        await until(lambda: caller.loud_seconds > 0.2)
        await caller.hang_up()
        await until(lambda: bool(outcome))


async def test_both_hang_up_at_once(house: House) -> None:
    async with house.caller() as caller:

        async def on_call(leg: CallLeg) -> None:
            await leg.answer()
            await leg.open_media()
            await until(lambda: caller.answered)
            await asyncio.gather(leg.hang_up(), caller.hang_up())
            await leg.hang_up()

        house.on_call = on_call
        await caller.dial()
        await until(caller.ended.is_set)
        await house.nothing_left()


async def test_later_calls_leave_no_more_open_than_the_first(house: House) -> None:
    async def one_call() -> None:
        async with house.caller() as caller:
            await caller.dial()
            caller.say(tone(700, 0.2))
            await until(lambda: caller.loud_seconds > 0.1)

    async def open_after(calls: int) -> set[str]:
        await asyncio.gather(*(one_call() for _ in range(calls)))
        await house.nothing_left()
        await until(lambda: not house.server._sockets)
        return open_files()

    first, later = await open_after(3), await open_after(3)
    assert len(later) <= len(first)


# ── what the agent can't do ─────────────────────────────────────────────────────────────


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
                assert await health.json() == {"status": "full", "calls": 3, "max_calls": 3}
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
            loop = (f"Diversion: <sip:{settings.trunk.number}@127.0.0.2>;reason=no-answer",)
            async with house.caller(headers=loop) as caller:
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


# ── an agent that dies ──────────────────────────────────────────────────────────────────

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


def agent_environment(settings: Settings) -> dict[str, str]:
    return {**child_environment(settings), "PICKUP_HOME": str(settings.home)}


@asynccontextmanager
async def echo_agent(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an agent in a process of its own that echoes, until killed."""
    agent = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        ECHO_AGENT,
        env=agent_environment(settings),
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
        assert await ari.bridges() == ()


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


async def test_a_frozen_agents_caller_hears_the_apology(
    settings: Settings, pbx: AsteriskServer
) -> None:
    guardian = Guardian(
        (sys.executable, "-c", ECHO_AGENT), watchdog_seconds=1.0, env=agent_environment(settings)
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
