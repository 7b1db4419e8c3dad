"""SIPp's scenarios, each while another caller is served: they are served to their end.

One house for them all. First four calls begin whose other end says nothing more, each in its
way; what Asterisk does about them takes a minute, in which the other scenarios are played.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from agent.errors import CallGone
from agent.events import CallerHungUp, Event, KeyPressed
from agent.phone import CallLeg
from agent.service.asterisk import AsteriskServer
from agent.service.ports import loopback_settings
from agent.settings import Settings
from tests.pbx.phone.house import House, no_channels_nor_bridges, opened, until
from tests.pbx.phone.sipp import PCMA, PCMU, TRUNK, Scenario, play, sdp, sound_file
from tests.pbx.sip_caller import SipCaller, tone

pytestmark = pytest.mark.asyncio(loop_scope="module")
module = pytest_asyncio.fixture(loop_scope="module", scope="module")

STRANGER = "127.0.0.3"
HELLO, LATER, BYE = 500, 1000, 1500
"""Tones, Hz: the agent here hangs up when it has heard the last."""
ENOUGH = 8
"""Frames of a tone that are heard for sure."""
A_WHILE = 1000
"""Milliseconds of sound between two steps: far more than it takes to be heard."""
MINUTE = 100.0
"""Longest wait for what takes a minute: `rtp_timeout`, two thirds of RFC 4028's least 90 s."""


class Served:
    """A call as the agent saw it."""

    def __init__(self, leg: CallLeg) -> None:
        self.leg = leg
        self.heard: Counter[int] = Counter()
        self.events: list[Event] = []

    @property
    def keys(self) -> list[str]:
        return [event.digit for event in self.events if isinstance(event, KeyPressed)]

    async def serve(self, *, picks_up: bool) -> None:
        """Echo; hang up after the last tone. Without ``picks_up`` let it ring."""
        listening = asyncio.create_task(self._listen())
        if picks_up:
            await self._echo()
        await listening

    async def _listen(self) -> None:
        async for event in self.leg.events():
            self.events.append(event)

    async def _echo(self) -> None:
        await self.leg.answer()
        media = await self.leg.open_media()
        with contextlib.suppress(CallGone):
            async for frame in media.frames():
                samples = np.frombuffer(frame, "<i2").astype(float)
                if np.abs(samples).max() > 1000:
                    self.heard[int(np.abs(np.fft.rfft(samples)).argmax()) * 50] += 1
                if self.heard[BYE] > ENOUGH:
                    await self.leg.hang_up()
                    break
                await media.play(frame)


class Line:
    """The house, who is in a call, and what SIPp plays."""

    def __init__(self, house: House, pbx: AsteriskServer, caller: SipCaller, folder: Path) -> None:
        self.house, self.pbx, self.caller = house, pbx, caller
        self.served: list[Served] = []
        self.dialled: list[str] = []
        self.picks_up = True
        self._folder = folder
        self._played = 0

    async def on_call(self, leg: CallLeg) -> None:
        served = Served(leg)
        self.served.append(served)
        await served.serve(picks_up=self.picks_up)

    async def play(
        self,
        scenario: Scenario,
        *,
        source: str = TRUNK,
        calls: int = 1,
        rate: int = 10,
        seconds: float = 40.0,
    ) -> None:
        self._played += 1
        folder = self._folder / str(self._played)
        settings = self.house.settings
        await play(
            scenario, settings, folder, source=source, calls=calls, rate=rate, seconds=seconds
        )

    def sound(self, frequency: int, codec: int = PCMU) -> Path:
        return sound_file(self._folder, frequency, codec)

    async def channels(self) -> set[str]:
        return {channel.name for channel in await self.house.ari.channels()}

    async def caller_is_heard(self) -> None:
        await until(self._caller_hears_nothing)
        before = self.caller.loud_seconds
        self.caller.say(tone(700, 0.4))
        await until(lambda: self.caller.loud_seconds > before + 0.25)
        assert not self.caller.ended.is_set()

    def _caller_hears_nothing(self) -> bool:
        """Whether the echo of what was said before is over."""
        return all(np.abs(pcm).max() < 1000 for _, pcm in self.caller.heard[-10:])

    def rtp_ports(self) -> set[int]:
        """Ports in the RTP range on which this PBX listens."""
        assert self.pbx.pid is not None
        mine = set()
        for link in Path(f"/proc/{self.pbx.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                mine.add(str(link.readlink()))
        rows = [row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:]]
        ports = {int(row[1].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in mine}
        ours = self.house.settings.pbx
        return {port for port in ports if ours.rtp_first <= port <= ours.rtp_last}


@module
async def house(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[House, AsteriskServer]]:
    settings: Settings = loopback_settings(
        tmp_path_factory.mktemp("scenarios"), agent={"max_calls": 8}
    )
    with AsteriskServer("pbx", settings) as pbx:
        async with opened(settings, pbx) as house:
            yield house, pbx


@module
async def line(
    house: tuple[House, AsteriskServer], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Line]:
    """A caller in a call, and a trunk that would take calls if any came."""
    home, pbx = house
    async with home.caller() as caller:
        line = Line(home, pbx, caller, tmp_path_factory.mktemp("sipp"))
        home.on_call = line.on_call
        with trunk(home.settings, line.dialled):
            assert await caller.dial() == 200
            await line.caller_is_heard()
            yield line
            assert "INVITE" not in line.dialled


@contextlib.contextmanager
def trunk(settings: Settings, methods: list[str]) -> Iterator[None]:
    """Note the methods of the requests that the PBX sends to its provider."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((settings.trunk.peer, settings.trunk.peer_port))
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    loop.add_reader(sock, lambda: methods.append(sock.recv(65_535).split(b" ")[0].decode()))
    try:
        yield
    finally:
        loop.remove_reader(sock)
        sock.close()


@module
async def dying(line: Line) -> AsyncIterator[dict[str, asyncio.Task[None]]]:
    """Calls whose other end says nothing more; they last, and are released in a minute."""
    timer = "Supported: timer"
    silent = Scenario().answered().expect_request("BYE", seconds=MINUTE)
    forgetful = (
        Scenario()
        .answered(timer, "Session-Expires: 90;refresher=uac")
        .play(line.sound(HELLO))
        .expect_request("BYE", seconds=MINUTE)
    )
    refreshed = (
        Scenario()
        .answered(timer, "Session-Expires: 90;refresher=uas")
        .play(line.sound(HELLO))
        .expect_request("UPDATE", "Session-Expires:[ ]*90;refresher=uac", seconds=MINUTE)
        .hang_up()
    )
    deaf = Scenario().send("INVITE", body=sdp(PCMU), first=True).expect(200)
    deaf.expect_request("BYE", seconds=MINUTE)
    calls = {"silent": silent, "forgetful": forgetful, "refreshed": refreshed, "deaf": deaf}
    tasks = {
        name: asyncio.create_task(line.play(call, seconds=MINUTE)) for name, call in calls.items()
    }
    await until(lambda: len(line.served) == 1 + len(calls), 20.0)
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.wait(tasks.values())
    for channel in await line.house.ari.channels():
        with contextlib.suppress(CallGone):
            await line.house.ari.hang_up(channel.id)


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def nothing_of_it_stays(
    line: Line, dying: dict[str, asyncio.Task[None]]
) -> AsyncIterator[None]:
    """The caller is served before and after; channels and RTP ports are those of before."""

    async def as_before() -> bool:
        # Of those that are dying some may be gone by now.
        return await line.channels() <= channels and line.rtp_ports() <= ports

    await line.caller_is_heard()
    channels, ports = await line.channels(), line.rtp_ports()
    yield
    await until(as_before)
    if not line.caller.ended.is_set():
        await line.caller_is_heard()
    assert "INVITE" not in line.dialled


async def test_a_reinvite_changes_nothing_that_is_heard(line: Line) -> None:
    again = Scenario().answered().play(line.sound(HELLO)).pause(A_WHILE)
    again.send("INVITE", body=sdp(PCMU, version=2)).expect(200, "a=sendrecv").ack()
    await line.play(again.play(line.sound(BYE)).expect_request("BYE"))
    assert line.served[-1].heard[HELLO] > ENOUGH


async def test_hold_and_back(line: Line) -> None:
    call = Scenario().answered().play(line.sound(HELLO)).pause(A_WHILE)
    for version in (2, 4):
        call.mute().send("INVITE", body=sdp(PCMU, direction="sendonly", version=version))
        call.expect(200, "a=recvonly").ack().pause(100)
        call.send("INVITE", body=sdp(PCMU, version=version + 1)).expect(200, "a=sendrecv").ack()
        call.play(line.sound(LATER)).pause(A_WHILE)
    await line.play(call.play(line.sound(BYE)).expect_request("BYE"))
    heard = line.served[-1].heard
    assert min(heard[HELLO], heard[LATER]) > ENOUGH


async def test_the_codec_changes_in_mid_call(line: Line) -> None:
    call = Scenario().answered().play(line.sound(HELLO)).pause(A_WHILE)
    call.send("INVITE", body=sdp(PCMA, version=2)).expect(200, "RTP/AVP 8").ack()
    await line.play(call.play(line.sound(BYE, PCMA), PCMA).expect_request("BYE"))
    assert line.served[-1].heard[HELLO] > ENOUGH


@pytest.mark.parametrize(
    ("body", "status"), [(sdp(18, version=2), 488), ("v=0\nm=what is this\n", 415)]
)
async def test_a_reinvite_that_can_t_be_is_refused_and_the_call_goes_on(
    line: Line, body: str, status: int
) -> None:
    call = Scenario().answered().play(line.sound(HELLO)).pause(A_WHILE)
    call.send("INVITE", body=body).expect(status).ack(refused=True)
    await line.play(call.play(line.sound(BYE)).expect_request("BYE"))
    assert line.served[-1].heard[HELLO] > ENOUGH


async def test_the_session_is_refreshed_by_invite_and_by_update(line: Line) -> None:
    timer = ("Supported: timer", "Session-Expires: 90;refresher=uac")
    call = Scenario().send("INVITE", *timer, body=sdp(PCMU), first=True)
    call.expect(200, "Session-Expires:[ ]*90;refresher=uac").ack().play(line.sound(HELLO))
    call.send("INVITE", *timer, body=sdp(PCMU, version=2)).expect(200, "Session-Expires:").ack()
    call.send("UPDATE", *timer).expect(200, "Session-Expires:[ ]*90;refresher=uac").pause(A_WHILE)
    await line.play(call.play(line.sound(BYE)).expect_request("BYE"))
    assert line.served[-1].heard[HELLO] > ENOUGH


async def test_a_session_too_short_is_refused_before_anybody_answers(line: Line) -> None:
    calls = len(line.served)
    call = Scenario().send(
        "INVITE", "Supported: timer", "Session-Expires: 30", body=sdp(PCMU), first=True
    )
    await line.play(call.expect(422, "Min-SE:[ ]*90").ack(refused=True))
    assert len(line.served) == calls


async def test_cancelled_at_once(line: Line) -> None:
    call = Scenario().send("INVITE", body=sdp(PCMU), first=True).expect(100).cancel()
    line.picks_up = False
    await line.play(call.expect(200, "CANCEL").expect(487).ack(refused=True), calls=10)
    line.picks_up = True


@pytest.mark.parametrize("acknowledged", [True, False])
async def test_hung_up_right_after_the_answer(line: Line, acknowledged: bool) -> None:
    call = Scenario().send("INVITE", body=sdp(PCMU), first=True).expect(200)
    if acknowledged:
        call.ack()
    await line.play(call.hang_up(), calls=3)


async def test_a_key_comes_by_info_too(line: Line) -> None:
    call = Scenario().answered().play(line.sound(HELLO)).pause(A_WHILE)
    call.send("INFO", body="Signal=5\nDuration=160", kind="dtmf-relay").expect(200)
    await line.play(call.play(line.sound(BYE)).expect_request("BYE"))
    assert line.served[-1].keys == ["5"]


async def test_nobody_is_transferred(line: Line) -> None:
    call = Scenario().answered().play(line.sound(HELLO)).pause(A_WHILE)
    call.send("REFER", "Refer-To: <sip:+19005550123@127.0.0.2>")  # Asterisk says nothing to it
    await line.play(call.play(line.sound(BYE)).expect_request("BYE"))


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "SUBSCRIBE", "OPTIONS", "MESSAGE"])
async def test_a_stranger_s_flood(line: Line, method: str) -> None:
    calls = len(line.served)
    body = sdp(PCMU) if method == "INVITE" else ""
    call = Scenario().send(method, body=body, first=True).expect(401)
    if method == "INVITE":
        call.ack(refused=True)
    await line.play(call, source=STRANGER, calls=200, rate=200)
    assert len(line.served) == calls


async def test_a_scan_from_the_trunk_itself_finds_no_number(line: Line) -> None:
    calls = len(line.served)
    call = Scenario(to="9[call_number]").send("INVITE", body=sdp(PCMU), first=True)
    await line.play(call.expect(404).ack(refused=True), calls=50, rate=50)
    assert len(line.served) == calls


async def test_those_whose_other_end_died_are_released(
    line: Line, dying: dict[str, asyncio.Task[None]]
) -> None:
    await asyncio.gather(*dying.values())
    await until(lambda: line.house.server.calls == 1)


async def test_the_caller_is_served_to_the_end(line: Line) -> None:
    served = line.served[0]
    line.caller.press("10*")
    await until(lambda: len(served.keys) == 3)
    await line.caller_is_heard()
    await line.caller.hang_up()
    await until(lambda: isinstance(served.events[-1], CallerHungUp))
    assert served.keys == list("10*")
    await until(lambda: no_channels_nor_bridges(line.house.ari))
    await until(lambda: not line.rtp_ports())
