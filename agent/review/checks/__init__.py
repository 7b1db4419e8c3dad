"""The computed checks: one function a flag, each a pure reading of what was seen.

A check errs on the side of silence: what it says must hold without listening to the call.
What takes judgement (was the caller cross? was that a good answer?) is the judge's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from agent.review.checks import ended, heard, said
from agent.review.schema import Flag
from agent.review.seen import Seen

CHECKS: Final[tuple[Callable[[Seen], Iterator[Flag]], ...]] = (
    said.invented_fact,
    said.wrong_fact,
    said.unavailable_action,
    said.instruction_broken,
    heard.misheard,
    heard.talked_over,
    heard.dead_air,
    heard.missed_goodbye,
    heard.asked_twice,
    ended.spam_served,
    ended.gave_up,
    ended.dropped,
    ended.promise_failed,
    ended.fault,
)


def check(seen: Seen) -> tuple[Flag, ...]:
    """Return everything that looks wrong, in order of time."""
    found = [flag for each in CHECKS for flag in each(seen)]
    return tuple(sorted(dict.fromkeys(found), key=lambda flag: (flag.at, flag.kind)))
