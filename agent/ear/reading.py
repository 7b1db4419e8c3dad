"""How a word sounds that no list knows: dishes and names, read as they are written.

What English dictionaries lack on a menu is mostly Japanese, Spanish or Italian, and those are
spelled by rule; so are respellings such as ``heekaari`` or ``hee-kah-ree``. English words that
are spelled by custom are in the model's own lists, which are asked first.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from agent.ear.lexicon import Pronunciation

_VOWELS: Final = "aeiouy"

_SPELLINGS: Final = {
    # respellings and doubled vowels
    "aa": "AA", "ah": "AA", "ai": "AY", "ay": "EY", "au": "AW", "aw": "AO", "ea": "IY",
    "ee": "IY", "eh": "EH", "ei": "EY", "ew": "UW", "ey": "EY", "eye": "AY", "igh": "AY",
    "ie": "IY", "ih": "IH", "ii": "IY", "oa": "OW", "oh": "OW", "oi": "OY", "oo": "UW",
    "ou": "OW", "ow": "AW", "oy": "OY", "uh": "AH", "uu": "UW", "ar": "AA R", "er": "ER",
    "ir": "IH R", "or": "AO R", "ur": "UH R",
    "a": "AA", "e": "EH", "i": "IY", "o": "OW", "u": "UW",
    # consonants
    "b": "B", "bb": "B", "c": "K", "cc": "K", "ch": "CH", "ck": "K", "cch": "K", "d": "D",
    "dd": "D", "f": "F", "ff": "F", "g": "G", "gg": "G", "gh": "G", "gn": "N Y", "h": "HH",
    "j": "JH", "k": "K", "kh": "K", "kk": "K", "l": "L", "ll": "L", "m": "M", "mm": "M",
    "n": "N", "nn": "N", "ng": "NG G", "nk": "NG K", "p": "P", "ph": "F", "pp": "P", "q": "K",
    "qu": "K W", "r": "R", "rh": "R", "rr": "R", "s": "S", "sch": "SH", "sh": "SH", "ss": "S",
    "t": "T", "tch": "CH", "th": "TH", "ts": "T S", "tt": "T", "tz": "T S", "v": "V", "w": "W",
    "wh": "W", "x": "K S", "y": "Y", "z": "Z", "zz": "T S",
}  # fmt: skip

_LONGEST: Final = max(map(len, _SPELLINGS))


def plain(word: str) -> str:
    """Return ``word`` in small letters without accents: ``jalapeño`` is ``jalapeno``."""
    bare = unicodedata.normalize("NFKD", word.replace("ñ", "ny") if "ñ" in word else word)
    return re.sub(r"[^a-z' -]", "", bare.lower().replace("\u2019", "'"))


def readings(word: str) -> list[Pronunciation]:
    """Return how ``word`` may be said, likeliest first; none if it has no vowel.

    Args:
        word: As written, or respelled; hyphens part syllables.
    """
    text = plain(word)
    first = tuple(_sounds(text))
    if not any(sound[0] in "AEIOU" for sound in first):
        return []
    if first[-1] == "AA":
        return [first, (*first[:-1], "AH")]
    if re.search(r"[^aeiou]e$", text) and len(first) > 2:
        # "karaage" ends in a vowel, "brioche" doesn't.
        return [(*first[:-1], "EY"), first[:-1]]
    return [first]


def _sounds(text: str) -> list[str]:
    sounds: list[str] = []
    for part in re.split(r"[ '-]+", text):
        at = 0
        while at < len(part):
            spelling = next(
                part[at : at + length]
                for length in range(_LONGEST, 0, -1)
                if _fits(part, at, length)
            )
            at += len(spelling)
            sounds += _said(part, at, spelling).split()
    return sounds


def _fits(part: str, at: int, length: int) -> bool:
    spelling = part[at : at + length]
    if len(spelling) < length or spelling not in _SPELLINGS:
        return False
    after = part[at + length : at + length + 1]
    if spelling[-1] in "hry" and spelling[0] in _VOWELS and length == 2:
        # "kara" is ka-ra, "karma" is kar-ma; "sahkay" is sah-kay, "tahini" is ta-hi-ni; "ramboy"
        # ends in oy, "takoyaki" is ta-ko-ya-ki.
        return not after or after not in _VOWELS + "r"
    return True


def _said(part: str, end: int, spelling: str) -> str:
    """Return the sounds of ``spelling``, which ends before ``end`` in ``part``."""
    after = part[end : end + 1]
    before = part[: end - len(spelling)]
    if spelling == "c" and after and after in "eiy":
        return "S"
    if spelling == "y" and (not after or after not in _VOWELS):
        return "IY"
    if spelling == "h" and (not after or after not in _VOWELS):
        return ""
    if spelling == "ng" and not after:
        return "NG"
    if spelling == "e" and not after and before:
        return "EY"
    return _SPELLINGS[spelling]
