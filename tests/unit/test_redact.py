"""Redaction: who called can't be told from what is left, and it still makes sense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.events import (
    CallStarted,
    Event,
    FinalHeard,
    KeyPressed,
    PromiseKind,
    PromiseMade,
    Replied,
    Sentence,
    SentenceKind,
    Understood,
    Word,
)
from agent.evidence.measures import Span
from agent.evidence.redact import Redactor, personal_spans, redact_events, silence
from agent.evidence.wav import Sound

CALLER = "+13162684477"
SPOKEN = "three one six two six eight four four seven seven"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (f"my number is {SPOKEN}", "my number is three one six five five five zero one five zero"),
        ("call 316-268-4477 please", "call 316-555-0150 please"),
        ("it ends in four four seven seven", "it ends in zero one five zero"),
        ("it ends in double four double seven", "it ends in zero one five zero"),
        ("That's 3 1 6, 2 6 8, 4 4 7 7. Right?", "That's 3 1 6, 5 5 5, 0 1 5 0. Right?"),
        ("table for four at seven thirty", "table for four at seven thirty"),
        ("Our ramen is $13.50.", "Our ramen is $13.50."),
        ("my name is Maria Lopez", "my name is Dana Miller"),
        ("this is maria and lopez's table", "this is dana and miller's table"),
        ("we live at 2140 East Douglas Avenue", "we live at twelve example street"),
        ("write to maria at gmail dot com", "write to someone at example dot com"),
        ("or m.lopez@mail.example", "or someone at example dot com"),
    ],
)  # fmt: skip
def test_what_is_left_of_words(said: str, left: str) -> None:
    assert Redactor([CALLER], ["maria lopez"]).text(said) == left


def test_a_name_is_learned_where_it_is_said() -> None:
    redactor = Redactor()
    assert redactor.text("my name is kim and I want ramen") == "my name is dana and I want ramen"
    assert redactor.text("kim as in kimberly") == "dana as in kimberly"
    assert redactor.text("this is about an order") == "this is about an order"


def test_numbers_stay_what_they_are_to_each_other() -> None:
    redactor = Redactor([CALLER, "+13169990000"])
    assert redactor.number(CALLER) == "+13165550150"
    assert redactor.number("3169990000") == "3165550177"
    assert redactor.number("") == ""
    card = redactor.text("four one one one one one one one one one one one one one one one")
    assert len(card.split()) == 16
    assert "one one one" not in card


def call() -> tuple[Event, ...]:
    words = tuple(Word(w, 10 + i, 10.9 + i) for i, w in enumerate(["yes", *SPOKEN.split()]))
    return (
        CallStarted(at=0.0, channel="c", caller=CALLER, called="13165550143"),
        FinalHeard(at=21.0, text=f"yes {SPOKEN}", words=words),
        Understood(at=21.1, text=f"yes {SPOKEN}", slots={"phone": SPOKEN, "name": "maria"}),
        Replied(at=21.2, step="x", sentences=(Sentence(SentenceKind.PHRASE, "p", "4 4 7 7?"),)),
        *(KeyPressed(at=22.0 + i, digit=d) for i, d in enumerate("3162684477#")),
        Replied(at=40.0, step="y"),
        KeyPressed(at=41.0, digit="1"),
        PromiseMade(at=42.0, promise="p1", promise_kind=PromiseKind.ORDER_LINK, to=CALLER),
    )


def test_no_personal_field_of_a_call_keeps_what_it_was() -> None:
    left = redact_events(call())
    text = repr(left)
    for secret in ("2684477", SPOKEN, "maria", "4 4 7 7", "Word("):
        assert secret not in text, secret
    keys = "".join(event.digit for event in left if isinstance(event, KeyPressed))
    assert keys == "3165550150#1"
    assert [event.at for event in left] == [event.at for event in call()]


def test_sound_is_silent_where_it_was_personal_and_only_there() -> None:
    before = call()
    spans = personal_spans(before, redact_events(before))
    assert spans["agent"] == []
    sound = Sound(1000, np.ones((30_000, 1), np.int16))
    left = silence(sound, spans["caller"]).channel(0)
    assert left[:10_800].all()  # "yes"
    assert not left[11_000:20_900].any()
    assert left[22_000:].all()


@given(
    st.text(alphabet=st.sampled_from("abc ,?'"), max_size=20),
    st.sampled_from(["3162684477", "316-268-4477", "2684477", "+13162684477", "(316) 268-4477"]),
    st.text(alphabet=st.sampled_from("abc ,?'"), max_size=20),
)
def test_a_known_number_is_found_wherever_it_stands(before: str, number: str, after: str) -> None:
    left = Redactor([CALLER]).text(f"{before} {number} {after}").replace("-", "")
    assert "2684477" not in left


def test_silencing_nothing_changes_nothing() -> None:
    sound = Sound(8000, np.ones((80, 2), np.int16))
    assert (silence(sound, [Span(5.0, 6.0)]).samples == sound.samples).all()
