"""Nobody gets in who should not, and nothing gets out."""

from __future__ import annotations

import asyncio
import re
import socket

import pytest

from agent.service.asterisk import AsteriskServer
from agent.settings import Settings
from tests.pbx.callers import LIMIT, channels, until

DIALS_OUT = (
    r"\b(Dial|Originate|Page|Queue|FollowMe|RetryDial|ChanIsAvail|Transfer|BlindTransfer"
    r"|AttendedTransfer|DISA|ConfBridge|BridgeWait|System|TrySystem|Exec|TryExec|SendText"
    r"|MessageSend|ExternalIVR|EAGI|DeadAGI|SMS)\("
)


def test_the_pbx_has_no_way_to_dial(pbx: AsteriskServer) -> None:
    applications = pbx.command("core show applications")
    assert " Stasis:" in applications
    for name in ("Dial", "Originate", "System", "Transfer", "Queue", "DISA", "Exec"):
        assert f" {name}:" not in applications
    dialplan = pbx.command("dialplan show")
    assert "[ Context 'from-trunk'" in dialplan
    assert not re.search(DIALS_OUT, dialplan), re.search(DIALS_OUT, dialplan)
    # Every way on from one context leads to another of these.
    goes_to = set(re.findall(r"(?:Goto\(|[?:])(\$\{TAKE\}|[a-z-]+),s,1", dialplan))
    assert goes_to == {"who", "gate", "${TAKE}", "after", "fallback"}
    assert "REFER" not in pbx.command("module show like res_pjsip_refer")


def test_nobody_may_place_a_call_through_ami(pbx: AsteriskServer, settings: Settings) -> None:
    secret = settings.pbx.ami_password.get_secret_value()
    login = f"Action: Login\nUsername: {settings.pbx.ami_user}\nSecret: {secret}\nEvents: off"
    with socket.create_connection((settings.pbx.host, settings.pbx.ami_port), LIMIT) as ami:
        talk = ami.makefile("rwb")

        def ask(action: str) -> list[str]:
            talk.write((action + "\n\n").replace("\n", "\r\n").encode())
            talk.flush()
            return [text.decode().strip() for text in iter(talk.readline, b"\r\n")]

        assert "Response: Success" in ask(login)
        assert "Response: Success" in ask("Action: CoreStatus")
        for refused in (
            "Originate\nChannel: PJSIP/1@trunk\nApplication: Hangup",
            "Command\nCommand: core show version",
            "Redirect\nChannel: x\nContext: agent\nExten: s\nPriority: 1",
            "GetConfig\nFilename: pjsip.conf",
        ):
            assert "Message: Permission denied" in ask(f"Action: {refused}"), refused
    assert not channels(pbx)


async def invite(source: str, settings: Settings, number: str) -> int:
    """Send one INVITE from a loopback address and return the final status."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.setblocking(False)
        port = sock.getsockname()[1]
        target = (settings.pbx.sip_host, settings.pbx.sip_port)
        body = (
            f"v=0\r\no=- 1 1 IN IP4 {source}\r\ns=-\r\nc=IN IP4 {source}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 0\r\n"
        )
        head = (
            f"INVITE sip:{number}@{target[0]}:{target[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {source}:{port};rport;branch=z9hG4bK{port}{number}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:+13165550111@{source}>;tag=1\r\n"
            f"To: <sip:{number}@{target[0]}>\r\nCall-ID: {port}-{number}\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:x@{source}:{port}>\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        await loop.sock_sendto(sock, (head + body).encode(), target)
        async with asyncio.timeout(LIMIT):
            while True:
                answer = (await loop.sock_recv(sock, 4096)).decode()
                status = int(answer.split()[1])
                if status >= 200:
                    return status


async def test_a_stranger_is_not_answered(pbx: AsteriskServer, settings: Settings) -> None:
    assert await invite("127.0.0.3", settings, settings.trunk.number) == 401
    assert not channels(pbx)


@pytest.mark.parametrize("number", ["+442071838750", "911", "+13165550144", "13165550143-1"])
async def test_the_trunk_reaches_only_the_restaurants_numbers(
    pbx: AsteriskServer, settings: Settings, number: str
) -> None:
    assert await invite(settings.trunk.peer, settings, number) == 404
    await until(lambda: not channels(pbx), "channel gone")
