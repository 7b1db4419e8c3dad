"""Looks at a bundle: reads its events, recordings and promises into what a check goes by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
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
    Outcome,
    PromiseKind,
    PromiseMade,
    PromiseUpdated,
    Replied,
    Sentence,
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
from agent.restaurant import Restaurant, load_restaurant
from agent.review.seen import BRIDGE, Line, Promised, Seen, Spoken, Turn

NOTICED_SECONDS: Final = 0.4
"""Sound this close to speech that the ear heard belongs to it; the recording lies within 0.2 s."""
UNHEARD_LEAST: Final = 0.25
"""Seconds; a "yes" lasts 0.3 to 0.4."""
AS_LOUD_DB: Final = 10.0
"""A voice is no more than this under the same caller's other words; noise mostly is."""


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
