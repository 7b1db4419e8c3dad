"""The figures of one call, and the stretches of sound that the checks of time go by."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from agent.evidence.measures import DEAD_AIR_SECONDS, Span, stages
from agent.mind.wording import Phrase
from agent.review.schema import Measures
from agent.review.seen import BRIDGE, Line, Seen, Turn
from agent.review.words import ends_with_goodbye
from agent.turns import is_backchannel

PROMPT_SECONDS: Final = 12.0
"""A silent caller is spoken to after 6 s, after 9 s where details were asked (`agent.turns`);
3 s more is dead air."""

NOT_CAUGHT: Final = frozenset(
    {Phrase.NOT_CAUGHT.ref, Phrase.STILL_NOT_CAUGHT.ref, Phrase.YES_OR_NO.ref}
)
"""Phrases that ask the caller to say it again."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch in which the agent should have been heard. ``why``: what it owed."""

    start: float
    end: float
    why: str


def measure(seen: Seen) -> Measures:
    """Return the figures of the call."""
    waits = [stage.total for stage in stages(seen.bundle.events)]
    questions = Counter(question for line in seen.lines for question in line.questions)
    return Measures(
        seconds=round(seen.until, 3),
        turns=sum(bool(turn.text or turn.keys) for turn in seen.turns),
        latency_p50=round(median(waits), 3) if waits else None,
        latency_max=round(max(waits), 3) if waits else None,
        talk_over=round(sum(_overlap(one, seen.caller) for one in seen.agent), 3),
        dead_air=round(sum(gap.end - gap.start for gap in gaps(seen)), 3),
        longest_silence=round(max((s.seconds for s in silences(seen)), default=0.0), 3),
        not_understood=sum(not_caught(line) for line in seen.lines),
        repeated_questions=sum(count - 1 for count in questions.values()),
        goodbyes=sum(ends_with_goodbye(line.heard) for line in seen.lines),
    )


def not_caught(line: Line) -> bool:
    """Return whether the line asks to say something again."""
    return any(one.sentence and one.sentence.ref in NOT_CAUGHT for one in line.pieces)


def silences(seen: Seen) -> Iterator[Span]:
    """Yield the stretches between two sounds, of whomever."""
    sounds = sorted([*seen.agent, *seen.caller], key=lambda span: span.start)
    until = sounds[0].end if sounds else 0.0
    for sound in sounds:
        if sound.start > until:
            yield Span(until, sound.start)
        until = max(until, sound.end)


def gaps(seen: Seen) -> tuple[Gap, ...]:
    """Return where the agent owed a sound for longer than `DEAD_AIR_SECONDS`."""
    found = [*_unanswered(seen), *_working(seen), *_unprompted(seen)]
    if seen.answered is not None:
        first = min((one.start for one in seen.agent), default=seen.until)
        if first - seen.answered > DEAD_AIR_SECONDS:
            found.append(Gap(seen.answered, first, "no greeting"))
    return tuple(sorted(found, key=lambda gap: gap.start))


def owes_reply(seen: Seen, turn: Turn) -> bool:
    """Return whether what the caller did wants an answer."""
    over = any(reply.ends_call and reply.at < turn.start for reply in seen.replies)
    said = turn.text.strip().lower()
    filler = is_backchannel(said) or re.fullmatch(r"(?:h|m|u)+m+", said) is not None
    return not over and (turn.understood or bool(said and not filler))


def _unanswered(seen: Seen) -> Iterator[Gap]:
    for turn in seen.turns:
        if not owes_reply(seen, turn) or any(a.start < turn.end < a.end for a in seen.agent):
            continue
        until = _next_sound(seen, turn.end)
        if until - turn.end > DEAD_AIR_SECONDS:
            yield Gap(turn.end, until, "no answer")


def _working(seen: Seen) -> Iterator[Gap]:
    """Yield waits for a tool that were left silent: after "one moment", or after the line."""
    for line in seen.lines:
        bridge = any(one.sentence == BRIDGE for one in line.pieces)
        last = next((r for r in reversed(seen.replies) if r.at <= line.start), None)
        if not bridge and not (last and last.tool and last.sentences):
            continue
        until = _next_sound(seen, line.end)
        if until - line.end > DEAD_AIR_SECONDS:
            yield Gap(line.end, until, "a tool at work")


def _unprompted(seen: Seen) -> Iterator[Gap]:
    ending = seen.closing
    for line in seen.lines:
        if ending is not None and line.end >= ending:
            continue
        until = _next_sound(seen, line.end)
        if until - line.end > PROMPT_SECONDS and until < seen.until:
            yield Gap(line.end, until, "a silent caller was not spoken to")


def _next_sound(seen: Seen, at: float) -> float:
    """Return when somebody is heard after ``at``, or the call is over."""
    slack = 0.05
    later = [one.start for one in (*seen.agent, *seen.caller) if one.start > at + slack]
    running = any(one.start <= at + slack < one.end - slack for one in seen.agent)
    return at if running else min(later, default=seen.until)


def _overlap(span: Span, others: tuple[Span, ...]) -> float:
    return sum(max(0.0, min(span.end, o.end) - max(span.start, o.start)) for o in others)
