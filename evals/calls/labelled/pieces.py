"""Pieces that the labelled calls are put together from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tape import Tape, fact, phrase

from agent.events import Outcome, PromiseKind, Sentence, SentenceKind
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


def answers(tape: Tape, fact_id: str, gap: float = 0.5) -> float:
    """Let the agent answer with a fact; return when it begins to."""
    sentences = fact(fact_id), phrase(Phrase.ANYTHING_ELSE)
    return tape.says(*sentences, step="anything_else", gap=gap)


def gives_name(tape: Tape, name: str) -> None:
    """Let the agent ask for the caller's name, get it, and ask about the number."""
    tape.says(phrase(Phrase.ASK_NAME), step="ask_name")
    tape.hears(name, "gives", name=name)
    tape.says(phrase(Phrase.CONFIRM_CALLBACK, digits=DIGITS), step="confirm_caller_id")


def says_goodbye(tape: Tape) -> None:
    """Let the agent take leave and hang up."""
    tape.says(phrase(Phrase.GOODBYE), step="goodbye")
    tape.ends()


def leaves(tape: Tape, words: str = "no that's all thank you", *moves: str) -> Tape:
    """Let both say goodbye."""
    tape.hears(words, *(moves or ("no",)))
    says_goodbye(tape)
    return tape


def ordering(words: str = "I want to order", *moves: str) -> Tape:
    """Return a call in which the link was offered."""
    tape = greeted(words, *(moves or ("order",)))
    offers_link(tape)
    return tape


def ordered(words: str = "I'd like to place an order", *moves: str) -> Tape:
    """Return a call in which the link was sent."""
    tape = ordering(words, *moves)
    sends_link(tape)
    return tape


def reserving(words: str = "I'd like to book a table") -> Tape:
    """Return a call in which a reservation was begun."""
    tape = greeted(words, "reservation")
    tape.says(RESERVE, step="ask_details")
    tape.hears("friday at seven for four people", "gives", when="friday at seven", size="four")
    gives_name(tape, "maria lopez")
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
    answers(tape, fact_id)
    return tape
