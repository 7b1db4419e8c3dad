"""Conversations as tables: what the caller does, what the agent then does.

A line that begins with ``>`` is the caller: moves (``answer:hours`` names a fact), slots
(``name=maria``), then ``|`` and the words. ``<`` is the agent: step, ``|``, key words that
must be heard. ``~ 2`` is the second silence in a row, ``# 3165550199`` are keys, ``! accepted``
is the outcome of the tool that the line before asked for.
"""

from datetime import UTC, datetime
from pathlib import Path

from agent.events import Move, Outcome, PromiseKind
from agent.mind.dialogue import (
    Dialogue,
    DialogueState,
    Heard,
    Input,
    Keys,
    Reply,
    Silence,
    ToolDone,
)
from agent.mind.moves import SlotName, Understanding
from agent.restaurant import Restaurant, load_restaurant

HIKARI = load_restaurant(Path(__file__).parents[2] / "evals" / "worlds" / "hikari.toml")
TUESDAY = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
"""Five in the afternoon in Wichita, the day before which it was closed."""
CALLER = "+13165550142"
BOTH = frozenset(PromiseKind)


def dialogue(
    restaurant: Restaurant = HIKARI,
    caller: str = CALLER,
    *,
    withheld: bool = False,
    can: frozenset[str] = BOTH,
) -> Dialogue:
    return Dialogue(restaurant, caller, withheld, can, TUESDAY)


def given(line: str) -> Input:
    """Return the input that a line of a conversation stands for."""
    mark, _, rest = line.partition(" ")
    match mark:
        case "~":
            return Silence(int(rest))
        case "#":
            return Keys(rest.strip())
        case "!":
            outcome, _, code = rest.partition(" ")
            return ToolDone(Outcome(outcome), "p1", code)
    done, _, text = rest.partition("|")
    moves: list[Move] = []
    slots: dict[str, str] = {}
    for word in done.split():
        if "=" in word:
            name, value = word.split("=")
            slots[SlotName(name)] = value.replace("_", " ")
        else:
            name, _, tail = word.partition(":")
            fact, _, score = tail.partition("@")
            moves.append(Move(name, fact, float(score or 1)))
    return Heard(Understanding(tuple(moves), slots), text.strip())


def talk(talker: Dialogue, script: str) -> tuple[DialogueState, Reply]:
    """Play a conversation and check each of the agent's lines; return the last."""
    state, reply = talker.open()
    for line in filter(None, (line.strip() for line in script.splitlines())):
        if not line.startswith("<"):
            state, reply = talker.step(state, given(line))
            continue
        step, _, heard = line[1:].partition("|")
        said = " ".join(sentence.text for sentence in reply.sentences)
        assert reply.step == step.strip(), f"{line!r}: {reply}"
        for key in filter(None, (key.strip() for key in heard.split("…"))):
            assert key in said, f"{line!r}: {said!r}"
        if not heard.strip():
            assert not said, f"{line!r}: {said!r}"
    return state, reply
