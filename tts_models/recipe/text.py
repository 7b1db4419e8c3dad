"""Sentences to learn speech from: templates filled with words, the same for the same seed.

A sentence is what Piper hands to a voice in one piece: no full stop inside. Part of them
come without punctuation or capitals, as Pickup's clause splitting can hand them over too;
without such copies a voice hurries through them.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

FOLDER = Path(__file__).parent / "text"
LONGEST = 190
"""Characters; a longer unit never reaches Piper (agent/mouth/units.py)."""
BARE_SHARE = 0.16
"""Part of the sentences that also occur without their punctuation, in lower case."""


def _choices(text: str) -> list[str]:
    return text.split("|")


_ONES = _choices(
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|"
    "fifteen|sixteen|seventeen|eighteen|nineteen"
)
_TENS = _choices("twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety")
_MINUTES = _choices(
    " o'clock|| thirty| fifteen| forty five| twenty| oh five| ten| fifty|"
    " twenty five| thirty five| oh eight"
)
_HALVES = _choices("||| p m| a m| tonight| in the evening| in the morning")
_SIMPLE = _choices("eat|taste the soup|transfer calls|take payments|see your order|drive|cook")
_RESTAURANT = _choices(
    "Hikari Sushi and Ramen|the Golden Dragon|Maple Street Kitchen|Casa {last}|{last}'s Grill|"
    "the {street} Diner|{first}'s Noodle House|Little {town} Bistro|{last} and {last}|"
    "the {adjective} {noun}|Sakura Garden|Taqueria {first}|Pho {last}|the {noun} and {noun}"
)
_REQUEST = _choices(
    "place an order for pickup|order {number} {dish} to go|make a reservation for {party} {date}|"
    "book a table|tell me your hours|tell me how to get there from {street}|buy a gift card|"
    "speak to {name}|leave a message for {first}|order the {dish} without {dish}|"
    "reserve the back room for {occasion np}|check on my order|cancel my table|read me the menu|"
    "send the link to {phone}|pick up an order for {last}"
)


KINDS = {
    "first": "first_names", "last": "last_names", "dish": "dishes", "day": "days",
    "month": "months", "street": "streets", "ordinal": "ordinals", "noun": "nouns",
    "adjective": "adjectives", "verb": "verbs", "adverb": "adverbs", "town": "towns",
    "preposition": "prepositions", "place": "places", "problem": "problems",
    "thing": "things", "occasion": "occasions",
}  # fmt: skip
"""Blanks filled from a list of words.toml, by the list's name."""


def words() -> dict[str, list[str]]:
    """Return the lists of words.toml."""
    text = tomllib.loads((FOLDER / "words.toml").read_text("utf-8"))
    return {
        name: [word.strip() for word in some.replace("\n", " ").split("|")]
        for name, some in text.items()
    }


class Writer:
    """Writes sentences.

    Args:
        seed: The same seed writes the same sentences.
        common: Everyday words; without them no template that needs them is drawn.
    """

    def __init__(self, seed: int, common: Sequence[str] = ()) -> None:
        self._dice = random.Random(seed)
        self._words = words()
        self._common = list(common)
        lines, weights = _templates((FOLDER / "lines.txt").read_text("utf-8"))
        drawn = [at for at, line in enumerate(lines) if common or "{common}" not in line]
        self._lines = [lines[at] for at in drawn]
        self._weights = [weights[at] for at in drawn]
        self._blanks: dict[str, Callable[[], str]] = {
            blank: lambda kind=kind: self._any(kind)  # type: ignore[misc]
            for blank, kind in KINDS.items()
        }
        self._blanks |= {
            "name": lambda: f"{self._any('first_names')} {self._any('last_names')}",
            "number": self._number,
            "digit": lambda: _ONES[self._dice.randrange(1, 10)],
            "digits3": lambda: self._digits(3),
            "digits4": lambda: self._digits(4),
            "digits": lambda: self._digits(self._dice.randint(3, 6)),
            "phone": self._phone,
            "time": self._time,
            "date": self._date,
            "party": self._party,
            "price": self._price,
            "address": self._address,
            "letter": lambda: self._dice.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            "spell": lambda: ", ".join(
                self._dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=self._dice.randint(2, 6))
            ),
            "simple": lambda: self._dice.choice(_SIMPLE),
            "restaurant": lambda: self._dice.choice(_RESTAURANT),
            "request": lambda: self._dice.choice(_REQUEST),
            "thing np": self._noun_phrase,
            "occasion np": lambda: f"a {self._any('occasions')}",
            "a thing": lambda: f"{self._dice.choice(['her', 'his', 'a'])} {self._any('things')}",
            "words": self._some_words,
            "common": lambda: " ".join(
                self._dice.choices(self._common, k=self._dice.randint(1, 6))
            ),
        }

    def sentences(self) -> Iterator[str]:
        """Write sentence after sentence, none twice, for ever."""
        seen: set[str] = set()
        while True:
            template = self._dice.choices(self._lines, self._weights)[0]
            sentence = self._filled(template)
            if sentence in seen or len(sentence) > LONGEST:
                continue
            seen.add(sentence)
            yield sentence
            if self._dice.random() < BARE_SHARE and (bare := _bare(sentence)) not in seen:
                seen.add(bare)
                yield bare

    def _filled(self, template: str) -> str:
        text = template
        while found := re.search(r"\{([^{}]+)\}|\(([^()]*)\)", text):
            blank, choices = found.groups()
            part = self._blanks[blank]() if blank else self._dice.choice(choices.split("|"))
            text = text[: found.start()] + part + text[found.end() :]
        text = re.sub(r"\s+([,.!?])", r"\1", " ".join(text.split()))
        return text[0].upper() + text[1:]

    def _any(self, kind: str) -> str:
        return self._dice.choice(self._words[kind])

    def _number(self) -> str:
        number = self._dice.choice([self._dice.randrange(1, 20), self._dice.randrange(1, 100)])
        return cardinal(number)

    def _digits(self, count: int) -> str:
        zero = self._dice.choice(["zero", "oh", "oh"])
        run = [self._dice.randrange(10) for _ in range(count)]
        return " ".join(_ONES[digit] if digit else zero for digit in run)

    def _phone(self) -> str:
        groups = [self._digits(3), self._digits(3), self._digits(4)]
        return ", ".join(groups[self._dice.choice([0, 0, 0, 1]) :])

    def _time(self) -> str:
        odd = self._dice.random()
        if odd < 0.06:
            return self._dice.choice(["noon", "midnight"])
        if odd < 0.16:
            start = self._dice.choice(["half past ", "quarter to ", "quarter past "])
            return start + _ONES[self._dice.randint(1, 12)]
        hour = _ONES[self._dice.randint(1, 12)]
        return hour + self._dice.choice(_MINUTES) + self._dice.choice(_HALVES)

    def _date(self) -> str:
        day, month = self._any("days"), self._any("months")
        ordinal = self._any("ordinals")
        return self._dice.choice(
            [
                f"on {day}", f"on {day} night", "tomorrow", "tonight", "today", f"next {day}",
                f"this {day}", f"on {month} {ordinal}", f"on {day}, {month} {ordinal}",
                f"the {ordinal} of {month}", f"{day} the {ordinal}",
            ]
        )  # fmt: skip

    def _party(self) -> str:
        count = _ONES[self._dice.randint(2, 16)]
        return count + self._dice.choice(["", " people", " people", " guests", " of us", " adults"])

    def _price(self) -> str:
        dollars, cents = self._number(), cardinal(self._dice.choice([25, 50, 75, 95, 99, 5, 10]))
        return self._dice.choice(
            [f"{dollars} dollars", f"{dollars} dollars and {cents} cents", f"{dollars} {cents}"]
        )

    def _address(self) -> str:
        number = self._dice.choice(
            [
                f"{self._number()} {cardinal(self._dice.randrange(10, 100))}",
                f"{self._number()} hundred",
                f"{cardinal(self._dice.randrange(10, 100))} oh {self._blanks['digit']()}",
                self._number(),
                self._digits(4),
            ]
        )
        direction = self._dice.choice(["", "", "North ", "South ", "East ", "West "])
        return f"{number} {direction}{self._any('streets')} {self._any('street_kinds')}"

    def _noun_phrase(self) -> str:
        start = self._dice.choice(
            ["the", "the", "a", "my", "her", "their", "every", "this", "that", "no", "our", "your"]
        )
        some = [self._any("adjectives") for _ in range(self._dice.choice([0, 1, 1, 2]))]
        return " ".join([start, *some, self._any("nouns")])

    def _some_words(self) -> str:
        kinds = list(self._words)
        return " ".join(
            self._any(self._dice.choice(kinds)) for _ in range(self._dice.randint(2, 8))
        )


def cardinal(number: int) -> str:
    """Return a whole number below 100 in words."""
    if number < 20:
        return _ONES[number]
    tens = _TENS[number // 10 - 2]
    return f"{tens} {_ONES[number % 10]}" if number % 10 else tens


def _bare(sentence: str) -> str:
    return re.sub(r"[,.!?]", "", sentence).lower()


def _templates(text: str) -> tuple[list[str], list[float]]:
    """Return the templates and how often each is to be drawn."""
    lines: list[str] = []
    weights: list[float] = []
    groups: list[tuple[float, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("== "):
            groups.append((float(line.split()[1]), []))
        elif line.strip() and not line.startswith("#"):
            groups[-1][1].append(line.strip())
    for weight, templates in groups:
        lines += templates
        weights += [weight / len(templates)] * len(templates)
    return lines, weights
