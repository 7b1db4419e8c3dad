"""Conversations with the policy: questions, nuisances, silence, ends, what can't be done."""

from dataclasses import replace

import pytest

from agent.events import Expect, Outcome, PromiseKind, SentenceKind
from agent.mind.dialogue import TURN_BUDGET, PassMessage, Reply, ToolDone
from tests.unit.conversation import HIKARI, dialogue, given, talk

TALK = {
    "a fact": """
        > answer:hours | what time do you close
        < anything_else | We're open Tuesday to Thursday … Anything else?
        > no | nope
        < goodbye | Goodbye
    """,
    "several facts in one breath": """
        > answer:parking answer:delivery | is there parking and do you deliver
        < anything_else | free parking … We don't deliver … Anything else?
    """,
    "a fact and an order": """
        > answer:parking order | is there parking and i want to order
        < confirm_caller_id | free parking … I can text you our ordering link.
    """,
    "a fact while a number is confirmed": """
        > order | order
        > answer:delivery | do you deliver
        < confirm_caller_id | We don't deliver … ending in 0 1 4 2
        > yes answer:parking | yes and is there parking
        < order_link | free parking
    """,
    "not sure which fact": """
        > answer:hours@0.5 | when are you there
        < check_fact | Did you mean: what are your hours?
        > yes | yes
        < anything_else | We're open Tuesday
    """,
    "the wrong fact": """
        > answer:hours@0.5 | when is the parade
        > no | no
        < offer_relay | I don't have that information. Shall I pass your question on
    """,
    "a fact that does not exist": """
        > answer:helipad | where is the helipad
        < offer_relay | I don't have that information.
    """,
    "live music": """
        > unknown | who's playing live music tonight
        < offer_relay | I don't have that information. Shall I pass your question on to the owner?
        > yes | yes please
        < ask_name | And your name
    """,
    "unknown, not passed on": """
        > unknown | do you have a piano
        > no | no
        < anything_else | All right. Anything else?
        > no | no
        < goodbye | Goodbye
    """,
    "unknown in the middle of an order is offered afterwards": """
        > order | order
        > unknown | who's playing tonight
        < confirm_caller_id | I don't have that information. … 0 1 4 2
        > yes | yes
        ! accepted
        < offer_relay | texted you the link. You also asked something I don't know.
    """,
    "transfer": """
        > wants_human | let me talk to a person
        < offer_message | I can't transfer calls. I can take a message for the owner.
        > wants_human | no just transfer me
        < offer_message | I can't transfer calls.
        > goodbye | forget it bye
        < goodbye | Goodbye
    """,
    "paying": """
        > pay | can i give you my card number
        < offer_link | I can't take payments or card numbers by phone. I can text you our ordering
        > yes | sure
        < confirm_caller_id | 0 1 4 2
    """,
    "robot": """
        > are_you_human | am i talking to a robot
        < help | I'm an automated assistant, not a person. How can I help?
    """,
    "robot, in the middle": """
        > order | order
        > are_you_human | is this a machine
        < confirm_caller_id | automated assistant … 0 1 4 2
    """,
    "spam": """
        > spam | this is about your google listing
        < spam | We're not interested, thank you. Goodbye.
        > spam | but you will lose your ranking
        < ended |
        > order | order
        < ended |
    """,
    "not sure it is spam": """
        > spam:@0.46 | is this about the listing
        < help | didn't catch that
    """,
    "wrong number": """
        > wrong_number | is this the pharmacy
        < help_here | You've reached Hikari Sushi and Ramen.
        > no | oh sorry
        < goodbye | Goodbye
    """,
    "wrong number, said twice": """
        > wrong_number | is this the pharmacy
        > wrong_number | oh sorry wrong number
        < goodbye | Goodbye
    """,
    "a weak likeness to an emergency": """
        > order | order
        > no | no
        > gives | three one six five five five oh one nine nine
        > emergency:@0.48 | no it's seven not nine
        < confirm_number | 0 1 9 7
    """,
    "digits of a number are no emergency": """
        > order | order
        > no | no
        > gives | three one six five five five
        > emergency:@0.9 | oh one nine nine
        < confirm_number | That's 3 1 6, 5 5 5, 0 1 9 9.
        > emergency:@0.9 | he fell down call nine one one
        < emergency | call 9 1 1
    """,
    "yes to are you still there is no yes to the number": """
        > order | order
        ~ 1
        < silence_prompt | Are you still there?
        > yes | yeah i'm here
        < confirm_caller_id | Is the number ending in 0 1 4 2 the right one
        > yes | yes
        < order_link |
    """,
    "the question asked again may be answered": """
        > order | order
        ~ 1
        ~ 2
        < silence_prompt | I'm still here. Is the number ending in 0 1 4 2 the right one
        > yes | yes
        < order_link |
    """,
    "an answer to the number after are you still there": """
        > order | order
        ~ 1
        > yes | yes that's right
        < order_link |
    """,
    "rather not, taken for something else": """
        > complaint details=x | my soup was cold
        > repeat:@0.49 | i'd rather not say
        < confirm_caller_id | Can the owner reach you
    """,
    "that's it is no yes to anything else": """
        > answer:parking | parking
        > yes | that's it thanks
        < goodbye | Goodbye
    """,
    "that's it, and another question": """
        > answer:parking | parking
        > yes answer:delivery | that's all oh and do you deliver
        < anything_else | We don't deliver ourselves. Orders are for pickup. Anything else?
    """,
    "that's it is a yes to what was read back": """
        > order | order
        > yes | that's it
        < order_link |
    """,
    "taken up again, the goodbye is not repeated": """
        > answer:parking | parking
        > no | no
        < goodbye | Goodbye
        > order repeat:@0.5 | what oh i also want to order
        < confirm_caller_id | I can text you our ordering link
    """,
    "okay is no yes to anything else": """
        > answer:parking | parking
        > yes | okay thanks
        < goodbye | Goodbye
    """,
    "wrong number, but hungry": """
        > wrong_number | is this the pharmacy
        > order | oh then i want to order
        < confirm_caller_id | ordering link
    """,
    "abuse": """
        > order | order
        > abuse | you stupid machine
        < confirm_caller_id | please stay polite … 0 1 4 2
        > abuse | shut up
        < abuse | I'm ending this call now. Goodbye.
        > order | order
        < ended |
    """,
    "an angry complaint is a complaint": """
        > abuse complaint | your damn soup was cold
        < ask_details | I'm sorry about that. What happened?
    """,
    "emergency": """
        > emergency | somebody is choking
        < emergency | Please hang up and call 9 1 1.
    """,
    "wait": """
        > order | order
        > wait | hang on a second
        < waiting | Take your time.
        ~ 1
        < waiting |
        ~ 2
        < silence_prompt | Are you still there?
        > yes | yes
        < confirm_caller_id | ending in 0 1 4 2
        > yes | yes
        < order_link |
    """,
    "repeat": """
        > order | order
        > repeat | what did you say
        < confirm_caller_id | I can text you our ordering link. … the right one for texts?
        ~ 1
        > repeat | sorry
        < confirm_caller_id | the right one for texts?
    """,
    "silence": """
        > order | order
        ~ 1
        < silence_prompt | Are you still there?
        ~ 2
        < silence_prompt | I'm still here. … ending in 0 1 4 2
        ~ 3
        < silence | Goodbye
        ~ 1
        < ended |
    """,
    "silence from the start": """
        ~ 1
        < silence_prompt | Are you still there?
        ~ 2
        < silence_prompt | I'm still here. How can I help?
        ~ 3
        < silence | Goodbye
    """,
    "unclear": """
        > unclear | mumble
        < help | Sorry, I didn't catch that. How can I help?
        > unclear | mumble
        < offer_message | I still didn't catch that. I can take a message for the owner.
        > unclear | mumble
        < unclear | Goodbye
    """,
    "too uncertain to act on": """
        > order:@0.2 | mumble
        < help | Sorry, I didn't catch that.
    """,
    "understood in between": """
        > unclear | mumble
        > answer:parking | parking
        > unclear | mumble
        < anything_else | didn't catch that … Anything else?
    """,
    "smalltalk": """
        > smalltalk | hi how are you doing
        < help | Thanks for asking. How can I help?
    """,
    "thanks after a fact": """
        > answer:parking | parking
        > thanks | great thank you
        < goodbye | Goodbye
    """,
    "more": """
        > answer:parking | parking
        > yes | yes
        < help | What else can I do for you?
    """,
    "a question with the goodbye": """
        > answer:parking goodbye | is there parking okay bye
        < goodbye | free parking … Goodbye
    """,
    "a child playing along after the goodbye": """
        > order | i want to order
        > yes | yes
        ! accepted
        > smalltalk | daddy daddy look
        < anything_else | Anything else?
        > unclear | la la la
        < goodbye | Goodbye
        > order | i want sushi
        < ended |
        > goodbye | bye bye
        < ended |
        > thanks | thank you
        < ended |
    """,
    "reopened once": """
        > answer:parking | parking
        > no | no
        < goodbye | Goodbye
        > order | oh wait i want to order too
        < confirm_caller_id | ordering link
        > no goodbye | no never mind bye
        < goodbye | Goodbye
        > answer:hours | when do you close
        < ended |
    """,
}


@pytest.mark.parametrize("script", TALK.values(), ids=TALK.keys())
def test_talk(script: str) -> None:
    talk(dialogue(), script)


LACKING = {
    "no link: a message": (
        frozenset({PromiseKind.OWNER_MESSAGE}),
        """
        > order | order
        < offer_message | I can't take orders on this line. I can take a message for the owner.
        """,
    ),
    "no messages: the truth": (
        frozenset({PromiseKind.ORDER_LINK}),
        """
        > reservation | a table
        < anything_else | I can't take messages on this line. Please call again later
        > unknown | who's playing
        < anything_else | I don't have that information. Anything else?
        > wants_human | a person
        < offer_link | I can't transfer calls. I can text you our ordering link.
        """,
    ),
    "nothing": (
        frozenset(),
        """
        > order_by_voice | two rolls
        < anything_else | I can't take orders by voice. Anything else?
        > wants_human | a person
        < anything_else | I can't transfer calls. Please call again later
        > unclear | mumble
        < anything_else | didn't catch that
        # 1
        < help | What else
        """,
    ),
}


@pytest.mark.parametrize(("can", "script"), LACKING.values(), ids=LACKING.keys())
def test_what_is_not_there_is_not_offered(can: frozenset[str], script: str) -> None:
    talk(dialogue(can=can), script)


def test_a_restaurant_without_a_link_tells_the_truth() -> None:
    talk(
        dialogue(HIKARI.model_copy(update={"ordering_link": None})),
        """
        > order | order
        < offer_message | I can't take orders on this line. I can take a message
        """,
    )


def test_a_message_kind_that_is_not_taken_is_taken_as_any_other() -> None:
    others = tuple(kind for kind in HIKARI.messages if kind.id == "other")
    _, reply = talk(
        dialogue(HIKARI.model_copy(update={"messages": others})),
        """
        > catering | do you cater
        < ask_details | What would you like me to tell the owner?
        > gives | forty people on friday
        > no | i'd rather not say
        > yes | yes
        """,
    )
    assert isinstance(reply.tool, PassMessage)
    assert reply.tool.kind == "other"


def test_the_budget_ends_the_longest_call() -> None:
    talker = dialogue()
    state, reply = talker.open()
    for _ in range(TURN_BUDGET - 1):
        state, reply = talker.step(state, given("> answer:parking | parking"))
        assert not reply.ends_call
    state, reply = talker.step(state, given("> answer:parking | parking"))
    assert reply.step == "turn_budget"
    assert reply.ends_call


def test_late_news_after_the_end_is_not_spoken() -> None:
    talker = dialogue()
    state, _ = talk(talker, "> order | order\n> yes | yes")
    state, reply = talker.step(replace(state, ended=True), ToolDone(Outcome.ACCEPTED, "p1"))
    assert reply == Reply("late_news", ends_call=True)


def test_a_receipt_names_its_promise() -> None:
    _, reply = talk(dialogue(), "> order | order\n> yes | yes\n! accepted")
    assert reply.sentences[0].kind is SentenceKind.RECEIPT
    assert reply.sentences[0].ref == "p1"


def test_the_greeting_is_the_owners() -> None:
    _, reply = dialogue().open()
    assert [sentence.text for sentence in reply.sentences] == [HIKARI.greeting]
    assert reply.expect is Expect.OPEN
