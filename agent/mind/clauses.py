"""Where one breath holds several needs: the places at which a turn can be cut."""

from __future__ import annotations

import itertools
import re
from typing import Final

JOINTS: Final = re.compile(
    r"\b(?:and also|and then|oh and|and i was (?:also )?wondering(?: if)?|one more thing|"
    r"another thing|by the way|while i have you|but first|but also|and um|and|also|plus|but)\b"
)
"""What callers put between two needs; it belongs to neither."""

STARTERS: Final = re.compile(
    r"\b(?:what time|what days?|what's|whats|what is|what are|what do|what kind|where|when do|"
    r"when's|when is|when are|how much|how late|how long|how do i|how many|do you|do y'all|"
    r"are you|are there|is there|is the|is it|is your|is parking|can i|can we|can you|could i|"
    r"could we|could you|may i|i'd like|i would like|i want|i need|i wanna|we'd like|we want|"
    r"we need|let me|lemme|please|tell|give me|get me|connect|transfer|put me|who is|who's|which|"
    r"you forgot|you charged|thank you|thanks|goodbye|bye)\b"
)
"""How a new need begins when nothing joins it to the one before."""

LEADING: Final = frozenset(
    ["me", "know", "wondering", "wonder", "ask", "asking", "if", "whether", "see", "sure", "about",
     "you", "so", "um", "uh", "hi", "hello", "hey", "please", "that", "just", "because", "cause",
     "then", "to", "i", "we", "yeah", "okay", "oh", "well", "or", "what", "where", "when", "how",
     "who", "why", "which"]
)  # fmt: skip
"""After these a starter only continues: "do you know what time …"."""

CLOSERS: Final = frozenset(["bye", "goodbye", "thanks", "bye bye", "thank you"])

LEAST: Final = 3
"""Fewer words than this hold no need of their own (unless they are `CLOSERS`)."""

MOST: Final = 5
"""Parts looked at, the last ones: a story comes before its wish. Each costs a pass."""


def clauses(words: str) -> list[str]:
    """Return the parts of a turn that may each hold a need; one part: nothing to cut.

    Args:
        words: Plain words, as `agent.mind.embedder.plain` makes them.
    """
    parts: list[str] = []
    for piece in JOINTS.split(words):
        parts += _cut_at_starters(piece.split())
    merged: list[str] = []
    for part in parts:
        short = len(part.split()) < LEAST and part not in CLOSERS
        if merged and (short or len(merged[-1].split()) < LEAST):
            merged[-1] = f"{merged[-1]} {part}"
        else:
            merged.append(part)
    return merged[-MOST:]


def _cut_at_starters(words: list[str]) -> list[str]:
    text = " ".join(words)
    cuts: list[int] = []
    done = -1
    for match in STARTERS.finditer(text):
        before = text[: match.start()].split()
        since = len(before) - (cuts[-1] if cuts else 0)
        # "what time" and right after it "do you" are one start.
        goes_on = match.start() == done + 1
        done = match.end()
        if since >= LEAST and before[-1] not in LEADING and not goes_on:
            cuts.append(len(before))
    edges = [0, *cuts, len(words)]
    parts = [" ".join(words[a:b]) for a, b in itertools.pairwise(edges)]
    return [part for part in parts if part]
