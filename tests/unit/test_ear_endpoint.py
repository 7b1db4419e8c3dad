"""The endpoint's rules as tables a person can read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ear.endpoint import DECLINED, LONG, MIDDLE, NAME, POLITE, SHORT, patience
from agent.events import Expect

NUMBER = "three one six five five five zero one two three"

TABLE = [
    # what was asked, what was said, the rule, the wait
    (Expect.OPEN, "", "no_words", MIDDLE),
    (Expect.OPEN, "hi", "greeting_only", LONG),
    (Expect.OPEN, "hello there", "greeting_only", LONG),
    (Expect.OPEN, "i'd like to", "unfinished", LONG),
    (Expect.OPEN, "i want to order and", "unfinished", LONG),
    (Expect.OPEN, "can i get um", "hesitation", LONG),
    (Expect.OPEN, "what time do you close", "ordinary", MIDDLE),
    (Expect.OPEN, "i'd like to place an order please", "polite_end", POLITE),
    (Expect.OPEN, "that's it thank you", "polite_end", POLITE),
    (Expect.OPEN, "okay bye", "farewell", SHORT),
    (Expect.OPEN, "a table for four", "ordinary", MIDDLE),
    (Expect.OPEN, "my number is three one six", "mid_number", LONG),
    (Expect.OPEN, f"my number is {NUMBER}", "whole_number", SHORT),
    (Expect.YES_NO, "yes", "complete_answer", SHORT),
    (Expect.YES_NO, "yeah that's fine", "complete_answer", SHORT),
    (Expect.YES_NO, "this number is fine", "complete_answer", SHORT),
    (Expect.YES_NO, "no", "bare_no", MIDDLE),
    (Expect.YES_NO, "no thanks", "complete_answer", SHORT),
    (Expect.YES_NO, "yes but", "unfinished", LONG),
    (Expect.YES_NO, "yes i'd like a different number", "ordinary", MIDDLE),
    (Expect.YES_NO, "no it's", "unfinished", LONG),
    (Expect.MORE, "no", "declined", DECLINED),
    (Expect.MORE, "no thanks", "declined", DECLINED),
    (Expect.MORE, "no that's all thank you", "complete_answer", SHORT),
    (Expect.MORE, "yes what are your hours", "ordinary", MIDDLE),
    (Expect.PHONE_NUMBER, "three", "mid_number", LONG),
    (Expect.PHONE_NUMBER, "three one six five five five", "mid_number", LONG),
    (Expect.PHONE_NUMBER, "five five five zero one two three", "mid_number", LONG),
    (Expect.PHONE_NUMBER, "three one six double", "mid_number", LONG),
    (Expect.PHONE_NUMBER, NUMBER, "whole_number", SHORT),
    (Expect.PHONE_NUMBER, f"it's {NUMBER}", "whole_number", SHORT),
    (
        Expect.PHONE_NUMBER,
        "six two oh double five five four four one nine",
        "whole_number",
        SHORT,
    ),
    (Expect.PHONE_NUMBER, f"one {NUMBER}", "whole_number", SHORT),
    (Expect.PHONE_NUMBER, f"one {NUMBER.removesuffix(' three')}", "mid_number", LONG),
    (Expect.PHONE_NUMBER, "yes", "complete_answer", SHORT),
    (Expect.NAME, "jennifer", "mid_name", NAME),
    (Expect.NAME, "my name is", "unfinished", LONG),
    (Expect.NAME, "michael wilson", "ordinary", MIDDLE),
    (Expect.NAME, "it's m i", "unfinished", LONG),
    (Expect.NAME, "it's j o", "mid_spelling", LONG),
    (Expect.DETAILS, "the soup was cold", "details", NAME),
]


@pytest.mark.parametrize(("expect", "text", "rule", "wait"), TABLE)
def test_wait_and_rule(expect: Expect, text: str, rule: str, wait: float) -> None:
    assert patience(text, expect) == (wait, rule)


@given(
    st.lists(
        st.sampled_from(
            [
                "yes",
                "no",
                "um",
                "one",
                "five",
                "double",
                "oh",
                "my",
                "name",
                "bye",
                "please",
                "ramen",
            ]
        )
    ),
    st.sampled_from(Expect),
)
def test_every_hearing_gets_a_sane_wait(words: list[str], expect: Expect) -> None:
    wait, rule = patience(" ".join(words), expect)
    assert SHORT <= wait <= LONG
    assert rule
