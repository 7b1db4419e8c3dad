"""What a caller can do with their words: the moves, the slots, and one turn's understanding.

The understanding (`agent.mind.understanding`) produces these, the policy
(`agent.mind.dialogue`) consumes them; neither knows the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from agent.events import Move

SURE: Final = 0.55
"""Score from which a fact is said, and a call ended as spam, without asking back.

Below it a fact is checked ("Did you mean: what are your hours?")."""
UNSURE: Final = 0.3
"""Score below which any move is taken as `unclear`."""


class MoveName(StrEnum):
    """Every move there is. A name outside this list can't be decided on."""

    # needs
    ORDER = "order"
    """Wants to place an order, or asks for the ordering link."""
    RESERVATION = "reservation"
    CATERING = "catering"
    COMPLAINT = "complaint"
    MESSAGE = "message"
    """Wants to leave any other message for the owner or the staff."""
    ANSWER = "answer"
    """Asks something a fact answers; ``Move.fact`` holds its id."""
    UNKNOWN = "unknown"
    """Asks something no fact answers."""
    WANTS_HUMAN = "wants_human"
    """Wants a person, a transfer, the manager."""
    ARE_YOU_HUMAN = "are_you_human"
    ORDER_BY_VOICE = "order_by_voice"
    """Begins to dictate dishes."""
    PAY = "pay"
    """Wants to pay or to give a card by phone."""
    # ends and nuisances
    SPAM = "spam"
    WRONG_NUMBER = "wrong_number"
    ABUSE = "abuse"
    EMERGENCY = "emergency"
    GOODBYE = "goodbye"
    THANKS = "thanks"
    # answers to what was asked
    YES = "yes"
    NO = "no"
    GIVES = "gives"
    """Answers the open question that was asked; the words are in the slots."""
    # the conversation itself
    REPEAT = "repeat"
    """Asks to hear the last line again."""
    WAIT = "wait"
    """Asks for a moment."""
    UNCLEAR = "unclear"
    """Nothing that could be understood, or too uncertain to act on."""
    SMALLTALK = "smalltalk"


class SlotName(StrEnum):
    """Details a turn may carry, as the caller's own words (a span of the heard text).

    Spans are raw: lower case, as recognised. `agent.mind.slots` reads them.
    """

    NAME = "name"
    PHONE = "phone"
    SIZE = "size"
    """How many people."""
    WHEN = "when"
    """Day and time."""
    DETAILS = "details"
    """What the message is about, in the caller's words."""


@dataclass(frozen=True, slots=True)
class Understanding:
    """What one caller turn was taken to mean.

    Attributes:
        moves: One to three moves in the order they were said; the most certain reading.
        slots: Raw word spans by `SlotName` value; absent means not said.
        by: Which part decided: ``recall``, ``rules``, ``heads``, ``model``, ``keys``.
        seconds: How long the decision took.
        fault: Code of the fault for which a lesser part decided; empty: none.
    """

    moves: tuple[Move, ...]
    slots: Mapping[str, str] = field(default_factory=dict, metadata={"personal": True})
    by: str = "rules"
    seconds: float = 0.0
    fault: str = ""

    def has(self, name: MoveName) -> bool:
        """Return whether one of the moves is ``name``."""
        return any(move.name == name for move in self.moves)
