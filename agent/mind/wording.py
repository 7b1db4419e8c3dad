"""The fixed wording: every phrase and receipt the agent can speak, in one place.

A phrase may have named blanks; what may stand in a blank is checked in
`agent.mind.claims`. Plain and brief: one sentence, rarely two. A phrase that offers
something says so in `OFFERS`, so that nothing is offered that a deployment can't do.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from enum import StrEnum, unique
from typing import Final

from agent.events import Outcome, PromiseKind, Sentence, SentenceKind
from agent.mind.tools import Capabilities, capabilities_of
from agent.restaurant import MessageKind, Restaurant


@unique
class Phrase(StrEnum):
    """Fixed wording by name; the name in lower case is the sentence's ``ref``."""

    # the call
    SHORT_GREETING = "{restaurant}, automated assistant. How can I help?"
    ANYTHING_ELSE = "Anything else?"
    HOW_CAN_I_HELP = "How can I help?"
    WHAT_ELSE = "What else can I do for you?"
    ONE_MOMENT = "One moment."
    STILL_WORKING = "I'm still on it."
    TAKE_YOUR_TIME = "Take your time."
    ALL_RIGHT = "All right."
    GOODBYE = "Thanks for calling. Goodbye."
    SHORT_GOODBYE = "Goodbye."

    # silence, noise, limits
    STILL_THERE = "Are you still there?"
    STILL_HERE = "I'm still here."
    SILENCE_GOODBYE = "I can't hear you, so I'll let you go. Goodbye."
    NOT_CAUGHT = "Sorry, I didn't catch that."
    STILL_NOT_CAUGHT = "I still didn't catch that."
    YES_OR_NO = "Please say yes or no, or press 1 for yes and 2 for no."
    PRESS_FOR_LINK = "Press 1 and I'll text you our ordering link."
    PRESS_FOR_MESSAGE = "Press 2 to leave a message for the owner."
    UNCLEAR_GOODBYE = "I'm sorry, I can't make out what you're saying. Please call again. Goodbye."
    BUDGET_GOODBYE = "I have to let you go now. Thanks for calling. Goodbye."

    # what it is, what it can't do
    AM_A_MACHINE = "I'm an automated assistant, not a person."
    NO_TRANSFER = "I can't transfer calls."
    NO_VOICE_ORDERS = "I can't take orders by voice."
    NO_PAYMENTS = "I can't take payments or card numbers by phone."
    NO_LINK = "I can't take orders on this line."
    NO_MESSAGES = "I can't take messages on this line."
    CALL_AGAIN = "Please call again later to reach the staff."
    SMALLTALK = "Thanks for asking."
    WELCOME = "You're welcome."
    YOU_REACHED = "You've reached {restaurant}."
    HELP_HERE = "Is there something I can help you with here?"
    NO_SPAM = "We're not interested, thank you. Goodbye."
    STAY_POLITE = "I'd like to help, so please stay polite."
    ABUSE_GOODBYE = "I'm ending this call now. Goodbye."
    EMERGENCY = "Please hang up and call 9 1 1."

    # questions without an answer
    DONT_KNOW = "I don't have that information."
    OFFER_RELAY = "Shall I pass your question on to the owner?"
    OFFER_RELAY_LATER = "You also asked something I don't know. Shall I pass it on to the owner?"
    CHECK_FACT = "Did you mean: {question}?"

    # the ordering link
    CAN_TEXT_LINK = "I can text you our ordering link."
    CONFIRM_CALLER_ID = (
        "Is the number you're calling from, ending in {digits}, the right one for texts?"
    )
    CONFIRM_CALLER_ID_AGAIN = "Is the number ending in {digits} the right one for texts?"
    ASK_NUMBER = "What number should I text it to?"
    LIKE_THAT = "Would you like that?"
    OFFER_RESEND = "Should I text it to another number?"
    ASK_OTHER_NUMBER = "What other number could I text?"
    NO_NUMBER_NO_LINK = "Without a number I can't text you the link."

    # any number
    CONFIRM_NUMBER = "That's {digits}. Is that right?"
    ASK_REST = "I have {digits} so far. What comes next?"
    ASK_AREA_CODE = "I have {digits}. What's the area code?"
    WRONG_NUMBER_HEARD = "I didn't get a complete phone number."
    NUMBER_TROUBLE = "I'm having trouble with that number."

    # messages
    CAN_TAKE_MESSAGE = "I can take a message for the owner."
    CONFIRM_CALLBACK = "Can the owner reach you at the number ending in {digits}?"
    CONFIRM_CALLBACK_AGAIN = "Is the number ending in {digits} right for the owner to call?"
    ASK_CALLBACK = "What number can the owner reach you at?"
    ASK_NAME = "And your name, please?"
    ASK_WHEN = "For what day and time?"
    ASK_DAY = "For what day?"
    ASK_TIME = "For what time?"
    ASK_SIZE = "For how many people?"
    ASK_OTHER_DAY = "What other day would work?"
    ASK_OTHER_TIME = "What other time would work?"
    CLOSED_DAY = "We're closed on {closed_day}."
    CLOSED_TIME = "We're not open then."
    HEARD_TABLE = "That's {when}, for {size}."
    READ_AGAIN = "Sorry about that."

    @property
    def ref(self) -> str:
        """The phrase's name as it stands in a sentence's ``ref``."""
        return self.name.lower()


SHORTER: Final[Mapping[Phrase, Phrase]] = {
    Phrase.CONFIRM_CALLER_ID: Phrase.CONFIRM_CALLER_ID_AGAIN,
    Phrase.WHAT_ELSE: Phrase.ANYTHING_ELSE,
    Phrase.GOODBYE: Phrase.SHORT_GOODBYE,
}
"""What is said in a rush instead: as honest, and sooner over. Blanks are the same."""

OFFERS: Final[Mapping[Phrase, PromiseKind]] = {
    Phrase.CAN_TEXT_LINK: PromiseKind.ORDER_LINK,
    Phrase.CONFIRM_CALLER_ID: PromiseKind.ORDER_LINK,
    Phrase.CONFIRM_CALLER_ID_AGAIN: PromiseKind.ORDER_LINK,
    Phrase.ASK_NUMBER: PromiseKind.ORDER_LINK,
    Phrase.OFFER_RESEND: PromiseKind.ORDER_LINK,
    Phrase.ASK_OTHER_NUMBER: PromiseKind.ORDER_LINK,
    Phrase.NO_NUMBER_NO_LINK: PromiseKind.ORDER_LINK,
    Phrase.PRESS_FOR_LINK: PromiseKind.ORDER_LINK,
    Phrase.PRESS_FOR_MESSAGE: PromiseKind.OWNER_MESSAGE,
    Phrase.OFFER_RELAY: PromiseKind.OWNER_MESSAGE,
    Phrase.OFFER_RELAY_LATER: PromiseKind.OWNER_MESSAGE,
    Phrase.CAN_TAKE_MESSAGE: PromiseKind.OWNER_MESSAGE,
    Phrase.CONFIRM_CALLBACK: PromiseKind.OWNER_MESSAGE,
    Phrase.CONFIRM_CALLBACK_AGAIN: PromiseKind.OWNER_MESSAGE,
    Phrase.ASK_CALLBACK: PromiseKind.OWNER_MESSAGE,
    Phrase.ASK_NAME: PromiseKind.OWNER_MESSAGE,
    Phrase.ASK_WHEN: PromiseKind.OWNER_MESSAGE,
    Phrase.ASK_DAY: PromiseKind.OWNER_MESSAGE,
    Phrase.ASK_TIME: PromiseKind.OWNER_MESSAGE,
    Phrase.ASK_SIZE: PromiseKind.OWNER_MESSAGE,
    Phrase.ASK_OTHER_DAY: PromiseKind.OWNER_MESSAGE,
    Phrase.ASK_OTHER_TIME: PromiseKind.OWNER_MESSAGE,
    Phrase.HEARD_TABLE: PromiseKind.OWNER_MESSAGE,
}
"""Phrases that only make sense where a tool is there."""

RECEIPTS: Final[Mapping[tuple[PromiseKind, Outcome], tuple[str, ...]]] = {
    (PromiseKind.ORDER_LINK, Outcome.ACCEPTED): (
        "Done. I just texted you the link.",
        "I texted you the ordering link a moment ago.",
    ),
    (PromiseKind.ORDER_LINK, Outcome.PENDING): (
        "I couldn't send it just now. I'll text it as soon as it goes through.",
    ),
    (PromiseKind.ORDER_LINK, Outcome.REFUSED): ("Texts can't reach that number.",),
    (PromiseKind.OWNER_MESSAGE, Outcome.ACCEPTED): ("I've passed that on to the owner.",),
    (PromiseKind.OWNER_MESSAGE, Outcome.PENDING): (
        "I couldn't pass it on just now. I'll send it to the owner as soon as it goes through.",
    ),
    (PromiseKind.OWNER_MESSAGE, Outcome.REFUSED): ("I'm sorry, I couldn't pass that on.",),
}
"""What may be said of a promise, by what became of it; the first is the news itself."""

GREETING_REF: Final = "greeting"
ASK_REF: Final = "ask_"
"""Prefix of the ``ref`` of the owner's own question for a message kind: ``ask_catering``."""


def phrase(name: Phrase, **blanks: str) -> Sentence:
    """Return the sentence of a phrase with its blanks filled."""
    return Sentence(SentenceKind.PHRASE, name.ref, name.value.format(**blanks))


def greeting(restaurant: Restaurant, *, short: bool = False) -> Sentence:
    """Return the owner's greeting; ``short``: a plain one, for a rush."""
    if short:
        return phrase(Phrase.SHORT_GREETING, restaurant=restaurant.say_name)
    return Sentence(SentenceKind.PHRASE, GREETING_REF, restaurant.greeting)


def owners_question(kind: MessageKind) -> Sentence:
    """Return the owner's own question for a message kind."""
    return Sentence(SentenceKind.PHRASE, ASK_REF + kind.id, kind.ask)


def receipt(promise: str, kind: PromiseKind, outcome: Outcome, *, again: bool = False) -> Sentence:
    """Return what may be said of ``promise``; ``again`` when it was said before."""
    words = RECEIPTS[kind, outcome]
    return Sentence(SentenceKind.RECEIPT, promise, words[-1] if again else words[0])


def all_lines(restaurant: Restaurant, capabilities: Capabilities) -> tuple[str, ...]:
    """Return every fixed sentence that can be spoken ahead: no blanks left to fill.

    Greeting, facts, the owner's questions, phrases, receipts; what this deployment can't do
    is left out.
    """
    can = capabilities_of(restaurant, capabilities)
    known = {"restaurant": restaurant.say_name}
    lines = [restaurant.greeting]
    for each in Phrase:
        needs = OFFERS.get(each)
        if (needs is None or needs in can) and blanks_of(each) <= known.keys():
            lines.append(each.value.format_map(known))
    if PromiseKind.OWNER_MESSAGE in can:
        lines += [kind.ask for kind in restaurant.messages]
    lines += [fact.say for fact in restaurant.facts]
    for (kind, _), words in RECEIPTS.items():
        if kind in can:
            lines += words
    return tuple(dict.fromkeys(lines))


def blanks_of(name: Phrase) -> frozenset[str]:
    """Return the names of a phrase's blanks."""
    return frozenset(field for _, field, _, _ in string.Formatter().parse(name.value) if field)
