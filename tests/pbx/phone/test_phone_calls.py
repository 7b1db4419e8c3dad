"""Calls that go well: SIP in, ARI and media over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from agent.events import CallerHungUp, Event, KeyPressed
from agent.phone import CallLeg, Media
from tests.pbx.phone.house import House, events_of, sound, until
from tests.pbx.sip_caller import tone

WITHHELD = ("Privacy: id", "P-Asserted-Identity: <sip:+13165550111@127.0.0.2>")


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
