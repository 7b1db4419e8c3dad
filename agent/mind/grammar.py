"""The grammar of one decision: what a language model can say about one turn, and no more.

An answer is one line: labels, then the caller's own words for what they gave::

    order, answer:hours | name: maria | size: four

Labels are the moves and this restaurant's facts: what does not exist can't be named. A
detail is a run of words from the caller's turn: what was not said can't be written down.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from agent.errors import MindError
from agent.events import Expect, Move
from agent.mind.moves import MoveName, SlotName

MOST_MOVES: Final = 3
SLOTS: Final = (SlotName.NAME, SlotName.PHONE, SlotName.SIZE, SlotName.WHEN)
"""The details a model writes down; `DETAILS` is the whole turn and needs no model."""


def labels(facts: Sequence[str], expect: Expect) -> list[str]:
    """Return what a turn can be called: the moves that make sense now, and ``answer:`` a fact."""
    moves = [
        str(move)
        for move in MoveName
        if move != MoveName.ANSWER and not (move == MoveName.GIVES and expect is Expect.OPEN)
    ]
    return [*moves, *(f"{MoveName.ANSWER}:{fact}" for fact in facts)]


def grammar(words: str, facts: Sequence[str], expect: Expect) -> str:
    """Return GBNF for one turn.

    Args:
        words: The turn as `agent.mind.embedder.plain` makes it.
        facts: Ids of the facts that can be answered.
        expect: What the agent's last line asked for.
    """
    spoken = words.split()
    details = "".join(f' (" | {slot}: " span)?' for slot in SLOTS) if spoken else ""
    rules = [
        "root ::= move" + ' (", " move)?' * (MOST_MOVES - 1) + details,
        "move ::= " + " | ".join(f'"{label}"' for label in labels(facts, expect)),
    ]
    if spoken:
        rules.append("span ::= " + " | ".join(f"w{at}" for at in range(len(spoken))))
    for at, word in enumerate(spoken):
        more = f' (" " w{at + 1})?' if at + 1 < len(spoken) else ""
        rules.append(f'w{at} ::= "{word}"{more}')
    return "\n".join(rules)


def read(
    answer: str, facts: Sequence[str], expect: Expect
) -> tuple[tuple[Move, ...], dict[str, str]]:
    """Return the moves and slots of an answer.

    Raises:
        MindError: It is none; an answer cut short by its length is the only known way.
    """
    first, *rest = [part.strip() for part in answer.split(" | ")]
    known = set(labels(facts, expect))
    named = list(dict.fromkeys(label.strip() for label in first.split(",")))
    if not named or not known.issuperset(named):
        raise MindError(f"The language model answered {answer!r}, which is no decision.")
    moves = []
    for label in named:
        name, _, fact = label.partition(":")
        moves.append(Move(name, fact))
    slots: dict[str, str] = {}
    for part in rest:
        found = re.fullmatch(r"(\w+): (.+)", part)
        if found is None or found[1] not in SLOTS:
            raise MindError(f"The language model answered {answer!r}, which is no decision.")
        slots[found[1]] = found[2]
    return tuple(moves), slots
