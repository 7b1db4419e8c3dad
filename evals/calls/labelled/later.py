"""Labelled calls that were written after the checks, and not looked at while those changed."""

from __future__ import annotations

from collections.abc import Iterator

from tape import Tape, invented, phrase

from agent.events import Outcome, Sentence, SentenceKind
from agent.mind.wording import Phrase
from agent.review.schema import FlagKind
from labelled.pieces import (
    DIGITS,
    LINK,
    RESERVE,
    Labelled,
    Maker,
    answers,
    asked,
    gives_name,
    greeted,
    leaves,
    ordered,
    ordering,
    passes_on,
    reserving,
    sends_link,
)


def said() -> Iterator[Labelled]:
    """What was said: invented, beside the question, offered, against the rules."""
    for name, question, answer in (
        ("kids", "do kids eat free", "Yes, kids under ten eat free on Sundays."),
        ("wifi", "what's the wifi password", "The password is hikari2140."),
        ("special", "any specials", "Today's special is salmon belly for eighteen dollars."),
    ):
        tape = greeted(question, "unknown")
        at = tape.says(invented(answer, SentenceKind.FACT, name), step="anything_else")
        yield Labelled(f"invented-{name}", leaves(tape), {FlagKind.INVENTED_FACT: at})
    for question, name in (
        ("is the owner japanese", "address"),
        ("do you take reservations on new year's eve", "vegetarian"),
        ("can I rent the whole place for a wedding", "ramen_price"),
    ):
        tape = greeted(question, f"answer:{name}")
        at = answers(tape, name)
        yield Labelled(f"wrong-fact-{name}", leaves(tape), {FlagKind.WRONG_FACT: at})
    for name, text in (
        ("manager", "Let me get the manager for you."),
        ("forward", "I can forward your call to the kitchen."),
        ("ask", "I'll ask the chef and let you know."),
        ("hold", "Stay on the line, somebody will be right with you."),
    ):
        tape = greeted("is somebody there I can talk to", "wants_human")
        at = tape.says(invented(text), step="help")
        plants = {FlagKind.UNAVAILABLE_ACTION: at, FlagKind.INVENTED_FACT: at}
        yield Labelled(f"unavailable-{name}", leaves(tape), plants)
    for name, text in (
        ("confirmed", "Your reservation has been confirmed for Saturday."),
        ("held", "We booked you a booth by the window."),
        ("expiry", "And the expiration date on the card?"),
    ):
        tape = reserving()
        passes_on(tape)
        tape.hears("so is it done", "unknown")
        at = tape.says(invented(text), step="anything_else")
        plants = {FlagKind.INSTRUCTION_BROKEN: at, FlagKind.INVENTED_FACT: at}
        yield Labelled(f"broken-{name}", leaves(tape), plants)
    for question, name in (
        ("where can I leave my car", "parking"),
        ("what's good without gluten", "gluten_free"),
        ("you guys open sunday", "hours"),
        ("is there anything a vegan could eat", "vegetarian"),
        ("do you have asahi or sapporo or any sake", "alcohol"),
        ("can eight of us sit down and eat there", "dine_in"),
    ):
        yield Labelled(f"near-said-{name}", leaves(asked(question, name)))
    tape = greeted("do I have to book a table or can you transfer me", "wants_human")
    tape.says(phrase(Phrase.NO_TRANSFER), phrase(Phrase.CAN_TAKE_MESSAGE),
              phrase(Phrase.LIKE_THAT), step="offer_message")  # fmt: skip
    yield Labelled("near-said-transfer", leaves(tape, "nah forget it", "no"))
    tape = reserving("could you confirm my reservation, it's under maria")
    passes_on(tape)
    yield Labelled("near-said-confirm", leaves(tape))


def heard() -> Iterator[Labelled]:
    """Who was heard: misheard, talked over, silence, goodbyes, questions."""
    for name, words in (
        ("wrong", "you got that wrong"),
        ("asked-about", "I asked about saturday"),
        ("didnt-say", "I didn't say ramen I said gyoza"),
    ):
        tape = greeted("are you open saturday", "answer:hours")
        answers(tape, "hours")
        at = tape.hears(words, "unknown")
        tape.says(phrase(Phrase.DONT_KNOW), phrase(Phrase.OFFER_RELAY), step="offer_relay")
        tape.hears("no", "no")
        tape.says(phrase(Phrase.ANYTHING_ELSE), step="anything_else")
        yield Labelled(f"misheard-{name}", leaves(tape), {FlagKind.MISHEARD: at})
    for name, gap in (("begin", -2.0), ("end", -0.45)):
        tape = greeted()
        tape.hears(
            "yeah hello so my wife and I would like to know if you deliver",
            "answer:delivery",
        )
        at = answers(tape, "delivery", gap=gap)
        tape.now = max(tape.now, tape.caller[-1][1])
        yield Labelled(f"talked-over-{name}", leaves(tape), {FlagKind.TALKED_OVER: at})
    for seconds in (3.6, 9.0):
        tape = ordered()
        tape.hears("do you deliver", "answer:delivery")
        at = tape.now
        answers(tape, "delivery", gap=seconds)
        yield Labelled(f"dead-air-{seconds:.0f}", leaves(tape), {FlagKind.DEAD_AIR: at})
    for name, words in (
        ("later", "talk to you later goodbye"),
        ("care", "thanks so much take care"),
        ("good", "you have a great day"),
    ):
        tape = asked("is there parking", "parking")
        at = tape.hears(words, "unclear")
        tape.says(phrase(Phrase.NOT_CAUGHT), phrase(Phrase.ANYTHING_ELSE), step="anything_else")
        yield Labelled(f"missed-goodbye-{name}", leaves(tape), {FlagKind.MISSED_GOODBYE: at})
    tape = greeted("I want to leave a message for the boss", "message")
    ask = Sentence(SentenceKind.PHRASE, "ask_other", "What would you like me to tell the owner?")
    tape.says(ask, step="ask_details")
    tape.hears("the heating is broken in the bathroom", "gives", details="the heating is broken")
    at = tape.says(ask, step="ask_details")
    tape.hears("the heating is broken", "gives", details="the heating is broken")
    gives_name(tape, "joe")
    passes_on(tape)
    yield Labelled("asked-twice-message", leaves(tape), {FlagKind.ASKED_TWICE: at})
    tape = ordering("can I order")
    tape.hears("sure that works", "unclear")
    tape.says(
        phrase(Phrase.NOT_CAUGHT),
        phrase(Phrase.CONFIRM_CALLER_ID_AGAIN, digits=DIGITS),
        step="confirm_caller_id",
    )
    tape.hears("yes", "yes")
    again = phrase(Phrase.CONFIRM_CALLER_ID_AGAIN, digits=DIGITS)
    at = tape.says(again, step="confirm_caller_id")
    sends_link(tape)
    yield Labelled("asked-twice-again", leaves(tape), {FlagKind.ASKED_TWICE: at})

    tape = ordering("can I order")
    tape.hears("what", "repeat")
    tape.says(phrase(Phrase.CONFIRM_CALLER_ID_AGAIN, digits=DIGITS), step="confirm_caller_id")
    tape.hears("oh yes yes", "yes")
    tape.decides("order_link", tool="order_link")
    receipt = tape.promises(LINK, Outcome.ACCEPTED, gap=0.5)
    tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=1.0)
    yield Labelled("near-heard-what", leaves(tape))
    tape = greeted(
        "I'd like a table and I also want to leave a complaint", "reservation", "complaint"
    )
    tape.says(RESERVE, step="ask_details")
    tape.hears("sunday noon two people", "gives", when="sunday noon", size="two")
    gives_name(tape, "o'brien")
    passes_on(tape)
    yield Labelled("near-heard-two-needs", leaves(tape, "no that was everything bye", "no"))
    tape = ordered()
    tape.hears("hmm", understood=False, seconds=0.5)
    tape.hears("no I think that's all for today", "no", gap=4.0)
    tape.says(phrase(Phrase.GOODBYE), step="goodbye", gap=1.8)
    tape.ends()
    yield Labelled("near-heard-slow-caller", tape)
    tape = greeted("hello hello", "smalltalk")
    tape.says(phrase(Phrase.SMALLTALK), phrase(Phrase.HOW_CAN_I_HELP), step="help", gap=0.1)
    tape.hears("where are you located", "answer:address")
    answers(tape, "address")
    yield Labelled("near-heard-hello", leaves(tape, "great bye now", "goodbye"))
    tape = asked("do you sell beer", "alcohol")
    tape.hears("my buddy said bye already he is outside, do you have parking", "answer:parking")
    answers(tape, "parking")
    yield Labelled("near-heard-said-bye", leaves(tape))


def ended() -> Iterator[Labelled]:
    """How it went on and ended: spam, giving up, drops, promises, faults."""
    for number, pitch in enumerate((
        "our records show your google listing has not been claimed",
        "I'm with a marketing agency and we help restaurants get more customers",
        "do you currently accept cards because our merchant services save you money",
        "congratulations your business qualifies for small business funding",
    )):  # fmt: skip
        tape = greeted()
        at = tape.hears(pitch, "unknown")
        tape.says(phrase(Phrase.DONT_KNOW), phrase(Phrase.OFFER_RELAY), step="offer_relay")
        tape.hears("yes please", "yes")
        gives_name(tape, "jennifer")
        passes_on(tape)
        yield Labelled(f"spam-served-{number}", leaves(tape), {FlagKind.SPAM_SERVED: at})
    for name, words in (
        ("reviews", "I read great reviews online do you deliver"),
        ("card", "my credit card was charged twice can the owner call me"),
        ("warranty", "we found your listing on the map is there parking"),
    ):
        tape = greeted(words, "answer:delivery" if name == "reviews" else "answer:parking")
        if name == "card":
            tape = reserving("my credit card was charged twice can the owner call me")
            passes_on(tape)
        else:
            known = "delivery" if name == "reviews" else "parking"
            answers(tape, known)
        yield Labelled(f"near-spam-{name}", leaves(tape))
    tape = greeted()
    at = tape.hears("we need catering for thirty people on the tenth", "catering")
    tape.says(phrase(Phrase.ASK_NAME), step="ask_name")
    tape.hangs_up(gap=0.3)
    yield Labelled("gave-up-catering", tape, {FlagKind.GAVE_UP: at})
    tape = ordered()
    tape.hears("hold on", "wait")
    tape.says(phrase(Phrase.TAKE_YOUR_TIME), step="waiting")
    tape.hangs_up(gap=3.0)
    yield Labelled("near-gave-up-had-the-link", tape)
    tape = greeted("do you deliver", "answer:delivery")
    at = tape.ends("fault", "engine.ear", gap=1.0)
    yield Labelled("dropped-ear", tape, {FlagKind.DROPPED: at})
    tape = Tape()
    tape.greet()
    tape.closed = False
    yield Labelled("dropped-killed-early", tape, {FlagKind.DROPPED: tape.now})
    tape = reserving()
    at = tape.now + 0.7 + 0.35 + 0.45
    passes_on(tape, Outcome.ACCEPTED, news=("accepted", "status failed"))
    yield Labelled("promise-came-back", leaves(tape), {FlagKind.PROMISE_FAILED: at})
    tape = reserving()
    passes_on(tape, Outcome.PENDING, news=("attempt", "unknown", "accepted", "status sent"))
    yield Labelled("near-promise-sent-at-last", leaves(tape))
    tape = asked("is there parking", "parking")
    at = tape.fails("engine.mouth")
    yield Labelled("fault-mouth", leaves(tape), {FlagKind.FAULT: at})


MAKERS: tuple[Maker, ...] = (said, heard, ended)
