"""Recipes at a real Asterisk: the counter is rung first, a provider is registered with."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.service.asterisk import AsteriskServer
from agent.service.ports import loopback_settings
from agent.settings import CHECKOUT, Settings
from tests.pbx.sip_caller import SipCaller

RECIPES = CHECKOUT / "dialplan" / "recipes"


class Counter(asyncio.DatagramProtocol):
    """A phone on the counter that is busy; notes what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        text = data.decode()
        method = text.split()[0]
        self.asked.append(method)
        if method == "ACK":
            return
        status = "486 Busy Here" if method == "INVITE" else "200 OK"
        same = [
            line for line in text.split("\r\n") if re.match(r"(?i)(via|from|call-id|cseq):", line)
        ]
        to = next(line for line in text.split("\r\n") if line.lower().startswith("to:"))
        reply = [f"SIP/2.0 {status}", *same, f"{to};tag=counter", "Content-Length: 0", "", ""]
        self.transport.sendto("\r\n".join(reply).encode(), address)


@asynccontextmanager
async def counter() -> AsyncIterator[tuple[int, Counter]]:
    loop = asyncio.get_running_loop()
    transport, phone = await loop.create_datagram_endpoint(Counter, local_addr=("127.0.0.4", 0))
    yield int(transport.get_extra_info("sockname")[1]), phone
    transport.close()


def put(settings: Settings, name: str) -> None:
    for file in (RECIPES / name).glob("*.conf"):
        text = file.read_text()
        (settings.home / "local" / file.name).write_text(text)


async def test_the_counter_is_rung_first_and_the_apology_is_behind_it(tmp_path: Path) -> None:
    settings = loopback_settings(tmp_path, dial_out={"phones": ["counter"]})
    (tmp_path / "local").mkdir()
    async with counter() as (port, phone):
        put(settings, "ring-staff")
        conf = tmp_path / "local" / "pjsip.conf"
        conf.write_text(conf.read_text().replace("<192.0.2.20>:5060", f"127.0.0.4:{port}"))
        pbx = AsteriskServer("pbx", settings)
        await asyncio.to_thread(pbx.start)
        try:
            where = (settings.pbx.sip_host, settings.pbx.sip_port)
            async with SipCaller(where, settings.trunk.number) as caller:
                assert await caller.dial() == 200
            assert "INVITE" in phone.asked
            assert "[ Context 'dial-out'" not in await asyncio.to_thread(
                pbx.command, "dialplan show"
            )
        finally:
            await asyncio.to_thread(pbx.stop)


@pytest.mark.parametrize("name", ["registering-provider", "twilio-elastic-sip"])
def test_a_provider_s_recipe_is_taken_by_asterisk(tmp_path: Path, name: str) -> None:
    settings = loopback_settings(tmp_path)
    (tmp_path / "local").mkdir()
    put(settings, name)
    conf = tmp_path / "local" / "pjsip.conf"
    text = re.sub(r"<([^>\n]+)>", r"\1", conf.read_text())
    conf.write_text(text.replace("sip.provider.example", "127.0.0.4:5099"))
    with AsteriskServer("pbx", settings) as pbx:
        if name == "registering-provider":
            assert "provider" in pbx.command("pjsip show registrations")
        else:
            assert "54.172.60.0/30" in pbx.command("pjsip show identifies")
        assert "trunk" in pbx.command("pjsip show endpoints")
        assert "ERROR" not in pbx.log_file.read_text().split("Asterisk Ready.")[0]
