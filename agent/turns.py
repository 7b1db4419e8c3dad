"""Whose turn is it? A pure function of state and event; no I/O, no clock, no await.

``step(state, event)`` returns the next state and the actions to carry out. Time comes in
with the events (``at``) and with ``Tick``, one per 20 ms of the caller's audio, so a
recorded call decides the same way on any machine.

::

    answered ──► Open ──► speaking ──► listening ──► pause ──► EndTurn ──► thinking ──► speaking …
                            ▲  │ caller speaks: Pause        │ speaks on         (Understand)
                   Resume ──┘  └► words: Drop (barge-in)     └► listening
    goodbye spoken ──► heard out ──► HangUp          silence ──► AskSilence 1, 2, 3 (the goodbye)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

from agent.events import (
    BargedIn,
    CallAnswered,
    CallerHungUp,
    Event,
    Expect,
    FinalHeard,
    KeyPressed,
    LineFinished,
    LineStarted,
    PartialHeard,
    Replied,
    Sentence,
    SpeechStarted,
    SpeechStopped,
    TurnEnded,
)

# Every length in seconds of call time; each is a choice of ours until its reason says otherwise.
SILENCE_SECONDS: Final = 6.0
"""Both sides quiet for this long: the caller is prompted. People take 2–4 s to find words."""
SILENCE_DETAILS_SECONDS: Final = 9.0
"""The same while they look for details: a date, a number, somebody to ask."""
BARGE_IN_DECISION_SECONDS: Final = 0.7
"""A paused line goes on when no word was recognised for this long: it was noise."""
NOISE_TURN_SECONDS: Final = 8.0
"""Voice without any word for this long is a radio or a child, not a turn."""
LONGEST_TURN_SECONDS: Final = 25.0
"""A turn is cut here, so that a voice that never pauses can't hold the line for ever."""
UNCLEAR_VOICE_SECONDS: Final = 0.6
"""Shorter voice without a recognised word is ignored; longer gets "I didn't catch that"."""
KEYS_PAUSE_SECONDS: Final = 2.5
"""After the last key of an unfinished number, for this long more keys may come."""
TOOL_PATIENCE_SECONDS: Final = 0.9
"""A tool slower than this gets one spoken bridge; humans notice dead air at about 1 s."""
LINGER_SECONDS: Final = 0.25
"""After the goodbye was played: the caller's own jitter buffer still holds its end."""
GOODBYE_GRACE_SECONDS: Final = 3.0
"""A caller who speaks during the goodbye may finish, this long at most."""
PHONE_DIGITS: Final = 10
"""Digits of a North American number (NANP)."""

FILLERS: Final = frozenset({"um", "uh", "hm", "huh", "oh", "mm", "mhm", "mm hmm", "uh huh"})
"""Sounds that say "I'm listening" or "I'm thinking", never "my turn"."""

BACKCHANNELS: Final = FILLERS | {"okay", "ok", "yeah", "right", "sure", "yeah okay", "okay yeah"}
"""The same over our line, unless the line asks for a yes or no."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Audio time moved on to ``at``; one per media frame. Not evidence, so no Event."""

    at: float


# ── actions ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Open:
    """Ask the mind for its opening line."""


@dataclass(frozen=True, slots=True)
class EndTurn:
    """Take the final words from the ear."""


@dataclass(frozen=True, slots=True)
class Understand:
    """Hand the caller's words to the mind."""

    text: str


@dataclass(frozen=True, slots=True)
class AskSilence:
    """Tell the mind that nobody spoke, for the ``count``-th time in a row."""

    count: int


@dataclass(frozen=True, slots=True)
class WindUp:
    """Tell the mind that the call has lasted as long as a call may."""


@dataclass(frozen=True, slots=True)
class ReadKeys:
    """Hand pressed keys to the mind."""

    digits: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Say these sentences as one line."""

    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Bridge:
    """Say that it takes a moment: a tool is slow."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop the line where it is; it may go on."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the paused line: it was noise, or an "uh huh"."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Give up the line: the caller took the turn."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Throw away what the ear holds: it was no turn."""


@dataclass(frozen=True, slots=True)
class Note:
    """Put this event into the evidence."""

    event: Event


@dataclass(frozen=True, slots=True)
class HangUp:
    """Release the line: the call is over."""

    reason: str


Action = (
    Open
    | EndTurn
    | Understand
    | AskSilence
    | WindUp
    | ReadKeys
    | Speak
    | Bridge
    | Pause
    | Resume
    | Drop
    | Forget
    | Note
    | HangUp
)


# ── state ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class State:
    """What turn-taking knows. All times are call time in seconds."""

    longest_call: float
    expect: Expect = Expect.OPEN
    lines: int = 0
    """Lines that were given to the mouth and are not finished."""
    paused: bool = False
    paused_at: float = 0.0
    voice_since: float | None = None
    """Since when the caller's present turn lasts; None: not speaking."""
    speaking: bool = False
    """The VAD hears the caller right now."""
    last_voiced: float = 0.0
    wait: float = 0.0
    rule: str = ""
    words: str = ""
    """The partial of the present turn."""
    ending_turn: bool = False
    """The ear was asked for its final words."""
    thinking: bool = False
    tool_since: float | None = None
    held: str = ""
    """Words heard while a tool was at work; read when it is done."""
    quiet_since: float | None = None
    silences: int = 0
    keys: str = ""
    last_key: float = 0.0
    goodbye: bool = False
    """The last line ends the call."""
    heard_out: float | None = None
    """When the goodbye had been played to its end."""
    over: bool = False

    @property
    def busy(self) -> bool:
        """Whether it is ours to act: a line is out, or one is being made."""
        return self.lines > 0 or self.thinking or self.ending_turn


Step = tuple[State, tuple[Action, ...]]


def step(state: State, event: Event | Tick) -> Step:
    """Return the state after ``event`` and what to do about it."""
    if state.over:
        return state, ()
    match event:
        case Tick():
            return _tick(state, event.at)
        case CallAnswered():
            return replace(state, thinking=True), (Open(),)
        case SpeechStarted():
            return _speech_started(state, event)
        case PartialHeard():
            return _partial(state, event)
        case SpeechStopped():
            stopped = replace(
                state,
                speaking=False,
                last_voiced=event.last_voiced,
                wait=event.wait,
                rule=event.rule,
            )
            return stopped, ()
        case FinalHeard():
            return _final(state, event)
        case KeyPressed():
            return _key(state, event)
        case Replied():
            return _replied(state, event)
        case LineStarted():
            return replace(state, quiet_since=None), ()
        case LineFinished():
            return _line_finished(state, event)
        case CallerHungUp():
            return replace(state, over=True), ()
        case _:
            return state, ()


def _speech_started(state: State, event: SpeechStarted) -> Step:
    started = replace(
        state,
        speaking=True,
        voice_since=state.voice_since if state.voice_since is not None else event.at,
        quiet_since=None,
    )
    if state.lines and not state.paused and not state.goodbye:
        return replace(started, paused=True, paused_at=event.at), (Pause(),)
    return started, ()


def _partial(state: State, event: PartialHeard) -> Step:
    heard = replace(state, words=event.text)
    if event.wait is not None:
        heard = replace(heard, wait=event.wait, rule=event.rule)
    if heard.paused and _is_turn(event.text, state.expect):
        return _barge_in(heard, event.at)
    return heard, ()


def _is_turn(words: str, expect: Expect) -> bool:
    ignored = FILLERS if expect in {Expect.YES_NO, Expect.MORE} else BACKCHANNELS
    return bool(words) and words not in ignored


def _barge_in(state: State, at: float) -> Step:
    return replace(state, paused=False), (Drop(), Note(BargedIn(at=at)))


def _final(state: State, event: FinalHeard) -> Step:
    voiced = state.last_voiced - (state.voice_since or state.last_voiced)
    done = replace(state, voice_since=None, words="", ending_turn=False, speaking=False)
    resume: tuple[Action, ...] = (Resume(),) if state.paused else ()
    if state.paused and not _is_turn(event.text, state.expect):
        return replace(done, paused=False), resume
    if not event.text and voiced < UNCLEAR_VOICE_SECONDS:
        return replace(done, paused=False, quiet_since=_quiet(done, event.at)), resume
    if state.thinking and state.tool_since is not None:
        return replace(done, held=f"{state.held} {event.text}".strip()), ()
    actions: tuple[Action, ...] = (Understand(event.text),)
    if state.paused:
        done, barge = _barge_in(done, event.at)
        actions = barge + actions
    return replace(done, thinking=True, silences=0, quiet_since=None), actions


def _quiet(state: State, at: float) -> float | None:
    return None if state.busy or state.speaking else at


def _key(state: State, event: KeyPressed) -> Step:
    keys = state.keys + event.digit
    drop: tuple[Action, ...] = (Drop(),) if state.lines and not state.goodbye else ()
    pressed = replace(
        state, keys=keys, last_key=event.at, quiet_since=None, silences=0, paused=False
    )
    if state.goodbye or state.thinking:
        return replace(pressed, keys=""), ()
    if state.expect is not Expect.PHONE_NUMBER or _number_complete(keys):
        return _read_keys(pressed, drop)
    return pressed, drop


def _number_complete(keys: str) -> bool:
    return keys.endswith("#") or len(keys.lstrip("1")) >= PHONE_DIGITS


def _read_keys(state: State, before: tuple[Action, ...] = ()) -> Step:
    read = replace(state, keys="", thinking=True, quiet_since=None, voice_since=None, words="")
    return read, (*before, Forget(), ReadKeys(state.keys.rstrip("#")))


def _replied(state: State, event: Replied) -> Step:
    told = replace(
        state,
        expect=event.expect,
        thinking=bool(event.tool),
        tool_since=event.at if event.tool else None,
        goodbye=event.ends_call,
        heard_out=state.heard_out if event.ends_call else None,
    )
    if event.sentences:
        reopened = state.goodbye and not event.ends_call and state.lines > 0
        drop: tuple[Action, ...] = (Drop(),) if reopened else ()
        return replace(told, lines=told.lines + 1, heard_out=None), (*drop, Speak(event.sentences))
    if told.goodbye and not told.lines and told.heard_out is None:
        told = replace(told, heard_out=event.at)
    return replace(told, quiet_since=_quiet(told, event.at)), ()


def _line_finished(state: State, event: LineFinished) -> Step:
    left = max(0, state.lines - 1)
    done = replace(state, lines=left, paused=state.paused and left > 0)
    done = replace(done, quiet_since=_quiet(done, event.at))
    if done.lines == 0 and done.goodbye:
        done = replace(done, heard_out=event.at)
    if done.lines == 0 and done.held and not done.thinking:
        return replace(done, held="", thinking=True, quiet_since=None), (Understand(done.held),)
    return done, ()


def _tick(state: State, at: float) -> Step:
    if state.goodbye and state.heard_out is not None:
        return _after_goodbye(state, at)
    if state.voice_since is not None and not state.ending_turn:
        ended = _endpoint(state, at)
        if ended is not None:
            return ended
    if state.paused and not state.words and at - state.paused_at >= BARGE_IN_DECISION_SECONDS:
        return replace(state, paused=False), (Resume(),)
    if state.keys and at - state.last_key >= KEYS_PAUSE_SECONDS and not state.thinking:
        return _read_keys(state)
    if state.tool_since is not None and at - state.tool_since >= TOOL_PATIENCE_SECONDS:
        return replace(state, tool_since=math.inf, lines=state.lines + 1), (Bridge(),)
    return _silence(state, at)


def _endpoint(state: State, at: float) -> Step | None:
    """End the caller's turn when their pause has lasted long enough, or the turn too long."""
    since = state.voice_since
    if since is None:
        return None
    if not state.speaking and at >= state.last_voiced + state.wait:
        return _end_turn(state, at, state.rule)
    if state.speaking and not state.words and at - since >= NOISE_TURN_SECONDS:
        quiet = replace(state, voice_since=None, speaking=False, paused=False)
        resume: tuple[Action, ...] = (Resume(),) if state.paused else ()
        return replace(quiet, quiet_since=_quiet(quiet, at)), (Forget(), *resume)
    if state.speaking and at - since >= LONGEST_TURN_SECONDS:
        return _end_turn(replace(state, last_voiced=at), at, "longest_turn")
    return None


def _end_turn(state: State, at: float, rule: str) -> Step:
    ended = TurnEnded(
        at=at, last_voiced=state.last_voiced, waited=at - state.last_voiced, rule=rule
    )
    return replace(state, ending_turn=True), (Note(ended), EndTurn())


def _silence(state: State, at: float) -> Step:
    if state.busy or state.speaking or state.goodbye:
        return state, ()
    if at >= state.longest_call:
        return replace(state, thinking=True, longest_call=math.inf), (WindUp(),)
    if state.quiet_since is None:
        return replace(state, quiet_since=at), ()
    details = state.expect in {Expect.DETAILS, Expect.PHONE_NUMBER}
    patience = SILENCE_DETAILS_SECONDS if details else SILENCE_SECONDS
    if state.voice_since is None and at - state.quiet_since >= patience:
        count = state.silences + 1
        return replace(state, silences=count, thinking=True, quiet_since=None), (AskSilence(count),)
    return state, ()


def _after_goodbye(state: State, at: float) -> Step:
    """Release the line once the goodbye was heard out and nobody is in mid-sentence."""
    since = at - (state.heard_out or at)
    if state.voice_since is not None and since < GOODBYE_GRACE_SECONDS:
        ended = None if state.ending_turn else _endpoint(state, at)
        return ended if ended is not None else (state, ())
    if (state.thinking or state.ending_turn) and since < GOODBYE_GRACE_SECONDS:
        return state, ()
    if since >= LINGER_SECONDS:
        return replace(state, over=True), (HangUp("goodbye"),)
    return state, ()
