"""Puts a recorded caller on a line again, to today's agent; the two calls side by side."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.errors import PickupError
from agent.evaluate.audio_line import AudioCaller
from agent.evaluate.case import DriverName
from agent.evaluate.engines import Engines, ServedCall, Setup, WatchedDialogue
from agent.evaluate.frozen import FrozenLedger
from agent.evaluate.line import Staff
from agent.evaluate.live import Live
from agent.evaluate.phone_line import PhoneLine
from agent.evaluate.recorded import Recorded, Said, recorded, said_in
from agent.evaluate.recorded import outcomes as outcomes_then
from agent.evaluate.story import Row, Story, chunks, from_events, from_steps, moment_json
from agent.evaluate.talker import Talk, sequence, talk
from agent.events import CallStarted, Event
from agent.evidence.bundle import Bundle, read_bundle
from agent.evidence.measures import EarMeasures, measure_ear
from agent.evidence.wav import write_wav
from agent.mind.dialogue import Heard, Keys, Reply, Silence, ToolDone
from agent.phone import CallInfo

CLOSE_SECONDS: Final = 10.0
"""How long the last writes of a bundle are waited for."""

HEARD_FILE: Final = "heard.wav"
"""In the new bundle: both sides as the replayed caller heard them, 8 kHz."""

_STAFF: Final[dict[str, Staff]] = {"cfnr": "no-answer", "cfb": "busy"}


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded call and its replay.

    Attributes:
        call: Id of the recorded call.
        driver: How it was replayed.
        clock: Where the agent's clock stood; ISO 8601.
        rows: Side by side; the greeting first.
        then: How the recorded call ended.
        now: How the replay ended.
        folder: The replay's own bundle; None by text.
        left: How many of the caller's deeds were not come to.
        ear: Latencies at the replayed caller's ear, seconds.
        fault: Why it could not be replayed; empty if it could.
    """

    call: str
    driver: str
    clock: str = ""
    rows: tuple[Row, ...] = ()
    then: str = ""
    now: str = ""
    folder: Path | None = None
    left: int = 0
    ear: tuple[float, ...] = ()
    fault: str = ""

    @property
    def same(self) -> bool:
        """Whether today's agent decides as the one of then."""
        ended = self.then == self.now or self.driver == "text"
        return not self.fault and ended and not self.left and all(row.same for row in self.rows)

    @property
    def decisions(self) -> tuple[Any, ...]:
        """Everything that was decided today; equal for equal replays."""
        return tuple(one.decision for row in self.rows for one in row.now), self.now, self.left

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; times in seconds."""
        found = asdict(self)
        found["folder"] = str(self.folder) if self.folder else None
        found["same"] = self.same
        found["rows"] = [
            {
                "deed": row.deed,
                "same": row.same,
                "played": row.played,
                "then": [moment_json(one) for one in row.then],
                "now": [moment_json(one) for one in row.now],
            }
            for row in self.rows
        ]
        return found


async def replay(
    bundle: Bundle,
    engines: Engines,
    calls: Path,
    *,
    driver: DriverName,
    line: PhoneLine | None = None,
    clock: datetime | None = None,
) -> Replayed:
    """Replay one call.

    Args:
        bundle: The recorded call.
        engines: Today's agent.
        calls: Where the replay's own bundle goes.
        driver: ``phone`` needs ``line``.
        line: The line, open.
        clock: Where the agent's clock is to stand; by default where it stood.

    Raises:
        EvidenceError: the recording can't be replayed.
        PickupError: a fault of today's agent, or of the line.
    """
    if driver == "text":
        return await _by_text(bundle, engines, clock)
    caller = recorded(bundle)
    setup = _setup(bundle, caller, clock)
    if driver == "phone":
        assert line is not None  # noqa: S101 - said above
        live, call = await line.place(setup, _staff(bundle))
        done = await _talk(live, call, caller)
    else:
        info = CallInfo("audio", "audio", setup.caller, withheld=setup.withheld)
        call = ServedCall(engines, setup, calls)
        done = await _talk(AudioCaller(call, info, engines), call, caller)
    call.recorder.wait_closed(CLOSE_SECONDS)
    write_wav(call.recorder.folder / HEARD_FILE, done.sound)
    ear = measure_ear(done.sound, lines=[clip.voiced for clip in done.spoken])
    return _side_by_side(bundle, caller, call, done, ear, driver)


async def replay_all(
    bundles: Sequence[Bundle],
    engines: Engines,
    calls: Path,
    *,
    driver: DriverName,
    line: PhoneLine | None = None,
    clock: datetime | None = None,
    at_once: int = 1,
    on_done: Callable[[Replayed], None] = lambda done: None,
) -> list[Replayed]:
    """Replay several calls, ``at_once`` at a time by phone; what fails is told in its result.

    For the rest see :func:`replay`. Calls from the same number take turns.
    """
    places = asyncio.Semaphore(at_once if driver == "phone" else 1)
    numbers: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def one(bundle: Bundle) -> Replayed:
        async with numbers[bundle.caller], places:
            try:
                done = await replay(bundle, engines, calls, driver=driver, line=line, clock=clock)
            except PickupError as error:
                done = Replayed(bundle.id, driver, fault=f"{error.code}: {error}")
        on_done(done)
        return done

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(bundle)) for bundle in bundles]
    return [task.result() for task in tasks]


async def _talk(live: Live, call: ServedCall, caller: Recorded) -> Talk:
    return await talk(
        live,
        sequence(caller.deeds),
        news(call.recorder.events),
        limit=caller.limit,
    )


def news(events: Sequence[Event]) -> Callable[[], Iterable[Event]]:
    """Return a function that returns what was added to ``events`` since it was last asked."""
    told = 0

    def fresh() -> Iterable[Event]:
        nonlocal told
        new = events[told:]
        told += len(new)
        return new

    return fresh


def _setup(bundle: Bundle, caller: Recorded, clock: datetime | None) -> Setup:
    return Setup(
        caller=caller.caller,
        now=clock or caller.started,
        withheld=caller.withheld,
        tools=caller.tools,
        rush=bundle.rush,
        origin=bundle.id,
    )


def _staff(bundle: Bundle) -> Staff:
    start = next((e for e in bundle.events if isinstance(e, CallStarted)), None)
    return _STAFF.get(start.diversion_reason if start else "", "always-forward")


def _side_by_side(
    bundle: Bundle,
    caller: Recorded,
    call: ServedCall,
    done: Talk,
    ear: EarMeasures,
    driver: DriverName,
) -> Replayed:
    then = from_events(bundle.events)
    now = from_events(read_bundle(call.recorder.folder).events)
    marks = [mark.steps for mark in done.marks]
    return replace(
        _compared(bundle, caller.said, then, now, marks, leaves=caller.ended == "caller"),
        driver=driver,
        clock=call.setup.now.isoformat(),
        folder=call.recorder.folder,
        ear=ear.latencies,
    )


def _compared(
    bundle: Bundle,
    said: Sequence[Said],
    then: Story,
    now: Story,
    marks: Sequence[int],
    *,
    leaves: bool,
) -> Replayed:
    before = [sum(one.at < deed.start for one in then.moments) for deed in said]
    names = [_deed(one) for one in said]
    if leaves:
        before, names = [*before, len(then.moments)], [*names, "(hangs up)"]
    was = chunks(then.moments, before)
    came = chunks(now.moments, marks)
    came += [()] * (len(was) - len(came))
    rows = tuple(
        Row(name, a, b, played=number <= len(marks))
        for number, (name, a, b) in enumerate(
            zip(["(the greeting)", *names], was, came, strict=True)
        )
    )
    return Replayed(
        call=bundle.id,
        driver="",
        rows=rows,
        then=then.end,
        now=now.end,
        left=len(names) - len(marks),
    )


def _deed(said: Said) -> str:
    if said.silent:
        return "(silence)"
    return f"(keys {said.keys})" if said.keys else said.text or "(not heard)"


# ── by text ─────────────────────────────────────────────────────────────────────────────


async def _by_text(bundle: Bundle, engines: Engines, clock: datetime | None) -> Replayed:
    """Give today's mind the words as they were heard then; no sound, no time."""
    said = [one for one in said_in(bundle) if one.answered and (one.text or one.keys or one.silent)]
    start = next((e for e in bundle.events if isinstance(e, CallStarted)), None)
    parts = engines.parts
    zone = ZoneInfo(parts.restaurant.time_zone)
    now = clock or bundle.started or datetime.now(zone)
    caller = start.caller if start else bundle.caller
    hidden = bool(start and start.withheld)
    dialogue = WatchedDialogue(
        parts.restaurant, caller, hidden, parts.capabilities, now, bundle.rush
    )
    state, reply = dialogue.open()
    outcomes: list[str] = []
    ledger = FrozenLedger(outcomes_then(bundle.events))
    marks: list[int] = []
    silences = 0
    for one in said:
        if reply.ends_call:
            break
        marks.append(len(marks) + 1)
        silences = silences + 1 if one.silent else 0
        given: Heard | Keys | Silence
        if one.silent:
            given = Silence(silences)
        elif one.keys:
            given = Keys(one.keys)
        else:
            understood = await parts.mind.understand(one.text, reply.expect, _words(reply))
            given = Heard(understood, one.text)
        state, reply = dialogue.step(state, given)
        while reply.tool is not None:
            promise = ledger.make(reply.tool.promise_kind, "", "", bundle.folder)
            told = await ledger.outcome(promise.id, 0.0)
            outcomes.append(f"{told.outcome} {told.code}".strip())
            done = ToolDone(told.outcome, promise.id, told.code)
            state, reply = dialogue.step(state, done)
    story = from_steps(dialogue.steps, outcomes, "agent: goodbye" if reply.ends_call else "open")
    compared = _compared(bundle, said, from_events(bundle.events), story, marks, leaves=False)
    return replace(compared, driver="text", clock=now.isoformat())


def _words(reply: Reply) -> str:
    return " ".join(sentence.text for sentence in reply.sentences)
