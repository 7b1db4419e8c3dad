"""What the agent said: invented, beside the question, offered, against the rules."""

from __future__ import annotations

from collections.abc import Iterator

from tape import Tape, fact, invented, phrase

from agent.events import Outcome, Sentence, SentenceKind
from agent.mind import wording
from agent.mind.wording import Phrase
from agent.review.schema import FlagKind
from labelled.pieces import (
    LINK,
    MESSAGE,
    Labelled,
    Maker,
    answers,
    asked,
    greeted,
    leaves,
    offers_link,
    ordered,
    ordering,
    reserving,
    says_goodbye,
    sends_link,
)


def invented_facts() -> Iterator[Labelled]:
    """Words that nothing backs."""
    for name, question, answer, kind, ref in (
        ("band", "who's playing tonight", "The Blue Notes are playing jazz tonight at eight.",
         SentenceKind.FACT, "music"),
        ("pool", "do you have a pool table", "Yes, there are two pool tables in the back.",
         SentenceKind.PHRASE, "free"),
        ("hours-altered", "what are your hours", "We're open every day from ten to midnight.",
         SentenceKind.FACT, "hours"),
        ("price", "how much is the ramen", "Our ramen bowls are $9.",
         SentenceKind.FACT, "ramen_price"),
        ("owner", "who owns this place", "Mister Tanaka has owned it since 1998.",
         SentenceKind.RECEIPT, "p9"),
    ):  # fmt: skip
        tape = greeted(question, "unknown")
        sentence = invented(answer, kind, ref)
        if kind is SentenceKind.RECEIPT:
            tape.says(sentence, step="anything_else", undecided=True)
            at = tape.now - 1
        else:
            at = tape.says(sentence, phrase(Phrase.ANYTHING_ELSE), step="anything_else")
        yield Labelled(f"invented-{name}", leaves(tape), {FlagKind.INVENTED_FACT: at})
    tape = greeted("do you deliver", "answer:delivery")
    at = tape.says(
        fact("delivery"), invented("But today we can make an exception."), step="anything_else"
    )
    yield Labelled("invented-beside-a-fact", leaves(tape), {FlagKind.INVENTED_FACT: at})

    tape = greeted("what are your hours", "answer:hours")
    heard = "We're open Tuesday to Thursday from eleven"
    tape.says(fact("hours"), step="anything_else", heard=heard)
    tape.hears("great thanks bye", "thanks", "goodbye", gap=0.1)
    says_goodbye(tape)
    yield Labelled("near-invented-cut-fact", tape)
    tape = greeted("I'd like to order", "order")
    offers_link(tape)
    tape.hears("yes", "yes")
    tape.decides("order_link", tool="order_link")
    tape.says(phrase(Phrase.ONE_MOMENT), undecided=True, gap=1.0)
    receipt = tape.promises(LINK, Outcome.ACCEPTED, gap=0.2)
    tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=0.8)
    yield Labelled("near-invented-one-moment", leaves(tape))
    tape = greeted("how much does a bowl cost", "answer:ramen_price@0.5")
    tape.says(phrase(Phrase.CHECK_FACT, question="how much is the ramen"), step="check_fact")
    tape.hears("yes", "yes")
    answers(tape, "ramen_price")
    yield Labelled("near-invented-checked-fact", leaves(tape))
    tape = greeted("can I order", "order")
    old = Sentence(
        SentenceKind.PHRASE,
        "confirm_caller_id",
        "Is the number you call from, ending in 0 1 5 0, right for a text?",
    )
    tape.says(phrase(Phrase.CAN_TEXT_LINK), old, step="confirm_caller_id")
    sends_link(tape)
    yield Labelled("near-invented-older-wording", leaves(tape))


def wrong_facts() -> Iterator[Labelled]:
    """Facts that answer another question."""
    for question, name in (
        ("who's playing live music tonight", "dine_in"),
        ("do you have wifi", "alcohol"),
        ("is there a playground for kids", "gift_cards"),
        ("can I bring my dog", "hours"),
        ("do you have high chairs", "parking"),
    ):
        tape = greeted(question, f"answer:{name}")
        at = answers(tape, name)
        yield Labelled(f"wrong-fact-{name}", leaves(tape), {FlagKind.WRONG_FACT: at})
    for question, name in (
        ("how late can I come by tonight", "hours"),
        ("can I park my truck somewhere", "parking"),
        ("what street are you on, what's the address", "address"),
        ("do you guys do gluten free", "gluten_free"),
        ("y'all got any beer", "alcohol"),
        ("could you bring it to my house", "delivery"),
    ):
        yield Labelled(f"near-wrong-fact-{name}", leaves(asked(question, name)))


def unavailable_actions() -> Iterator[Labelled]:
    """Offers of what can't be done."""
    for name, text in (
        ("transfer", "Sure, let me transfer you to the staff."),
        ("connect", "Please hold while I connect you with a manager."),
        ("put-through", "I'm putting you through now."),
        ("call-back", "I'll call you back in ten minutes."),
        ("order-by-voice", "I can take your order now. What would you like to order?"),
        ("check", "One second, I'll check with the kitchen."),
    ):
        tape = greeted("can I talk to somebody in the restaurant", "wants_human")
        at = tape.says(invented(text), step="anything_else")
        plants = {FlagKind.UNAVAILABLE_ACTION: at, FlagKind.INVENTED_FACT: at}
        yield Labelled(f"unavailable-{name}", leaves(tape), plants)
    tape = Tape(can=("owner_message",))
    tape.greet()
    tape.hears("I want to order", "order")
    at = tape.says(phrase(Phrase.CAN_TEXT_LINK), phrase(Phrase.LIKE_THAT), step="offer_link")
    tape.hears("no thanks", "no")
    tape.says(phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    plants = {FlagKind.UNAVAILABLE_ACTION: at}
    yield Labelled("unavailable-link-is-off", leaves(tape), plants)
    for name, question, move, told in (
        ("no-transfer", "transfer me please", "wants_human", Phrase.NO_TRANSFER),
        ("no-orders", "two ramen and a gyoza", "order_by_voice", Phrase.NO_VOICE_ORDERS),
        ("no-payments", "can I pay with my card", "pay", Phrase.NO_PAYMENTS),
    ):
        tape = greeted(question, move)
        tape.says(phrase(told), phrase(Phrase.HOW_CAN_I_HELP), step="help")
        yield Labelled(f"near-unavailable-{name}", leaves(tape, "okay never mind bye", "goodbye"))
    tape = greeted("please transfer my call or connect me to someone", "wants_human")
    tape.says(phrase(Phrase.NO_TRANSFER), phrase(Phrase.CAN_TAKE_MESSAGE), step="offer_message")
    yield Labelled("near-unavailable-callers-words", leaves(tape, "no forget it bye", "goodbye"))


def broken_rules() -> Iterator[Labelled]:
    """Rules of the house that were broken."""
    for name, text in (
        ("booked", "Your table is booked for Friday at seven."),
        ("reserved", "I have reserved a table for four."),
        ("see-you", "You're all set for Friday, we'll see you then."),
        ("card", "What is your credit card number, please?"),
        ("charge", "I will charge your card for that."),
    ):
        tape = reserving()
        tape.hears("yes", "yes")
        at = tape.says(invented(text), step="anything_else")
        plants = {FlagKind.INSTRUCTION_BROKEN: at, FlagKind.INVENTED_FACT: at}
        plants[FlagKind.GAVE_UP] = next_need(tape)
        yield Labelled(f"broken-{name}", leaves(tape, "okay bye", "goodbye"), plants)
    tape = ordering()
    tape.hears("yes", "yes")
    told = wording.RECEIPTS[LINK, Outcome.ACCEPTED][0]
    early = Sentence(SentenceKind.RECEIPT, "p0000001", told)
    at = tape.says(early, phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    tape.promises(LINK, Outcome.ACCEPTED, gap=0.3)
    yield Labelled("broken-sent-too-early", leaves(tape), {FlagKind.INSTRUCTION_BROKEN: at})
    tape = reserving()
    tape.hears("yes", "yes")
    tape.promises(MESSAGE, Outcome.PENDING, gap=0.45)
    early = Sentence(
        SentenceKind.RECEIPT, "p0000001", wording.RECEIPTS[MESSAGE, Outcome.ACCEPTED][0]
    )
    at = tape.says(early, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=0.9)
    yield Labelled("broken-passed-on-too-early", leaves(tape), {FlagKind.INSTRUCTION_BROKEN: at})

    tape = ordering()
    tape.hears("yes", "yes")
    tape.decides("order_link", tool="order_link")
    receipt = tape.promises(LINK, Outcome.PENDING, gap=0.45)
    tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=0.9)
    yield Labelled("near-broken-pending-told", leaves(tape))
    tape = greeted("did you book my table for friday", "unknown")
    tape.says(phrase(Phrase.DONT_KNOW), phrase(Phrase.OFFER_RELAY), step="offer_relay")
    yield Labelled("near-broken-caller-says-booked", leaves(tape, "no bye", "no", "goodbye"))
    tape = ordered()
    tape.hears("oh can I order again", "order")
    again = Sentence(SentenceKind.RECEIPT, "p0000001", wording.RECEIPTS[LINK, Outcome.ACCEPTED][1])
    tape.says(again, phrase(Phrase.OFFER_RESEND), step="offer_resend")
    yield Labelled("near-broken-sent-a-moment-ago", leaves(tape))
    tape = greeted("can I give you my card number", "pay")
    tape.says(phrase(Phrase.NO_PAYMENTS), phrase(Phrase.HOW_CAN_I_HELP), step="help")
    yield Labelled("near-broken-no-cards", leaves(tape, "okay bye then", "goodbye"))


def next_need(tape: Tape) -> float:
    """Return where the need of a call made by `reserving` was voiced."""
    return tape.caller[0][0]


MAKERS: tuple[Maker, ...] = (invented_facts, wrong_facts, unavailable_actions, broken_rules)
