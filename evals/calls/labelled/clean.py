"""Calls in which nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from tape import Tape, phrase

from agent.mind.wording import Phrase
from labelled.pieces import (
    Labelled,
    Maker,
    asked,
    greeted,
    leaves,
    ordered,
    passes_on,
    reserving,
    says_goodbye,
)


def clean() -> Iterator[Labelled]:
    """Everyday calls."""
    yield Labelled("order", leaves(ordered()))
    yield Labelled("order-ramen", leaves(ordered("can I get two bowls of ramen to go"), "bye bye"))
    tape = reserving()
    passes_on(tape)
    yield Labelled("reservation", leaves(tape))
    yield Labelled("question-parking", leaves(asked("is there parking", "parking")))
    yield Labelled("question-hours", leaves(asked("what time do you close tonight", "hours")))
    yield Labelled("question-vegan", leaves(asked("do you have vegan food", "vegetarian")))
    tape = greeted("who's playing live music tonight", "unknown")
    tape.says(phrase(Phrase.DONT_KNOW), phrase(Phrase.OFFER_RELAY), step="offer_relay")
    tape.hears("no that's okay", "no")
    tape.says(phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    yield Labelled("question-unknown", leaves(tape))
    tape = greeted("can I talk to a person", "wants_human")
    tape.says(
        phrase(Phrase.NO_TRANSFER),
        phrase(Phrase.CAN_TAKE_MESSAGE),
        phrase(Phrase.LIKE_THAT),
        step="offer_message",
    )
    tape.hears("no thanks goodbye", "no", "goodbye")
    says_goodbye(tape)
    yield Labelled("wants-a-person", tape)
    tape = greeted("this is about your google business listing it is not verified", "spam")
    tape.says(phrase(Phrase.NO_SPAM), step="spam")
    tape.ends(reason="spam")
    yield Labelled("spam-told-no", tape)
    tape = ordered()
    tape.presses("2")
    says_goodbye(tape)
    yield Labelled("keys", tape)
    tape = Tape()
    tape.greet()
    for name in (Phrase.STILL_THERE, Phrase.STILL_HERE):
        tape.says(phrase(name), step="silence_prompt", gap=6.0)
    tape.says(phrase(Phrase.SILENCE_GOODBYE), step="silence", gap=6.0)
    tape.ends(reason="silence")
    yield Labelled("silent", tape)
    yield Labelled("owner-question", leaves(asked("do you sell gift cards", "gift_cards")))


MAKERS: tuple[Maker, ...] = (clean,)
