"""What the watch makes of Asterisk's events, and whom it tells, and how often."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agent.phone.watch import GUESS_SECONDS, Sign, Signs
from agent.promises.ledger import Ledger
from agent.service.alerts import Alerts
from agent.settings import Alerts as To
from agent.settings import Settings

UNWELL = Sign("trunk.reachable", well=False, detail="The trunk does not answer.")
WELL = Sign("trunk.reachable", well=True, detail="The trunk answers.")


def told(signs: Signs, *events: dict[str, str], every: float = 1.0) -> list[tuple[str, bool]]:
    found = []
    for number, event in enumerate(events):
        found += [(s.name, s.well) for s in signs.take(event, number * every)]
    return found


def hangup(cause: int, channel: str = "PJSIP/trunk-00000001") -> dict[str, str]:
    return {"Event": "Hangup", "Channel": channel, "Cause": str(cause)}


def rtcp(highest: str | None, channel: str = "PJSIP/trunk-00000001") -> dict[str, str]:
    event = {"Event": "RTCPSent", "Channel": channel}
    return event if highest is None else {**event, "Report0HighestSequence": highest}


def test_the_trunk_s_contact() -> None:
    signs = Signs()
    event = {"Event": "ContactStatus", "AOR": "trunk", "URI": "sip:x", "RoundtripUsec": "2500"}
    assert told(signs, {**event, "ContactStatus": "Unreachable"}) == [("trunk.reachable", False)]
    assert told(signs, {**event, "ContactStatus": "Reachable"}) == [("trunk.reachable", True)]
    assert signs.counts.round_trip_seconds == 0.0025
    assert told(signs, {**event, "ContactStatus": "NonQualified"}) == []
    assert told(signs, {**event, "AOR": "phone", "ContactStatus": "Unreachable"}) == []


@pytest.mark.parametrize(("status", "well"), [("Registered", True), ("Rejected", False)])
def test_registration(status: str, well: bool) -> None:
    event = {"Event": "Registry", "Username": "sip:hikari@p", "Status": status}
    assert told(Signs(), event) == [("trunk.registered", well)]


def test_failed_calls_are_told_when_they_are_most_of_the_last() -> None:
    signs = Signs()
    assert (
        told(signs, hangup(16), hangup(58), hangup(16), hangup(38)) == [("calls.connect", True)] * 2
    )
    assert told(signs, hangup(44)) == [("calls.connect", False)]
    assert told(signs, hangup(44, "Local/s@x-1;1")) == []
    assert told(signs, hangup(16), hangup(16), hangup(16))[-1] == ("calls.connect", True)
    assert signs.counts.causes == {16: 5, 58: 1, 38: 1, 44: 1}


def test_sound_that_stops_is_told_once_a_call() -> None:
    signs = Signs()
    assert told(signs, rtcp("100"), rtcp("350")) == [("rtp.flows", True)]
    assert told(signs, rtcp("350"), rtcp("350"), rtcp("350")) == [("rtp.flows", False)]
    assert told(signs, rtcp("600")) == [("rtp.flows", True)]
    assert told(signs, *[rtcp(None, "PJSIP/trunk-00000002")] * 3) == [("rtp.flows", False)]
    assert signs.counts.stalls == 2


def test_guessing_is_told_and_a_single_scan_is_not() -> None:
    wrong = {"Event": "InvalidPassword", "RemoteAddress": "IPV4/UDP/203.0.113.9/5060"}
    assert told(Signs(), *[wrong] * 5, every=1.0) == [("security.guessing", False)]
    assert told(Signs(), *[wrong] * 9, every=GUESS_SECONDS / 3) == []


def test_a_restart_of_asterisk_is_told() -> None:
    signs = Signs()
    assert signs.booted("2026-11-27", "10:00:00") == []
    assert signs.booted("2026-11-27", "10:00:00") == []
    (sign,) = signs.booted("2026-11-27", "10:05:00")
    assert sign.passing


# ── who is told ─────────────────────────────────────────────────────────────────────────


class House:
    """Alerts with a clock of their own."""

    def __init__(self, home: Path, **to: Any) -> None:
        self.now = 1000.0
        self.settings = Settings(home=home, alerts=To(sms=("+13165550198",), **to))
        self.alerts = Alerts(self.settings, lambda: self.now)

    def again(self) -> None:
        """Start the process again."""
        self.alerts = Alerts(self.settings, lambda: self.now)

    def after(self, seconds: float) -> None:
        self.now += seconds
        self.alerts.tell()

    @property
    def texts(self) -> list[str]:
        ledger = Ledger(self.settings)
        return [p.body for p in ledger.promises_of(self.settings.home / "alerts")]


def test_a_fault_is_told_once_and_once_that_it_is_over(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.alerts.note(UNWELL)
    house.after(29)
    assert house.texts == []
    house.after(1)
    assert len(house.texts) == 1
    for _ in range(3):
        house.alerts.note(UNWELL)
        house.again()
        house.after(100)
    assert len(house.texts) == 1
    house.alerts.note(WELL)
    house.alerts.note(WELL)
    house.after(100)
    assert ["All clear" in text for text in house.texts] == [False, True]
    house.alerts.note(UNWELL)
    house.after(31)
    assert len(house.texts) == 3


def test_what_mends_itself_in_time_is_not_told(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.alerts.note(UNWELL)
    house.after(10)
    house.alerts.note(WELL)
    house.after(100)
    assert house.texts == []


def test_what_just_happens_is_told_at_once_and_has_no_end(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.alerts.note(Sign("asterisk.restarted", well=False, detail="Again.", passing=True))
    assert len(house.texts) == 1
    assert not house.alerts.open


def test_a_damaged_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "alerts.json").write_text('{"trunk.reachable": {"x": 1}}')
    assert not House(tmp_path).alerts.open


class MailServer:
    """Speaks enough SMTP (RFC 5321) to take letters."""

    def __init__(self) -> None:
        self.letters: list[str] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := await reader.readline():
            word = line[:4].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                self.letters.append((await reader.readuntil(b"\r\n.\r\n")).decode())
            writer.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                break
        writer.close()


@pytest.fixture
def mail(unused_tcp_port: int) -> tuple[int, MailServer]:
    return unused_tcp_port, MailServer()


async def test_mail_waits_for_its_server(tmp_path: Path, mail: tuple[int, MailServer]) -> None:
    port, post = mail
    house = House(tmp_path, email=("admin@hikari.example",), smtp_port=port, settle_seconds=0)
    house.alerts.note(UNWELL)
    await asyncio.to_thread(house.after, 1)
    assert len(house.texts) == 1
    server = await asyncio.start_server(post.talk, "127.0.0.1", port)
    async with server:
        for _ in range(2):
            await asyncio.to_thread(house.after, 1)
    (letter,) = post.letters
    assert "Subject: Pickup: trunk.reachable" in letter
    assert "The trunk does not answer." in letter
    history = (tmp_path / "alerts" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["what"] for line in history] == ["began"]
