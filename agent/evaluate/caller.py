"""A scripted caller: listens to the agent by energy, and speaks when its turn has come.

What the caller does is a pure function of what it hears, counted in slots of the line, so
the same sound makes the same caller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from agent.evaluate.line import Staff
from agent.evaluate.line_sound import SLOT_SECONDS, Slot
from agent.evaluate.live import Live
from agent.evaluate.script import Plan
from agent.evidence.measures import EarMeasures, measure_ear
from agent.evidence.wav import write_wav

LOUD_DB: Final = -45.0
"""A slot louder than this (RMS, dB re full scale) has the agent's voice in it: 20–25 dB under
speech, 15 over comfort noise."""

ONSET_SLOTS: Final = 2
"""Loud slots in a row that make a voice; a click is one."""


@dataclass(frozen=True, slots=True)
class Say:
    """Speak the clip of the plan's turn ``turn``."""

    turn: int


@dataclass(frozen=True, slots=True)
class Press:
    """Press these keys."""

    keys: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """Put the receiver down. ``reason``: done (as the script says) or limit."""

    reason: str


Act = Say | Press | HangUp


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the caller is in the script and what it has heard. Times are line time.

    Attributes:
        turn: Index of the turn that comes next.
        loud_slots: Loud slots in a row, up to now.
        line_began: When the agent began to speak since the caller last did; None if it
            has not.
        last_loud: End of the last loud slot of that line.
    """

    turn: int = 0
    loud_slots: int = 0
    line_began: float | None = None
    last_loud: float = 0.0


def loud(heard: NDArray[np.int16]) -> bool:
    """Return whether there is a voice in ``heard`` (one slot)."""
    power = float(np.mean((heard.astype(np.float64) / 32768) ** 2))
    return 10 * math.log10(power + 1e-12) > LOUD_DB


def step(
    state: Listening, plan: Plan, *, at: float, agent_loud: bool, speaking: bool
) -> tuple[Listening, Act | None]:
    """Return what the caller knows and does after one more slot.

    Args:
        state: What it knew before.
        plan: What it wants.
        at: Line time at the slot's end.
        agent_loud: The agent's voice is in the slot.
        speaking: The caller is speaking itself.
    """
    all_done = state.turn >= len(plan.turns)
    if at >= plan.script.limit:
        return state, HangUp("done" if all_done and plan.script.ends == "caller" else "limit")
    state = _listen(state, at, agent_loud)
    if speaking:
        # What the agent says under the caller's own words is no answer to them.
        return replace(state, line_began=None), None
    if state.line_began is None:
        return state, None
    if all_done:
        done = plan.script.ends == "caller" and at - state.last_loud >= _PATIENCE
        return state, HangUp("done") if done else None
    planned = plan.turns[state.turn]
    turn = planned.turn
    if turn.barge_in is not None:
        due = at - state.line_began >= turn.barge_in
    else:
        reaction = 0.0 if turn.stay_silent else planned.reaction
        due = at - state.last_loud >= planned.after + reaction
    if not due:
        return state, None
    after = replace(state, turn=state.turn + 1, line_began=None)
    if turn.hang_up:
        return after, HangUp("done")
    if turn.keys:
        return after, Press(turn.keys)
    return after, None if turn.stay_silent else Say(state.turn)


_PATIENCE: Final = 1.0
"""Seconds of silence after the agent's last line until a caller who is to hang up does."""


def _listen(state: Listening, at: float, agent_loud: bool) -> Listening:
    if not agent_loud:
        return replace(state, loud_slots=0)
    run = state.loud_slots + 1
    if run < ONSET_SLOTS:
        return replace(state, loud_slots=run)
    began = state.line_began if state.line_began is not None else at - run * SLOT_SECONDS
    return replace(state, loud_slots=run, line_began=began, last_loud=at)


@dataclass(frozen=True, slots=True)
class CallResult:
    """What became of one caller, as seen from the caller's side.

    Attributes:
        script: Name of the script.
        voice: Name of the caller's voice.
        caller: The caller's number.
        answered: Line time of the answer, None if nobody answered.
        ended: ``agent`` (the other side hung up), ``caller`` (as the script says),
            ``limit`` (the caller gave up) or ``unanswered``.
        expected: Who should have hung up.
        cause: Q.850 cause of the hang-up.
        seconds: Length of the recording.
        wav: The recording: left the caller, right what it heard, 8 kHz.
        ear: What was measured in it.
        late_slots: Slots of the line that this process missed: measure of its own lateness.
        manner: How the caller spoke.
        asides: Which of ``ear.turns`` were said over the agent's line and meant nothing.
    """

    script: str
    voice: str
    caller: str
    answered: float | None
    ended: str
    expected: str
    cause: int | None
    seconds: float
    wav: Path
    ear: EarMeasures
    late_slots: int = 0
    manner: str = "clean"
    asides: tuple[int, ...] = ()


class Places(Protocol):
    """Where calls are placed: `agent.evaluate.line.Line`, or a line in audio time."""

    async def place(
        self,
        caller_id: str,
        *,
        staff: Staff = "no-answer",
        withheld: bool = False,
        background: NDArray[np.int16] | None = None,
    ) -> Live:
        """Dial the restaurant."""


class ScriptedCaller:
    """Plays one plan on the line."""

    def __init__(
        self,
        line: Places,
        plan: Plan,
        caller: str,
        wav: Path,
    ) -> None:
        """Take what is needed.

        Args:
            line: Where to call.
            plan: What to do.
            caller: The number to call from, E.164.
            wav: Where the recording goes.
        """
        self._line = line
        self._plan = plan
        self._caller = caller
        self._wav = wav

    async def run(self) -> CallResult:
        """Call, talk, hang up; ends by the script's limit whatever happens.

        Raises:
            AriError: the carrier is not there, or failed.
        """
        script = self._plan.script
        live = await self._line.place(
            self._caller,
            staff=script.staff,
            withheld=script.withheld,
            background=self._plan.background,
        )
        reason = ""
        slots = 0
        async with live:
            first = live.now
            state = Listening()
            async for slot in live.slots():
                slots += 1
                state, act = self._step(state, live, slot)
                if act is not None:
                    reason = await self._do(live, act) or reason
            missed = round((live.now - first) / SLOT_SECONDS) - slots
        return self._result(live, reason, max(0, missed))

    def _step(self, state: Listening, live: Live, slot: Slot) -> tuple[Listening, Act | None]:
        return step(
            state,
            self._plan,
            at=slot.at,
            agent_loud=live.answered is not None and loud(slot.heard),
            speaking=live.speaking,
        )

    async def _do(self, live: Live, act: Act) -> str:
        match act:
            case Say(turn=turn):
                clip = self._plan.turns[turn].clip
                if clip is not None:
                    live.say(clip)
            case Press(keys=keys):
                for digit in keys:
                    await live.press(digit)
            case HangUp(reason=reason):
                if not live.gone:
                    await live.hang_up()
                    return reason
        return ""

    def _asides(self, live: Live) -> tuple[int, ...]:
        spoken = [planned.turn for planned in self._plan.turns if planned.clip is not None]
        return tuple(at for at, turn in enumerate(spoken[: len(live.spoken)]) if turn.aside)

    def _result(self, live: Live, reason: str, missed: int) -> CallResult:
        sound = live.recording()
        self._wav.parent.mkdir(parents=True, exist_ok=True)
        write_wav(self._wav, sound)
        if live.answered is None:
            ended = "unanswered"
        elif reason:
            ended = "caller" if reason == "done" else "limit"
        else:
            ended = "agent"
        return CallResult(
            script=self._plan.name,
            voice=self._plan.voice,
            caller=self._caller,
            answered=live.answered,
            ended=ended,
            expected=self._plan.script.ends,
            cause=live.cause,
            seconds=sound.seconds,
            wav=self._wav,
            ear=measure_ear(sound, lines=[clip.voiced for clip in live.spoken]),
            late_slots=missed,
            manner=self._plan.manner,
            asides=self._asides(live),
        )
