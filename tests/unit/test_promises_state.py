"""What follows from a promise's history."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.events import Outcome, PromiseKind
from agent.promises.state import Act, Line, News, Promise, Step, next_step, standing
from agent.settings import Promises

PATIENCE = Promises()
PROMISE = Promise("abcd1234", PromiseKind.ORDER_LINK, "+13165550123", "x", Path("b"), made=100.0)
GIVE_UP = 100.0 + PATIENCE.link_give_up_seconds


def step(*lines: Line, at: float = 200.0) -> Step:
    return next_step(PROMISE, standing(lines), PATIENCE, at)


MADE = Line(News.MADE, 100.0)
ATTEMPT = Line(News.ATTEMPT, 101.0)
ACCEPTED = Line(News.ACCEPTED, 102.0, receipt="SM1", status="queued")


def test_a_new_promise_is_sent_at_once() -> None:
    assert step(MADE) == Step(Act.SEND, 100.0)


def test_an_attempt_without_news_is_asked_about_and_never_sent_again() -> None:
    assert step(MADE, ATTEMPT) == Step(Act.ASK, 101.0 + PATIENCE.uncertain_seconds)
    assert standing([MADE, ATTEMPT]).in_flight


@pytest.mark.parametrize("news", [News.UNKNOWN, News.UNASKED])
def test_uncertain_means_ask_first(news: News) -> None:
    assert step(MADE, ATTEMPT, Line(news, 102.0)).act is Act.ASK


def test_absent_means_it_may_be_sent() -> None:
    assert step(MADE, ATTEMPT, Line(News.UNKNOWN, 102.0), Line(News.ABSENT, 150.0)).act is Act.SEND


def test_pauses_double_up_to_the_longest_and_never_undercut_what_was_asked() -> None:
    lines = [MADE]
    pauses = []
    for n in range(12):
        lines += [ATTEMPT, Line(News.FAILED, 200.0)]
        pauses.append(step(*lines).due - 200.0)
        assert pauses[n] >= PATIENCE.retry_first_seconds
    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    assert pauses[-1] == PATIENCE.retry_most_seconds
    asked = step(MADE, ATTEMPT, Line(News.FAILED, 200.0, wait=1000.0))
    assert asked == Step(Act.SEND, 1200.0)


def test_time_is_up() -> None:
    assert step(MADE, at=GIVE_UP).act is Act.GIVE_UP
    late = Line(News.FAILED, GIVE_UP - 1.0)
    assert step(MADE, ATTEMPT, late, at=GIVE_UP - 0.5) == Step(Act.GIVE_UP, GIVE_UP)


def test_time_is_up_while_uncertain_asks_once_more_before_giving_up() -> None:
    assert step(MADE, ATTEMPT, at=GIVE_UP + 5).act is Act.ASK
    assert step(MADE, ATTEMPT, Line(News.UNASKED, GIVE_UP + 6), at=GIVE_UP + 9).act is Act.GIVE_UP


def test_failure_is_told_before_it_is_settled() -> None:
    refused = (MADE, ATTEMPT, Line(News.REFUSED, 102.0, code="21211"))
    assert step(*refused).act is Act.TELL_OWNER
    assert step(*refused, Line(News.TOLD, 103.0)).act is Act.SETTLE
    assert standing(refused).outcome is Outcome.REFUSED
    assert standing(refused).code == "21211"


def test_accepted_waits_for_news_then_asks_ever_more_rarely_then_stops() -> None:
    checks: list[Line] = []
    dues = []
    while (next_ := step(MADE, ATTEMPT, ACCEPTED, *checks)).act is Act.CHECK:
        dues.append(next_.due - 102.0)
        checks.append(Line(News.CHECKED, next_.due))
    assert dues == [600.0, 2400.0, 9600.0, 38400.0]
    assert next_ == Step(Act.STOP_WAITING, 102.0 + PATIENCE.delivery_limit_seconds)
    assert step(MADE, ATTEMPT, ACCEPTED, Line(News.UNCONFIRMED, 9e9)).act is Act.SETTLE


def status(word: str, code: str = "") -> Line:
    return Line(News.STATUS, 103.0, receipt="SM1", status=word, code=code)


def test_delivery_news_in_any_order_twice_and_before_the_acceptance() -> None:
    news = [ACCEPTED, status("sent"), status("delivered"), status("delivered")]
    for order in itertools.permutations(news):
        now = standing([MADE, ATTEMPT, *order])
        assert (now.outcome, now.receipt, now.delivered) == (Outcome.ACCEPTED, "SM1", True)
        assert step(MADE, ATTEMPT, *order).act is Act.SETTLE


def test_undelivered_stays_so_whatever_comes_later() -> None:
    now = standing([MADE, ATTEMPT, ACCEPTED, status("undelivered", "30006"), status("sent")])
    assert now.lost
    assert now.code == "30006"


def test_a_callback_after_giving_up_is_still_an_acceptance() -> None:
    now = standing([MADE, ATTEMPT, Line(News.ABANDONED, 150.0), status("sent")])
    assert now.outcome is Outcome.ACCEPTED
    assert not now.lost


lines_strategy = st.lists(
    st.builds(
        Line,
        st.sampled_from([n for n in News if n is not News.MADE]),
        st.floats(100, 1e5),
        receipt=st.just("SM1"),
        code=st.sampled_from(["", "30006", "21211"]),
        status=st.sampled_from(["", "queued", "sent", "delivered", "undelivered"]),
        wait=st.none() | st.floats(0, 100),
    ),
    max_size=12,
)


@given(lines_strategy, st.floats(100, 1e6))
def test_nothing_is_ever_sent_while_an_attempt_may_have_been_taken(
    lines: list[Line], at: float
) -> None:
    now = standing([MADE, *lines])
    if next_step(PROMISE, now, PATIENCE, at).act is not Act.SEND:
        return
    closing = {News.FAILED, News.ABSENT}
    open_attempt = False
    for line in lines:
        if line.news is News.ATTEMPT:
            open_attempt = True
        elif line.news in closing:
            open_attempt = False
        assert line.news not in {News.ACCEPTED, News.STATUS, News.REFUSED, News.SETTLED}
    assert not open_attempt


@given(lines_strategy)
def test_every_line_survives_being_written(lines: list[Line]) -> None:
    for line in lines:
        again = Line.from_json(line.as_json())
        assert (again.news, again.receipt, again.code, again.status) == (
            line.news,
            line.receipt,
            line.code,
            line.status,
        )
