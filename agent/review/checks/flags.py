"""What several checks share: flags that quote what they are about, and what a need is."""

from __future__ import annotations

from typing import Final

from agent.mind.moves import MoveName
from agent.review.schema import Flag, FlagKind
from agent.review.seen import Line, Seen, Turn

NEEDS: Final = frozenset(
    {
        MoveName.ORDER,
        MoveName.ORDER_BY_VOICE,
        MoveName.RESERVATION,
        MoveName.CATERING,
        MoveName.COMPLAINT,
        MoveName.MESSAGE,
    }
)
"""Moves by which a caller asks for something to be done."""


def about_line(
    kind: FlagKind, line: Line, quote: str, detail: str, *, at: float | None = None
) -> Flag:
    """Return a flag of something that the agent said, at ``at`` or where its line began."""
    when = line.start if at is None else at
    return Flag(kind=kind, at=round(when, 3), quote=quote, detail=detail)


def about_turn(kind: FlagKind, turn: Turn, detail: str) -> Flag:
    """Return a flag of something that the caller said or pressed."""
    quote = turn.text or turn.keys
    return Flag(kind=kind, at=round(turn.start, 3), quote=quote, who="caller", detail=detail)


def about_silence(
    kind: FlagKind, seen: Seen, at: float, detail: str, *, since: float | None = None
) -> Flag:
    """Return a flag of something that has no words: it quotes those spoken last."""
    who, quote = seen.words_before(at)
    when = at if since is None else since
    side = "caller" if who == "caller" else "agent"
    return Flag(kind=kind, at=round(when, 3), quote=quote, who=side, detail=detail)
