"""Promises are kept once, whatever crashes, hangs or is lost in between."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from agent.errors import QueueDown
from agent.evaluate.standin import Fault
from agent.events import Outcome
from agent.promises.state import News
from tests.pbx.promises.promise_house import DEADLINE, House, until, working


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER, Fault.HANG_AFTER])
async def test_taken_but_not_told_is_found_and_not_sent_again(house: House, fault: Fault) -> None:
    # no webhook here: a callback would give the secret away
    silent = house.settings.model_copy(
        update={"twilio": house.settings.twilio.model_copy(update={"public_webhook_url": ""})}
    )
    house.standin.order(fault, seconds=3)
    async with working(silent):
        promise = house.promise()
        assert (await house.kept(promise)).receipt == house.standin.messages[0].sid
        await until(lambda: not house.ledger.open_ids())
    assert house.sent(promise) == 1
    news = house.news(promise)
    assert news[:4] == [News.MADE, News.ATTEMPT, News.UNKNOWN, News.ACCEPTED]


async def test_a_callback_proves_what_the_lost_answer_did_not_say(house: House) -> None:
    house.standin.order(Fault.DROP_AFTER)
    async with working(house.settings):
        promise = house.promise()
        await house.ledger.keep(promise)
        await until(lambda: not house.ledger.open_ids())
    assert house.sent(promise) == 1
    assert News.ACCEPTED not in house.news(promise)
    assert house.ledger.standing(promise).receipt == house.standin.messages[0].sid


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.HANG, Fault.SERVER_ERROR, Fault.UNAVAILABLE])
async def test_not_taken_and_not_told_is_sent_after_asking(house: House, fault: Fault) -> None:
    house.standin.order(fault, seconds=3)
    async with working(house.settings):
        promise = house.promise()
        await house.ledger.keep(promise)
        await until(lambda: not house.ledger.open_ids())
    assert house.sent(promise) == 1
    news = house.news(promise)
    assert news.index(News.UNKNOWN) < news.index(News.ABSENT) < news.index(News.ACCEPTED)


async def test_a_worker_killed_between_attempt_and_record_leaves_one_text(house: House) -> None:
    house.standin.order(Fault.HANG_AFTER, seconds=60)
    async with house.worker_process() as first:
        promise = house.promise()
        await house.ledger.keep(promise)
        await until(lambda: house.sent(promise) == 1)
        assert house.news(promise) == [News.MADE, News.ATTEMPT]
        first.kill()
        await first.wait()
    async with house.worker_process():
        await until(lambda: house.ledger.standing(promise).accepted is not None)
    assert house.sent(promise) == 1


async def test_redis_killed_during_a_call_the_promise_is_kept_once(house: House) -> None:
    async with working(house.settings):
        house.redis.kill()
        try:
            promise = house.promise()
            began = time.monotonic()
            with pytest.raises(QueueDown):
                await house.ledger.keep(promise)
            news = await house.ledger.outcome(promise.id, 0.5)
            assert time.monotonic() - began < 5  # bounded, not measured
            assert news.outcome in {Outcome.PENDING, Outcome.ACCEPTED}
            await until(lambda: house.sent(promise) == 1)
        finally:
            house.redis.start()
        again = house.promise()
        assert (await house.kept(again)).outcome is Outcome.ACCEPTED
        await until(lambda: not house.ledger.open_ids())
    assert house.sent(promise) == 1
    assert house.sent(again) == 1


async def test_redis_frozen_does_not_hold_the_call(house: House) -> None:
    promise = house.promise()
    house.redis.signal(signal.SIGSTOP)
    try:
        with pytest.raises(QueueDown):
            await asyncio.wait_for(house.ledger.keep(promise), 5)
        news = await asyncio.wait_for(house.ledger.outcome(promise.id, 0.5), 5)
        assert news.outcome is Outcome.PENDING
    finally:
        house.redis.signal(signal.SIGCONT)


async def test_no_worker_at_all_is_pending_and_kept_when_one_comes(house: House) -> None:
    promise = house.promise()
    assert (await house.kept(promise, within=0.3)).outcome is Outcome.PENDING
    async with working(house.settings):
        await until(lambda: not house.ledger.open_ids())
    assert house.sent(promise) == 1


async def test_a_job_queued_many_times_sends_one_text(house: House) -> None:
    async with working(house.settings):
        promise = house.promise()
        await asyncio.gather(*(house.ledger.keep(promise) for _ in range(10)))
        assert (await house.ledger.outcome(promise.id, DEADLINE)).outcome is Outcome.ACCEPTED
        await until(lambda: not house.ledger.open_ids())
    assert house.sent(promise) == 1


async def test_two_workers_send_every_promise_once(house: House) -> None:
    async with house.worker_process(), house.worker_process():
        promises = [house.promise(f"+1316555{n:04}") for n in range(100, 120)]
        for promise in promises:
            await asyncio.gather(house.ledger.keep(promise), house.ledger.keep(promise))
        await until(
            lambda: all(house.ledger.standing(p).outcome is Outcome.ACCEPTED for p in promises)
        )
    assert [house.sent(promise) for promise in promises] == [1] * len(promises)


async def test_a_lost_marker_comes_back_from_the_evidence(house: House) -> None:
    promise, settled = house.promise(), house.promise()
    house.ledger.settle(settled)
    for marker in house.settings.open_promises.glob("*.json"):
        marker.unlink()
    assert house.ledger.rebuild() == 1
    assert house.ledger.open_ids() == [promise.id]
    async with working(house.settings):
        await until(lambda: house.sent(promise) == 1)
    assert house.sent(settled) == 0
