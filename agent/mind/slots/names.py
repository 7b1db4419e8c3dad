"""Callers' names out of spoken words, spelled ones included."""

from __future__ import annotations

import re
from typing import Final

from agent.mind.slots.words import UNITS, after_correction, number_at, tokens

_LEADS: Final = re.compile(
    r"\b(?:my name is|my name's|my name|the name is|the name's|name is|name's|name"
    r"|this is|it is|it's|its|i am|i'm|call me|under|for|you can say|that's|that is"
    r"|put it under|make it)\b"
)
_FILLERS: Final = frozenset(
    ["um", "uh", "uhm", "er", "yeah", "yes", "yep", "sure", "okay", "ok", "hi", "hello", "hey",
     "please", "thanks", "thank", "you", "sir", "ma'am", "well", "so", "oh", "first", "last",
     "and", "the", "is", "just", "mister", "mr", "mrs", "ms", "miss", "calling", "speaking",
     "here", "spelled", "spell", "spelling", "with", "a", "that's", "it's", "again", "like"]
)  # fmt: skip
_LETTER_NAMES: Final = {
    "bee": "b", "cee": "c", "see": "c", "dee": "d", "gee": "g", "jay": "j", "kay": "k",
    "el": "l", "em": "m", "en": "n", "pee": "p", "cue": "q", "ar": "r", "ess": "s", "tee": "t",
    "tea": "t", "you": "u", "vee": "v", "ex": "x", "why": "y", "zee": "z", "oh": "o",
}  # fmt: skip
_MOST_WORDS: Final = 3


def read_name(text: str) -> str:
    """Return the name said in ``text``, in title case; empty if none can be made out.

    A spelling wins over the spoken name: "john, j o n" is "Jon". "b as in boy" is a B.
    After a correction the later name counts.
    """
    for part in after_correction(tokens(text)):
        name = _spelled(part) or _spoken(part)
        if name:
            return name
    return ""


def _spelled(words: list[str]) -> str:
    """Return the name spelled letter by letter in ``words``; two letters at least."""
    letters: list[str] = []
    best: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        repeat = 2 if word == "double" else 1
        at = index + repeat - 1
        letter = _letter(words, at, inside=bool(letters))
        if letter:
            letters += [letter] * repeat
            index = at + 1
            if words[index : index + 2] in (["as", "in"], ["for", "like"]) or (
                words[index : index + 1] in (["for"], ["like"]) and len(words) > index + 1
            ):
                index += 3 if words[index : index + 2] == ["as", "in"] else 2
            continue
        best = max(best, letters, key=len)
        letters = []
        index += 1
    best = max(best, letters, key=len)
    return "".join(best).capitalize() if len(best) > 1 else ""


def _letter(words: list[str], index: int, *, inside: bool) -> str:
    if index >= len(words):
        return ""
    word = words[index]
    following = words[index + 1] if index + 1 < len(words) else ""
    if len(word) == 1 and word.isalpha():
        # "i" and "a" begin sentences too: a lone one counts only beside another letter.
        if word in "ai" and not inside and not (len(following) == 1 or following == "as"):
            return ""
        return word
    # Words that sound like letters count only within a spelling.
    return _LETTER_NAMES.get(word, "") if inside else ""


def _spoken(words: list[str]) -> str:
    text = " ".join(words)
    cut = [match.end() for match in _LEADS.finditer(text)]
    rest = text[cut[-1] :] if cut else text
    kept: list[str] = []
    for word in rest.split():
        if word in _FILLERS:
            if kept:
                break
            continue
        if not re.fullmatch(r"[a-z]+(?:'[a-z]+)?", word) or word in UNITS or number_at([word], 0):
            break
        kept.append(word)
    if not 1 <= len(kept) <= _MOST_WORDS:
        return ""
    return " ".join(word.capitalize() for word in kept)
