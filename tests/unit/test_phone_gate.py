"""The gate's decisions, what it reads from SIP headers, and its manners towards strangers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.errors import SettingsError
from agent.pause import Pause, PauseStore
from agent.phone import headers
from agent.phone.gate import CANARY_FILE, LOOP_SECONDS, SAME_CALL_SECONDS, GateServer, Memory
from agent.phone.verdict import Script, Snapshot, Verdict, decide, listed, read_spans
from agent.restaurant import Restaurant, load_restaurant
from agent.settings import Agent, Gate, Redis, Settings, Trunk

TRUNK = "+13165550143"
PUBLIC = "+13165550142"
CALLER = "+13165550111"
CHANNEL = "PJSIP/trunk-00000007"
FORWARDED = Snapshot(trunk=TRUNK, caller=CALLER, diverted=(PUBLIC,), diversions=1)


@pytest.mark.parametrize(
    ("change", "verdict", "reason"),
    [
        ({}, "take", "free"),
        ({"trunk": "", "diverted": ("",)}, "take", "free"),
        # loops
        ({"diverted": ("3165550143",)}, "reject", "loop"),
        ({"diverted": (PUBLIC, "+13165550120", TRUNK)}, "reject", "loop"),
        ({"caller": TRUNK}, "reject", "loop"),
        ({"seen": True}, "reject", "loop"),
        ({"ringing_through": True}, "reject", "loop"),
        ({"diversions": 3}, "take", "free"),
        ({"diversions": 4}, "reject", "diversions"),
        ({"diversions": 2, "earlier": 1}, "reject", "loop"),
        ({"earlier": 1}, "take", "free"),
        # what we can carry
        ({"calls": 7, "most_calls": 8}, "take", "free"),
        ({"calls": 8, "most_calls": 8}, "voicemail", "full"),
        ({"stopping": True}, "voicemail", "stopping"),
        ({"stopping": True, "diversions": 9}, "reject", "diversions"),
        ({"load": 50.1}, "voicemail", "overloaded"),
        # what the owner wants
        ({"paused": True}, "voicemail", "paused"),
        ({"staff_only": True}, "voicemail", "staff_only"),
        ({"spam": True}, "reject", "spam"),
        ({"spam": True, "paused": True}, "reject", "spam"),
        ({"open": False}, "take", "free"),
        ({"withheld": True}, "take", "free"),
        ({"verstat": "TN-Validation-Failed-C"}, "take", "free"),
        ({"vip": True}, "take", "free"),
        # our own calls
        ({"probe": True, "paused": True}, "take", "probe"),
        ({"probe": True, "calls": 1}, "voicemail", "full"),
        ({"caller": TRUNK, "canary": True, "paused": True}, "take", "canary"),
        ({"caller": TRUNK, "canary": True, "diverted": (TRUNK,)}, "reject", "loop"),
        ({"canary": True}, "take", "free"),
        ({"caller": "", "canary": True}, "take", "canary"),
        ({"caller": "", "canary": True, "withheld": True}, "take", "free"),
        ({"caller": ""}, "take", "free"),
    ],
)
def test_verdict(change: dict[str, object], verdict: str, reason: str) -> None:
    decision = decide(replace(FORWARDED, **change), Gate())  # type: ignore[arg-type]
    assert (decision.verdict, decision.reason) == (verdict, reason)


@pytest.mark.parametrize(
    ("policy", "change", "verdict", "reason"),
    [
        (Gate(closed="voicemail"), {"open": False}, "voicemail", "closed"),
        (Gate(closed="voicemail"), {"open": None}, "take", "free"),
        (Gate(anonymous="reject"), {"withheld": True}, "reject", "anonymous"),
        (
            Gate(failed_attestation="voicemail"),
            {"verstat": "TN-Validation-Failed"},
            "voicemail",
            "attestation",
        ),
        (
            Gate(failed_attestation="reject"),
            {"verstat": "No-TN-Validation"},
            "take",
            "free",
        ),
        (Gate(spam="take"), {"spam": True}, "take", "free"),
        (Gate(ring_through=True), {"vip": True, "paused": True}, "ring-through", "vip"),
        (Gate(ring_through=True), {"staff_only": True}, "ring-through", "staff_only"),
        (Gate(rush_calls=3), {"recent": 2}, "take", "free"),
        (Gate(rush_calls=3), {"recent": 3}, "take", "rush"),
    ],
)
def test_policy(policy: Gate, change: dict[str, object], verdict: str, reason: str) -> None:
    decision = decide(replace(FORWARDED, **change), policy)  # type: ignore[arg-type]
    assert (decision.verdict, decision.reason) == (verdict, reason)


def test_only_a_rush_and_our_own_calls_change_the_script() -> None:
    policy = Gate(rush_calls=1)
    assert decide(FORWARDED, policy).script is Script.FULL
    assert decide(replace(FORWARDED, recent=1), policy).script is Script.SHORT
    assert decide(replace(FORWARDED, probe=True), policy).script is Script.PROBE
    canary = replace(FORWARDED, caller=TRUNK, canary=True)
    assert decide(canary, policy).script is Script.CANARY


def test_lists_know_numbers_and_beginnings() -> None:
    patterns = ("+1 316 555 0170", "+1900*", "", "*")
    assert listed("3165550170", patterns)
    assert listed("+19005550100", patterns)
    assert not listed("+13165550171", patterns)
    assert not listed("", patterns)


def test_spans_are_local_time() -> None:
    friday, daily = read_spans(["friday 17:00-20:00"]), read_spans(["Daily 9:00-9:30"])
    assert len(daily) == 7
    at = datetime(2026, 11, 27, 17, 0)
    assert friday[0].holds(at)
    assert not friday[0].holds(at.replace(hour=20))
    assert not friday[0].holds(at.replace(day=28))
    for wrong in ("friday", "friday 20:00-17:00", "fri 17:00-18:00", "friday 25:00-26:00"):
        with pytest.raises(SettingsError, match="staff_only"):
            read_spans([wrong])


def test_hours_and_holidays() -> None:
    restaurant = load_restaurant(Settings().restaurant)
    friday_noon = datetime(2026, 11, 27, 12, 0)
    assert restaurant.open_at(friday_noon)
    assert not restaurant.open_at(friday_noon.replace(hour=23))
    holiday = restaurant.model_copy(update={"closed_on": (friday_noon.date(),)})
    assert not holiday.open_at(friday_noon)
    assert restaurant.model_copy(update={"hours": {}}).open_at(friday_noon) is None


# ── headers ─────────────────────────────────────────────────────────────────────────────


def sip(**values: str) -> str:
    """Return an answer to the headers' question; a name stands for its expression."""
    parts = headers.question().split(headers.SEPARATOR)
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return headers.SEPARATOR.join(
        next((value for name, value in named.items() if f",{name}" in part or name in part), "")
        for part in parts
    )


def test_headers_are_read() -> None:
    facts = headers.read(
        sip(
            **{"Diversion,1": "<sip:+13165550142@c.example>;reason=no-answer;counter=1"},
            History_Info="<sip:+13165550142@c>;index=1,<sip:13165550120@c>;index=1.1,"
            "<sip:+13165550143@us>;index=1.1.1",
            From="<sip:+13165550111@c>;tag=1",
            P_Asserted_Identity="<sip:+13165550111;verstat=TN-Validation-Failed@c>",
            Session_ID="ab30317f1a784dc48ff824d0d3715d86;remote=0",
            count="1",
        )
    )
    assert facts.diverted[:2] == ("+13165550142", "+13165550142")
    assert "13165550120" in facts.diverted
    assert facts.verstat == "TN-Validation-Failed"
    assert facts.call_id == "ab30317f1a784dc48ff824d0d3715d86"


@pytest.mark.parametrize("answer", ["", "(null)", "a\x1fb", "\x1f" * 13, "\x1f" * 40])
def test_headers_that_can_t_be_read_are_absent(answer: str) -> None:
    assert headers.read(answer) == headers.SipFacts()


# ── memory ──────────────────────────────────────────────────────────────────────────────


def test_memory_knows_a_caller_for_a_moment_only() -> None:
    now = 100.0
    memory = Memory(lambda: now)
    assert memory.meet(CALLER, 1, "").earlier is None
    now += LOOP_SECONDS / 2
    assert memory.meet("3165550111", 2, "").earlier == 1
    assert memory.meet("+13165550112", 2, "").earlier is None
    now += LOOP_SECONDS * 1.1
    assert memory.meet(CALLER, 3, "").earlier is None


def test_memory_does_not_mix_callers_without_a_number_or_id() -> None:
    memory = Memory(lambda: 0.0)
    memory.meet("", 1, "")
    met = memory.meet("", 2, "")
    assert met.earlier is None
    assert not met.seen


def test_memory_knows_a_call_that_comes_round() -> None:
    now = 0.0
    memory = Memory(lambda: now)
    assert not memory.meet(CALLER, 1, "id").seen
    assert memory.meet("+13165550112", 1, "id").seen
    now += SAME_CALL_SECONDS * 1.1
    assert not memory.meet(CALLER, 1, "id").seen


def test_memory_counts_what_was_taken_and_knows_who_rings_through() -> None:
    now = 0.0
    memory = Memory(lambda: now, rush_seconds=60)
    memory.note(CALLER, Verdict.TAKE)
    memory.note(CALLER, Verdict.VOICEMAIL)
    memory.note("+13165550112", Verdict.RING_THROUGH)
    now += 2
    assert memory.meet(CALLER, 0, "").recent == 1
    assert memory.meet("+13165550112", 1, "").ringing_through
    now += 61
    met = memory.meet("+13165550112", 1, "")
    assert (met.recent, met.ringing_through) == (0, False)


# ── the server ──────────────────────────────────────────────────────────────────────────


@dataclass
class House:
    """A gate and what it depends on."""

    settings: Settings
    calls: int = 0
    stopping: bool = False
    expected: list[str] = field(default_factory=list)
    time: float = datetime(2026, 11, 27, 18, 0, tzinfo=UTC).timestamp()

    def expect(self, channel: str) -> None:
        self.expected.append(channel)

    async def ask(self, *arguments: str, answer: str = "") -> dict[str, str]:
        """Speak as Asterisk's AGI() does, and return the variables that were set."""
        port = self.settings.agent.gate_port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = ["agi_network: yes", "agi_network_script: gate", "agi_type: PJSIP"]
        head += [f"agi_channel: {CHANNEL}"]
        head += [f"agi_arg_{n}: {argument}" for n, argument in enumerate(arguments, 1)]
        writer.write(("\n".join(head) + "\n\n").encode())
        found = {}
        while line := (await reader.readline()).decode().strip():
            match line.split(" ", 3):
                case ["SET", "VARIABLE", name, value]:
                    found[name] = value.strip('"')
                    writer.write(b"200 result=1\n")
                case ["GET", "FULL", "VARIABLE", _]:
                    writer.write(f"200 result=1 ({answer or '(null)'})\n".encode())
        writer.close()
        await writer.wait_closed()
        return found


@pytest.fixture
def restaurant() -> Restaurant:
    return load_restaurant(Settings().restaurant)


@pytest.fixture
async def gate(
    unused_tcp_port: int, tmp_path: Path, restaurant: Restaurant
) -> AsyncIterator[House]:
    settings = Settings(
        home=tmp_path,
        agent=Agent(gate_port=unused_tcp_port, max_calls=2),
        trunk=Trunk(number=TRUNK),
        gate=Gate(most_load=1e6, closed="voicemail", staff_only=("friday 20:00-21:00",)),
        redis=Redis(url="redis://127.0.0.1:1/0"),  # nobody there: the disk must do
    )
    house = House(settings)
    server = GateServer(settings, house, restaurant, clock=lambda: house.time)
    await server.start()
    yield house
    await server.stop()


async def test_asterisk_gets_its_answer(gate: House) -> None:
    arguments = ("caller=%2B13165550111", "diverted_from=%2B13165550142")
    assert await gate.ask(*arguments) == {
        "GATE_VERDICT": "take",
        "GATE_REASON": "free",
        "GATE_SCRIPT": "",
    }
    assert (await gate.ask(*arguments, answer=sip(count="2")))["GATE_REASON"] == "loop"
    gate.calls = 2
    assert (await gate.ask())["GATE_REASON"] == "full"
    assert gate.expected == [CHANNEL]


async def test_what_the_owner_changes_counts_at_once(gate: House) -> None:
    async def reason(caller: str = CALLER) -> str:
        return (await gate.ask(f"caller={caller}"))["GATE_REASON"]

    spam = gate.settings.home / "spam.txt"
    spam.write_text("# sellers\n+13165550170  # solar\n")
    assert await reason("+13165550170") == "spam"
    spam.unlink()
    assert await reason("+13165550170") == "free"

    store = PauseStore(gate.settings)
    assert not store.write(Pause(since=gate.time, until=gate.time + 60, by="owner"))
    assert await reason("+13165550112") == "paused"
    gate.time += 61
    assert await reason("+13165550113") == "free"
    await store.close()

    note = gate.settings.home / CANARY_FILE
    note.parent.mkdir()
    note.write_text(json.dumps({"until": gate.time + 30}))
    assert (await gate.ask(f"caller={TRUNK}"))["GATE_SCRIPT"] == "canary"
    gate.time += 31
    assert await reason(TRUNK) == "loop"


async def test_the_clock_on_the_restaurants_wall(gate: House) -> None:
    friday = datetime(2026, 11, 28, 2, 30, tzinfo=UTC)  # 20:30 on Friday in Wichita
    gate.time = friday.timestamp()
    assert (await gate.ask())["GATE_REASON"] == "staff_only"
    gate.time += 5400  # 22:00
    assert await gate.ask() == {
        "GATE_VERDICT": "voicemail",
        "GATE_REASON": "closed",
        "GATE_SCRIPT": "",
    }


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfe\n\n", b"a" * 200_000])
async def test_strange_clients_do_not_stall_it(gate: House, noise: bytes) -> None:
    port = gate.settings.agent.gate_port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(noise)
    writer.write_eof()
    # What it has not read when it hangs up comes back as a reset.
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(5):
            while await reader.read(1024):
                pass
    writer.close()
    assert (await gate.ask())["GATE_VERDICT"] == "take"
