"""A bundle as a reviewer sees it: lines, turns and stretches of sound on one clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from agent.audio import SAMPLE_RATE
from agent.errors import EvidenceError, RestaurantError
from agent.events import (
    BargedIn,
    CallAnswered,
    CallEnded,
    Expect,
    FaultSeen,
    FinalHeard,
    KeyPressed,
    LineFinished,
    LineStarted,
    Move,
    Outcome,
    PromiseKind,
    PromiseMade,
    PromiseUpdated,
    Replied,
    Sentence,
    SentenceKind,
    SpeechStarted,
    SpeechStopped,
    TurnEnded,
    TurnTakenBack,
    Understood,
)
from agent.evidence.bundle import Bundle
from agent.evidence.machine import fingerprint
from agent.evidence.measures import Span, voiced_spans
from agent.evidence.recorder import AGENT_AUDIO, CALLER_AUDIO, RESTAURANT_FILE
from agent.evidence.wav import read_wav
from agent.mind.tools import Capabilities, capabilities_of
from agent.mind.wording import Phrase
from agent.restaurant import Restaurant, load_restaurant

NOTICED_SECONDS: Final = 0.4
"""Sound this close to speech that the ear heard belongs to it; the recording lies within 0.2 s."""
UNHEARD_LEAST: Final = 0.25
"""Seconds; a "yes" lasts 0.3 to 0.4."""
AS_LOUD_DB: Final = 10.0
"""A voice is no more than this under the same caller's other words; noise mostly is."""

BRIDGE: Final = Sentence(SentenceKind.PHRASE, Phrase.ONE_MOMENT.ref, Phrase.ONE_MOMENT.value)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A piece of a line as it was heard.

    Attributes:
        text: The words that were heard.
        sentence: The decided sentence that they are, or the front of; None: nobody decided it.
        whole: All of the sentence was heard.
    """

    text: str
    sentence: Sentence | None
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the agent. ``heard`` is what really was played."""

    start: float
    end: float
    heard: str
    complete: bool
    pieces: tuple[Spoken, ...]

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions in it that were heard to their end."""
        return tuple(one.text for one in self.pieces if one.text.endswith("?") and one.whole)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the caller.

    Attributes:
        start: Where it begins; of a turn whose words have no times, where the voice began.
        end: The last voiced sample.
        text: The words; empty if none were recognised.
        keys: Keys pressed instead.
        moves: What it was taken to mean.
        slots: Details in it.
        understood: The mind was asked about it; False for backchannels and after the end.
        expect: What the agent had asked for.
        step: The step of the reply before it.
    """

    start: float
    end: float
    text: str = ""
    keys: str = ""
    moves: tuple[Move, ...] = ()
    slots: Mapping[str, str] = field(default_factory=dict)
    understood: bool = False
    expect: Expect = Expect.OPEN
    step: str = ""

    def has(self, *names: str) -> bool:
        """Return whether one of the moves has one of these names."""
        return any(move.name in names for move in self.moves)


@dataclass(frozen=True, slots=True)
class Promised:
    """One promise of the call, as far as the evidence tells.

    Attributes:
        id: Its id.
        kind: What was promised.
        made: Call time.
        updates: What was known of it in the call: call time and outcome.
        news: What ``promises.jsonl`` says of it, in order: ``accepted``,
            ``status delivered``, ….
    """

    id: str
    kind: PromiseKind
    made: float
    updates: tuple[tuple[float, Outcome], ...] = ()
    news: tuple[str, ...] = ()

    def outcome(self, at: float) -> Outcome:
        """Return how far it was known to have come at call time ``at``."""
        return next((what for when, what in reversed(self.updates) if when <= at), Outcome.PENDING)


@dataclass(frozen=True)
class Seen:
    """Everything a check reads; made by :func:`look`."""

    bundle: Bundle
    restaurant: Restaurant | None
    restaurant_hash: str
    can: Capabilities
    lines: tuple[Line, ...]
    turns: tuple[Turn, ...]
    replies: tuple[Replied, ...]
    promises: tuple[Promised, ...]
    agent: tuple[Span, ...]
    caller: tuple[Span, ...]
    unheard: tuple[Span, ...]
    """Where the caller's recording has a voice of which the ear took no notice."""
    faults: tuple[FaultSeen, ...]
    barge_ins: tuple[float, ...]
    answered: float | None
    ended: CallEnded | None
    notes: tuple[str, ...] = ()

    @property
    def until(self) -> float:
        """Call time at which it was over."""
        return self.ended.at if self.ended else self.bundle.seconds

    @property
    def closing(self) -> float | None:
        """When the agent decided to end the call for good; None if it never did."""
        ends: float | None = None
        for reply in self.replies:
            if reply.ends_call:
                ends = reply.at if ends is None else ends
            elif reply.sentences:
                ends = None
        return ends

    def after(self, turn: Turn) -> tuple[Line, ...]:
        """Return the agent's lines from ``turn`` to the caller's next."""
        later = [one.start for one in self.turns if one.start > turn.start]
        until = min(later, default=float("inf"))
        return tuple(line for line in self.lines if turn.start < line.start < until)

    def before(self, at: float) -> Line | None:
        """Return the agent's last line that began before ``at``."""
        return next((line for line in reversed(self.lines) if line.start < at), None)

    def words_before(self, at: float) -> tuple[str, str]:
        """Return who spoke last before ``at``, and what."""
        last = [(line.start, "agent", line.heard) for line in self.lines if line.start < at]
        last += [(turn.start, "caller", turn.text) for turn in self.turns if turn.start < at]
        spoken = [one for one in sorted(last) if one[2]]
        return (spoken[-1][1], spoken[-1][2]) if spoken else ("agent", "")


def look(bundle: Bundle) -> Seen:
    """Return what is to be seen in ``bundle``; what is missing is told in ``notes``."""
    events = bundle.events
    notes: list[str] = []
    if bundle.damaged:
        notes.append(f"{bundle.damaged} lines of the evidence could not be read")
    restaurant, digest = _restaurant(bundle, notes)
    replies = tuple(event for event in events if isinstance(event, Replied))
    turns = tuple(_turns(bundle))
    caller = tuple(_speech(bundle))
    return Seen(
        bundle=bundle,
        restaurant=restaurant,
        restaurant_hash=digest,
        can=_capabilities(bundle, restaurant),
        lines=(lines := tuple(_lines(bundle, replies))),
        turns=turns,
        replies=replies,
        promises=tuple(_promises(bundle)),
        agent=_agent_sound(bundle, lines, notes),
        caller=caller or tuple(Span(one.start, one.end) for one in turns if one.text),
        unheard=tuple(_unheard(bundle, caller, notes)),
        faults=tuple(event for event in events if isinstance(event, FaultSeen)),
        barge_ins=tuple(event.at for event in events if isinstance(event, BargedIn)),
        answered=next((event.at for event in events if isinstance(event, CallAnswered)), None),
        ended=next((event for event in reversed(events) if isinstance(event, CallEnded)), None),
        notes=tuple(notes),
    )


def _restaurant(bundle: Bundle, notes: list[str]) -> tuple[Restaurant | None, str]:
    """Return the restaurant file as it was in the call, and its hash."""
    told: Any = bundle.card.get("restaurant") or {}
    kept = bundle.folder / RESTAURANT_FILE
    named = told.get("path") if isinstance(told, dict) else None
    for file in (kept, Path(named) if named else kept):
        try:
            digest = fingerprint(file)
            if file != kept and digest != told.get("sha256"):
                continue  # it was edited since
            return load_restaurant(file), digest
        except (EvidenceError, RestaurantError):
            continue
    notes.append("the restaurant file of the call is gone: what was said can't be held against it")
    return None, ""


def _capabilities(bundle: Bundle, restaurant: Restaurant | None) -> Capabilities:
    told = bundle.card.get("can")
    if isinstance(told, list):
        return frozenset(map(str, told))
    everything = frozenset(map(str, PromiseKind))
    return capabilities_of(restaurant, everything) if restaurant else everything


def _lines(bundle: Bundle, replies: Sequence[Replied]) -> Iterator[Line]:
    begun: dict[int, LineStarted] = {}
    for event in bundle.events:
        if isinstance(event, LineStarted):
            begun[event.line] = event
        elif isinstance(event, LineFinished):
            start = begun.pop(event.line, None)
            if start is None and not event.heard:
                continue  # dropped before a sound of it was played
            at = start.at if start else event.at
            yield _line(at, event.at, event.heard, event.complete, replies)
    for start in begun.values():
        yield _line(start.at, bundle.seconds, start.text, False, replies)


def _line(start: float, end: float, heard: str, complete: bool, replies: Sequence[Replied]) -> Line:
    known = [one for reply in replies if reply.at <= start + 0.5 for one in reply.sentences]
    return Line(start, end, heard, complete, tuple(_pieces(heard, [*known[::-1], BRIDGE])))


def _pieces(heard: str, known: Sequence[Sentence]) -> Iterator[Spoken]:
    """Cut what was heard into the sentences that were decided, latest first."""
    rest = heard.strip()
    stray = ""
    while rest:
        whole = [one for one in known if one.text and rest.startswith(one.text)]
        fronts = [one for one in known if one.text.startswith(rest)]
        if whole or fronts:
            if stray:
                yield Spoken(stray.strip(), None)
                stray = ""
            one = max(whole, key=lambda each: len(each.text)) if whole else fronts[0]
            text = one.text if whole else rest
            yield Spoken(text, one, whole=bool(whole))
            rest = rest[len(text) :].strip()
        else:
            word, _, rest = rest.partition(" ")
            stray += f"{word} "
    if stray:
        yield Spoken(stray.strip(), None)


def _turns(bundle: Bundle) -> Iterator[Turn]:
    """Yield the caller's turns; one that was taken back is a part of the one that it became."""
    found: list[Turn] = []
    expect, step = Expect.OPEN, ""
    began: float | None = None
    voiced = 0.0
    taken_back: Turn | None = None
    for event in bundle.events:
        match event:
            case SpeechStarted():
                began = event.at if began is None else began
                voiced = event.at
            case SpeechStopped():
                voiced = event.last_voiced
            case FinalHeard():
                start = event.words[0].start if event.words else (began or event.at)
                end = event.words[-1].end if event.words else (voiced or event.at)
                found.append(
                    Turn(start, max(start, end, voiced), event.text, expect=expect, step=step)
                )
                began = None
            case TurnTakenBack():
                words = event.text.split()
                while found and words and found[-1].text and found[-1].text in event.text:
                    taken_back = found.pop()
            case Understood():
                last = found[-1] if found else None
                if last is not None and event.text.endswith(last.text) and not last.understood:
                    found.pop()
                else:
                    last = Turn(event.at, event.at, expect=expect, step=step)
                if taken_back is not None and event.text.startswith(taken_back.text):
                    kept = (taken_back.expect, taken_back.step)
                    last = replace(last, start=taken_back.start, expect=kept[0], step=kept[1])
                taken_back = None
                found.append(
                    replace(
                        last,
                        text=event.text,
                        moves=event.moves,
                        slots=dict(event.slots),
                        understood=True,
                    )
                )
            case KeyPressed():
                found.append(Turn(event.at, event.at, keys=event.digit, expect=expect, step=step))
            case Replied():
                expect = event.expect
                step = event.step
            case _:
                pass
    yield from found


def _speech(bundle: Bundle) -> Iterator[Span]:
    """Yield the stretches of the caller's voice, as the ear noticed them."""
    began: float | None = None
    for event in bundle.events:
        if isinstance(event, SpeechStarted):
            began = event.at if began is None else began
        elif began is not None and (
            isinstance(event, SpeechStopped)
            or (isinstance(event, TurnEnded) and event.last_voiced >= began)
        ):
            yield Span(began, max(began, event.last_voiced))
            began = None
    if began is not None:
        yield Span(began, bundle.seconds)


def _agent_sound(bundle: Bundle, lines: Sequence[Line], notes: list[str]) -> tuple[Span, ...]:
    """Return where the agent was heard: by its recording, or by its lines where there is none."""
    path = bundle.folder / AGENT_AUDIO
    try:
        sound = read_wav(path)
    except EvidenceError:
        if lines:
            notes.append("agent.wav is missing or unreadable: its lines' times serve instead")
        return tuple(Span(line.start, line.end) for line in lines)
    if sound.rate != SAMPLE_RATE:
        notes.append(f"agent.wav is at {sound.rate} Hz, not {SAMPLE_RATE}")
    return voiced_spans(sound.channel(0), sound.rate)


def _unheard(bundle: Bundle, heard: Sequence[Span], notes: list[str]) -> Iterator[Span]:
    """Yield sound in the caller's recording that is as loud as what the ear heard as speech."""
    try:
        sound = read_wav(bundle.folder / CALLER_AUDIO)
    except EvidenceError:
        notes.append("caller.wav is missing or unreadable: what the ear missed can't be told")
        return
    samples, rate = sound.channel(0), sound.rate

    def level(span: Span) -> float:
        cut = samples[round(span.start * rate) : round(span.end * rate)].astype(np.float64)
        return float(10 * np.log10(np.mean((cut / 32768) ** 2) + 1e-12)) if len(cut) else -120.0

    def noticed(span: Span) -> bool:
        return any(
            span.start < one.end + NOTICED_SECONDS and one.start - NOTICED_SECONDS < span.end
            for one in heard
        )

    spans = voiced_spans(samples, rate, shortest=UNHEARD_LEAST)
    speech = [level(span) for span in spans if noticed(span)]
    if not speech:
        return  # nothing tells a voice from a noise here
    yield from (s for s in spans if not noticed(s) and level(s) > median(speech) - AS_LOUD_DB)


def _promises(bundle: Bundle) -> Iterator[Promised]:
    news: dict[str, list[str]] = {}
    for row in bundle.promises:
        status = row.get("status")
        what = f"status {status}" if status else str(row.get("news", ""))
        news.setdefault(str(row.get("promise", "")), []).append(what)
    updates: dict[str, list[tuple[float, Outcome]]] = {}
    for event in bundle.events:
        if isinstance(event, PromiseUpdated):
            updates.setdefault(event.promise, []).append((event.at, event.outcome))
    for event in bundle.events:
        if isinstance(event, PromiseMade):
            yield Promised(
                id=event.promise,
                kind=event.promise_kind,
                made=event.at,
                updates=tuple(updates.get(event.promise, ())),
                news=tuple(news.get(event.promise, ())),
            )
