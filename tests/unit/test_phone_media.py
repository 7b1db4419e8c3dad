"""The media protocol, against a socket that talks as Asterisk does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from agent.audio import FRAME_BYTES
from agent.errors import CallGone, PhoneError
from agent.phone.leg import read_info
from agent.phone.media import BACKLOG_FRAMES, WINDOW_FRAMES, Media, command, messages

START: dict[str, Any] = {
    "type": "StasisStart",
    "application": "pickup:PJSIP/trunk-00000000",
    "args": [],
    "channel": {
        "id": "1795458064.0",
        "name": "PJSIP/trunk-00000000",
        "caller": {"name": "Test", "number": "15551234567"},
        "dialplan": {"exten": "13165550143"},
        "caller_rdnis": "+13165550142",
    },
}
"""What Asterisk 22.10.1 sends, less what is not read."""


@given(st.integers(min_value=0, max_value=500))
def test_messages_are_whole_frames_that_asterisk_can_take(count: int) -> None:
    pcm = bytes(range(256)) * (count * FRAME_BYTES // 256) + bytes(count * FRAME_BYTES % 256)
    cut = messages(pcm)
    assert b"".join(cut) == pcm
    assert all(0 < len(message) <= 65_500 for message in cut)
    assert all(len(message) % FRAME_BYTES == 0 for message in cut)


def test_a_command_is_json_short_enough_to_be_read() -> None:
    said = command("MARK_MEDIA", correlation_id=str(10**12))
    assert json.loads(said) == {"command": "MARK_MEDIA", "correlation_id": "1000000000000"}
    assert len(said) <= 128


def test_the_dialplans_arguments_come_first() -> None:
    said = ["caller=%2B13165550111", "called=", "diverted_from=", "diversion_reason=cfnr"]
    info = read_info(START | {"args": [*said, "withheld=no"]})
    assert (info.caller, info.called, info.diverted_from) == ("+13165550111", "", "")
    assert (info.channel, info.channel_id) == ("PJSIP/trunk-00000000", "1795458064.0")


def test_without_arguments_the_channel_tells() -> None:
    info = read_info(START)
    assert (info.caller, info.called) == ("15551234567", "13165550143")
    assert (info.diverted_from, info.withheld) == ("+13165550142", False)


def test_a_withheld_number_is_dropped() -> None:
    info = read_info(START | {"args": ["caller=%2B13165550111", "withheld=yes"]})
    assert info.withheld
    assert info.caller == ""


class Driver:
    """The far end of a media socket, under the test's hand."""

    def __init__(self) -> None:
        self.socket = web.WebSocketResponse(protocols=("media",))
        self.ready = asyncio.Event()
        self.said: asyncio.Queue[dict[str, Any] | int] = asyncio.Queue()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        await self.socket.prepare(request)
        self.ready.set()
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.said.put_nowait(json.loads(message.data))
            else:
                self.said.put_nowait(len(message.data) // FRAME_BYTES)
        return self.socket

    async def tell(self, event: str, **fields: str) -> None:
        await self.socket.send_str(json.dumps({"event": event, **fields}))


@pytest.fixture
async def pair(unused_tcp_port: int) -> AsyncIterator[tuple[Media, Driver]]:
    driver = Driver()
    app = web.Application()
    app.router.add_get("/media/1", driver.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    async with aiohttp.ClientSession() as http:
        media = Media(await http.ws_connect(f"http://127.0.0.1:{unused_tcp_port}/media/1"))
        await driver.ready.wait()
        yield media, driver
        await media.close(CallGone("The call is over."))
    await runner.cleanup()


async def drain(driver: Driver, count: int) -> list[str]:
    """Take ``count`` frames as sent, and return the numbers of the marks behind them."""
    marks = []
    async with asyncio.timeout(5):
        while count > 0:
            said = await driver.said.get()
            count -= said if isinstance(said, int) else 0
            if isinstance(said, dict) and said["command"] == "MARK_MEDIA":
                marks.append(said["correlation_id"])
        last = await driver.said.get()
        assert isinstance(last, dict)
        return [*marks, last["correlation_id"]]


async def test_play_waits_when_enough_is_unplayed(pair: tuple[Media, Driver]) -> None:
    media, driver = pair
    playing = asyncio.create_task(media.play(bytes(FRAME_BYTES * (WINDOW_FRAMES + 100))))
    marks = await drain(driver, WINDOW_FRAMES)
    assert driver.said.empty()
    assert not playing.done()
    for number in marks:
        await driver.tell("MEDIA_MARK_PROCESSED", correlation_id=number)
    await drain(driver, 100)
    await playing


async def test_xoff_holds_and_xon_lets_go(pair: tuple[Media, Driver]) -> None:
    media, driver = pair
    await driver.tell("MEDIA_XOFF")
    await driver.socket.send_bytes(bytes(FRAME_BYTES))
    await anext(media.frames())
    playing = asyncio.create_task(media.play(bytes(FRAME_BYTES)))
    await media.mark("behind")
    assert await driver.said.get() == {"command": "MARK_MEDIA", "correlation_id": "1"}
    assert not playing.done()
    await driver.tell("MEDIA_XON")
    await drain(driver, 1)
    await playing


async def test_flush_returns_when_confirmed_and_forgets_marks(pair: tuple[Media, Driver]) -> None:
    media, driver = pair
    heard: list[str] = []
    media.on_mark = heard.append
    await media.mark("played")
    await media.mark("dropped")
    await media.pause()
    flushing = asyncio.create_task(media.flush())
    said = [await driver.said.get() for _ in range(5)]
    assert [one["command"] for one in said if isinstance(one, dict)] == [
        "MARK_MEDIA",
        "MARK_MEDIA",
        "PAUSE_MEDIA",
        "FLUSH_MEDIA",
        "GET_STATUS",
    ]
    await driver.tell("MEDIA_MARK_PROCESSED", correlation_id="1")
    assert not flushing.done()
    await driver.tell("STATUS", queue_length="0")
    await flushing
    await driver.tell("MEDIA_MARK_PROCESSED", correlation_id="2")
    assert await driver.said.get() == {"command": "CONTINUE_MEDIA"}
    await driver.socket.send_bytes(bytes(FRAME_BYTES))
    await anext(media.frames())
    assert heard == ["played"]


async def test_ragged_audio_is_refused(pair: tuple[Media, Driver]) -> None:
    media, _ = pair
    with pytest.raises(ValueError, match="641"):
        await media.play(bytes(641))


async def test_frames_come_in_order_and_end_with_the_call(pair: tuple[Media, Driver]) -> None:
    media, driver = pair
    sent = [bytes([number]) * FRAME_BYTES for number in range(100)]
    for frame in sent:
        await driver.socket.send_bytes(frame)
    source = media.frames()
    got = [await anext(source) for _ in sent]
    assert got == sent
    media.end(CallGone("The call is over."))
    assert [frame async for frame in source] == []
    with pytest.raises(CallGone):
        await media.play(bytes(FRAME_BYTES))


async def test_audio_that_breaks_off_is_a_fault_not_an_end(pair: tuple[Media, Driver]) -> None:
    media, driver = pair
    await driver.socket.close()
    with pytest.raises(PhoneError, match="closed the caller's audio"):
        _ = [frame async for frame in media.frames()]


async def test_nobody_listening_is_a_fault_in_the_end(pair: tuple[Media, Driver]) -> None:
    media, driver = pair
    for _ in range(BACKLOG_FRAMES + 1):
        await driver.socket.send_bytes(bytes(FRAME_BYTES))
    await driver.socket.close()
    await asyncio.wait([media._reader])
    source = media.frames()
    for _ in range(BACKLOG_FRAMES):
        await anext(source)
    with pytest.raises(PhoneError, match="30 s"):
        await anext(source)
