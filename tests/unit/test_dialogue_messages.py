"""Messages for the owner: reservation, catering, complaint, any other."""

import pytest

from agent.mind.dialogue import PassMessage
from tests.unit.conversation import dialogue, talk

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
    "another number to call, not another time": """
        > reservation | a table for four friday at seven
        > gives name=anna | anna
        < confirm_caller_id | 0 1 4 2
        > gives | no call me at three one six five five five oh one nine nine
        < confirm_number | That's 3 1 6, 5 5 5, 0 1 9 9. Is that right?
        > yes | yes
        < owner_message |
    """,
    "a size put right within the sentence, whatever the span": """
        > reservation size=three | a table for three no four people friday at seven
        < ask_name | Friday, November 27th at 7 PM, for 4
    """,
    "a bare time instead of one when it is closed": """
        > reservation | a table for two on thursday at eleven pm
        < ask_when | We're not open then. What other time would work?
        > gives | eight then
        < ask_name | Thursday, November 26th at 8 PM, for 2
    """,
    "a day that sounds like a goodbye": """
        > reservation | a table for four on monday at six
        < ask_when | We're closed on Mondays.
        > goodbye:@0.6 | okay tuesday then
        < ask_name | Tuesday, December 1st at 6 PM, for 4
    """,
    "a day and a goodbye": """
        > reservation | a table for four at six
        < ask_when | For what day?
        > gives goodbye | on tuesday bye
        < owner_message |
    """,
    "okay is no detail": """
        > message | can i leave a message
        > gives details=okay | okay
        < ask_details | What would you like me to tell the owner?
        > gives | it's about the invoice
        < ask_name | And your name
    """,
    "more of the story instead of a name": """
        > message | can i leave a message
        > gives | it's about an invoice
        < ask_name | And your name, please?
        > gives | the one from last month that was sent twice
        < ask_name | And your name, please?
        > gives | paul
        < confirm_caller_id | 0 1 4 2
    """,
    "no, never mind, taken for a goodbye": """
        > message | can i leave a message
        > no goodbye | no never mind
        < anything_else | All right. Anything else?
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
