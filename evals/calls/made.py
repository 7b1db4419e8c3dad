"""The labelled calls: faults of each kind planted in made-up calls, and near misses beside them.

Each entry is a call and, per flag kind, the call time at which the fault lies. A near miss has
the look of a fault and is none. Calls whose name ends in ``-later`` were written after the
checks were done and were not looked at while they were changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tape import Tape, fact, invented, phrase

from agent.events import Outcome, PromiseKind, Sentence, SentenceKind
from agent.mind import wording
from agent.mind.wording import Phrase
from agent.review.schema import FlagKind

LINK, MESSAGE = PromiseKind.ORDER_LINK, PromiseKind.OWNER_MESSAGE
DIGITS = "0 1 5 0"
RESERVE = Sentence(
    SentenceKind.PHRASE, "ask_reservation", "For what day and time, and how many people?"
)


@dataclass
class Labelled:
    """A call and what is wrong with it.

    Attributes:
        name: Its name; ``near-…`` for near misses.
        tape: The call.
        plants: Kind of fault to call time.
    """

    name: str
    tape: Tape
    plants: dict[FlagKind, float] = field(default_factory=dict)


Maker = Callable[[], Iterator[Labelled]]


# ── pieces of calls ─────────────────────────────────────────────────────────────────────


def greeted(words: str = "", *moves: str, **slots: str) -> Tape:
    """Return a call in which the agent has answered, and the caller said ``words``."""
    tape = Tape()
    tape.greet()
    if words:
        tape.hears(words, *moves, **slots)
    return tape


def offers_link(tape: Tape) -> None:
    """Let the agent offer the link to the number that calls."""
    tape.says(
        phrase(Phrase.CAN_TEXT_LINK),
        phrase(Phrase.CONFIRM_CALLER_ID, digits=DIGITS),
        step="confirm_caller_id",
    )


def sends_link(tape: Tape, words: str = "yes that's right") -> None:
    """Let the caller agree and the link be sent."""
    tape.hears(words, "yes")
    tape.decides("order_link", tool="order_link")
    receipt = tape.promises(LINK, Outcome.ACCEPTED, gap=0.45)
    tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=0.9)


def leaves(tape: Tape, words: str = "no that's all thank you", *moves: str) -> Tape:
    """Let both say goodbye."""
    tape.hears(words, *(moves or ("no",)))
    tape.says(phrase(Phrase.GOODBYE), step="goodbye")
    tape.ends()
    return tape


def ordered(words: str = "I'd like to place an order", *moves: str) -> Tape:
    """Return a call in which the link was sent."""
    tape = greeted(words, *(moves or ("order",)))
    offers_link(tape)
    sends_link(tape)
    return tape


def reserving(words: str = "I'd like to book a table") -> Tape:
    """Return a call in which a reservation was begun."""
    tape = greeted(words, "reservation")
    tape.says(RESERVE, step="ask_details")
    tape.hears("friday at seven for four people", "gives", when="friday at seven", size="four")
    tape.says(phrase(Phrase.ASK_NAME), step="ask_name")
    tape.hears("maria lopez", "gives", name="maria lopez")
    tape.says(phrase(Phrase.CONFIRM_CALLBACK, digits=DIGITS), step="confirm_caller_id")
    return tape


def passes_on(tape: Tape, *outcomes: Outcome, news: tuple[str, ...] = ("accepted",)) -> None:
    """Let the caller agree and the message be passed on."""
    tape.hears("yes", "yes")
    tape.decides("owner_message", tool="owner_message")
    receipt = tape.promises(MESSAGE, *(outcomes or (Outcome.ACCEPTED,)), news=news, gap=0.45)
    tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=0.9)


def asked(question: str, fact_id: str) -> Tape:
    """Return a call in which a question was answered."""
    tape = greeted(question, f"answer:{fact_id}")
    tape.says(fact(fact_id), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    return tape


# ── calls in which nothing is wrong ─────────────────────────────────────────────────────


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
    tape.says(phrase(Phrase.GOODBYE), step="goodbye")
    tape.ends()
    yield Labelled("wants-a-person", tape)
    tape = greeted("this is about your google business listing it is not verified", "spam")
    tape.says(phrase(Phrase.NO_SPAM), step="spam")
    tape.ends(reason="spam")
    yield Labelled("spam-told-no", tape)
    tape = ordered()
    tape.presses("2")
    tape.says(phrase(Phrase.GOODBYE), step="goodbye")
    tape.ends()
    yield Labelled("keys", tape)
    tape = Tape()
    tape.greet()
    for name in (Phrase.STILL_THERE, Phrase.STILL_HERE):
        tape.says(phrase(name), step="silence_prompt", gap=6.0)
    tape.says(phrase(Phrase.SILENCE_GOODBYE), step="silence", gap=6.0)
    tape.ends(reason="silence")
    yield Labelled("silent", tape)
    yield Labelled("owner-question", leaves(asked("do you sell gift cards", "gift_cards")))


# ── one function a kind: planted, then near misses ──────────────────────────────────────


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
    tape.says(phrase(Phrase.GOODBYE), step="goodbye")
    tape.ends()
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
    tape.says(fact("ramen_price"), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
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
        at = tape.says(fact(name), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
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
    tape = greeted("I want to order", "order")
    offers_link(tape)
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

    tape = greeted("I want to order", "order")
    offers_link(tape)
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


def mishearings() -> Iterator[Labelled]:
    """Callers who are not heard."""
    for name, words in (
        ("said-not", "no I said six people not four"),
        ("not-what", "that's not what I asked"),
        ("already", "I already told you friday"),
        ("wrong-day", "no that's the wrong day"),
    ):
        tape = greeted("I'd like a table on friday for six", "reservation")
        tape.says(RESERVE, step="ask_details")
        at = tape.hears(words, "gives", when="friday")
        tape.says(phrase(Phrase.ASK_NAME), step="ask_name")
        tape.hears("dana", "gives", name="dana")
        tape.says(phrase(Phrase.CONFIRM_CALLBACK, digits=DIGITS), step="confirm_caller_id")
        passes_on(tape)
        yield Labelled(f"misheard-{name}", leaves(tape), {FlagKind.MISHEARD: at})
    tape = greeted("I want to order", "order")
    tape.says(phrase(Phrase.CAN_TEXT_LINK), phrase(Phrase.ASK_NUMBER), step="ask_number")
    number = "three one six five five five oh one seven seven"
    tape.hears(number, "gives", phone=number)
    say = "3 1 6, 5 5 5, 0 1 7 1"
    tape.says(phrase(Phrase.CONFIRM_NUMBER, digits=say), step="confirm_number")
    at = tape.hears("no", "no")
    tape.says(phrase(Phrase.ASK_NUMBER), step="ask_number")
    tape.hears(number, "gives", phone=number)
    fixed = "3 1 6, 5 5 5, 0 1 7 7"
    tape.says(phrase(Phrase.CONFIRM_NUMBER, digits=fixed), step="confirm_number")
    sends_link(tape)
    yield Labelled("misheard-number", leaves(tape), {FlagKind.MISHEARD: at})
    tape = greeted()
    for words in ("uh hi the thing for the", "a ramen of the order is"):
        at = tape.hears(words, "unclear")
        tape.says(phrase(Phrase.NOT_CAUGHT), phrase(Phrase.HOW_CAN_I_HELP), step="help")
    yield Labelled("misheard-twice", leaves(tape, "bye", "goodbye"), {FlagKind.MISHEARD: at})
    tape = greeted()
    at = tape.hears("", understood=False, seconds=1.8)
    tape.says(phrase(Phrase.NOT_CAUGHT), phrase(Phrase.HOW_CAN_I_HELP), step="help")
    tape.hears("I want to order", "order")
    offers_link(tape)
    sends_link(tape)
    yield Labelled("misheard-no-word", leaves(tape), {FlagKind.MISHEARD: at})
    tape = greeted("I want to order", "order")
    offers_link(tape)
    at = tape.hears("yes", noticed=False)
    tape.says(phrase(Phrase.STILL_THERE), step="silence_prompt", gap=5.0)
    sends_link(tape, "yes I said yes please")
    plants = {FlagKind.MISHEARD: at}
    yield Labelled("misheard-not-noticed", leaves(tape), plants)

    tape = greeted("I uh the thing", "unclear")
    tape.says(phrase(Phrase.NOT_CAUGHT), phrase(Phrase.HOW_CAN_I_HELP), step="help")
    tape.hears("I'd like to order", "order")
    offers_link(tape)
    sends_link(tape)
    yield Labelled("near-misheard-once", leaves(tape))
    tape = greeted("I want to order", "order")
    offers_link(tape)
    tape.hears("no use another number", "no")
    tape.says(phrase(Phrase.ASK_NUMBER), step="ask_number")
    tape.hears(number, "gives", phone=number)
    tape.says(phrase(Phrase.CONFIRM_NUMBER, digits=fixed), step="confirm_number")
    sends_link(tape)
    yield Labelled("near-misheard-other-number", leaves(tape))
    tape = greeted("can you repeat that", "repeat")
    tape.says(phrase(Phrase.HOW_CAN_I_HELP), step="help")
    tape.hears("my friend said you have parking", "answer:parking")
    tape.says(fact("parking"), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    yield Labelled("near-misheard-repeat", leaves(tape))
    tape = ordered()
    tape.hears("", understood=False, seconds=0.4)
    tape.hears("no that's it", "no", gap=0.9)
    tape.says(phrase(Phrase.GOODBYE), step="goodbye")
    tape.ends()
    yield Labelled("near-misheard-cough", tape)


def talking_over() -> Iterator[Labelled]:
    """Both speak, and it is our fault."""
    for name, gap in (("early", -1.2), ("half-way", -1.6), ("late", -0.6)):
        tape = greeted()
        tape.hears("hi I was wondering whether you have any parking there", "answer:parking")
        at = tape.says(fact("parking"), phrase(Phrase.ANYTHING_ELSE), gap=gap, step="anything_else")
        tape.now = max(tape.now, tape.caller[-1][1])
        yield Labelled(f"talked-over-{name}", leaves(tape), {FlagKind.TALKED_OVER: at})
    for name, words in (("wait", "wait wait hold on I have one more question"),
                        ("no", "no no that is not what I was asking for at all")):  # fmt: skip
        tape = greeted("what are your hours", "answer:hours")
        tape.says(fact("hours"), step="anything_else")
        at = tape.hears(words, "wait", gap=-5.0)
        tape.now = tape.agent[-1][1]
        tape.says(phrase(Phrase.TAKE_YOUR_TIME), step="waiting")
        plants = {FlagKind.TALKED_OVER: at}
        tape.hears("okay that is it thanks", "no", gap=1.0)
        tape.says(phrase(Phrase.GOODBYE), step="goodbye")
        tape.ends()
        yield Labelled(f"talked-over-on-{name}", tape, plants)

    for name, gap in (("polite", 0.2), ("last-syllable", -0.15)):
        tape = greeted()
        tape.hears("hi I was wondering whether you have any parking there", "answer:parking")
        tape.says(fact("parking"), phrase(Phrase.ANYTHING_ELSE), gap=gap, step="anything_else")
        yield Labelled(f"near-talked-over-{name}", leaves(tape))
    tape = greeted("what are your hours", "answer:hours")
    tape.says(fact("hours"), step="anything_else")
    tape.hears("great thanks and do you deliver", "answer:delivery", gap=-6.0, barges=True)
    tape.says(fact("delivery"), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    yield Labelled("near-talked-over-yielded", leaves(tape))
    tape = greeted("what are your hours", "answer:hours")
    tape.says(fact("hours"), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    tape.hears("uh huh", understood=False, gap=-6.0)
    tape.now = tape.agent[-1][1]
    yield Labelled("near-talked-over-uh-huh", leaves(tape))
    tape = greeted(
        "I want to order",
        "order",
    )
    offers_link(tape)
    tape.hears("yes", "yes", gap=-0.4)
    tape.now = tape.agent[-1][1]
    tape.decides("order_link", tool="order_link")
    receipt = tape.promises(LINK, Outcome.ACCEPTED, gap=0.45)
    tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=0.9)
    yield Labelled("near-talked-over-quick-yes", leaves(tape))


def dead_airs() -> Iterator[Labelled]:
    """Silence that we owe."""
    for name, gap in (("four", 4.0), ("seven", 7.0), ("just-over", 3.3)):
        tape = greeted("is there parking", "answer:parking")
        at = tape.now
        tape.says(fact("parking"), phrase(Phrase.ANYTHING_ELSE), gap=gap, step="anything_else")
        yield Labelled(f"dead-air-{name}", leaves(tape), {FlagKind.DEAD_AIR: at})
    tape = Tape()
    tape.greet(gap=4.5)
    yield Labelled("dead-air-no-greeting", leaves(tape, "okay bye", "goodbye"),
                   {FlagKind.DEAD_AIR: 0.05})  # fmt: skip
    tape = greeted("I want to order", "order")
    offers_link(tape)
    tape.hears("yes", "yes")
    tape.decides("order_link", tool="order_link")
    tape.says(phrase(Phrase.ONE_MOMENT), undecided=True, gap=1.0)
    at = tape.now
    receipt = tape.promises(LINK, Outcome.ACCEPTED, gap=3.5)
    tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=4.2)
    yield Labelled("dead-air-tool", leaves(tape), {FlagKind.DEAD_AIR: at})
    tape = greeted("I want to order", "order")
    offers_link(tape)
    at = tape.now
    tape.says(phrase(Phrase.STILL_THERE), step="silence_prompt", gap=16.0)
    sends_link(tape)
    yield Labelled("dead-air-not-prompted", leaves(tape), {FlagKind.DEAD_AIR: at})

    for name, gap in (("two", 2.0), ("just-under", 2.7)):
        tape = greeted("is there parking", "answer:parking")
        tape.says(fact("parking"), phrase(Phrase.ANYTHING_ELSE), gap=gap, step="anything_else")
        yield Labelled(f"near-dead-air-{name}", leaves(tape))
    tape = greeted("I want to order", "order")
    offers_link(tape)
    tape.waits(5.0)
    sends_link(tape)
    yield Labelled("near-dead-air-caller-thinks", leaves(tape))
    tape = greeted("I want to order", "order")
    offers_link(tape)
    tape.says(phrase(Phrase.STILL_THERE), step="silence_prompt", gap=6.1)
    sends_link(tape)
    yield Labelled("near-dead-air-prompted", leaves(tape))
    tape = ordered()
    leaves(tape)
    tape.events = [e for e in tape.events if e.kind() != "call_ended"]
    tape.hears("bye", understood=False, gap=0.6)
    tape.ends(gap=4.0)
    yield Labelled("near-dead-air-after-the-end", tape)


def missed_goodbyes() -> Iterator[Labelled]:
    """Goodbyes that were not taken."""
    for name, words in (
        ("bye", "okay bye"),
        ("bye-bye", "alright thank you bye bye"),
        ("night", "have a good night"),
        ("see-you", "okay see you then"),
    ):
        tape = ordered()
        at = tape.hears(words, "unclear")
        tape.says(phrase(Phrase.NOT_CAUGHT), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
        tape.hears("no", "no")
        tape.says(phrase(Phrase.GOODBYE), step="goodbye")
        tape.ends()
        yield Labelled(f"missed-goodbye-{name}", tape, {FlagKind.MISSED_GOODBYE: at})
    tape = ordered()
    leaves(tape)
    tape.events = [event for event in tape.events if event.kind() != "call_ended"]
    tape.hears("bye bye", "goodbye")
    at = tape.says(phrase(Phrase.GOODBYE), step="goodbye")
    tape.hears("hello robot goodbye", "goodbye")
    tape.says(phrase(Phrase.SHORT_GOODBYE), step="goodbye")
    tape.ends()
    plants = {FlagKind.MISSED_GOODBYE: at, FlagKind.INSTRUCTION_BROKEN: at}
    yield Labelled("missed-goodbye-loop", tape, plants)

    tape = ordered()
    leaves(tape)
    tape.events = [event for event in tape.events if event.kind() != "call_ended"]
    tape.hears("bye bye", understood=False, gap=0.5)
    tape.ends(gap=1.0)
    yield Labelled("near-missed-goodbye-answered", tape)
    tape = ordered()
    tape.hears("no bye oh wait is there parking", "no", "answer:parking")
    tape.says(fact("parking"), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    yield Labelled("near-missed-goodbye-one-more", leaves(tape))
    tape = greeted("I want to leave a message", "message")
    ask = Sentence(SentenceKind.PHRASE, "ask_other", "What would you like me to tell the owner?")
    tape.says(ask, step="ask_details")
    tape.hears("she left without saying goodbye and I was upset", "gives")
    tape.says(phrase(Phrase.ASK_NAME), step="ask_name")
    tape.hears("dana", "gives", name="dana")
    tape.says(phrase(Phrase.CONFIRM_CALLBACK, digits=DIGITS), step="confirm_caller_id")
    passes_on(tape)
    yield Labelled("near-missed-goodbye-in-a-story", leaves(tape))
    tape = ordered()
    leaves(tape)
    tape.events = [event for event in tape.events if event.kind() != "call_ended"]
    tape.hears("wait do you deliver", "answer:delivery")
    tape.says(fact("delivery"), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    yield Labelled("near-missed-goodbye-taken-up-again", leaves(tape))


def questions_twice() -> Iterator[Labelled]:
    """Questions asked again."""
    tape = reserving()
    tape.hears("yes", "yes")
    at = tape.says(phrase(Phrase.ASK_NAME), step="ask_name")
    tape.hears("maria I just spelled it", "gives", name="maria")
    tape.says(phrase(Phrase.CONFIRM_CALLBACK, digits=DIGITS), step="confirm_caller_id")
    passes_on(tape)
    yield Labelled("asked-twice-name", leaves(tape), {FlagKind.ASKED_TWICE: at})
    for name, answer, moves in (
        ("yes", "yes", ("yes",)),
        ("yes-it-is", "yes it is", ("yes",)),
        ("yeah-unclear", "yeah", ("unclear",)),
    ):
        tape = greeted("I want to order", "order")
        offers_link(tape)
        tape.hears(answer, *moves)
        confirm = phrase(Phrase.CONFIRM_CALLER_ID, digits=DIGITS)
        at = tape.says(confirm, step="confirm_caller_id")
        sends_link(tape)
        yield Labelled(f"asked-twice-{name}", leaves(tape), {FlagKind.ASKED_TWICE: at})
    tape = greeted("I'd like a table", "reservation")
    tape.says(RESERVE, step="ask_details")
    tape.hears("friday at seven for four", "gives", when="friday at seven", size="four")
    at = tape.says(RESERVE, step="ask_details")
    tape.hears("friday seven four people", "gives", when="friday seven", size="four")
    tape.says(phrase(Phrase.ASK_NAME), step="ask_name")
    tape.hears("dana", "gives", name="dana")
    tape.says(phrase(Phrase.CONFIRM_CALLBACK, digits=DIGITS), step="confirm_caller_id")
    passes_on(tape)
    yield Labelled("asked-twice-details", leaves(tape), {FlagKind.ASKED_TWICE: at})

    tape = greeted("I want to order", "order")
    offers_link(tape)
    tape.hears("is there parking", "answer:parking")
    tape.says(
        fact("parking"),
        phrase(Phrase.CONFIRM_CALLER_ID_AGAIN, digits=DIGITS),
        step="confirm_caller_id",
    )
    sends_link(tape)
    yield Labelled("near-asked-twice-question-between", leaves(tape))
    tape = greeted("I want to order", "order")
    offers_link(tape)
    tape.hears("say that again please", "repeat")
    offers_link(tape)
    sends_link(tape)
    yield Labelled("near-asked-twice-repeat", leaves(tape))
    tape = ordered()
    tape.hears("is there parking", "answer:parking")
    tape.says(fact("parking"), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    tape.hears("and do you deliver", "answer:delivery")
    tape.says(fact("delivery"), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    yield Labelled("near-asked-twice-anything-else", leaves(tape))
    tape = greeted("I want to order", "order")
    offers_link(tape)
    tape.hears("yes", "yes")
    tape.decides("order_link", tool="order_link")
    receipt = tape.promises(LINK, Outcome.REFUSED, news=("refused",), gap=0.45)
    at = tape.now + 0.45
    tape.says(receipt, phrase(Phrase.ASK_OTHER_NUMBER), step="ask_number", gap=0.9)
    number = "three one six five five five oh one nine nine"
    tape.hears(number, "gives", phone=number)
    tape.says(phrase(Phrase.CONFIRM_NUMBER, digits="3 1 6, 5 5 5, 0 1 9 9"), step="confirm_number")
    sends_link(tape)
    plants = {FlagKind.PROMISE_FAILED: at}
    yield Labelled("near-asked-twice-other-number", leaves(tape), plants)


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
    tape.says(fact("hours"), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
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
        tape = greeted("I want to order", "order")
        offers_link(tape)
        tape.hears(words, *moves)
        tape.says(phrase(Phrase.GOODBYE), step="goodbye")
        tape.ends()
        yield Labelled(f"near-gave-up-{name}", tape)
    tape = asked("is there parking", "parking")
    tape.hangs_up()
    yield Labelled("near-gave-up-after-the-answer", tape)
    tape = ordered()
    tape.hangs_up()
    yield Labelled("near-gave-up-after-the-link", tape)


def drops() -> Iterator[Labelled]:
    """Calls that we dropped."""
    tape = greeted("I want to order", "order")
    offers_link(tape)
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
    tape.says(fact("parking"), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
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
        tape = greeted("I want to order", "order")
        offers_link(tape)
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

    tape = greeted("I want to order", "order")
    offers_link(tape)
    tape.hears("yes", "yes")
    tape.decides("order_link", tool="order_link")
    receipt = tape.promises(
        LINK, Outcome.PENDING, news=("attempt", "failed", "attempt", "accepted"), gap=0.45
    )
    tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=0.9)
    yield Labelled("near-promise-kept-afterwards", leaves(tape))
    tape = greeted("I want to order", "order")
    offers_link(tape)
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


MAKERS: tuple[Maker, ...] = (
    clean,
    invented_facts,
    wrong_facts,
    unavailable_actions,
    broken_rules,
    mishearings,
    talking_over,
    dead_airs,
    missed_goodbyes,
    questions_twice,
    spam_calls,
    giving_up,
    drops,
    failed_promises,
    faults,
)


def labelled_calls() -> Iterator[Labelled]:
    """Yield all labelled calls, the same ones every time."""
    for maker in MAKERS:
        yield from maker()
