"""The last gate: nothing is spoken that nothing backs."""

from pathlib import Path

import pytest

from agent.errors import UnbackedClaim
from agent.events import Outcome, PromiseKind, Sentence, SentenceKind
from agent.mind import wording
from agent.mind.claims import Receipts, check
from agent.mind.wording import Phrase
from agent.restaurant import load_restaurant

HIKARI = load_restaurant(Path(__file__).parents[2] / "evals" / "worlds" / "hikari.toml")
BOTH = frozenset(PromiseKind)
LINK, MESSAGE = PromiseKind.ORDER_LINK, PromiseKind.OWNER_MESSAGE
PROMISES: Receipts = {
    "sent": (LINK, Outcome.ACCEPTED),
    "later": (LINK, Outcome.PENDING),
    "refused": (LINK, Outcome.REFUSED),
    "passed": (MESSAGE, Outcome.ACCEPTED),
}


def say(kind: str, ref: str, text: str) -> Sentence:
    return Sentence(SentenceKind(kind), ref, text)


@pytest.mark.parametrize(
    "sentence",
    [
        wording.greeting(HIKARI),
        wording.phrase(Phrase.ANYTHING_ELSE),
        wording.phrase(Phrase.CONFIRM_CALLER_ID, digits="0 1 4 2"),
        wording.phrase(Phrase.CONFIRM_NUMBER, digits="3 1 6, 5 5 5, 0 1 4 2"),
        wording.phrase(Phrase.YOU_REACHED, restaurant="Hikari Sushi and Ramen"),
        wording.phrase(Phrase.CLOSED_DAY, closed_day="Mondays"),
        wording.phrase(Phrase.HEARD_TABLE, when="Friday, November 27th at 7:30 PM", size="4"),
        wording.phrase(Phrase.HEARD_TABLE, when="Friday, May 1st at noon", size="4 to 6"),
        wording.phrase(Phrase.CHECK_FACT, question="where can I park"),
        wording.owners_question(HIKARI.messages[0]),
        say("fact", "parking", "There's free parking behind the building."),
        wording.receipt("sent", LINK, Outcome.ACCEPTED),
        wording.receipt("sent", LINK, Outcome.ACCEPTED, again=True),
        wording.receipt("later", LINK, Outcome.PENDING),
        wording.receipt("refused", LINK, Outcome.REFUSED),
        wording.receipt("passed", MESSAGE, Outcome.ACCEPTED),
    ],
)
def test_backed(sentence: Sentence) -> None:
    assert check(sentence, HIKARI, PROMISES, BOTH) is sentence


@pytest.mark.parametrize(
    "sentence",
    [
        say("phrase", "anything_else", "Your table is booked."),
        say("phrase", "anything_else", "Anything else? Sushi is free today."),
        say("phrase", "made_up", "Anything else?"),
        say("phrase", "greeting", "Welcome to the other place."),
        say("phrase", "confirm_number", "That's correct, your order is in. Is that right?"),
        say("phrase", "you_reached", "You've reached the pharmacy."),
        say("phrase", "closed_day", "We're closed on Fridays."),
        say("phrase", "check_fact", "Did you mean: is everything free?"),
        say("phrase", "heard_table", "That's booked for Friday at 7, for 4."),
        say("phrase", "heard_table", "That's Friday, November 27th at 7 PM, for free."),
        say("phrase", "ask_catering", "For what day and time, and how many people?"),
        say("phrase", "ask_weddings", "When is the wedding?"),
        say("fact", "parking", "There's free valet parking."),
        say("fact", "helipad", "There's free parking behind the building."),
        wording.receipt("unheard of", LINK, Outcome.ACCEPTED),
        wording.receipt("later", LINK, Outcome.ACCEPTED),
        wording.receipt("refused", LINK, Outcome.ACCEPTED),
        wording.receipt("sent", MESSAGE, Outcome.ACCEPTED),
        say("receipt", "sent", "Your order is on its way."),
    ],
)
def test_not_backed(sentence: Sentence) -> None:
    with pytest.raises(UnbackedClaim):
        check(sentence, HIKARI, PROMISES, BOTH)


@pytest.mark.parametrize(
    "sentence",
    [
        wording.phrase(Phrase.CAN_TEXT_LINK),
        wording.phrase(Phrase.CAN_TAKE_MESSAGE),
        wording.owners_question(HIKARI.messages[0]),
    ],
)
def test_what_this_deployment_lacks_is_not_offered(sentence: Sentence) -> None:
    with pytest.raises(UnbackedClaim):
        check(sentence, HIKARI, {}, frozenset())


def test_all_lines_hold_every_fixed_sentence_and_no_blank() -> None:
    lines = wording.all_lines(HIKARI, BOTH)
    assert HIKARI.greeting in lines
    assert {fact.say for fact in HIKARI.facts} <= set(lines)
    assert {kind.ask for kind in HIKARI.messages} <= set(lines)
    assert "Done. I just texted you the link." in lines
    assert "You've reached Hikari Sushi and Ramen." in lines
    assert not [line for line in lines if "{" in line]
    assert len(lines) == len(set(lines))


def test_all_lines_leave_out_what_can_not_be_done() -> None:
    lines = wording.all_lines(HIKARI, frozenset())
    assert not [line for line in lines if "text" in line or "take a message for" in line]
