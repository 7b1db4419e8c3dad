"""Conversations with the policy, as tables: what the caller does, what the agent then does.

A line that begins with ``>`` is the caller: moves (``answer:hours`` names a fact), slots
(``name=maria``), then ``|`` and the words. ``<`` is the agent: step, ``|``, key words that
must be heard. ``~ 2`` is the second silence in a row, ``# 3165550199`` are keys, ``! accepted``
is the outcome of the tool that the line before asked for.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.events import Expect, Move, Outcome, PromiseKind, SentenceKind
from agent.mind.dialogue import (
    TURN_BUDGET,
    Dialogue,
    DialogueState,
    Heard,
    Input,
    Keys,
    PassMessage,
    Reply,
    SendLink,
    Silence,
    ToolDone,
)
from agent.mind.moves import SlotName, Understanding
from agent.restaurant import Fact, Restaurant, load_restaurant

HIKARI = load_restaurant(Path(__file__).parents[2] / "evals" / "worlds" / "hikari.toml")
TUESDAY = datetime(2026, 11, 24, 23, 0, tzinfo=UTC)
"""Five in the afternoon in Wichita, the day before which it was closed."""
CALLER = "+13165550142"
BOTH = frozenset(PromiseKind)
ASKS_FOR_TEXTS = "ending in 0 1 4 2, the right one for texts?"


def dialogue(
    restaurant: Restaurant = HIKARI,
    caller: str = CALLER,
    *,
    withheld: bool = False,
    can: frozenset[str] = BOTH,
) -> Dialogue:
    return Dialogue(restaurant, caller, withheld, can, TUESDAY)


def given(line: str) -> Input:
    """Return the input that a line of a conversation stands for."""
    mark, _, rest = line.partition(" ")
    match mark:
        case "~":
            return Silence(int(rest))
        case "#":
            return Keys(rest.strip())
        case "!":
            outcome, _, code = rest.partition(" ")
            return ToolDone(Outcome(outcome), "p1", code)
    done, _, text = rest.partition("|")
    moves: list[Move] = []
    slots: dict[str, str] = {}
    for word in done.split():
        if "=" in word:
            name, value = word.split("=")
            slots[SlotName(name)] = value.replace("_", " ")
        else:
            name, _, tail = word.partition(":")
            fact, _, score = tail.partition("@")
            moves.append(Move(name, fact, float(score or 1)))
    return Heard(Understanding(tuple(moves), slots), text.strip())


def talk(talker: Dialogue, script: str) -> tuple[DialogueState, Reply]:
    """Play a conversation and check each of the agent's lines; return the last."""
    state, reply = talker.open()
    for line in filter(None, (line.strip() for line in script.splitlines())):
        if not line.startswith("<"):
            state, reply = talker.step(state, given(line))
            continue
        step, _, heard = line[1:].partition("|")
        said = " ".join(sentence.text for sentence in reply.sentences)
        assert reply.step == step.strip(), f"{line!r}: {reply}"
        for key in filter(None, (key.strip() for key in heard.split("…"))):
            assert key in said, f"{line!r}: {said!r}"
        if not heard.strip():
            assert not said, f"{line!r}: {said!r}"
    return state, reply


ORDERS = {
    "caller id is right": """
        > order | i'd like to order some food
        < confirm_caller_id | I can text you our ordering link. … ending in 0 1 4 2
        > yes | yes
        < order_link |
        ! accepted
        < anything_else | Done. I just texted you the link. Anything else?
        > no | no that's it
        < goodbye | Goodbye
    """,
    "caller id is wrong, another number is read back": """
        > order | i want to order
        > no | no
        < ask_number | What number should I text it to?
        > gives | three one six five five five oh one nine nine
        < confirm_number | That's 3 1 6, 5 5 5, 0 1 9 9. Is that right?
        > yes | yes
        < order_link |
        ! accepted
        < anything_else | I just texted you the link
        > goodbye | bye
        < goodbye | Goodbye
    """,
    "a number given right away is read back": """
        > order phone=316_555_0199 | text me the link at 316 555 0199
        < confirm_number | 3 1 6, 5 5 5, 0 1 9 9
    """,
    "a number given instead of yes or no is read back": """
        > order | order please
        > gives | use three one six five five five oh one nine nine
        < confirm_number | 0 1 9 9
    """,
    "no, and the right number in one breath": """
        > order | order please
        > no | no it's three one six five five five oh one nine nine
        < confirm_number | 0 1 9 9
    """,
    "a number in pieces": """
        > order | order please
        > no | no
        > gives | three one six
        < ask_number | I have 3 1 6 so far. What comes next?
        > gives | five five five
        < ask_number | 3 1 6, 5 5 5
        > gives | oh one nine nine
        < confirm_number | 3 1 6, 5 5 5, 0 1 9 9
    """,
    "a number without its area code": """
        > order | order please
        > no | no
        > gives | five five five oh one nine nine
        < ask_number | What's the area code?
        > gives | six two oh
        < confirm_number | 6 2 0, 5 5 5, 0 1 9 9
    """,
    "the reading is put right": """
        > order | order please
        > no | no
        > gives | three one six five five five oh one four nine
        < confirm_number | 0 1 4 9
        > no | no it's seven not four
        < confirm_number | 0 1 7 9
        > yes | yes
        < order_link |
    """,
    "the caller's own phone after all": """
        > order | order please
        > no | no
        < ask_number | What number
        > gives | oh well just use this number
        < order_link |
    """,
    "two failed attempts, then a message is offered": """
        > order | order please
        > no | no
        > gives | nine nine nine nine nine nine nine nine nine nine
        < ask_number | I didn't get a complete phone number. … What number
        > gives | three one six five five five oh one four two three three
        < offer_message | I'm having trouble with that number. I can take a message for the owner.
        > yes | okay
        < ask_details | What would you like me to tell the owner?
    """,
    "two read back wrong": """
        > order | order please
        > no | no
        > gives | three one six five five five oh one four nine
        > no | no
        < ask_number | What number
        > gives | three one six five five five oh one four eight
        > no | no
        < offer_message | I can take a message
        > no | no
        < anything_else | Anything else?
    """,
    "would rather not give a number": """
        > order | order please
        > no | no
        > no | i'd rather not say
        < offer_message | Without a number I can't text you the link.
    """,
    "sent later, and the truth about it": """
        > order | order
        > yes | yes
        ! pending
        < anything_else | I couldn't send it just now. I'll text it as soon as it goes through.
    """,
    "refused by the carrier, another number works": """
        > order | order
        > yes | yes
        ! refused 21211
        < ask_number | Texts can't reach that number. … What other number could I text?
        > gives | three one six five five five oh one nine nine
        > yes | yes
        < order_link |
        ! accepted
        < anything_else | I just texted you the link.
    """,
    "refused twice": """
        > order | order
        > yes | yes
        ! refused 21610
        > gives | three one six five five five oh one nine nine
        > yes | yes
        ! refused 21610
        < offer_message | Texts can't reach that number. … I can take a message
    """,
    "asked for again after it was sent": """
        > order | order
        > yes | yes
        ! accepted
        > order | i want to order
        < offer_resend | I texted you the ordering link a moment ago. … to another number?
        > yes | yes
        < ask_number | What number
        > gives | three one six five five five oh one nine nine
        < confirm_number | 0 1 9 9
    """,
    "yes and goodbye in one breath": """
        > order | order
        > yes thanks goodbye | yes thanks bye
        < order_link |
        ! accepted
        < goodbye | Done. I just texted you the link. Goodbye.
    """,
    "by keys": """
        > order | order
        # 2
        < ask_number | What number
        # 316555
        < ask_number | 3 1 6, 5 5 5 so far
        # 0199
        < confirm_number | 0 1 9 9
        # 1
        < order_link |
        ! accepted
        # 2
        < goodbye | Goodbye
    """,
    "a wrong key": """
        > order | order
        # 7
        < confirm_caller_id | press 1 for yes and 2 for no
    """,
    "one at the greeting": """
        # 1
        < confirm_caller_id | I can text you our ordering link.
    """,
    "dictating dishes": """
        > order_by_voice | two spicy tuna rolls and a tonkotsu
        < confirm_caller_id | I can't take orders by voice. I can text you our ordering link.
        > order_by_voice | and a miso soup
        < confirm_caller_id | I can't take orders by voice. … 0 1 4 2
    """,
    "another need instead of yes or no": """
        > order | order
        > no reservation | no i want to book a table
        < ask_details | For what day and time
    """,
}


@pytest.mark.parametrize("script", ORDERS.values(), ids=ORDERS.keys())
def test_orders(script: str) -> None:
    talk(dialogue(), script)


def test_link_goes_to_the_confirmed_number() -> None:
    _, reply = talk(
        dialogue(),
        """
        > order | order
        > no | no
        > gives | three one six five five five oh one nine nine
        > yes | that's right
        """,
    )
    assert reply.tool == SendLink("+13165550199")
    assert not reply.ends_call


@pytest.mark.parametrize(
    ("caller", "withheld"), [("", False), ("anonymous", False), (CALLER, True), ("+1316", False)]
)
def test_number_is_asked_for_where_there_is_no_caller_id(caller: str, withheld: bool) -> None:
    _, reply = talk(
        dialogue(caller=caller, withheld=withheld),
        """
        > order | order
        < ask_number | I can text you our ordering link. … What number should I text it to?
        > gives | just text the number i'm calling from
        < ask_number | didn't catch that
        """,
    )
    assert reply.expect is Expect.PHONE_NUMBER


def test_a_fact_says_where_else_to_order() -> None:
    fact = Fact(id="ordering", say="You can also order at the counter.", asked=("where to order",))
    restaurant = HIKARI.model_copy(update={"facts": (*HIKARI.facts, fact)})
    talk(
        dialogue(restaurant),
        """
        > order | order
        > yes | yes
        ! refused
        > gives | three one six five five five oh one nine nine
        > yes | yes
        ! refused
        < anything_else | Texts can't reach that number. You can also order at the counter.
        """,
    )


MESSAGES = {
    "reservation, asked in a human order": """
        > reservation | i'd like to book a table
        < ask_details | For what day and time, and how many people?
        > gives | friday at seven
        < ask_size | For how many people?
        > gives | four
        < ask_name | That's Friday, November 27th at 7 PM, for 4. And your name, please?
        > gives | maria
        < confirm_caller_id | Can the owner reach you at the number ending in 0 1 4 2?
        > yes | yes
        < owner_message |
        ! accepted
        < anything_else | I've passed that on to the owner. Anything else?
        > thanks | no thanks
        < goodbye | Goodbye
    """,
    "reservation, all at once": """
        > reservation name=maria | table for four friday at half past seven maria is my name
        < confirm_caller_id | That's Friday, November 27th at 7:30 PM, for 4. … 0 1 4 2?
    """,
    "only the time is missing": """
        > reservation | a table for four on friday
        < ask_when | For what time?
        > gives | seven
        < ask_name | Friday, November 27th at 7 PM, for 4
    """,
    "only the day is missing": """
        > reservation | a table for four at seven
        < ask_when | For what day?
        > gives | saturday
        < ask_name | Saturday, November 28th at 7 PM, for 4
    """,
    "closed day noticed": """
        > reservation | a table for two next monday at six
        < ask_when | We're closed on Mondays. What other day would work?
        > gives | tuesday then
        < ask_name | Tuesday, December 1st at 6 PM, for 2
    """,
    "a caller who insists on the closed day is not asked again": """
        > reservation | a table for two next monday at six
        < ask_when | We're closed on Mondays.
        > gives | monday it's a private party
        < ask_name | And your name
    """,
    "after closing time": """
        > reservation | a table for two friday at eleven p m
        < ask_when | We're not open then. What other time would work?
    """,
    "no, five": """
        > reservation | a table for four friday at seven
        < ask_name | for 4
        > no | no five people
        < ask_name | That's Friday, November 27th at 7 PM, for 5. And your name, please?
        > gives | sam
        < confirm_caller_id | 0 1 4 2
    """,
    "no, saturday": """
        > reservation | a table for four friday at seven
        > no | no i said saturday
        < ask_name | Saturday, November 28th at 7 PM, for 4
    """,
    "all wrong": """
        > reservation | a table for four friday at seven
        > no | no
        < ask_details | Sorry about that. For what day and time, and how many people?
    """,
    "name and number refused": """
        > complaint | i want to complain
        < ask_details | I'm sorry about that. What happened?
        > complaint | my soup was cold
        < ask_name | And your name, please?
        > no | i'd rather not say
        < confirm_caller_id | Can the owner reach you
        > no | i don't want to give a number
        < owner_message |
    """,
    "a long complaint is not asked what happened": """
        > complaint | i ordered an hour ago and my soup was cold and the rolls were missing
        < ask_name | And your name
    """,
    "catering": """
        > catering | do you do catering
        < ask_details | What's the occasion
        > gives | an office party december fifth for about forty people
        < ask_name | And your name
    """,
    "nothing to tell after all": """
        > message | can i leave a message
        < ask_details | What would you like me to tell the owner?
        > no | no never mind
        < anything_else | All right. Anything else?
    """,
    "goodbye before the name: the message is passed on all the same": """
        > message | can i leave a message
        > gives | tell them the door was open last night
        < ask_name | And your name
        > goodbye | just tell them bye
        < owner_message |
        ! accepted
        < goodbye | I've passed that on to the owner. Goodbye.
    """,
    "silence before the number: the message is passed on all the same": """
        > message | can i leave a message
        > gives | tell them the door was open last night
        ~ 1
        ~ 2
        ~ 3
        < owner_message |
        ! accepted
        < goodbye | Goodbye.
    """,
    "not passed on yet": """
        > message details=call_me | tell the owner to call me
        > gives | sam
        > yes | yes
        ! pending
        < anything_else | I'll send it to the owner as soon as it goes through.
    """,
    "could not be passed on": """
        > message details=call_me | tell the owner to call me
        > gives | sam
        > yes | yes
        ! refused
        < anything_else | I couldn't pass that on. Please call again later
    """,
    "a question within a message": """
        > reservation | i'd like a table
        > answer:parking | is there parking
        < ask_details | There's free parking behind the building. For what day and time
    """,
    "name not asked twice": """
        > order name=maria | hi this is maria i want to order
        > yes | yes
        ! accepted
        > message details=the_door_is_broken | tell the owner the door is broken
        < owner_message |
    """,
}


@pytest.mark.parametrize("script", MESSAGES.values(), ids=MESSAGES.keys())
def test_messages(script: str) -> None:
    talk(dialogue(), script)


def test_the_owner_gets_the_reading_and_the_words() -> None:
    _, reply = talk(
        dialogue(),
        """
        > reservation | table for four friday at seven
        > gives name=maria | it's maria
        > no | no
        > gives | three one six five five five oh one nine nine
        > yes | yes
        """,
    )
    assert reply.tool == PassMessage(
        kind="reservation",
        details="Friday, November 27th at 7 PM, 4 people. "
        "In their words: table for four friday at seven",
        name="Maria",
        number="+13165550199",
    )


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
