"""Cases by sound: from ear to mouth (``audio``), or on a real line (``phone``).

The caller's words are spoken: by a voice of ``evals/callers`` where it has the line, else by
the house voice; or they come from the case's recording. The world is the case's own: clock,
restaurant, what can be done, what becomes of promises.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

import numpy as np

from agent.audio import SAMPLE_RATE
from agent.errors import CaseError, PickupError, UnbackedClaim
from agent.evaluate.audio_line import AudioCaller
from agent.evaluate.case import WORLDS, Case, Run, Turn
from agent.evaluate.case_values import CALLER_LEFT, OPEN
from agent.evaluate.engines import Engines, ServedCall, Setup, Step
from agent.evaluate.line_sound import RATE, Clip
from agent.evaluate.live import Live
from agent.evaluate.manners import CALLERS
from agent.evaluate.persona import PersonaCaller
from agent.evaluate.phone_line import PhoneLine
from agent.evaluate.recorded import resampled, turns_by_sound
from agent.evaluate.replay import news
from agent.evaluate.results import Status
from agent.evaluate.talker import Deed, Floor, NextDeed, Talk, sequence, talk
from agent.evaluate.text import HANGS_UP, PERSONA_TURNS, Exchange, Result
from agent.evaluate.verdict import banned, faults
from agent.events import CallEnded, FaultSeen, Replied
from agent.evidence.measures import measure_ear, voiced_spans
from agent.evidence.wav import Sound, read_wav
from agent.mind.dialogue import Heard, Reply, ToolDone
from agent.phone import CallInfo
from agent.settings import Settings

SECONDS_PER_TURN: Final = 40.0
"""A call may last so long for each thing the caller does; an ordinary turn takes 5 to 10 s."""
ENDED: Final = "ended"
"""The step of a reply to what is said after the end."""
CLOSE_SECONDS: Final = 10.0
"""How long the last writes of a bundle are waited for."""


class AudioDriver:
    """Plays cases from ear to mouth, in audio time; an async context manager."""

    name = "audio"

    def __init__(self, settings: Settings, worlds: Path = WORLDS) -> None:
        """Say what is used.

        Args:
            settings: Which models; bundles go below its home.
            worlds: Folder of restaurant files.
        """
        self._settings = settings
        self._worlds = worlds
        self._calls = settings.home / "eval" / self.name
        self._engines: dict[Path, Engines] = {}
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start; engines are loaded when first needed."""
        shutil.rmtree(self._calls, ignore_errors=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Free the engines."""
        await self._exit.aclose()
        self._engines.clear()

    async def play(self, run: Run) -> Result:
        """Play one run and judge it. A fault of ours is its status, never an exception."""
        try:
            engines = await self._ready(run.case.world.file(self._worlds))
            return await self._play(run, engines)
        except PickupError as error:
            return Result(run, Status.ERRORED, (f"{error.code}: {error}",))
        except Exception:  # noqa: BLE001 - shown as errored; the other cases still run
            return Result(run, Status.ERRORED, (traceback.format_exc(limit=-2).strip(),))

    async def _ready(self, restaurant: Path) -> Engines:
        if restaurant not in self._engines:
            engines = Engines(self._settings, restaurant, self._settings.phrases)
            self._engines[restaurant] = await self._exit.enter_async_context(engines)
        return self._engines[restaurant]

    async def _play(self, run: Run, engines: Engines) -> Result:
        case = run.case
        if case.caller.persona is not None:
            caller: NextDeed = _Improviser(case, engines).next_deed
            turns = case.turns or PERSONA_TURNS
        else:
            caller = sequence(await _deeds(run, engines))
            turns = len(case.talk)
        live, call = await self._dial(_setup(case, engines), engines)
        done = await talk(
            live,
            caller,
            news(call.recorder.events),
            limit=SECONDS_PER_TURN * (turns + 1),
            ends="caller",
            listens=case.caller.persona is not None,
        )
        call.recorder.wait_closed(CLOSE_SECONDS)
        return _judged(run, call, done)

    async def _dial(self, setup: Setup, engines: Engines) -> tuple[Live, ServedCall]:
        info = CallInfo("audio", "audio", setup.caller, withheld=setup.withheld)
        call = ServedCall(engines, setup, self._calls)
        return AudioCaller(call, info, engines), call


class PhoneDriver(AudioDriver):
    """Plays cases on a real line, in real time: both Asterisks must be running."""

    name = "phone"

    def __init__(self, settings: Settings, worlds: Path = WORLDS) -> None:
        """Say what is used; see `AudioDriver`. The settings are those of the exchange."""
        super().__init__(settings, worlds)
        self._line: tuple[Engines, PhoneLine] | None = None

    async def __aexit__(self, *raised: object) -> None:
        """Stop listening; free the engines."""
        await self._hang_up()
        await super().__aexit__(*raised)

    async def _dial(self, setup: Setup, engines: Engines) -> tuple[Live, ServedCall]:
        if self._line is None or self._line[0] is not engines:
            await self._hang_up()
            line = PhoneLine(engines, self._calls)
            self._line = (engines, await line.__aenter__())
        return await self._line[1].place(setup)

    async def _hang_up(self) -> None:
        if self._line is not None:
            await self._line[1].__aexit__(None, None, None)
            self._line = None


def _setup(case: Case, engines: Engines) -> Setup:
    world = case.world
    withheld = world.caller == "withheld"
    zone = ZoneInfo(engines.parts.restaurant.time_zone)
    now: datetime = world.clock.replace(tzinfo=zone)
    return Setup(
        caller="" if withheld else world.caller,
        now=now,
        withheld=withheld,
        can=frozenset(map(str, world.can)),
        tools=world.tools,
        rush=world.rush,
        origin=case.case,
    )


# ── the caller ──────────────────────────────────────────────────────────────────────────


async def _deeds(run: Run, engines: Engines) -> list[Deed]:
    case = run.case
    voice = case.caller.voice
    clips = _recorded_clips(case) if case.caller.recording else None
    deeds = []
    for turn, words in zip(case.talk, run.words, strict=True):
        clip = None
        if turn.caller:
            clip = next(clips) if clips is not None else await speak(words, engines, voice)
        deeds.append(Deed(clip, turn.keys, turn.hangs_up, barge_in=turn.barge_in))
    return deeds


def _recorded_clips(case: Case) -> Iterator[Clip]:
    """Return the caller's turns in the case's recording, one for each turn with words."""
    sound = read_wav(Path(case.caller.recording))
    sides = [Sound(sound.rate, sound.samples[:, side : side + 1]) for side in range(2)]
    other = sides[1] if sound.samples.shape[1] > 1 else None
    spans = turns_by_sound(sides[0], other)
    wanted = sum(bool(turn.caller) for turn in case.talk)
    if len(spans) != wanted:
        raise CaseError(
            f"{case.case}: the caller speaks {len(spans)} times in the recording, "
            f"{wanted} times in talk.",
            remedy="Cut the recording, or add the turns.",
        )
    for number, span in enumerate(spans):
        piece = sides[0].channel(0)[
            max(0, round((span.start - 0.2) * sound.rate)) : round((span.end + 0.2) * sound.rate)
        ]
        yield _clip(f"turn {number + 1}", resampled(piece, sound.rate))


async def speak(words: str, engines: Engines, voice: str = "") -> Clip:
    """Return ``words`` spoken, at the line's rate.

    Args:
        words: The words.
        engines: The house voice speaks where no caller's voice has the line.
        voice: A voice of ``evals/callers``.

    Raises:
        MouthError: they can't be spoken.
    """
    line = _lines().get(_plain(words))
    if voice and line and (path := CALLERS / "voices" / voice / f"{line}.wav").is_file():
        return _clip(words, read_wav(path).channel(0))
    await engines.kept.warm([words])
    pcm = engines.kept.get(words) or b""
    return _clip(words, resampled(np.frombuffer(pcm, "<i2"), SAMPLE_RATE))


@cache
def _lines() -> dict[str, str]:
    listing = json.loads((CALLERS / "clips.json").read_text("utf-8"))["lines"]
    return {_plain(text): name for name, text in listing.items()}


def _plain(words: str) -> str:
    return "".join(c for c in words.lower() if c.isalnum() or c == " ").strip()


def _clip(name: str, samples: np.ndarray[Any, np.dtype[np.int16]]) -> Clip:
    spans = voiced_spans(samples, RATE)
    last = max(0, len(samples) - 1)
    if not spans:
        return Clip(name, samples, 0, last)
    return Clip(name, samples, round(spans[0].start * RATE), min(last, round(spans[-1].end * RATE)))


@dataclass
class _Improviser:
    """A persona on the line: answers what it heard the agent say."""

    case: Case
    engines: Engines

    def __post_init__(self) -> None:
        persona = self.case.caller.persona
        assert persona is not None  # noqa: S101 - the caller looked
        self._persona = PersonaCaller(persona, self.case.caller.seed)
        self._left = self.case.turns or PERSONA_TURNS

    async def next_deed(self, floor: Floor) -> Deed | None:
        """Return what it says to what it heard; it hangs up when it is through."""
        self._left -= 1
        words = self._persona.answer(floor.told) if self._left >= 0 else None
        if words is None:
            return Deed(hangs_up=True, reaction=2.0)
        return Deed(await speak(words, self.engines, self.case.caller.voice))


# ── the judgement ───────────────────────────────────────────────────────────────────────


def _judged(run: Run, call: ServedCall, done: Talk) -> Result:
    ended = next((e for e in call.recorder.events if isinstance(e, CallEnded)), None)
    exchanges, words = _exchanges(run, call, done)
    if ended is None or ended.by == "fault":
        why = f"the call ended by a fault: {ended.reason if ended else 'unknown'}"
        return Result(run, Status.ERRORED, (why,), tuple(exchanges), tuple(words))
    unbacked = [
        f"not spoken, nothing backs it: {event.message}"
        for event in call.recorder.events
        if isinstance(event, FaultSeen) and event.code == UnbackedClaim.code
    ]
    wrong = [*faults(run, exchanges, _end(run, done, exchanges)), *unbacked, *_late(run, done)]
    missed = run.case.talk[len(done.marks) :]
    if missed and not (done.ended == "agent" and all(map(_wants_nothing, missed))):
        wrong.append(f"turn {len(done.marks) + 1}: was not come to, the call was over")
    if done.ended == "limit":
        wrong.append("the call did not come to its end")
    return Result(
        run,
        Status.FAILED if wrong else Status.PASSED,
        tuple(wrong),
        tuple(exchanges),
        tuple(words),
        banned=bool(unbacked) or banned(run, exchanges),
    )


def _exchanges(run: Run, call: ServedCall, done: Talk) -> tuple[list[Exchange], list[str]]:
    """Return one exchange for the greeting and one for each thing the caller did."""
    groups = _by_step(call)
    talk_turns: Sequence[Turn | None] = run.case.talk or (None,) * len(done.marks)
    cuts = [mark.steps for mark in done.marks[: len(talk_turns)]]
    edges = [0, *cuts, len(groups)]
    exchanges: list[Exchange] = []
    words = []
    for number, (begin, end) in enumerate(pairwise(edges)):
        steps = [step for group in groups[begin:end] for step in group]
        heard = [step.given for step in steps if isinstance(step.given, Heard)]
        replies: tuple[Reply, ...] = tuple(step.reply for step in steps)
        # What is said into the goodbye, the rest of a long turn too, brings no more.
        replies = tuple(r for r in replies if r.step != ENDED or r.sentences) or replies
        turn = talk_turns[number - 1] if number else None
        if turn is not None and turn.hangs_up and call.dialogue.left is not None:
            replies = (Reply(CALLER_LEFT, tool=call.dialogue.left),)
        exchanges.append(Exchange(heard[-1].understanding if heard else None, replies))
        if number:
            said = " ".join(one.text for one in heard)
            words.append(said or (HANGS_UP if turn is not None and turn.hangs_up else "(silence)"))
    return exchanges, words


def _wants_nothing(turn: Turn) -> bool:
    """Whether a turn holds as well when the line is released before it: the call had ended."""
    return turn.step in (None, ENDED) and not (turn.tool or turn.says or turn.moves or turn.facts)


def _by_step(call: ServedCall) -> list[list[Step]]:
    """Return what the dialogue really did, guesses left out; a tool and its news together."""
    steps = iter(call.dialogue.steps)
    groups: list[list[Step]] = []
    for event in call.recorder.events:
        if not isinstance(event, Replied):
            continue
        for step in steps:
            if (step.reply.step, step.reply.sentences) == (event.step, event.sentences):
                if isinstance(step.given, ToolDone) and groups:
                    groups[-1].append(step)
                else:
                    groups.append([step])
                break
    return groups


def _end(run: Run, done: Talk, exchanges: Sequence[Exchange]) -> str:
    """Return why the call is over, in a case's words."""
    hung_up = any(turn.hangs_up for turn in run.case.talk) or (
        not run.case.talk and done.ended == "caller"
    )
    end = OPEN
    for reply in (reply for exchange in exchanges for reply in exchange.replies):
        if not reply.ends_call:
            end = OPEN
        elif end == OPEN:
            end = reply.step
    return CALLER_LEFT if end == OPEN and hung_up else end


def _late(run: Run, done: Talk) -> Iterator[str]:
    """Yield where an answer came later at the caller's ear than a turn allows."""
    ear = measure_ear(done.sound, lines=[clip.voiced for clip in done.spoken])
    spoken = [number for number, turn in enumerate(run.case.talk) if turn.caller]
    for number, measured in zip(spoken, ear.turns, strict=False):
        within = run.case.talk[number].within
        if within is None:
            continue
        if measured.latency is None:
            yield f"turn {number + 1}: had no answer of its own"
        elif measured.latency * 1000 > within:
            took = measured.latency * 1000
            yield f"turn {number + 1}: answered after {took:.0f} ms, not within {within}"
