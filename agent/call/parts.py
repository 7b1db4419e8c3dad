"""What a call is made with; shared by all calls of the process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

from agent.call.needs import Ears, Ledger, Mind, Mouth
from agent.mind.tools import Capabilities
from agent.mouth import Phrases
from agent.restaurant import Restaurant

GUESSES_AT_ONCE: Final = 2
"""Guesses of all calls that may be worked on at once: one for each core of a small box."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The engines and the restaurant.

    Attributes:
        think_ahead: Work out what a turn would lead to before it is over.
        guessing: Keeps the guesses of all calls within bounds.
    """

    restaurant: Restaurant
    ears: Ears
    mind: Mind
    mouth: Mouth
    phrases: Phrases
    ledger: Ledger
    capabilities: Capabilities
    longest_call: float
    think_ahead: bool = True
    guessing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(GUESSES_AT_ONCE))
