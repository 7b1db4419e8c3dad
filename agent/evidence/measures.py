"""Measures of a call, taken from sound: latency at the caller's ear, cut-ins, talk-over.

Time is audio. What counts is the two-channel recording made on the caller's side: left,
what the caller said; right, what the caller heard. The agent's own stages, read from its
events, explain a latency; they never replace it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.events import (
    Event,
    FinalHeard,
    LineStarted,
    Replied,
    ThoughtAhead,
    TurnEnded,
    Understood,
)
from agent.evidence.wav import Sound

WINDOW_SECONDS: Final = 0.005
"""Energy is taken over 5 ms, which is also how exactly the edge of a sound is known."""

FLOOR_PERCENTILE: Final = 10
"""The floor is the energy that a tenth of a channel's windows stay under."""

ABOVE_FLOOR_DB: Final = 12.0
"""A window this far over the floor is sound. White noise in 5 ms windows of 40 samples
scatters by about ±1 dB (1 σ), so 12 dB is out of its reach."""

QUIETEST_DB: Final = -50.0
"""Nothing under this (dB re full scale, RMS) is sound. µ-law idle noise is at −72 dBFS or
less (its smallest step is 8 of 32768) and comfort noise (RFC 3389) about −60 to −65."""

LOUDEST_FLOOR_DB: Final = -35.0
"""A floor can't be higher: in a channel that is speech from end to end the tenth percentile
is speech, not noise."""

SHORTEST_SOUND: Final = 0.03
"""Seconds; a shorter sound is a click."""

HANGOVER_SECONDS: Final = 0.2
"""Pauses up to this long lie inside one stretch of sound: stops, breath between words."""

DEAD_AIR_SECONDS: Final = 3.0
"""Both silent for longer than this is dead air: people then ask "hello?"."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a recording, in seconds; ``end`` is where the last sample ends."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class TurnMeasure:
    """One turn of the caller and what followed.

    Attributes:
        start: Where the caller's turn begins, seconds into the recording.
        end: The caller's last voiced sample.
        latency: Seconds from ``end`` to the agent's first sound after it; None if none
            came before the caller spoke again, if the agent was speaking at ``end``, and
            after a cut-in: what follows then may be the rest of a line that was held.
        cut_in: The agent began to speak between ``start`` and ``end``.
        talk_over: Seconds of this turn in which both spoke.
        yielded: Where the agent was speaking at ``start`` (a barge-in): seconds until it
            stopped; None if it was not speaking.
    """

    start: float
    end: float
    latency: float | None = None
    cut_in: bool = False
    talk_over: float = 0.0
    yielded: float | None = None


@dataclass(frozen=True, slots=True)
class EarMeasures:
    """All that is measured of one call at the caller's ear. Times in seconds.

    Attributes:
        turns: The caller's turns, in order.
        first_sound: The agent's first sound, from the beginning of the recording.
        dead_air: Stretches in which both were silent for long, between first and last sound.
    """

    turns: tuple[TurnMeasure, ...]
    first_sound: float | None
    dead_air: tuple[Span, ...]

    @property
    def latencies(self) -> tuple[float, ...]:
        """The latency of every turn that has one."""
        return tuple(turn.latency for turn in self.turns if turn.latency is not None)

    @property
    def cut_ins(self) -> int:
        """Turns into which the agent spoke."""
        return sum(turn.cut_in for turn in self.turns)

    @property
    def talk_over(self) -> float:
        """Seconds in which both spoke."""
        return sum(turn.talk_over for turn in self.turns)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Percentiles in seconds, linear between the two nearest values; NaN when ``count`` is 0."""

    count: int
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Stages:
    """Where the agent's own time went in one turn, in seconds, from its events.

    Attributes:
        at: Call time of the caller's last voiced sample.
        endpoint: Until the turn was taken to be over.
        words: From there until the recogniser's final words.
        decide: From there until the reply was chosen, tools included.
        speak: From there until the first audio was handed to Asterisk.
        bridged: From the first audio to the first that answers, where a bridge ("One moment.")
            came before; otherwise 0.
        rule: The endpoint rule that decided.
        step: The dialogue step that followed.
        ahead: The words had been understood before the turn was over.
    """

    at: float
    endpoint: float
    words: float
    decide: float
    speak: float
    bridged: float = 0.0
    rule: str = ""
    step: str = ""
    ahead: bool = False

    @property
    def total(self) -> float:
        """Last voiced sample to first audio handed over."""
        return self.endpoint + self.words + self.decide + self.speak


def voiced_spans(
    samples: NDArray[np.int16],
    rate: int,
    *,
    hangover: float = HANGOVER_SECONDS,
    shortest: float = SHORTEST_SOUND,
) -> tuple[Span, ...]:
    """Return where a channel has sound, by energy against its own noise floor.

    For clean channels (synthetic callers, our own voice): a television in the room is
    sound too. Edges are exact to :data:`WINDOW_SECONDS`.

    Args:
        samples: One channel, int16, shape (samples,).
        rate: Samples per second.
        hangover: Pauses up to this many seconds do not end a span.
        shortest: Sounds shorter than this, in seconds, are ignored.
    """
    window = max(1, round(rate * WINDOW_SECONDS))
    count = len(samples) // window
    if count == 0:
        return ()
    level = _levels(samples[: count * window], window)
    floor = min(float(np.percentile(level, FLOOR_PERCENTILE)), LOUDEST_FLOOR_DB)
    loud = level > max(floor + ABOVE_FLOOR_DB, QUIETEST_DB)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], loud, [False])).astype(np.int8)))
    sounds = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    joined: list[tuple[int, int]] = []
    for begin, end in sounds:
        if joined and (begin - joined[-1][1]) * window <= hangover * rate:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return tuple(
        Span(begin * window / rate, end * window / rate)
        for begin, end in joined
        if (end - begin) * window >= shortest * rate
    )


def measure_ear(sound: Sound, *, lines: Sequence[Span] = ()) -> EarMeasures:
    """Measure a two-channel recording made on the caller's side.

    Args:
        sound: Left, the caller; right, what the caller heard; on one clock.
        lines: Where the caller's lines really lie, first to last voiced sample, if it is
            known (a scripted caller knows); otherwise each stretch of sound is a turn,
            and stretches with nothing of the agent between them are one turn.
    """
    agent = voiced_spans(sound.channel(1), sound.rate)
    caller = lines or _turns(voiced_spans(sound.channel(0), sound.rate), agent)
    return measure_spans(caller, agent)


def measure_spans(caller: Sequence[Span], agent: Sequence[Span]) -> EarMeasures:
    """Measure a call whose stretches of sound are known.

    Args:
        caller: The caller's turns, in order.
        agent: The agent's stretches of sound, in order.
    """
    next_starts = [*(turn.start for turn in caller[1:]), math.inf]
    turns = [
        _turn(turn, next_start, agent)
        for turn, next_start in zip(caller, next_starts, strict=False)
    ]
    everything = sorted([*caller, *agent], key=lambda span: span.start)
    dead: list[Span] = []
    heard_until = everything[0].end if everything else 0.0
    for span in everything:
        if span.start - heard_until > DEAD_AIR_SECONDS:
            dead.append(Span(heard_until, span.start))
        heard_until = max(heard_until, span.end)
    return EarMeasures(tuple(turns), agent[0].start if agent else None, tuple(dead))


def stages(events: Iterable[Event]) -> tuple[Stages, ...]:
    """Return the agent's own stages of each turn that it answered."""
    events = tuple(events)
    ahead = {event.text for event in events if isinstance(event, ThoughtAhead) and event.used}
    found: list[Stages] = []
    turn = _Turn()
    for event in events:
        match event:
            case TurnEnded():
                turn = _Turn(ended=event)
            case FinalHeard() if turn.final is None:
                turn.final = event
            case Understood():
                turn.ahead = event.text in ahead
            case Replied() if turn.replied is None or not turn.replied.sentences:
                # A reply that only uses a tool may be silent; the next one has the words.
                turn.replied = event
            case LineStarted() if turn.ended is not None:
                turn.first = turn.first or event
                if turn.replied is not None and turn.replied.sentences:
                    found.append(turn.stages(event))
                    turn = _Turn()
    return tuple(found)


@dataclass(slots=True)
class _Turn:
    """What has happened of a turn that is being answered."""

    ended: TurnEnded | None = None
    final: FinalHeard | None = None
    replied: Replied | None = None
    first: LineStarted | None = None
    """The first line after it, a bridge perhaps."""
    ahead: bool = False

    def stages(self, answer: LineStarted) -> Stages:
        """Return its stages, now that ``answer`` has begun."""
        assert self.ended is not None  # noqa: S101 - the caller looked
        assert self.replied is not None  # noqa: S101 - the caller looked
        first = self.first or answer
        worded = self.final.at if self.final else self.ended.at
        # A bridge came before the reply was chosen: it is what the time until it was spent on.
        replied = min(self.replied.at, first.at)
        return Stages(
            at=self.ended.last_voiced,
            endpoint=self.ended.at - self.ended.last_voiced,
            words=worded - self.ended.at,
            decide=replied - worded,
            speak=first.at - replied,
            bridged=answer.at - first.at,
            rule=self.ended.rule,
            step=self.replied.step,
            ahead=self.ahead,
        )


def distribution(values: Sequence[float]) -> Distribution:
    """Return the percentiles of ``values`` (seconds)."""
    if not values:
        return Distribution(0, *[math.nan] * 5)
    p50, p90, p95, p99 = (float(value) for value in np.percentile(values, [50, 90, 95, 99]))
    return Distribution(len(values), p50, p90, p95, p99, max(values))


def _levels(samples: NDArray[np.int16], window: int) -> NDArray[np.float64]:
    """Return each window's RMS in dB re full scale, without its mean (a line may have DC)."""
    frames = samples.reshape(-1, window).astype(np.float64) / 32768
    frames = frames - np.median(samples) / 32768
    return np.asarray(10 * np.log10(np.mean(frames**2, axis=1) + 1e-12))


def _turns(caller: Sequence[Span], agent: Sequence[Span]) -> tuple[Span, ...]:
    """Join stretches of the caller's sound that have no beginning of the agent's between."""
    joined: list[Span] = list(caller[:1])
    for before, span in pairwise(caller):
        if any(before.end <= sound.start < span.start for sound in agent):
            joined.append(span)
        else:
            joined[-1] = Span(joined[-1].start, span.end)
    return tuple(joined)


def _turn(turn: Span, next_start: float, agent: Sequence[Span]) -> TurnMeasure:
    speaking_at_start = next((s for s in agent if s.start < turn.start < s.end), None)
    speaking_at_end = any(sound.start < turn.end < sound.end for sound in agent)
    after = next((s.start for s in agent if s.start >= turn.end), None)
    cut_in = any(turn.start < sound.start < turn.end for sound in agent)
    answered = after is not None and after < next_start and not (speaking_at_end or cut_in)
    overlap = sum(
        max(0.0, min(sound.end, turn.end) - max(sound.start, turn.start)) for sound in agent
    )
    return TurnMeasure(
        start=turn.start,
        end=turn.end,
        latency=after - turn.end if answered and after is not None else None,
        cut_in=cut_in,
        talk_over=overlap,
        yielded=speaking_at_start.end - turn.start if speaking_at_start else None,
    )
