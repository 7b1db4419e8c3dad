"""Takes the person out of a call: names, numbers, addresses, in words and in sound.

The same name or number becomes the same made-up one throughout a call, so that the
conversation still makes sense; numbers become ones kept for fiction (555-01xx, NANPA).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np

from agent.events import (
    CallStarted,
    Event,
    FinalHeard,
    KeyPressed,
    LineFinished,
    LineStarted,
    PromiseMade,
    Replied,
    Sentence,
    Understood,
    personal_fields,
)
from agent.evidence.measures import Span
from agent.evidence.wav import Sound

FICTION: Final = ("3165550150", "3165550177", "3165550188", "3165550164", "3165550133")
"""What the call's numbers become, in the order in which they come up; the first is the caller's."""

NAMES: Final = ("dana", "miller", "robin", "carter", "casey", "morgan", "alex", "parker")
"""What words of names become."""

LEAST_DIGITS: Final = 4
"""Shorter runs of digits are times, days and people; from four on they may be a number's end."""

EDGE_SECONDS: Final = 0.15
"""A word's times are exact to about this; so much more is silenced on either side."""

_DIGITS: Final[Mapping[str, str]] = {
    "zero": "0", "oh": "0", "o": "0", "one": "1", "two": "2", "three": "3", "four": "4",
    "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
}  # fmt: skip
_SPOKEN: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TIMES: Final = {"double": 2, "triple": 3}
_LEAD: Final = re.compile(
    r"\b(?:my name is|my name's|name is|name's|this is|it's under|under the name(?: of)?|call me"
    r"|i am called|for the name)\s+((?:[a-z][a-z'-]*)(?:\s+[a-z][a-z'-]*)?)",
    re.IGNORECASE,
)
_NOT_NAMES: Final = """
a an the and for from about calling here not in on at with to of just your our my his her
please okay yes no is it's that this there very really correct right fine
"""
_NO_NAME: Final = frozenset(_NOT_NAMES.split())
_ADDRESS: Final = re.compile(
    r"\b(?:\d+|(?:(?:one|two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|forty|fifty"
    r"|hundred|thousand|oh)\s+)+)\s*(?:(?:north|south|east|west)\s+)?[a-z]+(?:\s+[a-z]+)?\s+"
    r"(?:street|avenue|road|drive|lane|court|boulevard|place|circle)\b",
    re.IGNORECASE,
)
_MAIL: Final = re.compile(
    r"\b[\w.+-]+@[\w-]+\.\w+\b|\b[\w.]+(?: (?:dot|underscore) [\w.]+)* at [a-z]+ dot"
    r" (?:com|org|net)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of words that are digits: its place among the words, and the digits."""

    first: int
    last: int
    digits: str


class Redactor:
    """Replaces one call's personal data; ask it in the order of the call."""

    def __init__(self, numbers: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        """Know some of it beforehand.

        Args:
            numbers: E.164, the caller's first.
            names: As they were read from the caller's words.
        """
        self._numbers: dict[str, str] = {}
        self._names: dict[str, str] = {}
        for number in filter(None, numbers):
            self.number(number)
        for name in names:
            self._learn(name)

    def number(self, number: str) -> str:
        """Return what a phone number becomes; with or without country code; empty stays empty."""
        digits = re.sub(r"\D", "", number)
        if not digits:
            return number
        national = digits[-10:]
        if national not in self._numbers:
            self._numbers[national] = FICTION[min(len(self._numbers), len(FICTION) - 1)]
        made = self._numbers[national][-len(national) :]
        return f"{number[: len(number) - len(national)] if number.startswith('+') else ''}{made}"

    def text(self, text: str) -> str:
        """Return words without what they tell of the person."""
        for found in _LEAD.finditer(text):
            self._learn(found.group(1))
        kept = _MAIL.sub("someone at example dot com", text)
        kept = _ADDRESS.sub("twelve example street", kept)
        kept = re.sub(r"[A-Za-z]+(?:'[a-z]+)?", self._name, kept)
        return self._without_numbers(kept)

    def _learn(self, name: str) -> None:
        for word in name.lower().split():
            if word in _NO_NAME:
                break  # "my name is dana and I want": the name is over
            if len(word) > 1 and word not in self._names:
                self._names[word] = NAMES[len(self._names) % len(NAMES)]

    def _name(self, found: re.Match[str]) -> str:
        word = found.group()
        made = self._names.get(word.lower().removesuffix("'s"))
        if made is None:
            return word
        made = made.capitalize() if word[0].isupper() else made
        return f"{made}'s" if word.lower().endswith("'s") else made

    def _without_numbers(self, text: str) -> str:
        words = re.split(r"(\s+)", text)
        tokens = [(at, word) for at, word in enumerate(words) if word and not word.isspace()]
        for run in _runs([word for _, word in tokens]):
            made = self.digits(run.digits)
            places = [at for at, _ in tokens[run.first : run.last + 1]]
            spoken = any(re.search("[a-z]", words[at].lower()) for at in places)
            shown = (
                " ".join(_SPOKEN[int(d)] for d in made)
                if spoken
                else _shaped([words[at] for at in places], made)
            )
            words[places[0]] = shown
            for at in range(places[0] + 1, places[-1] + 1):
                words[at] = ""
        return "".join(words)

    def digits(self, digits: str) -> str:
        """Return what a run of digits becomes: the same part of a known number's replacement."""
        national = digits[-10:] if len(digits) in (10, 11) else digits
        for real, made in self._numbers.items():
            at = real.find(national)
            if at >= 0:
                return made[at : at + len(national)].rjust(len(digits), "1")
        if len(digits) in (10, 11):
            return self.number(national).rjust(len(digits), "1")
        return (FICTION[0] * 2)[-len(digits) :]


def _runs(words: Sequence[str]) -> Iterator[_Run]:
    """Yield the runs of digits, spoken or written, of at least `LEAST_DIGITS`."""
    first, digits, times = -1, "", 1
    for index, word in enumerate([*words, "."]):
        bare = word.lower().strip(".,;:!?()-")
        value = _DIGITS.get(bare, re.sub(r"[\s().,+-]", "", bare))
        if bare in _TIMES:
            first = index if first < 0 else first
            times = _TIMES[bare]
            continue
        if value.isdigit() and word != ".":
            first = index if first < 0 else first
            digits, times = digits + value * times, 1
            continue
        if len(digits) >= LEAST_DIGITS:
            yield _Run(first, index - 1, digits)
        first, digits, times = -1, "", 1


def _shaped(words: Sequence[str], digits: str) -> str:
    """Return ``digits`` in the form of the written ``words``: "316-555-0199", "3 1 6, 5 5 5"."""
    left = list(digits)
    return "".join(left.pop(0) if char.isdigit() and left else char for char in " ".join(words))


def redactor_of(events: Sequence[Event]) -> Redactor:
    """Return a redactor that knows the numbers and names that were understood in a call."""
    numbers = [event.caller for event in events if isinstance(event, CallStarted)]
    numbers += [event.to for event in events if isinstance(event, PromiseMade)]
    names = [
        event.slots["name"]
        for event in events
        if isinstance(event, Understood) and event.slots.get("name")
    ]
    return Redactor(numbers, names)


def redact_events(events: Sequence[Event]) -> tuple[Event, ...]:
    """Return the events with every personal field redacted; nothing else is changed."""
    redactor = redactor_of(events)
    return tuple(_redacted(event, redactor) for event in _keys_replaced(events, redactor))


def _keys_replaced(events: Sequence[Event], redactor: Redactor) -> Iterator[Event]:
    """Yield the events; keys that make a number in a row are another number's."""
    waiting: list[KeyPressed] = []
    held: list[Event] = []

    def settled() -> Iterator[Event]:
        digits = "".join(key.digit for key in waiting if key.digit.isdigit())
        made = redactor.digits(digits) if len(digits) >= LEAST_DIGITS else digits
        left = list(made)
        for event in held:
            if isinstance(event, KeyPressed) and event.digit.isdigit():
                yield replace(event, digit=left.pop(0))
            else:
                yield event
        waiting.clear()
        held.clear()

    for event in events:
        if isinstance(event, KeyPressed):
            waiting.append(event)
        elif isinstance(event, Replied):
            yield from settled()
        held.append(event)
    yield from settled()


def _redacted(thing: Any, redactor: Redactor) -> Any:
    changes: dict[str, Any] = {}
    if isinstance(thing, KeyPressed):
        return thing  # done already, as a row
    if isinstance(thing, FinalHeard):
        text = redactor.text(thing.text)
        return replace(thing, text=text, words=thing.words if text == thing.text else ())
    private = personal_fields(type(thing))
    for field in fields(thing):
        value = getattr(thing, field.name)
        if field.name in private:
            changes[field.name] = _value(field.name, value, redactor)
        elif isinstance(value, tuple) and value and isinstance(value[0], Sentence):
            changes[field.name] = tuple(_redacted(one, redactor) for one in value)
    return replace(thing, **changes)


def _value(name: str, value: Any, redactor: Redactor) -> Any:
    if isinstance(value, Mapping):
        return {key: redactor.text(str(one)) for key, one in value.items()}
    if name in ("caller", "to"):
        return redactor.number(value)
    return redactor.text(value)


def personal_spans(events: Sequence[Event], redacted: Sequence[Event]) -> dict[str, list[Span]]:
    """Return where personal data is heard, per voice (``caller``, ``agent``), in call time.

    The caller's from the words' own times; a line of the agent's as a whole, from the first
    to the last of its sound.
    """
    spans: dict[str, list[Span]] = {"caller": [], "agent": []}
    begun: dict[int, float] = {}
    for before, after in zip(events, redacted, strict=True):
        match before, after:
            case FinalHeard(), FinalHeard() if before.text != after.text:
                spans["caller"] += _changed_words(before, after)
            case LineStarted(), _:
                begun[before.line] = before.at
            case LineFinished(), LineFinished() if before.heard != after.heard:
                spans["agent"].append(Span(begun.get(before.line, before.at), before.at))
    return spans


def _changed_words(before: FinalHeard, after: FinalHeard) -> Iterator[Span]:
    """Yield the words that a turn's redacted text no longer has; all, if they have no times."""
    if not before.words:
        yield Span(max(0.0, before.at - 10.0), before.at)
        return
    kept = after.text.split()
    for word in before.words:
        if word.text in kept and word.text not in _DIGITS:
            kept.remove(word.text)
        else:
            yield Span(max(0.0, word.start - EDGE_SECONDS), word.end + EDGE_SECONDS)


def silence(sound: Sound, spans: Iterable[Span]) -> Sound:
    """Return ``sound`` with ``spans`` (seconds) silenced in all channels."""
    samples = np.array(sound.samples)
    for span in spans:
        samples[round(span.start * sound.rate) : round(span.end * sound.rate)] = 0
    return Sound(sound.rate, samples)
