"""The gate: a FastAGI server that Asterisk asks before a call is handed to the agent.

It sets three channel variables, ``GATE_VERDICT`` (take, voicemail, reject, ring-through),
``GATE_REASON`` and ``GATE_SCRIPT``. If it is absent, broken or slow, the dialplan takes the
call all the same. What is decided, and why, stands in ``verdict.py``.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import structlog
from panoramisk.fast_agi import Request

from agent.errors import PhoneError
from agent.pause import PauseStore
from agent.phone import headers
from agent.phone.leg import read_arguments
from agent.phone.verdict import (
    Decision,
    Snapshot,
    Verdict,
    decide,
    digits,
    listed,
    read_spans,
)
from agent.restaurant import Restaurant
from agent.settings import Settings

log = structlog.get_logger()

LOOP_SECONDS: Final = 1.0
"""A call that comes back to us with one diversion more within this time is in a loop."""

SAME_CALL_SECONDS: Final = 30.0
"""How long a call's id is remembered; a carrier that gives it out anew has reset its clock."""

RING_SECONDS: Final = 60.0
"""How long a call that rings through may come back to us as a forwarded one."""

EXCHANGE_SECONDS: Final = 1.0
"""How long Asterisk's side of the conversation may take; the dialplan allows us as much."""

REFUSED_FILE: Final = "gate/refused.jsonl"
"""Below the home: one line for every call that was not taken."""

CANARY_FILE: Final = "canary/due.json"
"""Below the home: the canary's call is out, and due back until the Unix time in it."""


@dataclass(frozen=True, slots=True)
class Met:
    """What the memory knows of a call that comes in now."""

    earlier: int | None
    seen: bool
    ringing_through: bool
    recent: int


class Memory:
    """Who called a moment ago: for loops and for rushes. Times are the monotonic clock's."""

    def __init__(self, monotonic: Callable[[], float], rush_seconds: float = 600.0) -> None:
        self._monotonic = monotonic
        self._rush = rush_seconds
        self._callers: dict[str, tuple[float, int]] = {}
        self._ids: dict[str, float] = {}
        self._ringing: dict[str, float] = {}
        self._taken: list[float] = []

    def meet(self, caller: str, diversions: int, call_id: str) -> Met:
        """Remember this call, and return what was known of it before."""
        now, who = self._monotonic(), digits(caller)
        self._callers = {
            name: seen for name, seen in self._callers.items() if now - seen[0] <= LOOP_SECONDS
        }
        self._ids = {name: at for name, at in self._ids.items() if now - at <= SAME_CALL_SECONDS}
        self._ringing = {name: at for name, at in self._ringing.items() if now - at <= RING_SECONDS}
        self._taken = [at for at in self._taken if now - at <= self._rush]
        earlier = self._callers.get(who)
        met = Met(
            earlier=earlier[1] if earlier else None,
            seen=call_id in self._ids,
            ringing_through=who in self._ringing,
            recent=len(self._taken),
        )
        if who:
            self._callers[who] = (now, diversions)
        if call_id:
            self._ids[call_id] = now
        return met

    def note(self, caller: str, verdict: Verdict) -> None:
        """Remember what became of the call."""
        now, who = self._monotonic(), digits(caller)
        if verdict is Verdict.RING_THROUGH and who:
            self._ringing[who] = now
        if verdict is Verdict.TAKE:
            self._taken.append(now)


class Load(Protocol):
    """What the gate asks of the phone server."""

    @property
    def calls(self) -> int:
        """How many calls there are now."""

    @property
    def stopping(self) -> bool:
        """Whether the agent is going away."""

    def expect(self, channel: str) -> None:
        """Be told that this channel's call is on its way."""


class GateServer:
    """Answers Asterisk's FastAGI requests on ``agent.host``:``agent.gate_port``."""

    def __init__(
        self,
        settings: Settings,
        load: Load,
        restaurant: Restaurant | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare to answer.

        Args:
            settings: Numbers, ports and the gate's policy.
            load: The phone server.
            restaurant: Hours and holidays; without it the restaurant is always open.
            monotonic: For what happened a moment ago.
            clock: Unix time, for hours and pauses.

        Raises:
            SettingsError: ``gate.staff_only`` can't be read.
        """
        self._settings = settings
        self._load = load
        self._restaurant = restaurant
        self._clock = clock
        self._memory = Memory(monotonic, settings.gate.rush_minutes * 60)
        self._staff_only = read_spans(settings.gate.staff_only)
        self._spam = SpamList(settings.home / "spam.txt")
        self._pause = PauseStore(settings)
        self._server: asyncio.Server | None = None

    def use(self, restaurant: Restaurant) -> None:
        """Go by ``restaurant``'s hours and holidays from now on."""
        self._restaurant = restaurant

    async def start(self) -> None:
        """Listen.

        Raises:
            PhoneError: the port can't be had.
        """
        host, port = self._settings.agent.host, self._settings.agent.gate_port
        try:
            self._server = await asyncio.start_server(self._converse, host, port)
        except OSError as error:
            raise PhoneError(
                f"The gate can't listen on {host}:{port} ({error.strerror}).",
                remedy="Stop what uses the port, or set agent.gate_port.",
            ) from error

    async def stop(self) -> None:
        """Stop listening; a request under way is answered."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await self._pause.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # panoramisk's own Application.handler is not used: when a client connects and leaves
        # without a word, it reads end-of-file for ever and stalls the whole event loop.
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                head = (await reader.readuntil(b"\n\n")).decode()
                lines = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
                await self._answer(Request(self, lines, reader, writer))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            log.warning("The gate was asked something strange.", error=str(error))
        except (ConnectionError, TimeoutError) as error:
            log.warning("Asterisk left the gate in mid-sentence.", error=repr(error))
        finally:
            writer.close()

    async def _answer(self, request: Request) -> None:
        said = read_arguments(
            [value for key, value in sorted(request.headers.items()) if key.startswith("agi_arg_")]
        )
        decision = await self._decide(request, said)
        if decision.verdict is not Verdict.TAKE:
            log.warning("A call was not taken.", verdict=str(decision.verdict), why=decision.reason)
            await asyncio.to_thread(self._write_down, decision)
        else:
            self._load.expect(request.headers.get("agi_channel", ""))
        await request.send_command(f"SET VARIABLE GATE_REASON {decision.reason}")
        await request.send_command(f'SET VARIABLE GATE_SCRIPT "{decision.script}"')
        # Last: whoever hears only a part of this hears no verdict, and the call is taken.
        await request.send_command(f"SET VARIABLE GATE_VERDICT {decision.verdict}")

    async def _decide(self, request: Request, said: dict[str, str]) -> Decision:
        settings, now = self._settings, self._clock()
        caller = said.get("caller", request.headers.get("agi_callerid", ""))
        diverted_from = said.get("diverted_from", request.headers.get("agi_rdnis", ""))
        sip = await _headers(request)
        met = self._memory.meet(caller, sip.diversions, sip.call_id)
        snapshot = Snapshot(
            trunk=settings.trunk.number,
            caller=caller,
            withheld=said.get("withheld") == "yes",
            diverted=tuple(filter(None, (diverted_from, *sip.diverted))),
            diversions=sip.diversions,
            earlier=met.earlier,
            seen=met.seen,
            ringing_through=met.ringing_through,
            verstat=sip.verstat,
            probe=said.get("probe") == "yes",
            canary=canary_due(settings.home, now),
            open=self._open(now),
            staff_only=any(span.holds(self._local(now)) for span in self._staff_only),
            paused=(await self._pause.read()).holds(now),
            spam=listed(caller, self._spam.numbers()),
            vip=listed(caller, settings.gate.vip),
            calls=self._load.calls,
            most_calls=settings.agent.max_calls,
            load=os.getloadavg()[0] / (os.cpu_count() or 1),
            recent=met.recent,
            stopping=self._load.stopping,
        )
        decision = decide(snapshot, settings.gate)
        self._memory.note(caller, decision.verdict)
        return decision

    def _write_down(self, decision: Decision) -> None:
        path = self._settings.home / REFUSED_FILE
        row = {"time": self._clock(), "verdict": decision.verdict, "reason": decision.reason}
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            log.warning("A refused call was not written down.", error=str(error))

    def _local(self, now: float) -> datetime:
        zone = self._restaurant.time_zone if self._restaurant else "UTC"
        return datetime.fromtimestamp(now, ZoneInfo(zone))

    def _open(self, now: float) -> bool | None:
        return self._restaurant.open_at(self._local(now)) if self._restaurant else None


class SpamList:
    """``<home>/spam.txt``: a number a line, ``#`` begins a remark; read anew when it changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = 0
        self._numbers: tuple[str, ...] = ()

    def numbers(self) -> tuple[str, ...]:
        """Return the numbers; an unreadable file keeps the list as it was."""
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp != self._stamp:
                lines = self._path.read_text("utf-8").splitlines()
                bare = (line.partition("#")[0].strip() for line in lines)
                self._numbers, self._stamp = tuple(filter(None, bare)), stamp
        except FileNotFoundError:
            self._numbers, self._stamp = (), 0
        except (OSError, UnicodeDecodeError) as error:
            log.warning("The spam list can't be read.", path=str(self._path), error=str(error))
        return self._numbers


def canary_due(home: Path, now: float) -> bool:
    """Whether the canary's call is out and due back."""
    try:
        return float(json.loads((home / CANARY_FILE).read_bytes())["until"]) > now
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        log.warning("The canary's note can't be read.", path=str(home / CANARY_FILE))
        return False


async def _headers(request: Request) -> headers.SipFacts:
    if request.headers.get("agi_type", "PJSIP") != "PJSIP":
        return headers.SipFacts()
    answer = await request.send_command(f"GET FULL VARIABLE {headers.question()}")
    return headers.read(answer.get("result", ("", ""))[1])
