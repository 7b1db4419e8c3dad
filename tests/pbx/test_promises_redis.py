"""Promises end to end: real Redis, the real ``twilio`` package, the worker, Twilio's stand-in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from twilio.request_validator import RequestValidator

from agent.errors import QueueDown
from agent.evaluate.standin import Fault, TwilioStandIn
from agent.events import Outcome, PromiseKind
from agent.pause import PauseStore
from agent.promises import worker
from agent.promises.ledger import Ledger, PromiseNews
from agent.promises.owner import OwnersList
from agent.promises.state import News, Promise
from agent.promises.texts import carries
from agent.settings import Promises, Redis, Settings, Twilio
from tests.redis_fixture import RedisServer, free_port

pytestmark = pytest.mark.pbx

ACCOUNT = "AC" + "0" * 32
TOKEN = "a token for tests"
CALLER = "+13165550123"
DEADLINE = 20.0


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def standin() -> AsyncIterator[TwilioStandIn]:
    twilio = TwilioStandIn(account_sid=ACCOUNT, auth_token=TOKEN, step_seconds=0.05)
    await twilio.start()
    yield twilio
    await twilio.stop()


@dataclass
class House:
    """Everything a promise needs, and short ways to ask about it."""

    settings: Settings
    standin: TwilioStandIn
    redis: RedisServer
    ledger: Ledger
    bundle: Path

    def promise(self, to: str = CALLER, kind: PromiseKind = PromiseKind.ORDER_LINK) -> Promise:
        return self.ledger.make(kind, to, "Order at https://order.example/?t={token}", self.bundle)

    async def kept(self, promise: Promise, within: float = DEADLINE) -> PromiseNews:
        await self.ledger.keep(promise)
        return await self.ledger.outcome(promise.id, within)

    def news(self, promise: Promise) -> list[News]:
        return [line.news for line in self.ledger.history(promise)]

    def sent(self, promise: Promise) -> int:
        return sum(carries(m.body, promise.id) for m in self.standin.messages)

    def environment(self) -> dict[str, str]:
        """Return the settings as a child process reads them."""
        twilio = self.settings.twilio
        patience = self.settings.promises
        return {
            **os.environ,
            "PICKUP_HOME": str(self.settings.home),
            "PICKUP_REDIS__URL": self.settings.redis.url,
            "PICKUP_TWILIO__ACCOUNT_SID": twilio.account_sid,
            "PICKUP_TWILIO__AUTH_TOKEN": TOKEN,
            "PICKUP_TWILIO__FROM_NUMBER": twilio.from_number,
            "PICKUP_TWILIO__API_BASE": twilio.api_base,
            "PICKUP_TWILIO__WEBHOOK_PORT": str(free_port()),
            "PICKUP_PROMISES__UNCERTAIN_SECONDS": str(patience.uncertain_seconds),
            "PICKUP_PROMISES__SWEEP_SECONDS": str(patience.sweep_seconds),
        }

    @contextlib.asynccontextmanager
    async def worker_process(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a worker of its own until SIGTERM, which must end it well unless it was killed."""
        environment = self.environment()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "agent.promises.worker",
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(DEADLINE):
                while not await listens(int(environment["PICKUP_TWILIO__WEBHOOK_PORT"])):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            yield process
            if process.returncode is None:
                process.terminate()
                assert await asyncio.wait_for(process.wait(), DEADLINE) == 0
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


@pytest.fixture
async def house(
    tmp_path: Path, standin: TwilioStandIn, redis_server: RedisServer
) -> AsyncIterator[House]:
    port = free_port()
    settings = Settings(
        home=tmp_path,
        redis=Redis(url=redis_server.url),
        twilio=Twilio(
            account_sid=ACCOUNT,
            auth_token=TOKEN,
            from_number="+13165550143",
            api_base=standin.address,
            webhook_port=port,
            public_webhook_url=f"http://127.0.0.1:{port}",
            timeout_seconds=1.0,
        ),
        promises=Promises(
            retry_first_seconds=0.2,
            uncertain_seconds=1.5,
            delivery_check_seconds=0.3,
            sweep_seconds=0.1,
        ),
    )
    ledger = Ledger(settings)
    bundle = settings.calls / "2026-11-22" / "call-1"
    yield House(settings, standin, redis_server, ledger, bundle)
    await ledger.close()


@contextlib.asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[None]:
    """Run the worker in this process until the block ends."""
    task = asyncio.create_task(worker.run(settings))
    try:
        async with asyncio.timeout(DEADLINE):
            while not await listens(settings.twilio.webhook_port):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def listens(port: int) -> bool:
    """Tell whether something accepts connections on this port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def until(true: Callable[[], bool], within: float = DEADLINE) -> None:
    """Wait until ``true()``.

    Raises:
        TimeoutError: it did not become true in time.
    """
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110 - the news comes from disk and from other processes
            await asyncio.sleep(0.02)


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


async def test_without_a_webhook_delivery_is_asked_for(house: House) -> None:
    silent = house.settings.model_copy(
        update={"twilio": house.settings.twilio.model_copy(update={"public_webhook_url": ""})}
    )
    async with working(silent):
        promise = house.promise()
        await house.kept(promise)
        await until(lambda: not house.ledger.open_ids())
    assert house.ledger.standing(promise).delivered


async def test_a_forged_callback_is_forbidden_and_changes_nothing(house: House) -> None:
    twilio = house.settings.twilio
    url = f"{twilio.public_webhook_url}/twilio/status"
    async with working(house.settings), aiohttp.ClientSession() as session:
        promise = house.promise("+15005550009")
        await house.kept(promise)
        other = house.promise()
        before = house.news(other)
        form = {"MessageSid": "SM" + "1" * 32, "MessageStatus": "delivered"}
        address = f"{url}?promise={other.id}"
        for token, signed in (("another token", form), (TOKEN, {**form, "To": "+1"})):
            signature = RequestValidator(token).compute_signature(address, signed)
            headers = {"X-Twilio-Signature": signature}
            async with session.post(address, data=form, headers=headers) as reply:
                assert reply.status == 403
        async with session.post(address, data=form) as reply:
            assert reply.status == 403
        async with session.get(address) as reply:
            assert reply.status == 405
        assert News.STATUS not in house.news(other)[len(before) :]


async def test_callbacks_may_come_twice_and_in_any_order(house: House) -> None:
    twilio = house.settings.twilio
    silent = house.settings.model_copy(
        update={"promises": house.settings.promises.model_copy(update={"sweep_seconds": 60.0})}
    )
    house.standin.order(Fault.HANG_AFTER, seconds=60)
    async with working(silent), aiohttp.ClientSession() as session:
        promise = house.promise()
        address = f"{twilio.public_webhook_url}/twilio/status?promise={promise.id}"
        with house.ledger.hold(promise.id):  # nobody settles it meanwhile
            for status in ("delivered", "sent", "delivered", "queued"):
                form = {"MessageSid": "SM" + "2" * 32, "MessageStatus": status}
                signature = RequestValidator(TOKEN).compute_signature(address, form)
                headers = {"X-Twilio-Signature": signature}
                async with session.post(address, data=form, headers=headers) as reply:
                    assert reply.status == 204
            assert house.news(promise) == [News.MADE, News.STATUS, News.STATUS, News.STATUS]
            assert house.ledger.standing(promise).delivered
        await house.ledger.keep(promise)
        await until(lambda: not house.ledger.open_ids())
    assert house.standin.messages == []


async def test_the_owner_switches_the_agent_off_by_text(house: House) -> None:
    url = f"{house.settings.twilio.public_webhook_url}/twilio/inbound"
    store = PauseStore(house.settings)
    async with working(house.settings), aiohttp.ClientSession() as session:
        for sender, token, status, off in (
            ("+13165550111", TOKEN, 200, False),
            ("+13165550199", "another token", 403, False),
            ("+13165550199", TOKEN, 200, True),
        ):
            form = {"From": sender, "Body": "off 30m", "MessageSid": "SM" + "3" * 32}
            signature = RequestValidator(token).compute_signature(url, form)
            headers = {"X-Twilio-Signature": signature}
            async with session.post(url, data=form, headers=headers) as reply:
                assert reply.status == status
                assert ("takes no calls until" in await reply.text()) is off
            assert (await store.read()).holds(time.time()) is off
    await store.close()
