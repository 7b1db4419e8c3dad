"""Callers who are no people, known by their words: mailboxes, hold queues, bots, ourselves.

Pure, and with the ear's usual mistakes in mind ("tone" is heard as "phone", "for" as "four").
Only wording that no guest of a restaurant uses counts, for a person who is hung up on
is worse than a machine that is talked to. (Fax machines are known by their tones: the ear.)
"""

from __future__ import annotations

import re
from typing import Final

MACHINES: Final = {
    "answering_machine": re.compile(
        r"\b(?:after|at) the (?:tone|beep)\b|\bleave (?:a|your) (?:\w+ )?message after\b"
        r"|\brecord your (?:message|name)\b"
        r"|\b(?:can't|cannot|unable to) (?:come to the phone|take your call)\b"
        r"|\bmailbox (?:is full|belongs)\b|\bhas been forwarded to\b.*\b(?:voice ?mail|message)\b"
        r"|\bthe (?:person|party|number|subscriber) you (?:are|were|have) (?:trying|calling|dialed|"
        r"called|reached)\b"
    ),
    "hold_queue": re.compile(
        r"\byour call is (?:very )?important\b|\b(?:please )?(?:remain|stay) on the line\b"
        r"|\b(?:all|our) (?:of our )?(?:agents|representatives|operators|associates) are\b"
        r"|\bnext available (?:agent|representative|operator)\b|\bplease hold (?:while|for)\b"
    ),
    "menu": re.compile(
        r"\b(?:press|dial) (?:one|two|three|four|five|zero|pound|star|[0-9]) (?:to|for|four|if)\b"
        r"|\bpara español\b|\bmain menu\b|\bto repeat (?:this|these) (?:message|options)\b"
    ),
    "bot": re.compile(
        r"\b(?:i'm|i am|this is) (?:an?|the|your) (?:\w+ )?(?:automated|virtual|a ?i|digital) "
        r"(?:\w+ )?(?:assistant|agent|system|attendant|call)\b"
        r"|\bthis (?:is an automated|call is being recorded|call may be (?:recorded|monitored))\b"
    ),
}
"""What a machine says, by its kind."""

REPEATS: Final = 3
"""The same words so many times in a row are a recording, or a bot that understands us as
little as we understand it."""
REPEATED_WORDS: Final = 4
"""Shorter ones ("hello?", "yes please") people do repeat."""

ECHO_SHARE: Final = 0.5
"""Of the caller's word triples so many must stand in our own last lines to be our own voice,
some of which are heard wrongly."""
ECHO_WORDS: Final = 5
"""Fewer words may be ours by chance."""
MOST_ECHOES: Final = 3
"""A speaker-phone may throw a line or two back at us; a line that always does is our own call,
forwarded to ourselves."""


def plain(text: str) -> str:
    """Return ``text`` as the ear writes words."""
    return " ".join(re.sub(r"[^a-z0-9']+", " ", text.lower()).split())


def machine(text: str) -> str:
    """Return which kind of machine says ``text``; empty: none."""
    return next((kind for kind, said in MACHINES.items() if said.search(text)), "")


def repeats(text: str, before: tuple[str, ...]) -> bool:
    """Return whether ``text`` is what was said before, again and again."""
    last = before[-(REPEATS - 1) :]
    long_enough = len(text.split()) >= REPEATED_WORDS
    return long_enough and len(last) == REPEATS - 1 and all(said == text for said in last)


def is_echo(text: str, own: tuple[str, ...]) -> bool:
    """Return whether ``text`` is what we ourselves said in the lines ``own``."""
    words = text.split()
    if len(words) < ECHO_WORDS:
        return False
    ours = {triple for line in own for triple in _triples(line.split())}
    theirs = _triples(words)
    return sum(triple in ours for triple in theirs) >= ECHO_SHARE * len(theirs)


def _triples(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + 3]) for at in range(len(words) - 2)]
