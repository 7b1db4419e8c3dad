"""A recorded caller: a bundle's ``caller.wav``, cut at the caller's turns, as deeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import soxr
from numpy.typing import NDArray

from agent.errors import EvidenceError
from agent.evaluate.frozen import Tools
from agent.evaluate.line_sound import RATE, Clip
from agent.evaluate.talker import QUIET_SECONDS, Deed
from agent.events import (
    CallEnded,
    CallStarted,
    Event,
    FinalHeard,
    KeyPressed,
    LineFinished,
    LineStarted,
    PromiseKind,
    PromiseMade,
    PromiseUpdated,
    Replied,
    SpeechStarted,
    SpeechStopped,
    TurnEnded,
    Understood,
)
from agent.evidence.bundle import Bundle
from agent.evidence.measures import Span, voiced_spans
from agent.evidence.recorder import AGENT_AUDIO, CALLER_AUDIO
from agent.evidence.wav import Sound, read_wav

PRE_ROLL: Final = 0.4
"""Seconds of the recording before the voice was noticed: soft first sounds lie there."""
TAIL: Final = 0.3
"""Seconds after the last voiced sample: the endpoint is found in what follows it."""
LONGEST_REACTION: Final = 5.0
"""Seconds; a caller who thought for longer was prompted, which is a turn of its own."""
TAKEN_SECONDS: Final = 2.0
"""A turn is understood within this, or it was taken for none."""
EXTRA_SECONDS: Final = 60.0
"""How much longer than it was a replayed call may become: the agent may say more today."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that the recorded caller did, and when.

    Attributes:
        start: Call time, seconds.
        end: Call time of the last voiced sample.
        text: The words as they were heard then; empty if none were.
        keys: Keys they pressed instead.
        silent: They let the agent prompt them instead.
        answered: The agent took it for a turn.
    """

    start: float
    end: float
    text: str = ""
    keys: str = ""
    silent: bool = False
    answered: bool = True


@dataclass(frozen=True, slots=True)
class Recorded:
    """A caller that can be put on a line again.

    Attributes:
        caller: Their number, E.164; empty if unknown or withheld.
        withheld: The number was withheld.
        started: When they called; aware.
        said: What they did, in order.
        deeds: The same, with its sound, to be done again.
        tools: What became of promises then.
        ended: Who ended the call.
        limit: A replay lasts no longer, seconds.
    """

    caller: str
    withheld: bool
    started: datetime
    said: tuple[Said, ...]
    deeds: tuple[Deed, ...]
    tools: Tools
    ended: str
    limit: float


def recorded(bundle: Bundle) -> Recorded:
    """Return the caller of a bundle.

    Raises:
        EvidenceError: there is no recording of the caller, no beginning, or nobody spoke.
    """
    started = bundle.started
    if started is None:
        raise EvidenceError(
            f"{bundle.folder}: does not say when the call began.",
            remedy="Only a call of Pickup's, or an imported one, can be replayed.",
        )
    sound = _caller_sound(bundle)
    said = said_in(bundle)
    ended = next((e.by for e in bundle.events if isinstance(e, CallEnded)), "caller")
    leaves = (Deed(hangs_up=True, reaction=_last_wait(bundle, said)),) if ended == "caller" else ()
    start = next((e for e in bundle.events if isinstance(e, CallStarted)), None)
    zone = bundle.card.get("time_zone")
    return Recorded(
        caller=start.caller if start else bundle.caller,
        withheld=bool(start and start.withheld),
        started=started.astimezone(ZoneInfo(zone)) if isinstance(zone, str) else started,
        said=said,
        deeds=(*_deeds(bundle.events, said, sound), *leaves),
        tools=outcomes(bundle.events),
        ended=ended,
        limit=max(bundle.seconds, sound.seconds) + EXTRA_SECONDS,
    )


def outcomes(events: Sequence[Event]) -> Tools:
    """Return what became of each kind of promise, in turn, as it was known in the call."""
    kinds: dict[str, PromiseKind] = {}
    news: dict[str, str] = {}
    for event in events:
        match event:
            case PromiseMade():
                kinds[event.promise] = event.promise_kind
            case PromiseUpdated():
                news[event.promise] = f"{event.outcome} {_digits(event.code)}".strip()
    found: dict[PromiseKind, tuple[str, ...]] = {}
    for promise, kind in kinds.items():
        found[kind] = (*found.get(kind, ()), news.get(promise, "pending"))
    return found


def said_in(bundle: Bundle) -> tuple[Said, ...]:
    """Return what the caller of a bundle did: from its events, else from the sound alone.

    Raises:
        EvidenceError: there is nothing to be found.
    """
    found = tuple(_from_events(bundle.events))
    if found:
        return found
    spans = turns_by_sound(_caller_sound(bundle), _agent_sound(bundle))
    return tuple(Said(span.start, span.end) for span in spans)


def turns_by_sound(caller: Sound, agent: Sound | None) -> tuple[Span, ...]:
    """Return the caller's turns by energy: stretches with nothing of the agent between are one.

    Without the agent's side a pause of `PAUSE_SECONDS` ends a turn.
    """
    voice = voiced_spans(caller.channel(0), caller.rate)
    other = voiced_spans(agent.channel(0), agent.rate) if agent else ()
    joined: list[Span] = list(voice[:1])
    for before, span in pairwise(voice):
        between = any(before.end - 0.1 <= one.start < span.start for one in other)
        if between or (not other and span.start - before.end > PAUSE_SECONDS):
            joined.append(span)
        else:
            joined[-1] = Span(joined[-1].start, span.end)
    return tuple(joined)


PAUSE_SECONDS: Final = 1.2
"""With the caller's side alone: longer pauses are where the other side spoke."""


def _from_events(events: Sequence[Event]) -> list[Said]:
    """Return the caller's turns: each ``FinalHeard`` ends one, keys and silences are others."""
    found: list[Said] = []
    began: float | None = None
    stopped = 0.0
    keys: list[KeyPressed] = []
    understood = [event for event in events if isinstance(event, Understood)]
    for event in events:
        match event:
            case SpeechStarted() if began is None:
                began = event.at
            case SpeechStopped():
                stopped = event.last_voiced
            case TurnEnded():
                stopped = event.last_voiced
            case FinalHeard():
                start = event.words[0].start if event.words else event.at
                begin = start if began is None else max(min(began, start), began - PRE_ROLL)
                # Nothing was ever understood in a recording from elsewhere.
                taken = not understood or any(
                    one.text.endswith(event.text) and 0 <= one.at - event.at < TAKEN_SECONDS
                    for one in understood
                )
                end = max(stopped, event.words[-1].end if event.words else begin)
                if end > begin:
                    found.append(Said(begin, end, event.text, answered=taken))
                began = None
            case KeyPressed():
                keys.append(event)
            case Replied() if keys:
                text = "".join(key.digit for key in keys)
                found.append(Said(keys[0].at, keys[-1].at, keys=text))
                keys = []
            case Replied(step="silence_prompt"):
                found.append(Said(event.at, event.at, silent=True))
    return found


def _deeds(events: Sequence[Event], said: Sequence[Said], sound: Sound) -> list[Deed]:
    deeds: list[Deed] = []
    lines = _lines(events)
    since = 0.0
    for number, one in enumerate(said):
        if one.silent:
            deeds.append(Deed())
            since = one.end
            continue
        following = next((o.start for o in said[number + 1 :] if not (o.silent or o.keys)), None)
        clip, lead = (None, 0.0) if one.keys else _cut(sound, one, since, following, number)
        line, offset = _spoken_over(lines, one.start, since)
        deeds.append(
            Deed(
                clip=clip,
                keys=one.keys,
                reaction=_reaction(lines, one.start, lead),
                line=line,
                barge_in=None if offset is None else max(0.0, offset - lead),
                unanswered=not one.answered,
            )
        )
        since = one.end
    return deeds


def _cut(
    sound: Sound, said: Said, since: float, following: float | None, number: int
) -> tuple[Clip, float]:
    """Return the sound of a turn at 8 kHz, and how long before its voice it begins."""
    begin = max(said.start - PRE_ROLL, since, 0.0)
    end = said.end + TAIL
    if following is not None:
        end = min(end, max(said.end, following - PRE_ROLL / 2))
    piece = sound.channel(0)[round(begin * sound.rate) : round(end * sound.rate)]
    samples = resampled(piece, sound.rate)
    last = max(0, len(samples) - 1)
    first_voiced = min(last, round((said.start - begin) * RATE))
    last_voiced = min(last, max(first_voiced, round((said.end - begin) * RATE)))
    return Clip(f"turn {number + 1}", samples, first_voiced, last_voiced), said.start - begin


def resampled(samples: NDArray[np.int16], rate: int, target: int = RATE) -> NDArray[np.int16]:
    """Return ``samples`` at another rate, the same each time: soxr's own rounding is dithered."""
    if rate == target or not len(samples):
        return samples
    found = soxr.resample(samples.astype(np.float32), rate, target)
    return np.asarray(np.clip(np.rint(found), -32768, 32767), np.int16)


def _lines(events: Sequence[Event]) -> list[Span]:
    """Return when the agent's lines were heard, in order."""
    begun: dict[int, float] = {}
    found: list[Span] = []
    for event in events:
        match event:
            case LineStarted():
                begun[event.line] = event.at
            case LineFinished() if event.line in begun:
                found.append(Span(begun.pop(event.line), event.at))
    found += [Span(at, float("inf")) for at in begun.values()]
    return sorted(found, key=lambda span: span.start)


def _spoken_over(lines: Sequence[Span], start: float, since: float) -> tuple[int, float | None]:
    """Return which line since the last turn was spoken over from ``start``, and how far into it."""
    reply = [line for line in lines if line.start >= since - 0.05]
    for number, line in enumerate(reply):
        if line.start <= start < line.end - QUIET_SECONDS:
            return number, start - line.start
    return 0, None


def _reaction(lines: Sequence[Span], start: float, lead: float) -> float:
    ends = [line.end for line in lines if line.end <= start]
    waited = start - max(ends) if ends else QUIET_SECONDS
    return min(max(waited - lead, QUIET_SECONDS), LONGEST_REACTION)


def _last_wait(bundle: Bundle, said: Sequence[Said]) -> float:
    """Return how long after the last thing that was said the caller hung up."""
    over = next((e.at for e in bundle.events if isinstance(e, CallEnded)), bundle.seconds)
    ends = [line.end for line in _lines(bundle.events) if line.end <= over]
    last = max([*ends, *(one.end for one in said)], default=over)
    return min(max(over - last, QUIET_SECONDS), LONGEST_REACTION)


def _caller_sound(bundle: Bundle) -> Sound:
    path = bundle.folder / CALLER_AUDIO
    if not path.is_file():
        raise EvidenceError(
            f"{bundle.folder}: has no recording of the caller.",
            remedy="It was deleted or never begun; the words alone replay with --driver text.",
        )
    return read_wav(path)


def _agent_sound(bundle: Bundle) -> Sound | None:
    path = bundle.folder / AGENT_AUDIO
    return read_wav(path) if path.is_file() else None


def _digits(code: str) -> str:
    return code if code.isdigit() else ""
