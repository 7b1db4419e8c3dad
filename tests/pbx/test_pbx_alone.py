"""Without an agent no caller is left alone: what the dialplan and the gate do by themselves."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import wave
from collections.abc import AsyncIterator

import numpy as np
import pytest

from agent.evaluate.line import Clip, Line
from agent.restaurant import Restaurant
from agent.service.asterisk import AsteriskServer
from agent.settings import CHECKOUT, Settings
from tests.pbx.callers import CALLER, channels, heard_voice, phoning, until
from tests.pbx.sockets import assert_keeps_to_loopback, listening


@pytest.fixture
async def line(
    settings: Settings, restaurant: Restaurant, pbx: AsteriskServer, carrier: AsteriskServer
) -> AsyncIterator[Line]:
    async with Line(settings, restaurant.public_number) as line:
        yield line
    await until(lambda: not channels(pbx) and not channels(carrier), "all channels gone")


async def test_without_an_agent_callers_hear_the_apology_and_leave_a_voicemail(
    line: Line, settings: Settings, pbx: AsteriskServer, carrier: AsteriskServer
) -> None:
    with wave.open(str(CHECKOUT / "asterisk" / "sounds" / "apology.wav")) as prompt:
        words = np.frombuffer(prompt.readframes(prompt.getnframes()), np.int16)
    box = settings.voicemail / "default" / "restaurant"
    async with (
        phoning(await line.place(CALLER, staff="busy")) as first,
        phoning(await line.place("+13165550112", staff="busy", withheld=True)) as second,
    ):
        for caller in (first, second):
            await until(lambda caller=caller: heard_voice(caller), "the apology")  # type: ignore[misc]
        assert_keeps_to_loopback(pbx)
        assert_keeps_to_loopback(carrier)
        ports = {port for _, _, port in listening(pbx.pid or 0)}
        assert ports & set(range(settings.pbx.rtp_first, settings.pbx.rtp_last + 1))

        await until(lambda: len(list((box / "tmp").glob("*.wav"))) == 2, "both recordings begun")
        for caller in (first, second):
            caller.say(Clip("message", words, 0, len(words) - 1))
        for caller in (first, second):
            await until(lambda caller=caller: not caller.speaking, "message said")  # type: ignore[misc]
            await caller.press("#")
        for caller in (first, second):
            await until(lambda caller=caller: caller.gone, "the PBX hung up")  # type: ignore[misc]
            assert caller.cause == 16

    kept = sorted((box / "INBOX").glob("*.wav"))
    assert len(kept) == 2
    for file in kept:
        with wave.open(str(file)) as message:
            assert message.getframerate() == 8000
            assert message.getnframes() / 8000 > len(words) / 8000 * 0.9
    said_by = [re.search(r"^callerid=(.*)$", f.with_suffix(".txt").read_text(), re.M) for f in kept]
    assert sorted(found[1] for found in said_by if found) == [CALLER, "Unknown"]


async def test_when_the_staff_answer_the_pbx_never_rings(line: Line, pbx: AsteriskServer) -> None:
    before = pbx.command("core show channels count").splitlines()[-1]
    async with phoning(await line.place(CALLER, staff="answers")) as caller:
        await until(lambda: caller.answered is not None, "the staff answer")
    assert pbx.command("core show channels count").splitlines()[-1] == before


async def test_hanging_up_while_it_rings_cancels_the_call(
    line: Line, pbx: AsteriskServer, settings: Settings
) -> None:
    # A listener that never answers keeps Stasis() busy, so the call rings.
    with socket.create_server((settings.agent.host, settings.agent.port)):
        async with phoning(await line.place(CALLER, staff="busy")) as caller:
            await until(lambda: any("!Ring!Stasis!" in c for c in channels(pbx)), "ringing")
            assert caller.answered is None
            await caller.hang_up()
        await until(lambda: not channels(pbx), "channel gone")


@contextlib.asynccontextmanager
async def gate(settings: Settings, verdict: str | None) -> AsyncIterator[list[str]]:
    """Answer FastAGI with ``verdict``, or accept and stay silent; yields what was asked."""
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.extend((await reader.readuntil(b"\n\n")).decode().splitlines())
        if verdict is None:
            await reader.read()
        else:
            writer.write(f"SET VARIABLE GATE_VERDICT {verdict}\n".encode())
            await reader.readline()
        writer.close()

    server = await asyncio.start_server(answer, settings.agent.host, settings.agent.gate_port)
    try:
        yield asked
    finally:
        server.close()
        await server.wait_closed()


async def test_the_gate_is_told_who_calls_and_may_refuse(
    line: Line, pbx: AsteriskServer, settings: Settings
) -> None:
    async with (
        gate(settings, "reject") as asked,
        phoning(await line.place(CALLER, staff="busy")) as caller,
    ):
        await until(lambda: caller.gone, "refused")
        assert caller.answered is None
        assert caller.cause == 17
    assert [text.split(": ", 1)[1] for text in asked if text.startswith("agi_arg_")] == [
        "caller=%2B13165550111",
        "called=13165550143",
        "diverted_from=%2B13165550142",
        "diversion_reason=cfb",
        "withheld=no",
        "probe=",
    ]


async def test_a_withheld_number_is_forgotten_at_the_door(
    line: Line, pbx: AsteriskServer, settings: Settings
) -> None:
    async with (
        gate(settings, "reject") as asked,
        phoning(await line.place(CALLER, staff="no-answer", withheld=True)) as caller,
    ):
        await until(lambda: caller.gone, "refused")
    assert "agi_arg_1: caller=" in [text.strip() for text in asked]
    assert "agi_arg_4: diversion_reason=cfnr" in asked
    assert "agi_arg_5: withheld=yes" in asked
    assert CALLER not in "\n".join(asked)


@pytest.mark.parametrize("verdict", ["voicemail", "nonsense", None])
async def test_whatever_the_gate_does_the_caller_hears_somebody(
    line: Line, pbx: AsteriskServer, settings: Settings, verdict: str | None
) -> None:
    async with (
        gate(settings, verdict),
        phoning(await line.place(CALLER, staff="busy")) as caller,
    ):
        await until(lambda: heard_voice(caller), "the apology")
