"""The real ``twilio`` package against the stand-in: what each failure means for the next try."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from agent.errors import CarrierAccount, CarrierRefused, CarrierUnreachable
from agent.evaluate.standin import Fault, TwilioStandIn
from agent.events import PromiseKind
from agent.promises.state import Promise
from agent.promises.twilio import Carrier
from agent.settings import Twilio
from tests.redis_fixture import free_port

ACCOUNT = "AC" + "0" * 32
TOKEN = "secret"
CALLER = "+13165550123"


@pytest.fixture
async def standin(tmp_path: Path) -> AsyncIterator[TwilioStandIn]:
    twilio = TwilioStandIn(ACCOUNT, TOKEN, inbox=tmp_path / "inbox.jsonl", step_seconds=0.02)
    await twilio.start()
    yield twilio
    await twilio.stop()


def account(standin: TwilioStandIn, token: str = TOKEN) -> Twilio:
    return Twilio(
        account_sid=ACCOUNT,
        auth_token=token,
        from_number="+13165550143",
        api_base=standin.address,
        timeout_seconds=0.5,
    )


def promise(number: int = 0, to: str = CALLER) -> Promise:
    promise_id = f"abcd{number:04}"
    body = f"https://o.example/?t={promise_id}"
    return Promise(promise_id, PromiseKind.ORDER_LINK, to, body, Path("b"))


async def test_a_message_is_taken_found_and_checked(standin: TwilioStandIn, tmp_path: Path) -> None:
    carrier = Carrier(account(standin))
    taken = await asyncio.to_thread(carrier.send, promise())
    assert taken.receipt.startswith("SM")
    assert taken.status == "queued"
    assert await asyncio.to_thread(carrier.find, promise()) is not None
    assert await asyncio.to_thread(carrier.find, promise(1)) is None
    async with asyncio.timeout(10), aiohttp.ClientSession() as session:
        while not standin.received(CALLER):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        async with session.get(f"{standin.address}/control/inbox") as reply:
            assert [m["sid"] for m in await reply.json()] == [taken.receipt]
    assert (await asyncio.to_thread(carrier.check, taken.receipt)).status == "delivered"
    assert promise().body in (tmp_path / "inbox.jsonl").read_text()


async def test_a_message_is_found_among_many_pages(standin: TwilioStandIn) -> None:
    carrier = Carrier(account(standin))
    first = await asyncio.to_thread(carrier.send, promise(0))
    for number in range(1, 120):
        await asyncio.to_thread(carrier.send, promise(number))
    found = await asyncio.to_thread(carrier.find, promise(0))
    assert found is not None
    assert found.receipt == first.receipt
    headers = {"Authorization": aiohttp.encode_basic_auth(ACCOUNT, TOKEN)}
    async with aiohttp.ClientSession(headers=headers) as session:
        url = f"{standin.address}/2010-04-01/Accounts/{ACCOUNT}/Messages.json?To=%2B13165550123"
        async with session.get(url) as reply:
            page = await reply.json()
    assert len(page["messages"]) == 50
    assert page["next_page_uri"] is not None


@pytest.mark.parametrize(
    ("fault", "uncertain", "code"),
    [
        (Fault.TOO_MANY, False, 20429),
        (Fault.SERVER_ERROR, True, 20500),
        (Fault.UNAVAILABLE, True, 20503),
        (Fault.HANG, True, 0),
        (Fault.HANG_AFTER, True, 0),
        (Fault.DROP, True, 0),
        (Fault.DROP_AFTER, True, 0),
    ],
)
async def test_later(standin: TwilioStandIn, fault: Fault, uncertain: bool, code: int) -> None:
    standin.order(fault, seconds=2)
    with pytest.raises(CarrierUnreachable) as failed:
        await asyncio.to_thread(Carrier(account(standin)).send, promise())
    assert (failed.value.uncertain, failed.value.carrier_code) == (uncertain, code)
    assert failed.value.retry_after == (2.0 if fault is Fault.TOO_MANY else None)
    assert len(standin.messages) == (1 if fault in {Fault.HANG_AFTER, Fault.DROP_AFTER} else 0)


async def test_no_connection_is_certainly_not_taken(standin: TwilioStandIn) -> None:
    nowhere = account(standin).model_copy(update={"api_base": f"http://127.0.0.1:{free_port()}"})
    with pytest.raises(CarrierUnreachable) as failed:
        await asyncio.to_thread(Carrier(nowhere).send, promise())
    assert not failed.value.uncertain


async def test_a_wrong_key_is_the_accounts_trouble(standin: TwilioStandIn) -> None:
    with pytest.raises(CarrierAccount) as failed:
        await asyncio.to_thread(Carrier(account(standin, "wrong")).send, promise())
    assert failed.value.carrier_code == 20003
    assert not failed.value.uncertain
    assert standin.messages == []


async def test_a_missing_sender_is_the_accounts_trouble(standin: TwilioStandIn) -> None:
    nobody = account(standin).model_copy(update={"from_number": ""})
    with pytest.raises(CarrierAccount):
        await asyncio.to_thread(Carrier(nobody).send, promise())


@pytest.mark.parametrize(
    ("to", "code"),
    [("+15005550001", 21211), ("+15005550009", 21614), ("+15005550004", 21610), ("12", 21211)],
)
async def test_refused_for_good(standin: TwilioStandIn, to: str, code: int) -> None:
    with pytest.raises(CarrierRefused) as failed:
        await asyncio.to_thread(Carrier(account(standin)).send, promise(to=to))
    assert failed.value.carrier_code == code


async def test_a_proxy_of_the_environment_is_not_asked_for_the_standin(
    standin: TwilioStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    assert (await asyncio.to_thread(Carrier(account(standin)).send, promise())).receipt


async def test_faults_are_ordered_over_http(standin: TwilioStandIn) -> None:
    async with aiohttp.ClientSession() as session:
        control = f"{standin.address}/control"
        async with session.post(f"{control}/fault", json={"fault": "too_many"}) as reply:
            assert reply.status == 200
        async with session.post(f"{control}/fault", json={"fault": "rain"}) as reply:
            assert reply.status == 400
        with pytest.raises(CarrierUnreachable):
            await asyncio.to_thread(Carrier(account(standin)).send, promise())
        assert (await asyncio.to_thread(Carrier(account(standin)).send, promise())).receipt
        async with session.post(f"{control}/reset") as reply:
            assert reply.status == 200
    assert standin.messages == []
