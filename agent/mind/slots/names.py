"""Callers' names out of spoken words, spelled ones included."""

from __future__ import annotations

import re
from typing import Final

from agent.mind.slots.words import UNITS, after_correction, number_at, tokens

_LEADS: Final = re.compile(
    r"\b(?:(?:the )?name (?:i|we) (?:used|gave)(?: was| is)?"
    r"|my name is|my name's|my name|the name is|the name's|name is|name's|name of|name"
    r"|calls me|you (?:may|can|could) (?:write|put|note)|(?:just )?(?:write|put)(?: down)?"
    r"|this is|it is|it's|its|i am|i'm|call me|under|for|you can say|that's|that is"
    r"|put it under|make it(?: out to)?|(?:that|it|this)(?:'d| would| will|'ll) be|call it"
    r"|(?:i )?go(?:es)? by|(?:let's|we'll|i'll) (?:go with|say|use)|(?:just )?say"
    r"|last name(?: is|'s)?|husband's name|wife's name|down as|knows? me as|which is"
    r"|(?:for )?my boss)\b"
)
_FILLERS: Final = frozenset(
    ["um", "uh", "uhm", "er", "yeah", "yes", "yep", "sure", "okay", "ok", "hi", "hello", "hey",
     "please", "thanks", "thank", "you", "sir", "ma'am", "well", "so", "oh", "first", "last",
     "and", "the", "is", "just", "mister", "mr", "mrs", "ms", "miss", "calling", "speaking",
     "here", "spelled", "spell", "spelling", "with", "a", "that's", "it's", "again", "like",
     "doctor", "dr", "mister", "me", "actually", "order", "only", "just"]
)  # fmt: skip
_PAST_A_NAME: Final = frozenset(
    ["i", "i've", "i'd", "we", "we'd", "we're", "at", "on", "for", "to", "if", "or", "but", "would",
     "can", "could", "do", "does", "party", "table", "tonight", "tomorrow", "today", "about",
     "from", "in", "will", "works", "my", "what", "where", "when", "how", "is", "are",
     "guess", "there", "double"]
)  # fmt: skip
"""Words that no name holds: it ends before them."""
_INTRODUCED: Final = re.compile(
    r"\b(?:name (?:is|will be|would be)|name's"
    r"|name (?:for|on) (?:the|my|this) \w+ (?:is|will be|would be)"
    r"|under the name(?: of)?|(?:the|in the) name of|name of)\b(.*)"
)
_LETTER_NAMES: Final = {
    "bee": "b", "cee": "c", "see": "c", "dee": "d", "gee": "g", "jay": "j", "kay": "k",
    "el": "l", "em": "m", "en": "n", "pee": "p", "cue": "q", "ar": "r", "ess": "s", "tee": "t",
    "tea": "t", "you": "u", "vee": "v", "ex": "x", "why": "y", "zee": "z", "oh": "o",
}  # fmt: skip
MOST_SPELLED: Final = 20
"""Words after "my name is" in which a spelling is looked for."""
_MOST_WORDS: Final = 3


_BOTH: Final = re.compile(
    r"\bfirst name(?: is|'s)? ([a-z']+)(?: and)?(?: my| the)?"
    r" (?:last name|surname)(?: is|'s)? ([a-z']+)\b"
)


def read_name(text: str) -> str:
    """Return the name said in ``text``, in title case; empty if none can be made out.

    A spelling wins over the spoken name: "john, j o n" is "Jon". "b as in boy" is a B.
    After a correction the later name counts.
    """
    words = tokens(text)
    if both := _BOTH.search(" ".join(words)):
        return " ".join(word.capitalize() for word in both.groups())
    if "not" in words[1:]:  # "Joe, not John"
        words = words[: words.index("not", 1)]
    for part in after_correction(words):
        name = _spelled(part) or _spoken(part)
        if name:
            return name
    return ""


def read_introduced(text: str) -> str:
    """Return the name that ``text`` says is one ("under the name of Osei"); empty if it doesn't."""
    found = _INTRODUCED.search(" ".join(tokens(text)))
    if both := _BOTH.search(" ".join(tokens(text))):
        return " ".join(word.capitalize() for word in both.groups())
    if found is None:
        return ""
    words = found.group(1).split()
    return _spelled(words[:MOST_SPELLED]) or _front(words)


def _spelled(words: list[str]) -> str:
    """Return the name spelled letter by letter in ``words``; two letters at least."""
    letters: list[str] = []
    best: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        if word == "with" and words[index + 1 : index + 2] == ["a"]:
            index += 3  # "Katherine with a K"
            continue
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
    if len(best) == 2 and _tells_spelling(words):
        return ""
    return "".join(best).capitalize() if len(best) > 1 else ""


def _tells_spelling(words: list[str]) -> bool:
    """Return whether the letters only add to a name before them: "Smith, double t"."""
    at = words.index("double") if "double" in words else 0
    return at > 0 and len(words[at - 1]) > 1 and words[at - 1] not in _FILLERS


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
    return _front((text[cut[-1] :] if cut else text).split())


def _front(words: list[str]) -> str:
    """Return the name that ``words`` begin with."""
    kept: list[str] = []
    for word in words:
        if word in _FILLERS or word in _PAST_A_NAME:
            if kept:
                break
            continue
        if not re.fullmatch(r"[a-z]+(?:'[a-z]+)?", word) or word in UNITS or number_at([word], 0):
            break
        kept.append(word)
    if not 1 <= len(kept) <= _MOST_WORDS:
        return ""
    return " ".join(word.capitalize() for word in kept)
