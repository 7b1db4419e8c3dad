"""Orders: the number, the link, and what goes wrong on the way."""

import pytest

from agent.events import Expect
from agent.mind.dialogue import SendLink
from agent.restaurant import Fact
from tests.unit.conversation import CALLER, HIKARI, dialogue, talk

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
    "put right, though the words were taken for something else": """
        > order | order please
        > no | no
        > gives | three one six five five five oh one four nine
        > unclear | no it's seven not four
        < confirm_number | 0 1 7 9
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
    "yes and goodbye in one breath, of which only the goodbye was understood": """
        > order | order
        > goodbye | yes thanks bye
        < order_link |
        ! accepted
        < goodbye | I just texted you the link. Goodbye.
    """,
    "a goodbye is no yes": """
        > order | order
        > goodbye | okay bye
        < goodbye | Goodbye
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
