"""Turns the plain wording files into labelled caller turns, the same ones every time.

A file in ``house/data/moves`` holds wordings of one move; ``(a|b|)`` is a choice and
``{when}`` a filler from ``fillers.toml``. ``topics.txt`` holds questions by topic.
Lines, not turns, are split into training and development: what calibrates thresholds has
never been seen in training in any variant.
"""

from __future__ import annotations

import random
import re
import tomllib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from apart import HeldOut

from agent.events import Expect

HOUSE: Final = Path(__file__).resolve().parent.parent / "house"
DATA: Final = HOUSE / "data"

APART: Final = HeldOut(HOUSE / "heldout")
"""What is nearly a held-out turn is not taught, whoever wrote it."""

DEV_SHARE: Final = 0.12
"""Share of the lines kept for calibration."""

ASKS: Final = "asks"
"""Label of a question; whether a fact answers it is decided elsewhere."""

SLOT_OF: Final = {
    "name": "name",
    "phone": "phone",
    "size": "size",
    "bigsize": "size",
    "when": "when",
}

DIGITS: Final = ("oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Wording:
    """One line of a data file.

    Attributes:
        label: Move name, or `ASKS`.
        line: The template.
        topic: For questions, what they are about.
        dev: Whether it is kept for calibration.
    """

    label: str
    line: str
    topic: str = ""
    dev: bool = False


@dataclass(frozen=True)
class Turn:
    """A labelled caller turn.

    Attributes:
        text: What is heard.
        expect: What had been asked.
        labels: Moves in the order they were said.
        topics: Topics of the questions in it.
        spans: Slot name and words.
        dev: Whether it is kept for calibration.
        parts: The texts of its needs, where there are several.
        line: The wording it came from, where it is one.
    """

    text: str
    expect: Expect
    labels: tuple[str, ...]
    topics: tuple[str, ...] = ()
    spans: tuple[tuple[str, str], ...] = ()
    dev: bool = False
    parts: tuple[str, ...] = field(default=())
    line: str = ""


def is_dev(line: str) -> bool:
    """Return whether a line is kept for calibration; decided by its words alone."""
    return zlib.crc32(line.encode()) % 1000 < DEV_SHARE * 1000


def read_lines(path: Path) -> list[str]:
    """Return the lines of a data file without comments and blanks."""
    lines = path.read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def read_wordings() -> list[Wording]:
    """Return every wording of every move and topic."""
    wordings = []
    for path in sorted((DATA / "moves").glob("*.txt")):
        wordings += [Wording(path.stem, line, dev=is_dev(line)) for line in read_lines(path)]
    topic = ""
    for line in read_lines(DATA / "topics.txt"):
        if line.startswith("["):
            topic = line.strip("[]")
        else:
            wordings.append(Wording(ASKS, line, topic, is_dev(line)))
    wordings += [Wording(ASKS, line, dev=is_dev(line)) for line in read_lines(DATA / "unknown.txt")]
    return wordings


def read_several() -> list[Turn]:
    """Return the turns with several needs that were written whole."""
    turns = []
    for line in read_lines(DATA / "several.txt"):
        said, kinds = line.split("\t")
        text = re.sub(r"\[\w+:([^\]]*)\]", r"\1", said)
        names = kinds.split(",")
        labels = [
            ASKS if name.startswith("topic:") or name == "unknown"
            else "gives" if name.startswith("gives_") else name
            for name in names
        ]  # fmt: skip
        telling = [n for n in names if n.startswith("gives_")] or [
            n for n in names if n in ("yes", "no")
        ]
        state = STATES_OF[telling[0]][0] if telling else Expect.OPEN
        if not APART.is_close(text):
            turns.append(
                Turn(
                    text,
                    state,
                    tuple(dict.fromkeys(labels)),
                    tuple(n.removeprefix("topic:") for n in names if n.startswith("topic:")),
                    tuple(re.findall(r"\[(\w+):([^\]]*)\]", said)),
                    is_dev(line),
                )
            )
    return turns


class Speaker:
    """Says wordings: chooses, fills in, adds the noise of real turns."""

    def __init__(self, seed: int) -> None:
        """Start a repeatable sequence."""
        self.random = random.Random(seed)
        self.fillers: dict[str, list[str]] = tomllib.loads(
            (DATA / "fillers.toml").read_text("utf-8")
        )

    def say(self, line: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Return one way to say ``line``, and the slots it fills."""
        text = self._choose(line)
        spans: list[tuple[str, str]] = []

        def fill(match: re.Match[str]) -> str:
            key = match.group(1)
            value = self.filler(key)
            if key in SLOT_OF:
                spans.append((SLOT_OF[key], value))
            return value

        text = re.sub(r"\{(\w+)\}", fill, text)
        return " ".join(text.split()), tuple(spans)

    def filler(self, key: str) -> str:
        """Return a value for the filler ``key``."""
        if key == "phone":
            return self._phone()
        if key == "items":
            count = self.random.choice([1, 1, 2])
            return " and ".join(
                f"{self.filler('quantity')} {self.filler('item')}" for _ in range(count)
            )
        if key == "spelled":
            return " ".join(self.filler("name").split()[0])
        value = self.random.choice(self.fillers[key])
        return re.sub(r"\{(\w+)\}", lambda m: self.filler(m.group(1)), value)

    def dress(self, text: str) -> str:
        """Return ``text`` with what callers put before and after it, sometimes."""
        chance = self.random.random()
        if chance < 0.30:
            text = f"{self.filler('opener')} {text}"
        if chance > 0.80:
            text = f"{text} {self.filler('closer')}"
        return text

    def _choose(self, line: str) -> str:
        while "(" in line:
            line = re.sub(
                r"\(([^()]*)\)", lambda m: self.random.choice(m.group(1).split("|")), line
            )
        return line

    def _phone(self) -> str:
        digits = [self.random.randrange(10) for _ in range(self.random.choice([10, 10, 10, 7]))]
        style = self.random.random()
        text = "".join(map(str, digits))
        if style < 0.65:
            words = [DIGITS[d] if d else self.random.choice(["oh", "zero"]) for d in digits]
            if digits[0] == digits[1] and style < 0.1:
                words[:2] = ["double", words[0]]
            return " ".join(words)
        if style < 0.85:
            groups = [text[:3], text[3:6], text[6:]] if len(text) == 10 else [text[:3], text[3:]]
            return " ".join(groups)
        return text


NEED_STATES: Final = (
    *[Expect.OPEN] * 3, *[Expect.MORE] * 2,
    Expect.YES_NO, Expect.PHONE_NUMBER, Expect.NAME, Expect.DETAILS,
)  # fmt: skip
"""In which states a need is voiced, as often as listed."""

STATES_OF: Final[dict[str, tuple[Expect, ...]]] = {
    "yes": (
        Expect.YES_NO,
        Expect.YES_NO,
        Expect.YES_NO,
        Expect.MORE,
        Expect.PHONE_NUMBER,
        Expect.OPEN,
    ),
    "no": (
        Expect.YES_NO,
        Expect.YES_NO,
        Expect.MORE,
        Expect.PHONE_NUMBER,
        Expect.NAME,
        Expect.DETAILS,
    ),
    "goodbye": (
        Expect.MORE,
        Expect.MORE,
        Expect.OPEN,
        Expect.YES_NO,
        Expect.DETAILS,
        Expect.PHONE_NUMBER,
    ),
    "thanks": (Expect.MORE, Expect.OPEN, Expect.YES_NO),
    "smalltalk": (Expect.OPEN, Expect.OPEN, Expect.MORE),
    "wait": tuple(Expect),
    "repeat": tuple(Expect),
    "unclear": tuple(Expect),
    "complaint": (Expect.OPEN, Expect.OPEN, Expect.MORE, Expect.YES_NO),
    "message": (Expect.OPEN, Expect.OPEN, Expect.MORE, Expect.YES_NO),
    "reservation": (Expect.OPEN, Expect.OPEN, Expect.MORE, Expect.YES_NO),
    "catering": (Expect.OPEN, Expect.OPEN, Expect.MORE, Expect.YES_NO),
    "spam": (Expect.OPEN, Expect.OPEN, Expect.MORE),
    "gives_name": (Expect.NAME,),
    "gives_phone": (Expect.PHONE_NUMBER, Expect.PHONE_NUMBER, Expect.YES_NO),
    "gives_details": (Expect.DETAILS,),
}

PAIRABLE: Final = ("order", "reservation", "catering", "complaint", "message", "wants_human",
                   "are_you_human", "pay", "order_by_voice")  # fmt: skip


def one_need(wordings: Sequence[Wording], speaker: Speaker, variants: int) -> Iterator[Turn]:
    """Yield up to ``variants`` turns per wording."""
    for wording in wordings:
        # Each line has its own sequence: a line added elsewhere changes no other turn.
        speaker.random.seed(f"{wording.label}/{wording.topic}/{wording.line}")
        label = "gives" if wording.label.startswith("gives_") else wording.label
        rich = "(" in wording.line or "{" in wording.line
        for number in range(variants if rich else max(2, variants // 2)):
            text, spans = speaker.say(wording.line)
            if number and label not in ("unclear", "gives", "yes", "no"):
                text = speaker.dress(text)
            if APART.is_close(text):
                continue
            states = STATES_OF.get(wording.label, NEED_STATES)
            expect = speaker.random.choice(states)
            topics = (wording.topic,) if label == ASKS else ()
            if wording.label == "gives_details":
                spans = (*spans, ("details", text))
            yield Turn(text, expect, (label,), topics, spans, wording.dev, line=wording.line)


def several_needs(wordings: Sequence[Wording], speaker: Speaker, count: int) -> Iterator[Turn]:
    """Yield ``count`` turns with two or three needs in one breath."""
    pool: dict[str, list[Wording]] = {}
    for wording in wordings:
        pool.setdefault(wording.label, []).append(wording)
    kinds = [*PAIRABLE, *[ASKS] * 12]
    for _ in range(count):
        first = speaker.random.choice(["", "", "", "", "yes", "thanks", "no"])
        labels = speaker.random.sample(kinds, 3 if speaker.random.random() < 0.15 else 2)
        if first:
            labels = [first, *labels[:1]]
        elif speaker.random.random() < 0.06:
            labels = [labels[0], "goodbye"]
        chosen = [speaker.random.choice(pool[label]) for label in labels]
        said = [speaker.say(wording.line) for wording in chosen]
        parts = [text for text, _ in said]
        if len(set(parts)) < len(parts) or any(APART.is_close(part) for part in parts):
            continue
        text = parts[0]
        for part in parts[1:]:
            text = f"{text} {speaker.filler('joint')} {part}"
        expect = (
            Expect.YES_NO if first == "yes" else speaker.random.choice([Expect.OPEN, Expect.MORE])
        )
        yield Turn(
            text=" ".join(text.split()),
            expect=expect,
            labels=tuple(dict.fromkeys(labels)),
            topics=tuple(w.topic for w in chosen if w.label == ASKS),
            spans=tuple(span for _, spans in said for span in spans),
            dev=chosen[0].dev,
            parts=tuple(parts),
        )


def garbled(turn: Turn, text: str) -> Turn:
    """Return ``turn`` as heard with errors: other words, no spans to learn from."""
    return replace(turn, text=text, spans=())
