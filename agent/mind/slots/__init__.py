"""Readers of details in recognised words: phone numbers, names, party sizes, times, amounts.

All are deterministic and take the words as the ear gives them: lower case, no
punctuation, numbers as words or digits. Typed text works too.
"""

from __future__ import annotations

from agent.mind.slots.counts import Count, read_amount, read_count
from agent.mind.slots.names import read_introduced, read_name
from agent.mind.slots.phone import PhoneReading, PhoneStatus, read_phone, say_last_four, say_phone
from agent.mind.slots.when import When, read_when, say_when

__all__ = [
    "Count",
    "PhoneReading",
    "PhoneStatus",
    "When",
    "read_amount",
    "read_count",
    "read_introduced",
    "read_name",
    "read_phone",
    "read_when",
    "say_last_four",
    "say_phone",
    "say_when",
]
