"""The acoustic model's phones and transition ids.

They must be those ``am/final.mdl`` was trained with: 39 phones of cmudict in four word
positions, silence, spoken noise; one state per phone that sounds once ("forward") and then
may loop; 12 classes of left context.
"""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import Final

SILENCE: Final = "SIL"
NOISE: Final = "SPN"

SOUNDS: Final = [
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY",
    "F", "G", "HH", "IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY",
    "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
]  # fmt: skip
BASES: Final = [SILENCE, NOISE, *SOUNDS]

PHONES: Final = [
    "<eps>",
    SILENCE,
    f"{NOISE}_S",
    *chain.from_iterable((f"{s}_B", f"{s}_E", f"{s}_I", f"{s}_S") for s in SOUNDS),
]
PHONE_ID: Final = {phone: number for number, phone in enumerate(PHONES)}

LOOP: Final = 0.5
"""Probability of a state's self-loop in the transition model."""

_CLASSES: Final = (
    "SIL SPN", "P T K", "B D G", "F TH S SH CH HH", "V DH Z ZH JH", "M N NG", "L", "R ER",
    "W UW UH OW AW", "Y IY IH EY AY OY", "EH AE", "AA AO AH",
)  # fmt: skip
CLASS_COUNT: Final = len(_CLASSES)
CLASS_OF: Final = {base: c for c, bases in enumerate(_CLASSES) for base in bases.split()}


@cache
def base_of(phone: int) -> int:
    """Return the number of the sound, whatever its position in the word."""
    return BASES.index(PHONES[phone].split("_")[0])


def in_word(sounds: tuple[str, ...]) -> list[int]:
    """Return a word's phones with their positions marked."""
    if len(sounds) == 1:
        return [PHONE_ID[f"{sounds[0]}_S"]]
    middle = [f"{sound}_I" for sound in sounds[1:-1]]
    return [PHONE_ID[p] for p in (f"{sounds[0]}_B", *middle, f"{sounds[-1]}_E")]


def class_of(phone: int) -> int:
    """Return the class that ``phone`` is to the sound after it."""
    return CLASS_OF[BASES[base_of(phone)]]


class Transitions:
    """Numbers of the transition model: per phone and left context one state, two transitions."""

    def __init__(self) -> None:
        pdfs: dict[tuple[int, int], int] = {}
        for base, name in enumerate(BASES):
            contexts = [0] if name in {SILENCE, NOISE} else range(CLASS_COUNT)
            for context in contexts:
                pdfs[(context, base)] = 2 * len(pdfs)
        tuples = sorted(
            (phone, pdf)
            for phone in range(1, len(PHONES))
            for (_, base), pdf in pdfs.items()
            if base == base_of(phone)
        )
        self._pdfs = pdfs
        self._states = {key: number for number, key in enumerate(tuples, start=1)}
        self.count = 2 * len(tuples)

    def forward(self, left: int, phone: int) -> int:
        """Return the id of entering ``phone`` after ``left`` (0: nothing before)."""
        return self.forward_after(class_of(left) if left else 0, phone)

    def forward_after(self, context: int, phone: int) -> int:
        """Return the id of entering ``phone`` after a sound of class ``context`` (0: silence)."""
        base = base_of(phone)
        if BASES[base] in {SILENCE, NOISE}:
            context = 0
        return 2 * self._states[(phone, self._pdfs[(context, base)])]

    @staticmethod
    def loop(forward: int) -> int:
        """Return the id of the self-loop that belongs to a forward id."""
        return forward - 1
