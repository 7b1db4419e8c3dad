"""Hostile SIP while a call is in progress: the call goes on, nobody gets in, nothing stays."""

from __future__ import annotations

import asyncio
import socket

import pytest

from agent.service.asterisk import AsteriskServer
from tests.pbx.phone.house import House, until
from tests.pbx.sip_caller import SipCaller, tone

STRANGER = "127.0.0.3"
FLOOD = 500
"""Packets of one flood; bounded, and on loopback only."""


def request(method: str, number: int, source: str, *, to: str = "13165550143") -> str:
    return (
        f"{method} sip:{to}@127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {source}:5060;rport;branch=z9hG4bK{method}{number}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{number}@{source}>;tag={number}\r\n"
        f"To: <sip:{to}@127.0.0.1>\r\nCall-ID: {method}-{number}\r\nCSeq: 1 {method}\r\n"
        f"Contact: <sip:x@{source}:5060>\r\nContent-Length: 0\r\n\r\n"
    )


def malformed(to: str = "13165550143") -> list[bytes]:
    """Return packets that break one rule of RFC 3261 each, or try something."""
    good = request("INVITE", 1, STRANGER, to=to)
    return [
        b"",
        b"\r\n\r\n" * 100,
        b"\x00" * 1200,
        bytes(range(256)) * 4,
        good.replace("SIP/2.0\r\n", "SIP/9.9\r\n", 1).encode(),
        good.replace("Via:", "Vja:").encode(),
        good.replace("CSeq: 1", "CSeq: 99999999999999999999").encode(),
        good.replace("Content-Length: 0", "Content-Length: -1").encode(),
        good.replace("Content-Length: 0", "Content-Length: 99999").encode(),
        good.replace("Max-Forwards: 70", "Max-Forwards: 0").encode(),
        good.replace("From: ", "From: " + "<" * 3000).encode(),
        (good.split("\r\n\r\n")[0] + "\r\nX: " + "y" * 50_000 + "\r\n\r\n").encode(),
        good.replace(to, "${SHELL(id)}").encode(),
        good.replace(to, "' OR 1=1 --").encode(),
        request("INVITE", 2, STRANGER, to=to).replace("127.0.0.1 SIP", "%n%n%n SIP").encode(),
    ]


async def attack(house: House, packets: list[bytes], source: str = STRANGER) -> set[str]:
    """Send the packets; return the status lines that came back."""
    target = (house.settings.pbx.sip_host, house.settings.pbx.sip_port)
    answers: set[str] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.setblocking(False)
        for number, packet in enumerate(packets):
            sock.sendto(packet[:60_000], target)
            if number % 50 == 49:
                await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(1.0):
                while True:
                    answers.add((await loop.sock_recv(sock, 65_535)).split(b"\r\n")[0].decode())
        except TimeoutError:
            return answers


async def still_heard(caller: SipCaller) -> None:
    """The agent echoes what is said now."""
    before = caller.loud_seconds
    caller.say(tone(700, 0.5))
    await until(lambda: caller.loud_seconds > before + 0.3)
    assert not caller.ended.is_set()


METHODS = ("INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE", "REFER", "NOTIFY", "BYE")


@pytest.mark.parametrize("what", ["malformed", "scan", "flood"])
async def test_a_call_goes_on_through_it(house: House, pbx: AsteriskServer, what: str) -> None:
    numbers = range(FLOOD // len(METHODS))
    packets = {
        "malformed": malformed(),
        "scan": [request(m, n, STRANGER, to=f"{n}").encode() for m in METHODS for n in range(20)],
        "flood": [request(m, n, STRANGER).encode() for m in METHODS for n in numbers],
    }[what]
    async with house.caller() as caller:
        assert await caller.dial() == 200
        await still_heard(caller)
        answers = await attack(house, packets)
        await still_heard(caller)
        assert not any(line.startswith("SIP/2.0 2") for line in answers), answers
        shown = await asyncio.to_thread(pbx.command, "core show channels concise")
        assert sum(line.startswith("PJSIP/") for line in shown.splitlines()) == 1
    assert pbx.pid is not None
    assert len(house.legs) == 1
    await house.nothing_left()


async def test_malformed_packets_from_the_trunk_s_own_address_are_survived(
    house: House, pbx: AsteriskServer
) -> None:
    async with house.caller() as caller:
        assert await caller.dial() == 200
        # To a number that is not ours: what is well-formed after all is no call then.
        await attack(house, malformed("13165550177"), source=house.settings.trunk.peer)
        await still_heard(caller)
    assert pbx.pid is not None
    await house.nothing_left()
