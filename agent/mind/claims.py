"""The last gate before the mouth: nothing is spoken that nothing backs.

A sentence passes as a known phrase whose blanks hold allowed values, as a fact verbatim
by its id, or as what may be said of a promise that really came that far.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from agent.errors import UnbackedClaim
from agent.events import Outcome, PromiseKind, Sentence, SentenceKind
from agent.mind.slots.calendar import MONTHS
from agent.mind.slots.counts import LARGEST
from agent.mind.tools import Capabilities, capabilities_of
from agent.mind.wording import ASK_REF, GREETING_REF, OFFERS, RECEIPTS, Phrase
from agent.restaurant import DAYS, Restaurant

Receipts = Mapping[str, tuple[PromiseKind, Outcome]]
"""The call's promises by id: what was promised and how far it came."""

_PHRASES: Final = {phrase.ref: phrase for phrase in Phrase}
_DIGITS: Final = re.compile(r"\d(?: \d)*(?:, \d(?: \d)*)*")
_WHEN: Final = re.compile(
    rf"(?:{'|'.join(day.capitalize() for day in DAYS)}), "
    rf"(?:{'|'.join(month.capitalize() for month in MONTHS)}) \d\d?(?:st|nd|rd|th)"
    r" at (?:noon|\d\d?(?::\d\d)? [AP]M)"
)
_SIZE: Final = re.compile(rf"\d{{1,{len(str(LARGEST))}}}(?: to \d{{1,{len(str(LARGEST))}}})?")


def check(
    sentence: Sentence, restaurant: Restaurant, receipts: Receipts, capabilities: Capabilities
) -> Sentence:
    """Return ``sentence`` if it is backed.

    Args:
        sentence: What is about to be spoken.
        restaurant: The restaurant file of this call.
        receipts: What became of this call's promises.
        capabilities: What this deployment can do.

    Raises:
        UnbackedClaim: It is none of the three kinds; it must not be spoken.
    """
    match sentence.kind:
        case SentenceKind.PHRASE:
            backed = _phrase(sentence, restaurant, capabilities_of(restaurant, capabilities))
        case SentenceKind.FACT:
            fact = restaurant.fact(sentence.ref)
            backed = fact is not None and sentence.text == fact.say
        case SentenceKind.RECEIPT:
            promise = receipts.get(sentence.ref)
            backed = promise is not None and sentence.text in RECEIPTS[promise]
    if not backed:
        raise UnbackedClaim(
            f"A {sentence.kind} sentence ({sentence.ref}) has nothing that backs it.",
            remedy="Say it as a phrase in wording.py, a fact in the restaurant file, or a receipt.",
        )
    return sentence


def _phrase(sentence: Sentence, restaurant: Restaurant, can: Capabilities) -> bool:
    if sentence.ref == GREETING_REF:
        return sentence.text == restaurant.greeting
    phrase = _PHRASES.get(sentence.ref)
    if phrase is None:
        kind = restaurant.message_kind(sentence.ref.removeprefix(ASK_REF))
        if kind is None or sentence.ref != ASK_REF + kind.id:
            return False
        return sentence.text == kind.ask and PromiseKind.OWNER_MESSAGE in can
    needs = OFFERS.get(phrase)
    if needs is not None and needs not in can:
        return False
    filled = _pattern(phrase).fullmatch(sentence.text)
    return filled is not None and all(
        _BLANKS[name](value, restaurant) for name, value in filled.groupdict().items()
    )


def _pattern(phrase: Phrase) -> re.Pattern[str]:
    """Return the phrase as a pattern with a group per blank."""
    parts = re.split(r"\{(\w+)\}", phrase.value)
    return re.compile(
        "".join(f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
    )


def _closed_day(value: str, restaurant: Restaurant) -> bool:
    day = value.removesuffix("s").lower()
    return day in restaurant.hours and not restaurant.hours[day]


def _question(value: str, restaurant: Restaurant) -> bool:
    return any(value == asked for fact in restaurant.facts for asked in fact.asked)


_BLANKS: Final[Mapping[str, Callable[[str, Restaurant], bool]]] = {
    "restaurant": lambda value, restaurant: value == restaurant.say_name,
    "digits": lambda value, _: _DIGITS.fullmatch(value) is not None,
    "when": lambda value, _: _WHEN.fullmatch(value) is not None,
    "size": lambda value, _: _SIZE.fullmatch(value) is not None,
    "closed_day": _closed_day,
    "question": _question,
}
"""What may stand in a blank, by its name."""
