"""A house for promises: a Redis of its own, Twilio's stand-in, a ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agent.evaluate.standin import TwilioStandIn
from agent.promises.ledger import Ledger
from agent.settings import Promises, Redis, Settings, Twilio
from tests.pbx.promises.promise_house import ACCOUNT, TOKEN, House
from tests.redis_fixture import RedisServer, free_port


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
