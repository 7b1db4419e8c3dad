"""Makes sentences as callers say them from wordings and fillers, the same ones every time.

Wordings are text files: ``(a|b|)`` is a choice, ``{slot}`` a filler. Everything comes out
in small letters with numbers as words, the way the recogniser writes.
"""

from __future__ import annotations

import itertools
import random
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
TEXT: Final = HERE / "text"
ROOT: Final = HERE.parent.parent
MIND: Final = ROOT / "llm_models" / "house"
"""The mind's wordings: what it can understand, the ear should be able to hear."""

ONES: Final = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS: Final = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
DAYS: Final = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
MONTHS: Final = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
ORDINALS: Final = [
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
]
TESTED: Final = (
    HERE / "heldout" / "sentences.txt",
    ROOT / "evals" / "callers" / "lines.toml",
    HERE / "heldout" / "prompts.txt",
)

SHORTEST_KEPT_OUT: Final = 3
"""Test sentences of fewer words ("yes", "no thanks") are everybody's and stay in the text."""


MIND_WEIGHT: Final = 0.5
"""A line of the mind's wordings weighs this much of a line of ours."""

OPENER_SHARE: Final = 0.22
CLOSER_SHARE: Final = 0.09
JOINED_SHARE: Final = 0.12
BROKEN_SHARE: Final = 0.05
"""Shares of sentences with something before, after, another one behind, or broken off."""


def below_hundred(number: int) -> str:
    """Return ``number`` (0 to 99) in words."""
    if number < len(ONES):
        return ONES[number]
    if number < 20:
        return TEENS[number - 10]
    tens, ones = divmod(number, 10)
    return TENS[tens - 2] + (f" {ONES[ones]}" if ones else "")


def as_heard(text: str) -> str:
    """Return ``text`` in small letters with digits as words and no punctuation."""
    text = text.lower().replace("\u2019", "'")
    text = re.sub(r"\b(\d{1,2})\b", lambda m: below_hundred(int(m[1])), text)
    text = re.sub(r"\d", lambda m: f" {ONES[int(m[0])]} ", text)
    words = re.sub(r"[^a-z' ]", " ", text).split()
    return " ".join(word.strip("'") if word != "'" else "" for word in words).strip()


def kept_out() -> set[str]:
    """Return the sentences of the tests, which must not be in the text."""
    sentences = [line for line in TESTED[0].read_text(encoding="utf-8").splitlines() if line]
    for section in tomllib.loads(TESTED[1].read_text(encoding="utf-8")).values():
        sentences += section.values()
    prompts = TESTED[2].read_text(encoding="utf-8").splitlines()
    sentences += [line.partition(" ")[2] for line in prompts if not line.startswith("#")]
    heard = {as_heard(sentence) for sentence in sentences}
    return {sentence for sentence in heard if len(sentence.split()) >= SHORTEST_KEPT_OUT}


class Speaker:
    """Draws sentences.

    Args:
        seed: Same seed, same sentences.
        firsts: First names with weights.
        lasts: Last names with weights.
    """

    def __init__(
        self, seed: int, firsts: Sequence[tuple[str, float]], lasts: Sequence[tuple[str, float]]
    ) -> None:
        self._random = random.Random(seed)
        self._firsts = ([name for name, _ in firsts], [weight for _, weight in firsts])
        self._lasts = ([name for name, _ in lasts], [weight for _, weight in lasts])
        self._lists: dict[str, list[str]] = {
            **tomllib.loads((MIND / "data" / "fillers.toml").read_text(encoding="utf-8")),
            **tomllib.loads((TEXT / "slots.toml").read_text(encoding="utf-8")),
        }
        self._made: dict[str, Callable[[], str]] = {
            "address": self._address,
            "bigsize": lambda: self._one((self._count(), "a hundred", "fifty", "two hundred")),
            "card": lambda: self._digits(16),
            "count": self._count,
            "day": lambda: self._one(DAYS),
            "digit": lambda: self._one(ONES[1:]),
            "digits": lambda: self._digits(self._random.randint(2, 7)),
            "first": lambda: self._name(self._firsts),
            "item": self._item,
            "items": lambda: self._one((self._item(), f"{self._item()} and {self._item()}")),
            "last": lambda: self._name(self._lasts),
            "letter": self._letter,
            "month": lambda: self._one(MONTHS),
            "name": self._full_name,
            "number": self._number,
            "ordinal": self._ordinal,
            "party": self._party,
            "people": self._people,
            "phone": self._phone,
            "size": self._people,
            "spelled": lambda: " ".join(self._letter() for _ in range(self._random.randint(2, 8))),
            "street": self._street,
            "time": self._time,
            "when": self._when,
            "zip": lambda: self._digits(5),
        }

    def sentence(self, wording: str) -> str:
        """Return ``wording`` with its choices and slots filled."""
        text = re.sub(r"\{braces\}", "", wording)
        for _ in range(8):
            text, chosen = re.subn(
                r"\(([^()]*)\)", lambda m: self._random.choice(m[1].split("|")), text
            )
            text, filled = re.subn(r"\{(\w+)\}", lambda m: self._fill(m[1]), text)
            if not chosen and not filled:
                break
        return as_heard(self._random.choice(text.split("|")))

    def turn(self, cores: Callable[[], str]) -> str:
        """Return a caller's turn: one or two sentences with what people put around them."""
        draw = self._random.random
        text = cores()
        if draw() < JOINED_SHARE:
            text = f"{text} {self._one(self._lists['joint'])} {cores()}"
        if draw() < OPENER_SHARE:
            text = f"{self._one(self._lists['opener'])} {text}"
        if draw() < CLOSER_SHARE:
            text = f"{text} {self._one(self._lists['closer'])}"
        words = text.split()
        if draw() < BROKEN_SHARE and len(words) > 3:
            words = words[: self._random.randint(2, len(words) - 1)]
        return " ".join(words)

    # ── inside ──────────────────────────────────────────────────────────────────────────

    def _one(self, of: Sequence[str]) -> str:
        return self._random.choice(of)

    def _fill(self, slot: str) -> str:
        return self._made[slot]() if slot in self._made else self._one(self._lists[slot])

    def _name(self, names: tuple[list[str], list[float]]) -> str:
        return self._random.choices(*names)[0]

    def _full_name(self) -> str:
        first, last = self._name(self._firsts), self._name(self._lasts)
        return self._random.choices((first, f"{first} {last}", last), (4, 4, 1))[0]

    def _letter(self) -> str:
        return self._random.choices(
            "abcdefghijklmnopqrstuvwxyz", (8, 2, 3, 4, 12, 2, 2, 6, 7, 1, 2, 4, 3, 7, 7, 2, 1, 6,
                                           6, 8, 3, 1, 2, 1, 2, 1)
        )[0]  # fmt: skip

    def _digits(self, count: int) -> str:
        zero = self._one(("zero", "oh"))
        return " ".join(
            digit if digit != "zero" else zero for digit in self._random.choices(ONES, k=count)
        )

    def _four(self) -> str:
        """Return the last four digits of a number the way people group them."""
        pair = below_hundred(self._random.randint(10, 99))
        return self._random.choices(
            (
                self._digits(4),
                f"oh one {self._digits(2)}",
                f"zero one {self._digits(2)}",
                f"{pair} {below_hundred(self._random.randint(10, 99))}",
                f"{self._one(ONES[1:])} thousand",
                f"{self._one(ONES[1:])} hundred",
                f"double {self._digits(1)} {self._digits(2)}",
                f"{self._digits(2)} double {self._digits(1)}",
                f"{self._digits(2)} {pair}",
            ),
            (12, 4, 4, 3, 1, 1, 2, 2, 1),
        )[0]

    def _phone(self) -> str:
        area = self._random.choices(
            ("three one six", "six two zero", "six two oh", "seven eight five", "nine one three",
             self._digits(3), f"{self._one(ONES[1:])} hundred"),
            (5, 2, 1, 2, 2, 9, 1),
        )[0]  # fmt: skip
        exchange = self._random.choices(
            ("five five five", "triple five", "double five five", "five double five",
             self._digits(3), f"{self._one(ONES[1:])} hundred"),
            (6, 1, 1, 1, 8, 1),
        )[0]  # fmt: skip
        last = self._four()
        return self._random.choices(
            (
                f"{area} {exchange} {last}",
                f"area code {area} {exchange} {last}",
                f"one {area} {exchange} {last}",
                f"{exchange} {last}",
                f"{area} {exchange}",
                f"{area} um {exchange} {last}",
                last,
            ),
            (12, 2, 1, 3, 1, 1, 2),
        )[0]

    def _count(self) -> str:
        return below_hundred(
            self._one((1, 2, 3, 4, 5, 10, 15, 20, 25, 30, 40, 45, 50, 60))
            if self._random.random() < 0.7
            else self._random.randint(1, 99)
        )

    def _number(self) -> str:
        hundred = f"{self._one(ONES[1:])} hundred"
        return self._one(
            (self._count(), self._count(), below_hundred(self._random.randint(0, 99)), hundred,
             f"{hundred} and {self._count()}")
        )  # fmt: skip

    def _time(self) -> str:
        hour = self._one((*ONES[4:], *ONES[1:], *TEENS[:3], *ONES[5:9]))
        minute = self._random.choices(
            ("", "thirty", "fifteen", "forty five", "o'clock", "oh five",
             below_hundred(self._random.randint(10, 59))),
            (12, 6, 3, 2, 3, 1, 3),
        )[0]  # fmt: skip
        part = self._random.choices(
            ("", "p m", "a m", "tonight", "in the evening", "in the afternoon", "in the morning",
             "at night", "ish"),
            (16, 5, 1, 2, 1, 1, 1, 1, 1),
        )[0]  # fmt: skip
        return self._random.choices(
            (
                f"{hour} {minute} {part}",
                f"half past {hour}",
                f"quarter {self._one(('to', 'past', 'after', 'till'))} {hour}",
                f"{self._one(('ten', 'five', 'twenty'))} {self._one(('to', 'past'))} {hour}",
                self._one(("noon", "midnight", "lunch time", "dinner time")),
            ),
            (16, 2, 2, 1, 1),
        )[0]

    def _ordinal(self) -> str:
        return self._one(
            (*ORDINALS, *(f"twenty {o}" for o in ORDINALS[:9]), "thirtieth", "thirty first")
        )

    def _when(self) -> str:
        day = self._one(DAYS)
        month = self._one(MONTHS)
        part = self._one(("night", "evening", "afternoon", "morning", "at lunch", "for dinner"))
        return self._random.choices(
            (
                day, f"this {day}", f"next {day}", f"{day} {part}", "tonight", "tomorrow",
                "today", f"tomorrow {part}", "this weekend", f"{month} {self._ordinal()}",
                f"the {self._ordinal()}", f"the {self._ordinal()} of {month}",
                f"{day} the {self._ordinal()}", f"{day} {month} {self._ordinal()}",
                self._one(("this evening", "later tonight", "this afternoon", "next week",
                           "the day after tomorrow", "in two weeks", "next month", "in an hour",
                           "in half an hour", "right now", "a week from today")),
                f"{self._one(('two weeks', 'a week', 'three weeks'))} from {day}",
                self._one(self._lists["holiday"]),
            ),
            (8, 3, 3, 5, 6, 5, 3, 4, 2, 3, 2, 1, 2, 1, 5, 1, 2),
        )[0]  # fmt: skip

    def _people(self) -> str:
        few = self._one((*ONES[1:], *ONES[2:9], *TEENS[:3], *ONES[2:7]))
        return self._random.choices(
            (few, f"{few} or {self._one(ONES[2:])}", "a couple", "just two", "just me",
             "me and my wife", "me and my husband", "the two of us", "ten or twelve",
             below_hundred(self._random.randint(10, 40))),
            (24, 2, 1, 1, 1, 1, 1, 1, 1, 4),
        )[0]  # fmt: skip

    def _party(self) -> str:
        people = self._people()
        return self._one(
            (f"{people} people", f"a party of {people}", f"{people} of us", people,
             f"{people} adults and {self._one(ONES[1:5])} kids", f"{people} guests",
             f"a table for {people}")
        )  # fmt: skip

    def _street(self) -> str:
        lists = self._lists
        return f"{self._one(lists['street_name'])} {self._one(lists['street_kind'])}"

    def _address(self) -> str:
        house = self._one(
            (below_hundred(self._random.randint(1, 99)), self._digits(3), self._digits(4),
             f"{below_hundred(self._random.randint(10, 99))} "
             f"{below_hundred(self._random.randint(10, 99))}")
        )  # fmt: skip
        side = self._one(("", "", "east ", "west ", "north ", "south "))
        more = self._one(("", "", "", f" apartment {self._count()}", f" unit {self._count()}"))
        return f"{house} {side}{self._street()}{more}"

    def _item(self) -> str:
        lists, draw = self._lists, self._random.random
        drink = draw() < 0.15
        item = self._fill("drink" if drink else "dish")
        if draw() < 0.15:
            item = f"{self._one(lists['portion'])} {item}"
        with_what = draw()
        topping, other = self._one(lists["topping"]), self._one(lists["topping"])
        if drink:
            pass
        elif with_what < 0.10:
            item += f" with {topping}"
        elif with_what < 0.17:
            item += f" {self._one(('no', 'with no', 'without', 'hold the'))} {topping}"
        elif with_what < 0.21:
            item += f" with {topping} and {other}"
        elif with_what < 0.24:
            item += f" {self._one(lists['style'])}"
        elif with_what < 0.26:
            item += f" with {topping} on the side"
        much = self._random.choices(
            ("a", "an order of", "one", "two", "three", "four", "five", "six", "a couple of",
             "some", "the", "another", "two orders of", "a bowl of", "one order of", "a side of",
             "half a dozen", "a dozen", "ten", ""),
            (16, 5, 8, 12, 6, 4, 2, 3, 4, 6, 6, 2, 3, 2, 2, 3, 1, 1, 1, 10),
        )[0]  # fmt: skip
        many = much in {"two", "three", "four", "five", "six", "a couple of", "some", "ten"}
        if many and " " in item and " with" not in item and not item.endswith("s"):
            item += "s" if draw() < 0.6 else ""
        return f"{much} {item}".strip()


def wordings() -> Iterator[tuple[str, float]]:
    """Yield all wordings with their weights: the house's, then the mind's."""
    for file in sorted(TEXT.glob("*.txt")):
        yield from _sections(file)
    for file in sorted((MIND / "data").rglob("*.txt")):
        if file.stem == "unclear":  # what a bad ear heard, not what was said
            continue
        for line, _ in _sections(file):
            yield line, MIND_WEIGHT
    examples = tomllib.loads((MIND / "examples.toml").read_text(encoding="utf-8"))
    worlds = (
        tomllib.loads(file.read_text(encoding="utf-8"))
        for file in sorted((ROOT / "evals" / "worlds").glob("*.toml"))
    )
    for lines in examples.values():
        if isinstance(lines, list):
            yield from ((line, MIND_WEIGHT) for line in lines if isinstance(line, str))
    for world in worlds:
        for fact in world.get("facts", ()):
            yield from ((asked, MIND_WEIGHT) for asked in fact["asked"])


def _sections(file: Path) -> Iterator[tuple[str, float]]:
    """Yield a file's wordings; a section's share is spread over its lines."""
    sections: list[tuple[float | None, list[str]]] = [(None, [])]
    for raw in file.read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        head = re.fullmatch(r"\[([a-z_ ]+?)(?: (\d+))?\]", line)
        if head:
            sections.append((float(head[2]) if head[2] else None, []))
        else:
            sections[-1][1].append(line)
    for share, lines in sections:
        for line in lines:
            yield line, (share / len(lines) if share else 1.0)


def turns(
    many: int,
    seed: int,
    firsts: Sequence[tuple[str, float]],
    lasts: Sequence[tuple[str, float]],
) -> Iterator[str]:
    """Yield what callers say, the same every time, none of it from the tests.

    Args:
        many: Turns to draw; the few that are test sentences are not replaced.
        seed: Same seed, same turns.
        firsts: First names with weights.
        lasts: Last names with weights.
    """
    speaker = Speaker(seed, firsts, lasts)
    lines, weights = zip(*wordings(), strict=True)
    cumulated = list(itertools.accumulate(weights))
    chance = random.Random(seed + 1)
    tested = kept_out()

    def core() -> str:
        while True:
            [line] = chance.choices(lines, cum_weights=cumulated)
            sentence = speaker.sentence(line)
            if sentence and sentence not in tested:
                return sentence

    for _ in range(many):
        turn = speaker.turn(core)
        if turn not in tested:
            yield turn
