"""Promises are kept, or the owner is told: refusals, retries, limits of time."""

from __future__ import annotations

import pytest

from agent.evaluate.standin import Fault
from agent.events import Outcome, PromiseKind
from agent.promises.ledger import PromiseNews
from agent.promises.owner import OwnersList
from agent.promises.state import News
from tests.pbx.promises.promise_house import CALLER, House, until, working


async def test_a_promise_is_kept_once_delivered_and_settled(house: House) -> None:
    async with working(house.settings):
        promise = house.promise()
        news = await house.kept(promise)
        assert news.outcome is Outcome.ACCEPTED
        assert news.receipt == house.standin.messages[0].sid
        await until(lambda: not house.ledger.open_ids())
    assert house.sent(promise) == 1
    assert house.standin.messages[0].to == CALLER
    history = house.ledger.history(promise)
    assert [line.news for line in history][0:2] == [News.MADE, News.ATTEMPT]
    assert house.ledger.standing(promise).delivered
    assert history[-1].news is News.SETTLED


@pytest.mark.parametrize(
    ("to", "code"),
    [("+15005550001", "21211"), ("+15005550009", "21614"), ("+15005550004", "21610")],
)
async def test_a_refusal_is_final_and_in_the_owners_list(house: House, to: str, code: str) -> None:
    async with working(house.settings):
        promise = house.promise(to)
        assert await house.kept(promise) == PromiseNews(Outcome.REFUSED, "", code)
        await until(lambda: not house.ledger.open_ids())
    assert house.news(promise).count(News.ATTEMPT) == 1
    assert [note.promise for note in OwnersList(house.settings.home).read()] == [promise.id]
    assert house.standin.messages == []  # the caller was told; no text about it to the owner


async def test_undelivered_reaches_the_owner_by_text_once(house: House) -> None:
    async with working(house.settings):
        promise = house.promise("+15005553006")
        assert (await house.kept(promise)).outcome is Outcome.ACCEPTED
        await until(lambda: not house.ledger.open_ids())
    assert house.ledger.standing(promise).code == "30006"
    texts = [m for m in house.standin.messages if m.to == "+13165550199"]
    assert len(texts) == 1
    assert "landline" in texts[0].body
    assert len(OwnersList(house.settings.home).read()) == 1


async def test_an_undeliverable_message_to_the_owner_makes_no_further_texts(house: House) -> None:
    async with working(house.settings):
        promise = house.promise("+15005553006", PromiseKind.OWNER_MESSAGE)
        await house.kept(promise)
        await until(lambda: not house.ledger.open_ids())
    assert len(house.standin.messages) == 1
    assert len(OwnersList(house.settings.home).read()) == 2  # the message, and that it failed


@pytest.mark.parametrize("fault", [Fault.TOO_MANY, Fault.UNAUTHORIZED])
async def test_what_was_certainly_not_taken_is_tried_again(house: House, fault: Fault) -> None:
    house.standin.order(fault, count=2)
    async with working(house.settings):
        promise = house.promise()
        await house.ledger.keep(promise)
        await until(lambda: house.sent(promise) == 1)
        await until(lambda: not house.ledger.open_ids())
    assert house.sent(promise) == 1
    assert house.news(promise).count(News.FAILED) == 2


async def test_retry_after_is_honoured(house: House) -> None:
    house.standin.order(Fault.TOO_MANY, seconds=2)
    async with working(house.settings):
        promise = house.promise()
        await house.ledger.keep(promise)
        await until(lambda: house.sent(promise) == 1)
    first, second = (line.at for line in house.ledger.history(promise) if line.news is News.ATTEMPT)
    assert second - first >= 2


async def test_an_account_that_does_not_work_is_told_to_the_owner_once(house: House) -> None:
    house.standin.order(Fault.UNAUTHORIZED, count=3)
    async with working(house.settings):
        promise = house.promise()
        await house.ledger.keep(promise)
        await until(lambda: house.sent(promise) == 1)
    notes = OwnersList(house.settings.home).read()
    assert len(notes) == 1
    assert "account" in notes[0].text


async def test_after_the_time_limit_the_owner_is_told_and_nothing_is_sent(house: House) -> None:
    house.standin.order(Fault.TOO_MANY, count=10_000, to=CALLER)
    hasty = house.settings.model_copy(
        update={
            "promises": house.settings.promises.model_copy(update={"link_give_up_seconds": 1.0})
        }
    )
    async with working(hasty):
        promise = house.promise()
        await house.ledger.keep(promise)
        await until(lambda: not house.ledger.open_ids())
        assert (await house.ledger.outcome(promise.id, 1)).outcome is Outcome.REFUSED
    assert house.sent(promise) == 0
    assert News.ABANDONED in house.news(promise)
    assert [m.to for m in house.standin.messages] == ["+13165550199"]
    assert CALLER[-4:] in OwnersList(house.settings.home).read()[0].text
