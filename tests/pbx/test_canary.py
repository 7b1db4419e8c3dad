"""The canary through the phone company: out over the trunk, and back as a forwarded call."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from agent.errors import SetupError
from agent.evaluate.twilio_wire import MAGIC_UNDELIVERED
from agent.evidence.bundle import bundle_folders
from agent.promises.files import read_lines
from agent.promises.owner import OwnersList
from agent.service.canary import sing
from agent.service.ports import loopback_settings
from agent.service.stack import Stack
from agent.service.watch_state import CANARY_HISTORY
from agent.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = "+13165550142"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    home = tmp_path_factory.mktemp("n")
    closed, text = home / "closed.toml", Settings().restaurant.read_text()
    # Closed all week, so that the canary may go at whatever hour the tests run.
    closed.write_text(re.sub(r"(?m)^(\w+day) = .*$", r"\1 = []", text))
    settings = loopback_settings(
        home,
        restaurant=closed,
        dial_out={"numbers": [PUBLIC]},
        canary={"text_to": "+13165550198", "within_seconds": 15},
    )
    async with Stack(settings, carrier=True) as running:
        yield running


async def forwarding_leads_to(stack: Stack, where: str) -> None:
    assert stack.carrier is not None
    command = f"dialplan set global FORWARD_VIA {where}"
    await asyncio.to_thread(stack.carrier.command, command)


async def test_a_healthy_line_sings(stack: Stack) -> None:
    song = await sing(stack.settings, time.time)
    assert song.well, song
    assert (song.call, song.text) == ("well", "well")
    # Told apart: no call of the restaurant's, no message to the owner.
    assert bundle_folders(stack.settings.calls) == []
    assert OwnersList(stack.settings.home).read() == []
    assert read_lines(stack.settings.home / CANARY_HISTORY)[-1]["well"]


@pytest.mark.parametrize(
    ("where", "call"),
    [
        ("Local/no-answer@staff-phone/n", "not_forwarded"),
        ("Local/answers@staff-phone/n", "somebody_else"),
        ("PJSIP/+13165550177@restaurant", "refused"),
    ],
)
async def test_forwarding_that_is_off_or_wrong_is_told(stack: Stack, where: str, call: str) -> None:
    await forwarding_leads_to(stack, where)
    try:
        song = await sing(stack.settings, time.time)
    finally:
        number = stack.settings.trunk.number
        await forwarding_leads_to(stack, f"PJSIP/{number}@restaurant")
    assert song.call == call, song
    assert song.do


async def test_a_trunk_that_is_down_is_told(stack: Stack) -> None:
    assert stack.carrier is not None
    await asyncio.to_thread(stack.carrier.stop)
    try:
        song = await sing(stack.settings, time.time)
    finally:
        await asyncio.to_thread(stack.carrier.start)
        await asyncio.to_thread(stack.pbx.command, "pjsip qualify trunk")
    assert song.call == "trunk", song


async def test_a_text_that_is_not_delivered_is_told(stack: Stack) -> None:
    canary = stack.settings.canary.model_copy(update={"text_to": next(iter(MAGIC_UNDELIVERED))})
    song = await sing(stack.settings.model_copy(update={"canary": canary}), time.time)
    assert (song.call, song.text) == ("well", "undelivered"), song


async def test_it_does_not_go_where_it_must_not(stack: Stack) -> None:
    settings = stack.settings
    shut = settings.dial_out.model_copy(update={"numbers": ()})
    with pytest.raises(SetupError, match=r"\[dial_out\]"):
        await sing(settings.model_copy(update={"dial_out": shut}), time.time)
    opened = settings.model_copy(update={"restaurant": Settings().restaurant})
    noon = datetime(2026, 11, 27, 18, 0, tzinfo=UTC).timestamp()
    with pytest.raises(SetupError, match="open now"):
        await sing(opened, lambda: noon)


async def test_only_the_named_number_can_be_called(stack: Stack) -> None:
    assert stack.carrier is not None
    before = await asyncio.to_thread(stack.carrier.command, "core show channels count")
    show = await asyncio.to_thread(stack.pbx.command, "dialplan show dial-out")
    assert "Hangup(21)" in show
    reached = await asyncio.to_thread(stack.pbx.command, "dialplan show from-trunk")
    assert "dial-out" not in reached
    after = await asyncio.to_thread(stack.carrier.command, "core show channels count")
    assert before.splitlines()[-1] == after.splitlines()[-1]
