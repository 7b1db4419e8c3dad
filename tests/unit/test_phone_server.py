"""The server for Asterisk's sockets, spoken to as Asterisk does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

import agent.phone.server
from agent.phone import CallLeg, PhoneServer
from agent.settings import Agent, Pbx, Settings
from tests.redis_fixture import free_port

DEADLINE = 20.0
LET_THROUGH, ORPHAN = "PJSIP/trunk-00000001", "PJSIP/trunk-00000002"


def said(kind: str, channel: str) -> dict[str, Any]:
    """An event of the application that Asterisk names after a channel."""
    about = {
        "id": "1",
        "name": channel,
        "caller": {"name": "", "number": "+13165550111"},
        "dialplan": {"exten": "13165550143"},
        "caller_rdnis": "",
    }
    return {"type": kind, "application": f"pickup:{channel}", "args": [], "channel": about}


async def test_a_call_let_through_is_waited_for_longer_than_an_orphan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    came = asyncio.Event()

    async def on_call(leg: CallLeg) -> None:
        assert leg.info.channel == LET_THROUGH
        came.set()

    monkeypatch.setattr(agent.phone.server, "START_SECONDS", 0.5)
    settings = Settings(home=tmp_path, agent=Agent(port=free_port()), pbx=Pbx(http_port=1))
    server = PhoneServer(settings, on_call)
    await server.start()
    server.expect(LET_THROUGH)
    url = f"http://127.0.0.1:{settings.agent.port}/ari"
    user = {"Authorization": aiohttp.encode_basic_auth(settings.pbx.ari_user, "")}
    async with (
        asyncio.timeout(DEADLINE),
        aiohttp.ClientSession(headers=user) as session,
        session.ws_connect(url, protocols=("ari",)) as slow,
    ):
        await slow.send_json(said("ApplicationRegistered", LET_THROUGH))
        with capture_logs() as logs:
            orphan = await session.ws_connect(url, protocols=("ari",))
            await orphan.send_json(said("ApplicationRegistered", ORPHAN))
            while not any("An orphaned" in line["event"] for line in logs):  # noqa: ASYNC110 - a log
                await asyncio.sleep(0.01)
        assert [line["application"] for line in logs if "no call" in line["event"]] == [
            f"pickup:{ORPHAN}"
        ]
        await slow.send_json(said("StasisStart", LET_THROUGH))
        await came.wait()
    await server.stop(grace=0)
