"""What is left when the understanding has a fault: keys, and the words as they are."""

import pytest

from agent.events import Move, PromiseKind
from agent.mind.dialogue import Dialogue, DialogueState, Heard, Keys, Reply
from agent.mind.dialogue.ends import MOST_UNCLEAR
from agent.mind.moves import MoveName, Understanding
from agent.mind.tools import PassMessage, SendLink
from tests.unit.conversation import CALLER, dialogue


def mumbled(text: str) -> Heard:
    return Heard(Understanding((Move(MoveName.UNCLEAR),), fault="mind"), text)


def told(text: str) -> Heard:
    return Heard(Understanding((Move(MoveName.GIVES),), {"details": text}, fault="mind"), text)


def play(talker: Dialogue, *given: Heard | Keys) -> tuple[DialogueState, Reply]:
    state, reply = talker.open()
    for one in given:
        state, reply = talker.step(state, one)
    return state, reply


def words(reply: Reply) -> str:
    return " ".join(sentence.text for sentence in reply.sentences)


def test_keys_are_offered() -> None:
    _, reply = play(dialogue(), mumbled("could you perhaps"))
    assert "Press 1 and I'll text you our ordering link." in words(reply)
    assert "Press 2 to leave a message" in words(reply)


@pytest.mark.parametrize(
    ("can", "offered"),
    [
        ({PromiseKind.ORDER_LINK}, "Press 1"),
        ({PromiseKind.OWNER_MESSAGE}, "Press 2"),
        (set(), ""),
    ],
)
def test_no_key_is_offered_that_does_nothing(can: set[PromiseKind], offered: str) -> None:
    _, reply = play(dialogue(can=frozenset(can)), mumbled("could you perhaps"))
    keys = [word for word in ("Press 1", "Press 2") if word in words(reply)]
    assert keys == ([offered] if offered else [])


def test_a_key_gets_the_link() -> None:
    _, reply = play(dialogue(), mumbled("could you perhaps"), Keys("1"), Keys("1"))
    assert reply.tool == SendLink(CALLER)


def test_a_key_takes_a_message_in_the_callers_own_words() -> None:
    said = "tell him the fish comes late"
    named = Heard(Understanding((Move(MoveName.GIVES),), {"name": "tom"}), "tom")
    talker = dialogue()
    _, reply = play(talker, mumbled("so about the"), Keys("2"), told(said), named, Keys("1"))
    assert isinstance(reply.tool, PassMessage)
    assert said in reply.tool.details


def test_a_fault_of_ours_ends_no_call() -> None:
    state, reply = play(dialogue(), *[mumbled("hm")] * (MOST_UNCLEAR + 2))
    assert not reply.ends_call
    assert state.unclear < MOST_UNCLEAR
