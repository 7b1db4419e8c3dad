"""The door of turn-taking: one event in, the next state and what to do out."""

from __future__ import annotations

import math
from dataclasses import replace

from agent.events import (
    CallAnswered,
    CallerHungUp,
    Event,
    Expect,
    FinalHeard,
    KeyPressed,
    LineFinished,
    LineStarted,
    MachineHeard,
    PartialHeard,
    Replied,
    SpeechStarted,
    SpeechStopped,
    ToneHeard,
)
from agent.turns import floor
from agent.turns.actions import (
    Action,
    AskSilence,
    Bridge,
    Drop,
    Forget,
    GiveUp,
    HangUp,
    Note,
    Open,
    ReadKeys,
    Resume,
    Tick,
    Understand,
    WindUp,
)
from agent.turns.state import (
    BRIDGE_SECONDS,
    GOODBYE_GRACE_SECONDS,
    KEYS_PAUSE_SECONDS,
    LINGER_SECONDS,
    LONGEST_LINE_SECONDS,
    PHONE_DIGITS,
    SILENCE_DETAILS_SECONDS,
    SILENCE_SECONDS,
    STUCK_SECONDS,
    State,
    Step,
)


def step(state: State, event: Event | Tick) -> Step:
    """Return the state after ``event`` and what to do about it."""
    if state.over:
        return state, ()
    match event:
        case Tick():
            return _tick(state, event.at)
        case CallAnswered():
            return _ask_mind(state, event.at), (Open(),)
        case SpeechStarted():
            return floor.speech_started(state, event)
        case PartialHeard():
            return floor.partial(state, event)
        case SpeechStopped():
            return floor.speech_stopped(state, event)
        case FinalHeard():
            return floor.final(state, event)
        case ToneHeard():
            noted = Note(MachineHeard(at=event.at, what=event.tone))
            return replace(state, over=True), (noted, Drop(), HangUp(event.tone))
        case KeyPressed():
            return _key(state, event)
        case Replied():
            return _replied(state, event)
        case LineStarted():
            at = state.line_at if state.line_at is not None else event.at
            return replace(state, quiet_since=None, line_at=at), ()
        case LineFinished():
            return _line_finished(state, event)
        case CallerHungUp():
            return replace(state, over=True), ()
        case _:
            return state, ()


def _ask_mind(state: State, at: float) -> State:
    """Return the state in which the mind works on something that are not the caller's words."""
    return replace(
        state,
        thinking=True,
        thinking_since=at,
        bridged=False,
        said="",
        line_at=None,
        quiet_since=None,
    )


def _quiet(state: State, at: float) -> float | None:
    return None if state.busy or state.words else at


# ── keys ────────────────────────────────────────────────────────────────────────────────


def _key(state: State, event: KeyPressed) -> Step:
    keys = state.keys + event.digit
    drop: tuple[Action, ...] = (Drop(),) if state.lines and not state.goodbye else ()
    pressed = replace(state, keys=keys, last_key=event.at, quiet_since=None, silences=0)
    if state.goodbye or state.thinking:
        return replace(pressed, keys=""), ()
    pressed = replace(pressed, paused=False)
    if state.expect is not Expect.PHONE_NUMBER or _number_complete(keys):
        return _read_keys(pressed, event.at, drop)
    return pressed, drop


def _number_complete(keys: str) -> bool:
    return keys.endswith("#") or len(keys.lstrip("1")) >= PHONE_DIGITS


def _read_keys(state: State, at: float, before: tuple[Action, ...] = ()) -> Step:
    read = replace(_ask_mind(state, at), keys="", voice_since=None, words="", waiting=())
    return read, (*before, Forget(), ReadKeys(state.keys.rstrip("#")))


# ── the mind's replies, and our lines ───────────────────────────────────────────────────


def _replied(state: State, event: Replied) -> Step:
    told = replace(
        state,
        expect=event.expect,
        thinking=bool(event.tool),
        tool=bool(event.tool),
        thinking_since=event.at if event.tool else state.thinking_since,
        bridged=state.bridged and not event.tool,
        # What a tool did can't be taken back.
        said="" if event.tool or state.tool else state.said,
        goodbye=event.ends_call,
        heard_out=state.heard_out if event.ends_call else None,
    )
    if not event.sentences:
        return _nothing_to_say(told, event.at)
    if told.voice_since is not None:
        # The caller speaks: the line waits until it is known what they say.
        waiting = replace(
            told, waiting=told.waiting + event.sentences, must_say=told.must_say or state.tool
        )
        return waiting, ()
    reopened = state.goodbye and not event.ends_call and state.lines > 0
    drop: tuple[Action, ...] = (Drop(),) if reopened else ()
    if reopened:
        told = replace(told, paused=False)
    spoken, actions = floor.speak(told, event.sentences, event.at)
    return spoken, (*drop, *actions)


def _nothing_to_say(state: State, at: float) -> Step:
    """The mind has no words: what is being said goes on, or the call is over."""
    actions: tuple[Action, ...] = (Resume(),) if state.paused and not state.tool else ()
    calm = replace(state, paused=state.paused and state.tool)
    if calm.goodbye and not calm.lines and calm.heard_out is None:
        calm = replace(calm, heard_out=at)
    return replace(calm, quiet_since=_quiet(calm, at)), actions


def _line_finished(state: State, event: LineFinished) -> Step:
    left = max(0, state.lines - 1)
    done = replace(state, lines=left, lines_since=event.at, paused=state.paused and left > 0)
    done = replace(done, quiet_since=_quiet(done, event.at))
    if done.lines == 0 and done.goodbye and not done.waiting:
        done = replace(done, heard_out=event.at)
    if done.lines == 0 and done.held and not done.thinking:
        asked = replace(
            done, held="", thinking=True, thinking_since=event.at, bridged=False, quiet_since=None
        )
        return asked, (Understand(done.held),)
    return done, ()


# ── as time passes ──────────────────────────────────────────────────────────────────────


def _tick(state: State, at: float) -> Step:
    if state.goodbye and state.heard_out is not None:
        return _after_goodbye(state, at)
    happened = floor.endpoint(state, at) or floor.was_noise(state, at) or _late(state, at)
    if happened is not None:
        return happened
    if state.keys and at - state.last_key >= KEYS_PAUSE_SECONDS and not state.thinking:
        return _read_keys(state, at)
    return _silence(state, at)


def _late(state: State, at: float) -> Step | None:
    """Bridge an answer that is slow; give up on one that does not come at all."""
    stuck = "the mouth" if state.lines and at - state.lines_since >= LONGEST_LINE_SECONDS else ""
    if state.thinking and not state.lines:
        waited = at - state.thinking_since
        if waited >= STUCK_SECONDS:
            stuck = "a tool" if state.tool else "the mind"
        elif waited >= BRIDGE_SECONDS and not state.bridged and not state.speaking:
            bridged = replace(state, bridged=True, lines=1, lines_since=at)
            return bridged, (Bridge(),)
    if stuck:
        return replace(state, over=True), (GiveUp(stuck),)
    return None


def _silence(state: State, at: float) -> Step:
    if state.busy or state.speaking or state.goodbye:
        return state, ()
    if at >= state.longest_call:
        return replace(_ask_mind(state, at), longest_call=math.inf), (WindUp(),)
    if state.quiet_since is None:
        return replace(state, quiet_since=at), ()
    details = state.expect in {Expect.DETAILS, Expect.PHONE_NUMBER}
    patience = SILENCE_DETAILS_SECONDS if details else SILENCE_SECONDS
    if state.voice_since is None and at - state.quiet_since >= patience:
        count = state.silences + 1
        return replace(_ask_mind(state, at), silences=count), (AskSilence(count),)
    return state, ()


def _after_goodbye(state: State, at: float) -> Step:
    """Release the line once the goodbye was heard out and nobody is in mid-sentence."""
    since = at - (state.heard_out or at)
    if state.voice_since is not None and since < GOODBYE_GRACE_SECONDS:
        ended = floor.endpoint(state, at)
        return ended if ended is not None else (state, ())
    if (state.thinking or state.ending_turn) and since < GOODBYE_GRACE_SECONDS:
        return state, ()
    if since >= LINGER_SECONDS:
        return replace(state, over=True), (HangUp("goodbye"),)
    return state, ()
