"""Who was heard: misheard, talked over, silence, goodbyes, questions asked again."""

from __future__ import annotations

from collections.abc import Iterator

from tape import Tape, fact, phrase

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
    gives_name,
    greeted,
    leaves,
    offers_link,
    ordered,
    ordering,
    passes_on,
    reserving,
    says_goodbye,
    sends_link,
)


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
        gives_name(tape, "dana")
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
    tape = ordering()
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
    tape = ordering()
    tape.hears("no use another number", "no")
    tape.says(phrase(Phrase.ASK_NUMBER), step="ask_number")
    tape.hears(number, "gives", phone=number)
    tape.says(phrase(Phrase.CONFIRM_NUMBER, digits=fixed), step="confirm_number")
    sends_link(tape)
    yield Labelled("near-misheard-other-number", leaves(tape))
    tape = greeted("can you repeat that", "repeat")
    tape.says(phrase(Phrase.HOW_CAN_I_HELP), step="help")
    tape.hears("my friend said you have parking", "answer:parking")
    answers(tape, "parking")
    yield Labelled("near-misheard-repeat", leaves(tape))
    tape = ordered()
    tape.hears("", understood=False, seconds=0.4)
    tape.hears("no that's it", "no", gap=0.9)
    says_goodbye(tape)
    yield Labelled("near-misheard-cough", tape)


def talking_over() -> Iterator[Labelled]:
    """Both speak, and it is our fault."""
    for name, gap in (("early", -1.2), ("half-way", -1.6), ("late", -0.6)):
        tape = greeted()
        tape.hears("hi I was wondering whether you have any parking there", "answer:parking")
        at = answers(tape, "parking", gap=gap)
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
        says_goodbye(tape)
        yield Labelled(f"talked-over-on-{name}", tape, plants)

    for name, gap in (("polite", 0.2), ("last-syllable", -0.15)):
        tape = greeted()
        tape.hears("hi I was wondering whether you have any parking there", "answer:parking")
        answers(tape, "parking", gap=gap)
        yield Labelled(f"near-talked-over-{name}", leaves(tape))
    tape = greeted("what are your hours", "answer:hours")
    tape.says(fact("hours"), step="anything_else")
    tape.hears("great thanks and do you deliver", "answer:delivery", gap=-6.0, barges=True)
    answers(tape, "delivery")
    yield Labelled("near-talked-over-yielded", leaves(tape))
    tape = greeted("what are your hours", "answer:hours")
    answers(tape, "hours")
    tape.hears("uh huh", understood=False, gap=-6.0)
    tape.now = tape.agent[-1][1]
    yield Labelled("near-talked-over-uh-huh", leaves(tape))
    tape = ordering()
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
        answers(tape, "parking", gap=gap)
        yield Labelled(f"dead-air-{name}", leaves(tape), {FlagKind.DEAD_AIR: at})
    tape = Tape()
    tape.greet(gap=4.5)
    yield Labelled("dead-air-no-greeting", leaves(tape, "okay bye", "goodbye"),
                   {FlagKind.DEAD_AIR: 0.05})  # fmt: skip
    tape = ordering()
    tape.hears("yes", "yes")
    tape.decides("order_link", tool="order_link")
    tape.says(phrase(Phrase.ONE_MOMENT), undecided=True, gap=1.0)
    at = tape.now
    receipt = tape.promises(LINK, Outcome.ACCEPTED, gap=3.5)
    tape.says(receipt, phrase(Phrase.ANYTHING_ELSE), step="anything_else", gap=4.2)
    yield Labelled("dead-air-tool", leaves(tape), {FlagKind.DEAD_AIR: at})
    tape = ordering()
    at = tape.now
    tape.says(phrase(Phrase.STILL_THERE), step="silence_prompt", gap=16.0)
    sends_link(tape)
    yield Labelled("dead-air-not-prompted", leaves(tape), {FlagKind.DEAD_AIR: at})

    for name, gap in (("two", 2.0), ("just-under", 2.7)):
        tape = greeted("is there parking", "answer:parking")
        answers(tape, "parking", gap=gap)
        yield Labelled(f"near-dead-air-{name}", leaves(tape))
    tape = ordering()
    tape.waits(5.0)
    sends_link(tape)
    yield Labelled("near-dead-air-caller-thinks", leaves(tape))
    tape = ordering()
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
        says_goodbye(tape)
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
    answers(tape, "parking")
    yield Labelled("near-missed-goodbye-one-more", leaves(tape))
    tape = greeted("I want to leave a message", "message")
    ask = Sentence(SentenceKind.PHRASE, "ask_other", "What would you like me to tell the owner?")
    tape.says(ask, step="ask_details")
    tape.hears("she left without saying goodbye and I was upset", "gives")
    gives_name(tape, "dana")
    passes_on(tape)
    yield Labelled("near-missed-goodbye-in-a-story", leaves(tape))
    tape = ordered()
    leaves(tape)
    tape.events = [event for event in tape.events if event.kind() != "call_ended"]
    tape.hears("wait do you deliver", "answer:delivery")
    answers(tape, "delivery")
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
        tape = ordering()
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
    gives_name(tape, "dana")
    passes_on(tape)
    yield Labelled("asked-twice-details", leaves(tape), {FlagKind.ASKED_TWICE: at})

    tape = ordering()
    tape.hears("is there parking", "answer:parking")
    tape.says(
        fact("parking"),
        phrase(Phrase.CONFIRM_CALLER_ID_AGAIN, digits=DIGITS),
        step="confirm_caller_id",
    )
    sends_link(tape)
    yield Labelled("near-asked-twice-question-between", leaves(tape))
    tape = ordering()
    tape.hears("say that again please", "repeat")
    offers_link(tape)
    sends_link(tape)
    yield Labelled("near-asked-twice-repeat", leaves(tape))
    tape = ordered()
    tape.hears("is there parking", "answer:parking")
    answers(tape, "parking")
    tape.hears("and do you deliver", "answer:delivery")
    answers(tape, "delivery")
    yield Labelled("near-asked-twice-anything-else", leaves(tape))
    tape = ordering()
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


MAKERS: tuple[Maker, ...] = (mishearings, talking_over, dead_airs, missed_goodbyes, questions_twice)
