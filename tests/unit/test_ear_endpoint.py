"""The endpoint's rules as tables a person can read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ear.endpoint import (
    BARE,
    BETWEEN_GROUPS,
    CLOSED_PATIENCE,
    COMPLETE,
    DECLINED,
    LONG,
    MIDDLE,
    MOST_PATIENCE,
    NAME,
    POLITE,
    SHORT,
    Endpointing,
    patience,
)
from agent.events import Expect, Word

NUMBER = "three one six five five five zero one two three"

TABLE = [
    # what was asked, what was said, the rule, the wait
    (Expect.OPEN, "", "no_words", MIDDLE),
    (Expect.OPEN, "hi", "greeting_only", LONG),
    (Expect.OPEN, "hello there", "greeting_only", LONG),
    (Expect.OPEN, "i'd like to", "unfinished", LONG),
    (Expect.OPEN, "i want to order and", "unfinished", LONG),
    (Expect.OPEN, "can i get um", "hesitation", LONG),
    (Expect.OPEN, "what time do you close", "complete_sentence", COMPLETE),
    (Expect.OPEN, "um hi do you have parking", "complete_sentence", COMPLETE),
    (Expect.OPEN, "hi can i order some ramen to go", "complete_sentence", COMPLETE),
    (Expect.OPEN, "i'd like to make a reservation", "complete_sentence", COMPLETE),
    (Expect.OPEN, "i'd like to order", "ordinary", MIDDLE),
    (Expect.OPEN, "can i get", "unfinished", LONG),
    (Expect.OPEN, "do you have any large", "ordinary", MIDDLE),
    (Expect.OPEN, "ramen to go", "ordinary", MIDDLE),
    (Expect.OPEN, "i want to order some ramen for", "unfinished", LONG),
    (Expect.OPEN, "okay thank you", "thanks_only", MIDDLE),
    (Expect.OPEN, "i'd like to place an order please", "polite_end", POLITE),
    (Expect.OPEN, "that's it thank you", "polite_end", POLITE),
    (Expect.OPEN, "okay bye", "farewell", SHORT),
    (Expect.MORE, "by", "farewell", SHORT),
    (Expect.OPEN, "i want to stop by", "unfinished", LONG),
    (Expect.OPEN, "a table for four", "ordinary", MIDDLE),
    (Expect.OPEN, "my number is three one six", "mid_number", BETWEEN_GROUPS),
    (Expect.OPEN, f"my number is {NUMBER}", "whole_number", SHORT),
    (Expect.YES_NO, "yes", "bare_answer", BARE),
    (Expect.YES_NO, "okay", "bare_answer", BARE),
    (Expect.YES_NO, "yes please", "complete_answer", SHORT),
    (Expect.YES_NO, "yeah that's fine", "complete_answer", SHORT),
    (Expect.YES_NO, "this number is fine", "complete_answer", SHORT),
    (Expect.YES_NO, "no", "bare_no", MIDDLE),
    (Expect.YES_NO, "no thanks", "complete_answer", SHORT),
    (Expect.YES_NO, "yes but", "unfinished", LONG),
    (Expect.YES_NO, "yes i'd like a different number", "complete_sentence", COMPLETE),
    (Expect.YES_NO, "no it's", "unfinished", LONG),
    (Expect.MORE, "no", "declined", DECLINED),
    (Expect.MORE, "no thanks", "declined", DECLINED),
    (Expect.MORE, "no that's all thank you", "complete_answer", SHORT),
    (Expect.MORE, "no that's all", "all_done", SHORT),
    (Expect.MORE, "yes what are your hours", "complete_sentence", COMPLETE),
    (Expect.MORE, "okay", "bare_answer", DECLINED),
    (Expect.OPEN, "no thanks", "declined", DECLINED),
    (Expect.OPEN, "no thanks that's all", "all_done", SHORT),
    (Expect.OPEN, "what time do you", "ordinary", MIDDLE),
    (Expect.OPEN, "is that it", "complete_sentence", COMPLETE),
    (Expect.YES_NO, "yes that's", "ordinary", MIDDLE),
    (Expect.YES_NO, "no use another number", "complete_sentence", COMPLETE),
    (Expect.MORE, "okay thank you", "thanks_only", MIDDLE),
    (Expect.MORE, "okay thank you bye bye", "farewell", SHORT),
    (Expect.PHONE_NUMBER, "three", "mid_number", BETWEEN_GROUPS),
    (Expect.PHONE_NUMBER, "three one six five five five", "mid_number", BETWEEN_GROUPS),
    (Expect.PHONE_NUMBER, "five five five zero one two three", "mid_number", BETWEEN_GROUPS),
    (Expect.PHONE_NUMBER, "three one six double", "mid_number", BETWEEN_GROUPS),
    (Expect.PHONE_NUMBER, NUMBER, "whole_number", SHORT),
    (Expect.PHONE_NUMBER, f"it's {NUMBER}", "whole_number", SHORT),
    (
        Expect.PHONE_NUMBER,
        "six two oh double five five four four one nine",
        "whole_number",
        SHORT,
    ),
    (Expect.PHONE_NUMBER, f"one {NUMBER}", "whole_number", SHORT),
    (Expect.PHONE_NUMBER, f"one {NUMBER.removesuffix(' three')}", "mid_number", BETWEEN_GROUPS),
    (Expect.PHONE_NUMBER, "yes", "bare_answer", BARE),
    (Expect.NAME, "jennifer", "mid_name", NAME),
    (Expect.NAME, "my name is", "unfinished", LONG),
    (Expect.NAME, "michael wilson", "whole_name", BARE),
    (Expect.NAME, "it's m i", "unfinished", LONG),
    (Expect.NAME, "it's j o", "mid_spelling", LONG),
    (Expect.DETAILS, "the soup was cold", "details", NAME),
    (Expect.DETAILS, "saturday", "details_begun", LONG),
    (Expect.DETAILS, "saturday at seven", "details_begun", LONG),
    (Expect.DETAILS, "saturday at seven for four people", "whole_details", BARE),
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
    assert SHORT <= wait <= BETWEEN_GROUPS
    assert rule


DETAILS_ASKED = [
    # the agent's line, what was said, the rule, the wait
    ("For what day?", "saturday", "whole_details", BARE),
    ("For what time?", "seven", "whole_details", BARE),
    ("For what time?", "at seven thirty", "whole_details", BARE),
    ("For what day and time?", "saturday", "details_begun", LONG),
    ("For what day and time?", "saturday around seven", "whole_details", BARE),
    ("For how many people?", "four", "whole_details", BARE),
    ("For how many people?", "we are", "unfinished", LONG),
    ("For what day and time, and how many people?", "friday at six", "details_begun", LONG),
    ("For what day and time, and how many people?", "friday at six for two", "unfinished", LONG),
    ("What shall I tell the owner?", "the soup was cold", "details", NAME),
]


@pytest.mark.parametrize(("said", "text", "rule", "wait"), DETAILS_ASKED)
def test_what_was_asked_for_tells_what_is_missing(
    said: str, text: str, rule: str, wait: float
) -> None:
    assert patience(text, Expect.DETAILS, said) == (wait, rule)


def heard_on(endpoint: Endpointing, text: str, expect: Expect, seconds: float) -> None:
    """Let the caller go on ``seconds`` after ``text``."""
    endpoint.turn()
    endpoint.patience(text, expect)
    endpoint.paused(seconds)


def test_a_caller_who_pauses_in_mid_number_is_waited_for_longer_from_then_on() -> None:
    endpoint = Endpointing()
    half = "three one six"
    assert endpoint.patience(half, Expect.PHONE_NUMBER).wait == BETWEEN_GROUPS
    heard_on(endpoint, half, Expect.PHONE_NUMBER, 1.35)
    assert endpoint.patience(half, Expect.PHONE_NUMBER).wait > 1.35
    # What is complete stays quick.
    assert endpoint.patience(NUMBER, Expect.PHONE_NUMBER).wait == SHORT
    assert endpoint.patience("do you have parking", Expect.OPEN).wait == COMPLETE
    assert endpoint.patience("yes", Expect.YES_NO).wait == BARE


def test_who_stopped_once_in_this_turn_may_stop_as_long_again() -> None:
    endpoint = Endpointing()
    heard_on(endpoint, "i'd like to", Expect.OPEN, 0.8)
    assert endpoint.patience("i'd like to order", Expect.OPEN).wait > 0.8
    endpoint.turn()
    assert endpoint.patience("i'd like to order", Expect.OPEN).wait < 0.8


def test_who_goes_on_after_whole_sentences_gets_a_little_more_after_them() -> None:
    endpoint = Endpointing()
    heard_on(endpoint, "i'd like to place an order please", Expect.OPEN, 0.4)
    wait = endpoint.patience("do you have parking", Expect.OPEN).wait
    assert COMPLETE < wait <= COMPLETE + CLOSED_PATIENCE


def test_who_speaks_slowly_gets_more_at_a_comma() -> None:
    slow, brisk = Endpointing(), Endpointing()
    for endpoint, seconds in ((slow, 2.35), (brisk, 1.6)):
        words = ["do", "you", "have", "vegan", "options"]
        spans = [(seconds * at / 5, seconds * (at + 1) / 5) for at in range(len(words))]
        endpoint.spoke([Word(w, a, b, 1.0) for w, (a, b) in zip(words, spans, strict=True)])
    for text in ("no thanks", "okay"):
        plain = patience(text, Expect.MORE).wait
        assert brisk.patience(text, Expect.MORE).wait == plain
        assert slow.patience(text, Expect.MORE).wait > 1.1 * plain
    assert slow.patience("is there parking", Expect.MORE).wait == COMPLETE


def test_what_lies_between_two_turns_teaches_nothing() -> None:
    endpoint = Endpointing()
    for pause in (0.1, 2.5, 30.0):
        heard_on(endpoint, "um", Expect.OPEN, pause)
    assert endpoint.patience("um", Expect.OPEN).wait == LONG


@given(st.lists(st.floats(0, 5)), st.sampled_from(["um", "yes", "do you deliver", "", "bye"]))
def test_patience_has_an_end_whatever_was_learned(pauses: list[float], text: str) -> None:
    endpoint = Endpointing()
    for pause in pauses:
        heard_on(endpoint, text, Expect.MORE, pause)
    plain, learned = patience(text, Expect.MORE), endpoint.patience(text, Expect.MORE)
    assert learned.rule == plain.rule
    assert plain.wait <= learned.wait <= MOST_PATIENCE
