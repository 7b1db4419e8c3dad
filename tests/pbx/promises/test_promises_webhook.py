"""What Twilio tells the worker: delivery, and the owner's texts."""

from __future__ import annotations

import time

import aiohttp
from twilio.request_validator import RequestValidator

from agent.evaluate.standin import Fault
from agent.pause import PauseStore
from agent.promises.state import News
from tests.pbx.promises.promise_house import TOKEN, House, until, working


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
