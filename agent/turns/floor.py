"""Who has the floor: the caller's voice, its pauses and ends, and our line beneath it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agent.events import (
    BargedIn,
    Expect,
    FinalHeard,
    MachineHeard,
    PartialHeard,
    Sentence,
    SpeechStarted,
    SpeechStopped,
    TurnEnded,
    TurnTakenBack,
)
from agent.turns import machines
from agent.turns.actions import (
    Action,
    Drop,
    EndTurn,
    Forget,
    Guess,
    HangUp,
    Note,
    Pause,
    Resume,
    Speak,
    Understand,
)
from agent.turns.state import (
    BARGE_IN_DECISION_SECONDS,
    BLIP_SECONDS,
    GUESS_SECONDS,
    LONGEST_TURN_SECONDS,
    MOST_GUESSES,
    NOISE_TURN_SECONDS,
    NOT_DONE_SECONDS,
    OWN_LINES,
    REACTION_SECONDS,
    STALE_WORDS_SECONDS,
    UNCLEAR_VOICE_SECONDS,
    WORDS_PER_SECOND,
    State,
    Step,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FILLERS: Final = _words("um uh er hm hmm huh oh ah mm mhm")
"""Sounds that say "I'm listening" or "I'm thinking", never "my turn"."""

BACKCHANNELS: Final = FILLERS | _words(
    "okay ok yeah yes yep right sure alright great good cool i see got it"
)
"""The same over our line, unless the line asks for a yes or no."""

FRAGMENTS: Final = FILLERS | _words(
    "a an and at but do for i i'm if in is it it's of on or so the to you your"
)
"""Words that say nothing by themselves. The voices of a room are heard as such."""

HAILS: Final = _words("hello hi hey yes")
"""What people say into a greeting that they did not expect to begin."""

PARTING: Final = BACKCHANNELS | _words(
    "bye goodbye goodnight thanks thank you very much so a lot have nice day one night evening "
    "too that's all it no nope"
)
"""Words said over a goodbye that want nothing more."""


def is_backchannel(text: str) -> bool:
    """Return whether ``text`` only says that its speaker listens."""
    words = text.split()
    return bool(words) and set(words) <= BACKCHANNELS


def is_turn(state: State, text: str) -> bool:
    """Return whether ``text``, said over our line, takes the turn."""
    words = text.split()
    if not words or machines.is_echo(text, state.own):
        return False
    begun = state.voice_since is not None and state.voice_since < state.asks_at
    asked = state.expect is Expect.YES_NO and not begun
    ignored = FRAGMENTS if asked else FRAGMENTS | BACKCHANNELS
    if not state.silences and not state.heard and state.expect is Expect.OPEN:
        ignored = ignored | HAILS
    return not set(words) <= ignored


def _says_nothing(text: str) -> bool:
    return set(text.split()) <= FRAGMENTS


def speech_started(state: State, event: SpeechStarted) -> Step:
    """The caller's voice is there: our line is held at once."""
    started = replace(state, speaking=True)
    if state.voice_since is None:
        started = replace(
            started,
            voice_since=event.at,
            words="",
            words_at=event.at,
            guesses=(),
            goes_on=_goes_on(state, event.at),
        )
    # Thanks and bye over a goodbye that is under way do not hold it; words of a wish will.
    if state.lines and not state.paused and (not state.goodbye or _too_soon(state, event.at)):
        return replace(started, paused=True, paused_at=event.at), (Pause(),)
    if state.paused:  # another voice over the held line: its words need their time too
        return replace(started, paused_at=event.at), ()
    return started, ()


def _too_soon(state: State, at: float) -> bool:
    """Whether a voice that begins now can't be a reaction to our answer."""
    return state.line_at is None or at - state.line_at < REACTION_SECONDS


def _goes_on(state: State, at: float) -> bool:
    """Whether a voice that begins now continues the turn that was taken to be over."""
    answering = state.thinking or (state.lines > 0 and not state.goodbye)
    return bool(state.said) and not state.tool and answering and _too_soon(state, at)


def partial(state: State, event: PartialHeard) -> Step:
    """Words: they take the turn from a line of ours; in a pause they may be the turn's last."""
    heard = replace(state, words=event.text)
    if event.text != state.words:
        heard = replace(heard, words_at=event.at)
    if event.text:
        heard = replace(heard, quiet_since=None)
    if event.wait is not None:
        heard = replace(heard, wait=event.wait, rule=event.rule)
    sure = event.stable >= 1 or len(event.text.split()) >= 2
    actions: tuple[Action, ...] = ()
    if heard.lines and sure:
        heard, actions = _speak_over(heard, event.at)
    if event.text and event.wait is not None:
        heard, guess = _guess(heard)
        actions += guess
    return heard, actions


def _speak_over(state: State, at: float) -> Step:
    """Words came over our line: hold it, drop it, or let it go on."""
    if state.goodbye:
        if state.paused or set(state.words.split()) <= PARTING:
            return state, ()
        return replace(state, paused=True, paused_at=at), (Pause(),)
    if not is_turn(state, state.words):
        return state, ()
    return _drop(state, at)


def _drop(state: State, at: float) -> Step:
    # lines are counted down by their LineFinished
    return replace(state, paused=False), (Drop(), Note(BargedIn(at=at)))


def speech_stopped(state: State, event: SpeechStopped) -> Step:
    """The caller pauses: how long this may last was said with it."""
    stopped = replace(
        state,
        speaking=False,
        last_voiced=event.last_voiced,
        wait=event.wait,
        rule=event.rule,
    )
    return _guess(stopped) if stopped.words else (stopped, ())


def _guess(state: State) -> Step:
    text = _whole(state, state.words)
    if (
        text in state.guesses
        or len(state.guesses) >= MOST_GUESSES
        or state.wait >= GUESS_SECONDS
        or state.tool
        or (state.lines and not state.goodbye and not is_turn(state, state.words))
    ):
        return state, ()
    guess = Guess(text, goes_on=state.goes_on)
    return replace(state, guesses=(*state.guesses, text)), (guess,)


def _whole(state: State, text: str) -> str:
    return f"{state.said} {text}".strip() if state.goes_on else text


def final(state: State, event: FinalHeard) -> Step:
    """The turn's words are settled: a turn, or nothing."""
    voiced = state.last_voiced - (state.voice_since or state.last_voiced)
    done = replace(state, voice_since=None, words="", ending_turn=False, speaking=False)
    text = event.text
    if text and (ended := _machine(done, text, event.at)):
        return ended
    if machines.is_echo(text, state.own):
        return _no_turn(replace(done, echoes=state.echoes + 1), event.at)
    covers = state.paused or (bool(state.waiting) and not state.must_say)
    covers |= state.lines > 0 and bool(text) and _says_nothing(text)
    if covers and not state.goodbye and not is_turn(state, text):
        return _no_turn(done, event.at)
    if not text and voiced < UNCLEAR_VOICE_SECONDS:
        return _no_turn(done, event.at)
    if state.tool:
        return replace(done, held=f"{state.held} {text}".strip()), ()
    if state.must_say and state.waiting:
        told, spoken = say_waiting(replace(done, paused=False), event.at)
        return replace(told, held=f"{state.held} {text}".strip()), spoken
    return _turn(done, text, event.at)


def _turn(state: State, text: str, at: float) -> Step:
    actions: tuple[Action, ...] = ()
    if state.lines and not state.goodbye and (state.paused or state.goes_on):
        state, actions = _drop(state, at)
    whole = _whole(state, text)
    if state.goes_on:
        actions += (Note(TurnTakenBack(at=at, text=state.said)),)
    actions += (Understand(whole, goes_on=state.goes_on),)
    thinking = replace(
        state,
        thinking=True,
        thinking_since=at,
        bridged=False,
        said=whole,
        goes_on=False,
        waiting=(),
        line_at=None,
        heard=(*state.heard, text)[-machines.REPEATS :],
        silences=0,
        quiet_since=None,
    )
    return thinking, actions


def _no_turn(state: State, at: float) -> Step:
    """Nothing was said that counts: what was held goes on."""
    calm = replace(state, paused=False, goes_on=False)
    actions: tuple[Action, ...] = (Resume(),) if state.paused else ()
    if state.waiting:
        calm, spoken = say_waiting(calm, at)
        return calm, actions + spoken
    if calm.quiet_since is None and not calm.busy:
        calm = replace(calm, quiet_since=at)
    return calm, actions


def say_waiting(state: State, at: float) -> Step:
    """Say the line that waited for the caller to stop."""
    said = replace(state, waiting=(), must_say=False)
    return speak(said, state.waiting, at)


def speak(state: State, sentences: tuple[Sentence, ...], at: float) -> Step:
    """Give a line to the mouth."""
    words = machines.plain(" ".join(sentence.text for sentence in sentences))
    before = sum(len(sentence.text.split()) for sentence in sentences[:-1])
    spoken = replace(
        state,
        lines=state.lines + 1,
        lines_since=at,
        asks_at=at + before / WORDS_PER_SECOND,
        own=(*state.own, words)[-OWN_LINES:],
        heard_out=None,
        quiet_since=None,
    )
    return spoken, (Speak(sentences),)


def _machine(state: State, text: str, at: float) -> Step | None:
    """End the call if it is no person who speaks."""
    kind = machines.machine(text)
    if machines.is_echo(text, state.own):
        kind = "forward_loop" if state.echoes + 1 >= machines.MOST_ECHOES else ""
    elif not kind and machines.repeats(text, state.heard):
        kind = "loop"
    if not kind:
        return None
    over = replace(state, over=True)
    return over, (Note(MachineHeard(at=at, what=kind)), Drop(), HangUp(kind))


# ── as time passes ──────────────────────────────────────────────────────────────────────


def endpoint(state: State, at: float) -> Step | None:
    """End the caller's turn when their pause has lasted long enough, or the turn too long."""
    since = state.voice_since
    if since is None or state.ending_turn:
        return None
    if not state.speaking and at >= state.last_voiced + state.wait:
        return _end_turn(state, at, state.rule)
    if not state.speaking:
        return None
    if not state.words and at - since >= NOISE_TURN_SECONDS:
        calm, actions = _no_turn(replace(state, voice_since=None, speaking=False), at)
        return calm, (Forget(), *actions)
    if state.words and at - state.words_at >= STALE_WORDS_SECONDS:
        return _end_turn(replace(state, last_voiced=state.words_at), at, "no_new_words")
    if at - since >= LONGEST_TURN_SECONDS:
        return _end_turn(replace(state, last_voiced=at), at, "longest_turn")
    return None


def _end_turn(state: State, at: float, rule: str) -> Step:
    ended = TurnEnded(
        at=at, last_voiced=state.last_voiced, waited=at - state.last_voiced, rule=rule
    )
    return replace(state, ending_turn=True), (Note(ended), EndTurn())


def was_noise(state: State, at: float) -> Step | None:
    """Let a held line go on, or a waiting one begin, when no word came that says anything."""
    if not _says_nothing(state.words) or not (state.paused or state.waiting):
        return None
    since = state.paused_at if state.paused else state.voice_since
    if since is None:
        return say_waiting(state, at)
    stopped = not state.speaking and at - state.last_voiced >= BLIP_SECONDS
    patience = NOT_DONE_SECONDS if _too_soon(state, since) else BARGE_IN_DECISION_SECONDS
    if not stopped and at - since < patience:
        return None
    calm = replace(state, paused=False, goes_on=False)
    if state.paused:
        return calm, (Resume(),)
    return say_waiting(calm, at)
