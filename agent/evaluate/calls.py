"""Several scripted callers at once, each with the bundle that Pickup wrote of its call."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.errors import EvidenceError, PickupError
from agent.evaluate.caller import CallResult, ScriptedCaller
from agent.evaluate.line import Line
from agent.evaluate.script import Plan, plan
from agent.events import CallEnded, Event
from agent.evidence.bundle import Bundle, Follower, bundle_folders, read_bundle, read_card
from agent.evidence.measures import Distribution, Stages, distribution, stages
from agent.restaurant import load_restaurant
from agent.settings import Settings

FIRST_NUMBER: Final = 13165550150
NUMBERS: Final = 40
"""Callers have numbers +1 316 555 0150 … 0189: 555-01xx is kept for fiction (NANPA), and the
restaurant file's own lie outside of this range. So many can call at once."""

START_GAP_SECONDS: Final = 0.35
"""Callers who start together start this far apart, as people do not dial in one breath."""

POLL_SECONDS: Final = 0.1
CLOSING_SECONDS: Final = 3.0
"""How long after the hang-up the last events of a bundle are waited for."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One call, from both sides.

    Attributes:
        number: Which of the calls it was, from 0.
        result: What the caller saw; None if the carrier failed.
        bundle: What Pickup wrote; None if the call never reached it.
        fault: What kept the call from being placed, empty if nothing.
        for_staff: The script has the staff answer: Pickup must never hear of the call.
    """

    number: int
    result: CallResult | None
    bundle: Bundle | None
    fault: str = ""
    for_staff: bool = False

    @property
    def failure(self) -> str:
        """Why the call did not go as its script says; empty if it did."""
        result, bundle = self.result, self.bundle
        if result is None:
            return self.fault
        if result.answered is None:
            return "nobody answered"
        if result.ended != result.expected:
            return f"it was ended by {result.ended}, not by {result.expected}"
        if self.for_staff:
            return "Pickup took a call that the staff answered" if bundle else ""
        if bundle is None:
            return "it did not reach Pickup, or left no bundle"
        how = bundle.card.get("ended")
        if isinstance(how, dict) and how.get("by") == "fault":
            return f"a fault of Pickup's: {how.get('reason')}"
        return ""

    @property
    def ok(self) -> bool:
        """Whether the call was answered by whom it should be, and ended as its script says."""
        return not self.failure

    @property
    def stages(self) -> tuple[Stages, ...]:
        """The agent's own stages of every turn."""
        return stages(self.bundle.events) if self.bundle else ()

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; times in seconds."""
        result, bundle = self.result, self.bundle
        return {
            "number": self.number,
            "ok": self.ok,
            "failure": self.failure,
            "call": result and {**asdict(result), "wav": str(result.wav)},
            "bundle": bundle and str(bundle.folder),
            "id": bundle and bundle.id,
            "ended": bundle and bundle.ended,
            "transcript": [asdict(said) for said in bundle.transcript()] if bundle else [],
            "stages": [{**asdict(stage), "total": stage.total} for stage in self.stages],
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """The latency at the caller's ear over all calls, beside the agent's own stages. Seconds.

    ``greeting`` is from the answer to the first sound that the caller hears.
    """

    calls: int
    failed: int
    turns: int
    unanswered_turns: int
    cut_ins: int
    talk_over: float
    dead_air: int
    greeting: Distribution
    ear: Distribution
    stages: dict[str, Distribution]

    def as_json(self) -> dict[str, Any]:
        """Return it for programs; a distribution of nothing is null."""
        found = asdict(self)
        found["ear"] = _json(self.ear)
        found["greeting"] = _json(self.greeting)
        found["stages"] = {name: _json(values) for name, values in self.stages.items()}
        return found


async def run_calls(
    settings: Settings,
    script: str,
    *,
    count: int = 1,
    concurrency: int = 1,
    seed: int = 0,
    voice: str = "",
    manner: str = "clean",
    folder: Path | None = None,
    on_event: Callable[[int, Event], None] = lambda number, event: None,
    on_done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Have ``count`` callers phone a running Pickup through its carrier.

    Args:
        settings: The machine's settings: carrier, bundles, restaurant.
        script: Name of a script, or path of one.
        count: How many calls.
        concurrency: How many of them at a time.
        seed: The first call's seed; each further call has the next.
        voice: One voice for all; without it they go round.
        manner: How they speak, see ``evals/callers/manners.toml``.
        folder: Where the callers' recordings go; by default a folder of this run's time
            under ``<home>/callers``.
        on_event: Told every event of a call's bundle as it is written, with the call's number.
        on_done: Told every outcome as it comes.

    Returns:
        The outcomes, in order.

    Raises:
        SettingsError: script, line or voice does not exist.
        RestaurantError: the restaurant file is wrong.
    """
    plans = [plan(script, seed + number, voice, manner) for number in range(count)]
    return await run_plans(
        settings,
        plans,
        concurrency=concurrency,
        folder=folder,
        on_event=on_event,
        on_done=on_done,
    )


async def run_plans(
    settings: Settings,
    plans: Sequence[Plan],
    *,
    concurrency: int = 1,
    folder: Path | None = None,
    on_event: Callable[[int, Event], None] = lambda number, event: None,
    on_done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Have these callers phone a running Pickup; all else as in :func:`run_calls`."""
    run = f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}"
    recordings = folder or settings.home / "callers" / run
    number_called = load_restaurant(settings.restaurant).public_number
    bundles = _Bundles(settings.calls)
    at_a_time = asyncio.Semaphore(min(concurrency, NUMBERS))

    async def one(number: int, line: Line) -> Outcome:
        async with at_a_time:
            if number < concurrency:
                await asyncio.sleep(START_GAP_SECONDS * number)
            outcome = await _one_call(number, plans[number], line, bundles, recordings, on_event)
        on_done(outcome)
        return outcome

    async with Line(settings, number_called) as line, asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number, line)) for number in range(len(plans))]
    return [task.result() for task in tasks]


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    """Return the figures over all calls."""
    results = [outcome.result for outcome in outcomes if outcome.result]
    ears = [result.ear for result in results]
    turns = [turn for ear in ears for turn in ear.turns]
    own = [stage for outcome in outcomes for stage in outcome.stages]
    return Summary(
        calls=len(outcomes),
        failed=sum(not outcome.ok for outcome in outcomes),
        turns=len(turns),
        unanswered_turns=sum(turn.latency is None for turn in turns),
        cut_ins=sum(ear.cut_ins for ear in ears),
        talk_over=sum(ear.talk_over for ear in ears),
        dead_air=sum(len(ear.dead_air) for ear in ears),
        greeting=distribution(
            [
                result.ear.first_sound - result.answered
                for result in results
                if result.answered is not None and result.ear.first_sound is not None
            ]
        ),
        ear=distribution([latency for ear in ears for latency in ear.latencies]),
        stages={
            "endpoint": distribution([stage.endpoint for stage in own]),
            "words": distribution([stage.words for stage in own]),
            "decide": distribution([stage.decide for stage in own]),
            "speak": distribution([stage.speak for stage in own]),
            "total": distribution([stage.total for stage in own]),
        },
    )


async def _one_call(
    number: int,
    chosen: Plan,
    line: Line,
    bundles: _Bundles,
    recordings: Path,
    on_event: Callable[[int, Event], None],
) -> Outcome:
    caller = f"+{FIRST_NUMBER + number % NUMBERS}"
    seen_as = "" if chosen.script.withheld else caller
    manner = "" if chosen.manner == "clean" else f"-{chosen.manner}"
    wav = recordings / f"{chosen.name}{manner}-{number:03d}-{chosen.voice}.wav"
    found: list[Path] = []
    followed = asyncio.create_task(_follow(bundles, seen_as, number, on_event, found))
    try:
        result = await ScriptedCaller(line, chosen, caller, wav).run()
        # The last events are written after the hang-up was heard on the line.
        await asyncio.wait([followed], timeout=CLOSING_SECONDS)
    except PickupError as error:
        return Outcome(number, None, None, str(error))
    finally:
        followed.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await followed
    bundle = read_bundle(found[0]) if found else None
    return Outcome(number, result, bundle, for_staff=chosen.script.staff == "answers")


async def _follow(
    bundles: _Bundles,
    caller: str,
    number: int,
    on_event: Callable[[int, Event], None],
    found: list[Path],
) -> None:
    """Find the bundle of the call from ``caller``, and tell its events until the last."""
    folder = None
    while True:
        if folder is None and (folder := bundles.claim(caller)):
            found.append(folder)
            follower = Follower(folder)
        for event in follower.new_events() if folder else ():
            on_event(number, event)
            if isinstance(event, CallEnded):
                return
        await asyncio.sleep(POLL_SECONDS)


class _Bundles:
    """The bundles that were not there before; each is given to one caller only."""

    def __init__(self, calls: Path) -> None:
        self._calls = calls
        self._taken = set(bundle_folders(calls))

    def claim(self, caller: str) -> Path | None:
        """Return a new bundle of a call from ``caller`` (empty: withheld), if there is one."""
        for folder in bundle_folders(self._calls):
            if folder not in self._taken and _caller_of(folder) == caller:
                self._taken.add(folder)
                return folder
        return None


def _caller_of(folder: Path) -> str | None:
    """Return the caller's number of a bundle, empty if withheld; None if not known yet."""
    try:
        card = read_card(folder)
    except EvidenceError:
        return None
    caller = card.get("caller")
    return caller if isinstance(caller, str) else None


def _json(values: Distribution) -> dict[str, Any] | None:
    return asdict(values) if values.count else None
