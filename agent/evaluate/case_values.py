"""What may stand in a case: steps, moves, numbers, outcomes; a wrong one is told so."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    WithJsonSchema,
)

from agent.events import Outcome, PromiseKind
from agent.mind.dialogue import Ask
from agent.mind.moves import MoveName

OPEN: Final = "open"
"""How a call that is still going on has ended."""

CALLER_LEFT: Final = "caller"
"""How a call has ended that the caller hung up."""

End = Literal[
    "goodbye", "spam", "abuse", "emergency", "silence", "unclear", "turn_budget", "open", "caller"
]
"""Why a call is over, as the dialogue's last step names it; or that it isn't."""

STEPS: Final = frozenset(
    {*Ask, *PromiseKind, *get_args(End), "silence_prompt", "waiting", "ended"}
) - {OPEN, CALLER_LEFT}
"""Every step a reply can have."""


def several(value: Any) -> Any:
    """Return a lone value as a tuple of one."""
    return (value,) if isinstance(value, (str, Mapping)) else value


def _number(value: str) -> str:
    if value not in ("", "withheld") and not re.fullmatch(r"\+1\d{10}", value):
        raise ValueError(f"{value!r} is no number; write it as +13165550150, withheld or ''")
    return value


def _step(value: str) -> str:
    if value not in STEPS:
        raise ValueError(f"{value!r} is no step; {_nearest(value, STEPS)}")
    return value


def _move(value: str) -> str:
    name, _, fact = value.partition(":")
    if name not in set(MoveName) or bool(fact) != (name == MoveName.ANSWER):
        raise ValueError(f"{value!r} is no move; {_nearest(value, set(MoveName))}")
    return value


def _news(value: str) -> str:
    outcome, _, code = value.partition(" ")
    if outcome not in set(Outcome) or not re.fullmatch(r"\d*", code):
        raise ValueError(f"{value!r} is no outcome; write accepted, pending or refused 21610")
    return value


def _nearest(word: str, known: set[MoveName] | frozenset[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), 1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"


def one_or_more(item: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON schema of one ``item`` or a list of them."""
    return {"anyOf": [item, {"type": "array", "items": item}]}


Words = Annotated[
    tuple[str, ...],
    BeforeValidator(several),
    WithJsonSchema(one_or_more({"type": "string"})),
]
Number = Annotated[str, AfterValidator(_number)]
Step = Annotated[str, AfterValidator(_step)]


Moves = Annotated[
    tuple[Annotated[str, AfterValidator(_move)], ...],
    BeforeValidator(several),
    WithJsonSchema(one_or_more({"type": "string"})),
]

News = Annotated[
    tuple[Annotated[str, AfterValidator(_news)], ...],
    BeforeValidator(several),
    WithJsonSchema(one_or_more({"type": "string"})),
]
