"""An edited dialplan at a real Asterisk with a real agent: put to use, or taken back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agent.errors import PhoneError
from agent.evidence.bundle import bundle_folders
from agent.service.dialplan import files
from agent.service.dialplan.apply import apply
from agent.service.ports import loopback_settings
from agent.service.probe import probe_call
from agent.service.stack import Stack
from tests.pbx.sip_caller import SipCaller, tone

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = 30.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with Stack(loopback_settings(tmp_path_factory.mktemp("d"))) as running:
        yield running


def sip(stack: Stack, caller: str = "+13165550111") -> SipCaller:
    pbx = stack.settings.pbx
    return SipCaller((pbx.sip_host, pbx.sip_port), stack.settings.trunk.number, caller=caller)


async def hears_more(caller: SipCaller, seconds: float = 0.5) -> None:
    before = caller.loud_seconds
    async with asyncio.timeout(PATIENCE):
        while caller.loud_seconds < before + seconds:  # noqa: ASYNC110 - the agent speaks
            await asyncio.sleep(0.05)


async def started_again(stack: Stack) -> None:
    """Wait until the stack itself has started Asterisk again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(PhoneError):
                if stack.pbx.pid is not None:
                    await asyncio.to_thread(stack.pbx.command, "core waitfullybooted")
                    return
            await asyncio.sleep(0.1)


async def test_a_probe_call_goes_all_the_way_and_no_list_shows_it(stack: Stack) -> None:
    probe = await probe_call(stack.settings)
    assert probe.well, probe
    assert probe.folder is not None
    assert bundle_folders(stack.settings.calls) == []


async def test_an_edit_that_breaks_calls_is_taken_back_and_a_call_goes_on(stack: Stack) -> None:
    edited = stack.settings.home / "local" / "globals.conf"
    async with sip(stack) as caller:
        assert await caller.dial() == 200
        await hears_more(caller)
        # Right by all rules, and no call gets in any more.
        edited.write_text("NUMBERS = 13165550120\n")
        assert files.problems(stack.settings) == []
        applied = await apply(stack.settings)
        assert not applied.kept
        assert applied.before is not None
        assert applied.before.well
        assert applied.after is not None
        assert applied.after.by == "nobody"
        assert applied.changed == ("local/globals.conf",)
        assert not caller.ended.is_set()
        caller.say(tone(440, 1.0))
        await hears_more(caller)
    async with sip(stack, "+13165550112") as caller:
        assert await caller.dial() == 200
        await hears_more(caller)
    # The edit is still there to be mended, and is still not in use.
    assert files.changed(stack.settings) == ["local/globals.conf"]
    edited.unlink()


async def test_an_edit_that_is_wrong_changes_nothing(stack: Stack) -> None:
    edited = stack.settings.home / "local" / "extensions.conf"
    edited.write_text("[gate](+)\nexten => 1,1,Goto(nowhere,s,1)\n")
    before = stack.pbx.command("dialplan show")
    applied = await apply(stack.settings)
    assert [problem.line for problem in applied.problems] == [2]
    assert not applied.kept
    assert stack.pbx.command("dialplan show") == before
    edited.unlink()


async def test_a_good_edit_is_in_use_and_can_be_undone(stack: Stack) -> None:
    edited = stack.settings.home / "local" / "globals.conf"
    edited.write_text("GATE_SECONDS = 2\n")
    applied = await apply(stack.settings)
    assert applied.kept, applied
    assert "GATE_SECONDS=2" in stack.pbx.command("dialplan show globals")
    assert files.changed(stack.settings) == []
    assert files.take_back(stack.settings)
    edited.unlink()
    stack.pbx.reload()


async def test_a_start_with_a_broken_edit_goes_on_with_the_last_good_one(stack: Stack) -> None:
    edited = stack.settings.home / "local" / "extensions.conf"
    edited.write_text("[gate\n")
    try:
        await asyncio.to_thread(stack.pbx.stop)
        await started_again(stack)
        async with sip(stack, "+13165550113") as caller:
            assert await caller.dial() == 200
    finally:
        edited.unlink()
