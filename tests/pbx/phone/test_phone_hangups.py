"""Callers who leave at any moment: nothing of their calls stays behind."""

from __future__ import annotations

import asyncio

import pytest

from agent.errors import CallGone
from agent.events import CallerHungUp, Event
from agent.phone import CallLeg
from tests.pbx.phone.house import House, events_of, open_files, sound, until
from tests.pbx.sip_caller import tone


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


async def test_a_later_call_leaves_no_more_open_than_the_first(house: House) -> None:
    # One after the other: calls at once would differ in how many idle connections to
    # Asterisk's HTTP server they leave in the pool.
    async def open_after_a_call() -> set[str]:
        async with house.caller() as caller:
            await caller.dial()
            caller.say(tone(700, 0.2))
            await until(lambda: caller.loud_seconds > 0.1)
        await house.nothing_left()
        await until(lambda: not house.server._sockets)
        return open_files()

    first, later = await open_after_a_call(), await open_after_a_call()
    assert len(later) <= len(first), later - first
