"""Whole calls: a caller at the phone company, the restaurant's PBX, the agent and its promises.

Nothing is replaced but the phone company (a second Asterisk) and Twilio's servers (a stand-in
of their API on loopback). What callers say comes from recordings, so a word may be heard
differently on another machine's timing; what is asserted holds whatever is heard, unless the
recording is of a voice and a sentence that are always understood.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from agent.evaluate.caller import loud
from agent.evaluate.calls import Outcome, run_calls
from agent.evaluate.line import Clip, Line, LiveCaller
from agent.evaluate.script import plan
from agent.evaluate.standin import Fault
from agent.events import (
    CallEnded,
    CallStarted,
    Event,
    LineFinished,
    LineStarted,
    MachineHeard,
    PromiseUpdated,
    Replied,
)
from agent.events import Outcome as Kept
from agent.evidence import read_bundle
from agent.evidence.bundle import bundle_folders
from agent.evidence.wav import read_wav
from agent.restaurant import load_restaurant
from agent.service.ports import loopback_settings
from agent.service.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDER = str(Path(__file__).with_name("order.toml"))
ORDER_SLOW = str(Path(__file__).with_name("order-slow.toml"))
CALLER = "+13165550188"
PATIENCE_SECONDS = 30.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    settings = loopback_settings(
        tmp_path_factory.mktemp("c"),
        promises={"retry_first_seconds": 0.5, "uncertain_seconds": 1},
        # Whatever else this box does, and however many calls these tests make.
        gate={"most_load": 1_000.0, "rush_calls": 1_000},
    )
    async with Stack(settings, carrier=True) as running:
        yield running


async def until(true: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something that another process does."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.02)


async def one_call(
    stack: Stack, script: str, on_event: Callable[[Event], None] = lambda event: None
) -> Outcome:
    (outcome,) = await run_calls(
        stack.settings, script, voice="slt", on_event=lambda _, event: on_event(event)
    )
    return outcome


def steps(outcome: Outcome) -> list[str]:
    assert outcome.bundle is not None
    return [event.step for event in outcome.bundle.events if isinstance(event, Replied)]


def the(outcome: Outcome, kind: type[Event]) -> Event:
    assert outcome.bundle is not None
    (event,) = (event for event in outcome.bundle.events if isinstance(event, kind))
    return event


async def nothing_left(stack: Stack) -> None:
    """Wait until neither Asterisk nor the agent holds anything of a call."""

    async def clear() -> bool:
        channels = await asyncio.to_thread(stack.pbx.command, "core show channels count")
        bridges = await asyncio.to_thread(stack.pbx.command, "bridge show all")
        health = await stack.health()
        return "0 active channels" in channels and "pickup-" not in bridges and health["calls"] == 0

    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await clear():  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.05)


def handles(stack: Stack) -> int:
    assert stack.agent is not None
    return len(os.listdir(f"/proc/{stack.agent.pid}/fd"))  # noqa: PTH208 - proc(5)


def voicemails(stack: Stack) -> set[Path]:
    """What callers left, as it was passed on to the owner."""
    return set(stack.settings.calls.glob("*/*/voicemail.wav"))


class Listener:
    """A caller by hand: knows since when the other side speaks or is silent."""

    def __init__(self, caller: LiveCaller) -> None:
        self.caller = caller
        self.now = 0.0
        self.loud_since: float | None = None
        self.quiet_since = 0.0
        self._slots = caller.slots()

    async def until(self, true: Callable[[], object]) -> None:
        """Stay on the line until ``true``; fail when the line is gone or patience is over."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for slot in self._slots:
                self.now = slot.at
                if loud(slot.heard):
                    self.loud_since = self.loud_since or slot.at
                    self.quiet_since = slot.at
                elif slot.at - self.quiet_since > 0.2:
                    self.loud_since = None
                if true():
                    return
        raise AssertionError("the line is gone")

    async def hears(self, seconds: float = 0.3) -> None:
        await self.until(
            lambda: self.loud_since is not None and self.now - self.loud_since > seconds
        )

    async def hears_silence(self, seconds: float = 0.7) -> None:
        await self.until(lambda: self.now - self.quiet_since > seconds)

    async def says(self, clip: Clip) -> None:
        self.caller.say(clip)
        await self.until(lambda: not self.caller.speaking)


def clip(script: str = ORDER) -> Clip:
    spoken = plan(script, 0, "slt").turns[0].clip
    assert spoken is not None
    return spoken


def public_number(stack: Stack) -> str:
    return load_restaurant(stack.settings.restaurant).public_number


@asynccontextmanager
async def on_the_line(stack: Stack) -> AsyncIterator[Listener]:
    """Have a caller dial, and hang up at the end."""
    async with Line(stack.settings, public_number(stack)) as line:
        caller = await line.place(CALLER)
        try:
            yield Listener(caller)
        finally:
            await caller.close()


async def leaves_voicemail(listener: Listener, stack: Stack) -> None:
    """Hear the apology out, speak after the tone, hang up; the message is then kept."""
    before = voicemails(stack)
    await listener.hears(1.0)
    await listener.hears_silence(1.0)
    await listener.says(clip())
    await listener.hears_silence(0.5)
    await listener.caller.close()
    await until(lambda: voicemails(stack) - before)
    (message,) = voicemails(stack) - before
    await until(lambda: read_wav(message).samples.shape[0] > 8_000)


# ── the call ────────────────────────────────────────────────────────────────────────────


async def test_a_forwarded_call_is_answered_and_the_link_is_texted(stack: Stack) -> None:
    outcome = await one_call(stack, ORDER)
    assert outcome.ok, outcome
    started, ended = the(outcome, CallStarted), the(outcome, CallEnded)
    assert isinstance(started, CallStarted)
    assert isinstance(ended, CallEnded)
    assert started.diverted_from == public_number(stack)
    assert started.diversion_reason == "cfnr"
    assert (ended.by, ended.reason) == ("agent", "goodbye")
    assert steps(outcome).count("goodbye") == 1
    assert stack.standin is not None
    await until(lambda: stack.standin and stack.standin.received(started.caller))
    (text,) = stack.standin.received(started.caller)
    promise = the(outcome, PromiseUpdated)
    assert isinstance(promise, PromiseUpdated)
    assert promise.receipt == text.sid
    assert f"?t={promise.promise}" in text.body
    assert outcome.bundle is not None
    history = outcome.bundle.folder / "promises.jsonl"
    await until(lambda: '"delivered"' in history.read_text())
    await nothing_left(stack)


async def test_the_bundle_tells_the_whole_call(stack: Stack) -> None:
    outcome = await one_call(stack, "question")
    assert outcome.ok, outcome
    assert outcome.bundle is not None
    folder = outcome.bundle.folder
    await until(lambda: json.loads((folder / "call.json").read_text()).get("closed"))
    card = json.loads((folder / "call.json").read_text())
    assert card["engines"]["vosk"]
    assert len(card["models"]["ear"]["sha256"]) == 64
    secret = stack.settings.pbx.ari_password.get_secret_value()
    assert secret not in (folder / "call.json").read_text()
    caller, agent = read_wav(folder / "caller.wav"), read_wav(folder / "agent.wav")
    assert caller.samples.shape == agent.samples.shape
    said = [line.text for line in outcome.bundle.transcript()]
    assert any("automated assistant" in text for text in said)


async def test_when_the_staff_answer_the_agent_never_rings(stack: Stack) -> None:
    before = set(bundle_folders(stack.settings.calls))
    outcome = await one_call(stack, "staff-answers")
    assert outcome.result is not None
    assert outcome.result.answered is not None
    assert set(bundle_folders(stack.settings.calls)) == before


async def test_two_calls_at_once_stay_apart(stack: Stack) -> None:
    outcomes = await run_calls(stack.settings, ORDER, count=2, concurrency=2, voice="slt")
    assert [outcome.ok for outcome in outcomes] == [True, True]
    bundles = [outcome.bundle for outcome in outcomes if outcome.bundle]
    assert len({bundle.id for bundle in bundles}) == 2
    for outcome in outcomes:
        started = the(outcome, CallStarted)
        assert isinstance(started, CallStarted)
        assert outcome.bundle is not None
        # a busy box may have told of a pending text before
        promise = [e for e in outcome.bundle.events if isinstance(e, PromiseUpdated)][-1]
        assert stack.standin is not None
        texts = stack.standin.received(started.caller)
        assert [text.sid for text in texts].count(promise.receipt) == 1
    await nothing_left(stack)


async def test_a_silent_caller_is_asked_twice_and_then_released(stack: Stack) -> None:
    outcome = await one_call(stack, "silent")
    assert outcome.ok, outcome
    assert steps(outcome).count("silence_prompt") == 2
    assert steps(outcome)[-1] not in {"silence_prompt", "greeting"}


async def test_a_goodbye_is_said_once_whatever_the_caller_goes_on_saying(stack: Stack) -> None:
    outcome = await one_call(stack, "chatty-goodbye")
    assert outcome.ok, outcome
    assert outcome.bundle is not None
    said = [e.heard for e in outcome.bundle.events if isinstance(e, LineFinished)]
    assert sum("Goodbye" in line for line in said) == 1, said


@pytest.mark.parametrize(("script", "what"), [("fax", "fax"), ("mailbox", "answering_machine")])
async def test_a_machine_is_released_at_once(stack: Stack, script: str, what: str) -> None:
    outcome = await one_call(stack, script)
    assert outcome.ok, outcome
    noted, ended = the(outcome, MachineHeard), the(outcome, CallEnded)
    assert isinstance(noted, MachineHeard)
    assert isinstance(ended, CallEnded)
    assert noted.what == ended.reason == what
    await nothing_left(stack)


# ── leaving at any moment ───────────────────────────────────────────────────────────────


async def test_a_caller_who_hangs_up_at_any_moment_leaves_nothing_behind(stack: Stack) -> None:
    await nothing_left(stack)
    before = handles(stack)
    moments: dict[str, Callable[[Listener], object]] = {
        "while it rings": lambda listener: listener.now > 0.5,
        "as the agent's socket opens": lambda listener: listener.now > 2.2,
        "at the answer": lambda listener: listener.caller.answered is not None,
        "as the greeting begins": lambda listener: listener.loud_since is not None,
        "in the greeting": lambda listener: listener.now - (listener.loud_since or 99) > 1.0,
    }
    for moment, true in moments.items():
        async with on_the_line(stack) as listener:
            await listener.until(partial(true, listener))
        await nothing_left(stack)
        assert handles(stack) <= before + 2, moment
    outcome = await one_call(stack, "hangs-up")
    assert outcome.bundle is not None
    await nothing_left(stack)
    await until(lambda: handles(stack) <= before + 2)
    for folder in bundle_folders(stack.settings.calls)[-3:]:
        assert any(isinstance(event, CallEnded) for event in read_bundle(folder).events)


# ── when something of ours fails ────────────────────────────────────────────────────────


async def test_no_agent_means_apology_and_voicemail(stack: Stack) -> None:
    assert stack.agent is not None
    await stack.agent.stop()
    try:
        async with on_the_line(stack) as listener:
            await leaves_voicemail(listener, stack)
    finally:
        await stack.start_agent()


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_an_agent_that_dies_or_freezes_in_mid_call_is_replaced_by_the_apology(
    stack: Stack, fault: signal.Signals, record_property: Callable[[str, object], None]
) -> None:
    before = stack.pbx.pid
    try:
        record_property("seconds_until_apology", await _strike(stack, fault))
    except (AssertionError, TimeoutError):
        # Asterisk 22.10.1 itself crashes now and then when an agent is killed (tests/pbx/crash.py):
        # the stack starts it again, and the next caller must fare as this one should have.
        if stack.pbx.pid == before:
            raise
        await until(lambda: stack.pbx.pid is not None)
        assert stack.agent is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            await stack.agent.ready()
        record_property("seconds_until_apology", await _strike(stack, fault))
    assert stack.agent is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        await stack.agent.ready()
    await nothing_left(stack)
    assert not (await one_call(stack, ORDER)).failure


async def _strike(stack: Stack, fault: signal.Signals) -> float:
    """Kill or freeze the agent after its greeting; return the seconds until the apology."""
    assert stack.agent is not None
    async with on_the_line(stack) as listener:
        await listener.hears()
        await listener.hears_silence()
        pid = stack.agent.pid
        assert pid is not None
        os.kill(pid, fault)
        struck = listener.now
        await listener.hears(0.1)
        apology = listener.now
        await leaves_voicemail(listener, stack)
    return round(apology - struck, 2)


async def test_the_voice_killed_twice_in_a_call_comes_back_twice(stack: Stack) -> None:
    killed: list[int] = []

    def strike(event: Event) -> None:
        # the second line has the number read back: no line spoken ahead, Piper has it in hand
        if isinstance(event, LineStarted) and len(killed) < 2 and (pid := voice_pid(stack)):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    outcome = await one_call(stack, ORDER_SLOW, strike)
    assert outcome.ok, outcome
    assert len(set(killed)) == 2
    assert steps(outcome).count("order_link") == 1
    await until(lambda: voice_pid(stack) not in {None, *killed})


def voice_pid(stack: Stack) -> int | None:
    """Return the process that speaks: the agent's child that is Piper."""
    assert stack.agent is not None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it ended meanwhile
        if parent == stack.agent.pid and b"piper_program" in command:
            return int(process.name)
    return None


async def test_redis_down_in_mid_call_is_told_and_the_promise_is_kept_once(stack: Stack) -> None:
    struck = asyncio.Event()

    def strike(event: Event) -> None:
        if isinstance(event, LineFinished) and not struck.is_set():
            struck.set()
            stack.redis.stop()

    outcome = await one_call(stack, ORDER_SLOW, strike)
    stack.redis.start()
    await kept_once_after_pending(stack, outcome)


async def test_twilio_failing_in_mid_call_is_told_and_the_promise_is_kept_once(
    stack: Stack,
) -> None:
    assert stack.standin is not None
    stack.standin.order(Fault.TOO_MANY, count=4, seconds=3)
    outcome = await one_call(stack, ORDER_SLOW)
    await kept_once_after_pending(stack, outcome)


async def kept_once_after_pending(stack: Stack, outcome: Outcome) -> None:
    assert outcome.ok, outcome
    started, promise = the(outcome, CallStarted), the(outcome, PromiseUpdated)
    assert isinstance(started, CallStarted)
    assert isinstance(promise, PromiseUpdated)
    assert promise.outcome is Kept.PENDING
    assert outcome.bundle is not None
    said = " ".join(e.heard for e in outcome.bundle.events if isinstance(e, LineFinished))
    assert "couldn't send it just now" in said
    assert "just texted" not in said

    def copies() -> int:
        assert stack.standin is not None
        texts = stack.standin.received(started.caller)
        return sum(f"?t={promise.promise}" in text.body for text in texts)

    await until(copies)
    history = outcome.bundle.folder / "promises.jsonl"
    await until(lambda: '"delivered"' in history.read_text())
    assert copies() == 1
