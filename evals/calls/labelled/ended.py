"""How calls went on and ended: spam, giving up, drops, promises, faults."""

from __future__ import annotations

from collections.abc import Iterator

from tape import Tape, phrase

from agent.events import Outcome
from agent.mind.wording import Phrase
from agent.review.schema import FlagKind
from labelled.pieces import (
    LINK,
    RESERVE,
    Labelled,
    Maker,
    answers,
    asked,
    greeted,
    leaves,
    offers_link,
    ordered,
    ordering,
    passes_on,
    reserving,
    says_goodbye,
)


def spam_calls() -> Iterator[Labelled]:
    """Sales calls that were served."""
    pitches = (
        "hello this is jennifer about your google business listing",
        "we can lower your credit card processing fees",
        "you are pre approved for a business loan up to fifty thousand dollars",
        "we can reduce your electricity bill press one to speak to a specialist",
        "I want to talk about search engine marketing for your restaurant",
    )
    for number, pitch in enumerate(pitches):
        tape = greeted()
        at = tape.hears(pitch, "unclear")
        for words in ("yes are you the owner", "it takes only two minutes"):
            tape.says(phrase(Phrase.NOT_CAUGHT), phrase(Phrase.HOW_CAN_I_HELP), step="help")
            tape.hears(words, "unclear")
        tape.says(phrase(Phrase.UNCLEAR_GOODBYE), step="unclear")
        tape.ends(reason="unclear")
        plants = {FlagKind.SPAM_SERVED: at, FlagKind.MISHEARD: tape.caller[-2][0]}
        yield Labelled(f"spam-served-{number}", tape, plants)
        tape = greeted()
        tape.hears(pitch, "spam")
        tape.says(phrase(Phrase.NO_SPAM), step="spam")
        tape.ends(reason="spam")
        yield Labelled(f"near-spam-told-no-{number}", tape)
    tape = greeted("I found you on google are you open on monday", "answer:hours")
    answers(tape, "hours")
    yield Labelled("near-spam-found-on-google", leaves(tape))
    yield Labelled("near-spam-press", leaves(ordered("your recording said press one to order")))


def giving_up() -> Iterator[Labelled]:
    """Callers who left empty-handed."""
    for name, words, move in (
        ("order", "I want to order some food", "order"),
        ("table", "I'd like to book a table", "reservation"),
        ("complaint", "my food was cold", "complaint"),
    ):
        tape = greeted()
        at = tape.hears(words, move)
        if move == "order":
            offers_link(tape)
        else:
            tape.says(RESERVE, step="ask_details")
        tape.hangs_up()
        yield Labelled(f"gave-up-{name}", tape, {FlagKind.GAVE_UP: at})
    tape = greeted()
    at = tape.hears("do you have any tables tonight", "unknown")
    tape.hangs_up(gap=2.0)
    yield Labelled("gave-up-waiting", tape, {FlagKind.GAVE_UP: at})

    for name, words, moves in (
        ("never-mind", "never mind I'll call later", ("no", "goodbye")),
        ("no-text", "no thank you I'd rather come by", ("no",)),
    ):
        tape = ordering()
        tape.hears(words, *moves)
        says_goodbye(tape)
        yield Labelled(f"near-gave-up-{name}", tape)
    tape = asked("is there parking", "parking")
    tape.hangs_up()
    yield Labelled("near-gave-up-after-the-answer", tape)
    tape = ordered()
    tape.hangs_up()
    yield Labelled("near-gave-up-after-the-link", tape)


def drops() -> Iterator[Labelled]:
    """Calls that we dropped."""
    tape = ordering()
    at = tape.ends("fault", "engine.mouth")
    plants = {FlagKind.DROPPED: at}
    yield Labelled("dropped-fault", tape, plants)
    tape = ordered()
    at = tape.ends("agent", "hung_up")
    yield Labelled("dropped-no-goodbye", tape, {FlagKind.DROPPED: at})
    tape = ordered()
    tape.closed = False
    yield Labelled("dropped-killed", tape, {FlagKind.DROPPED: tape.now})
    tape = ordered()
    tape.hears("no thanks", "no")
    tape.says(phrase(Phrase.GOODBYE), step="goodbye", heard="Thanks for")
    at = tape.ends(gap=0.05)
    yield Labelled("dropped-goodbye-cut", tape, {FlagKind.DROPPED: at})
    tape = Tape()
    at = tape.ends("fault", "phone.ari", gap=1.0)
    yield Labelled("dropped-before-a-word", tape, {FlagKind.DROPPED: at})

    tape = greeted("is there parking", "answer:parking")
    answers(tape, "parking")
    tape.hears("no bye", "no", "goodbye")
    tape.says(phrase(Phrase.GOODBYE), step="goodbye", heard="Thanks for calling.")
    tape.hangs_up(gap=0.1)
    yield Labelled("near-dropped-caller-was-quicker", tape)
    tape = greeted("you idiot", "abuse")
    tape.says(phrase(Phrase.STAY_POLITE), phrase(Phrase.HOW_CAN_I_HELP), step="help")
    tape.hears("shut up you idiot", "abuse")
    tape.says(phrase(Phrase.ABUSE_GOODBYE), step="abuse")
    tape.ends(reason="abuse")
    yield Labelled("near-dropped-abuse", tape)
    tape = greeted("somebody is choking", "emergency")
    tape.says(phrase(Phrase.EMERGENCY), step="emergency")
    tape.ends(reason="emergency")
    yield Labelled("near-dropped-emergency", tape)


def failed_promises() -> Iterator[Labelled]:
    """Promises that were not kept."""
    for name, outcomes, news in (
        ("pending", (Outcome.PENDING,), ("attempt", "failed")),
        ("abandoned", (Outcome.PENDING,), ("attempt", "abandoned")),
        ("undelivered", (Outcome.ACCEPTED,), ("accepted", "status undelivered")),
        ("no-news", (), ()),
    ):
        tape = ordering()
        tape.hears("yes", "yes")
        tape.decides("order_link", tool="order_link")
        at = tape.now + 0.45
        receipt = tape.promises(LINK, *outcomes, news=news, gap=0.45)
        tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=0.9)
        yield Labelled(f"promise-{name}", leaves(tape), {FlagKind.PROMISE_FAILED: at})
    tape = reserving()
    at = tape.now + 0.7 + 0.35 + 0.45
    passes_on(tape, Outcome.PENDING, news=("attempt", "refused"))
    yield Labelled("promise-message-refused", leaves(tape), {FlagKind.PROMISE_FAILED: at})

    tape = ordering()
    tape.hears("yes", "yes")
    tape.decides("order_link", tool="order_link")
    receipt = tape.promises(
        LINK, Outcome.PENDING, news=("attempt", "failed", "attempt", "accepted"), gap=0.45
    )
    tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=0.9)
    yield Labelled("near-promise-kept-afterwards", leaves(tape))
    tape = ordering()
    tape.hears("yes", "yes")
    tape.decides("order_link", tool="order_link")
    receipt = tape.promises(LINK, Outcome.PENDING, Outcome.ACCEPTED, news=("accepted",), gap=0.4)
    tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=1.2)
    yield Labelled("near-promise-not-delivered-yet", leaves(tape))


def faults() -> Iterator[Labelled]:
    """Parts of ours that failed."""
    for code in ("engine.mind", "promise.queue", "evidence", "engine.mind.claim"):
        tape = ordered()
        at = tape.fails(code)
        yield Labelled(f"fault-{code}", leaves(tape), {FlagKind.FAULT: at})


MAKERS: tuple[Maker, ...] = (spam_calls, giving_up, drops, failed_promises, faults)
