"""The gate's verdicts, and its manners towards clients that are not Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from agent.phone.gate import LOOP_SECONDS, Facts, GateServer, Memory, Verdict, decide
from agent.settings import Agent, Settings, Trunk

TRUNK = "+13165550143"


@pytest.mark.parametrize(
    ("facts", "verdict", "reason"),
    [
        (Facts(), Verdict.TAKE, "free"),
        (Facts(trunk=TRUNK, diverted_from="+13165550142", diversions=1), Verdict.TAKE, "free"),
        (Facts(trunk=TRUNK, diverted_from="3165550143", diversions=1), Verdict.REJECT, "loop"),
        (Facts(trunk="", diverted_from=""), Verdict.TAKE, "free"),
        (Facts(diversions=3), Verdict.TAKE, "free"),
        (Facts(diversions=4), Verdict.REJECT, "diversions"),
        (Facts(diversions=2, earlier=1), Verdict.REJECT, "loop"),
        (Facts(diversions=1, earlier=1), Verdict.TAKE, "free"),
        (Facts(calls=7, most_calls=8), Verdict.TAKE, "free"),
        (Facts(calls=8, most_calls=8), Verdict.VOICEMAIL, "full"),
        (Facts(stopping=True), Verdict.VOICEMAIL, "stopping"),
        (Facts(stopping=True, diversions=9), Verdict.REJECT, "diversions"),
    ],
)
def test_verdict(facts: Facts, verdict: Verdict, reason: str) -> None:
    assert decide(facts) == (verdict, reason)


def test_memory_knows_a_caller_for_a_moment_only() -> None:
    now = 100.0
    memory = Memory(lambda: now)
    assert memory.swap("+13165550111", 1) is None
    now += LOOP_SECONDS / 2
    assert memory.swap("+13165550111", 2) == 1
    assert memory.swap("+13165550112", 2) is None
    now += LOOP_SECONDS * 1.1
    assert memory.swap("+13165550111", 3) is None


def test_memory_does_not_mix_callers_without_a_number() -> None:
    memory = Memory(lambda: 0.0)
    memory.swap("", 1)
    assert memory.swap("", 2) is None


@dataclass
class Load:
    """A phone server's load, as told."""

    calls: int = 0
    stopping: bool = False


@pytest.fixture
async def gate(unused_tcp_port: int) -> AsyncIterator[tuple[int, Load]]:
    load = Load()
    settings = Settings(
        agent=Agent(gate_port=unused_tcp_port, max_calls=2), trunk=Trunk(number=TRUNK)
    )
    server = GateServer(settings, load)
    await server.start()
    yield unused_tcp_port, load
    await server.stop()


async def ask(port: int, *arguments: str, count: str = "1") -> dict[str, str]:
    """Speak as Asterisk's AGI() does, and return the variables that were set."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = ["agi_network: yes", "agi_network_script: gate"]
    head += [f"agi_arg_{n}: {argument}" for n, argument in enumerate(arguments, 1)]
    writer.write(("\n".join(head) + "\n\n").encode())
    found = {}
    while line := (await reader.readline()).decode().strip():
        match line.split(" ", 3):
            case ["SET", "VARIABLE", name, value]:
                found[name] = value
                writer.write(b"200 result=1\n")
            case ["GET", "FULL", "VARIABLE", _]:
                writer.write(f"200 result=1 ({count})\n".encode())
    writer.close()
    await writer.wait_closed()
    return found


async def test_asterisk_gets_its_answer(gate: tuple[int, Load]) -> None:
    port, load = gate
    arguments = ("caller=%2B13165550111", "diverted_from=%2B13165550142")
    assert await ask(port, *arguments) == {"GATE_VERDICT": "take", "GATE_REASON": "free"}
    assert await ask(port, *arguments, count="2") == {
        "GATE_VERDICT": "reject",
        "GATE_REASON": "loop",
    }
    load.calls = 2
    assert (await ask(port, count="(null)"))["GATE_REASON"] == "full"


@pytest.mark.parametrize("noise", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfe\n\n", b"a" * 200_000])
async def test_strange_clients_do_not_stall_it(gate: tuple[int, Load], noise: bytes) -> None:
    port, _ = gate
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(noise)
    writer.write_eof()
    # What it has not read when it hangs up comes back as a reset.
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(5):
            while await reader.read(1024):
                pass
    writer.close()
    assert (await ask(port))["GATE_VERDICT"] == "take"
