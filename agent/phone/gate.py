"""The gate: a FastAGI server that Asterisk asks before a call is handed to the agent.

It sets two channel variables, ``GATE_VERDICT`` (take, voicemail, reject) and
``GATE_REASON``. If it is absent, broken or slow, the dialplan takes the call all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import structlog
from panoramisk.fast_agi import Request

from agent.errors import PhoneError
from agent.phone.leg import read_arguments
from agent.settings import Settings

log = structlog.get_logger()

MOST_DIVERSIONS: Final = 3
"""Restaurant line to trunk is one; a call centre or a second line before it, two or three."""

LOOP_SECONDS: Final = 1.0
"""A call that comes back to us with one diversion more within this time is in a loop."""

EXCHANGE_SECONDS: Final = 1.0
"""How long Asterisk's side of the conversation may take; the dialplan allows us as much."""


class Verdict(StrEnum):
    """What becomes of a call, in the dialplan's words."""

    TAKE = "take"
    VOICEMAIL = "voicemail"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the verdict depends on.

    Attributes:
        trunk: Our own number on the trunk.
        diverted_from: Who forwarded the call to us (top Diversion), empty if nobody.
        diversions: How often the call was forwarded, as its headers count.
        earlier: The same caller's diversions on a call less than LOOP_SECONDS ago, or None.
        calls: Calls that we have now.
        most_calls: Calls that we may have.
        stopping: Whether the agent is going away.
    """

    trunk: str = ""
    diverted_from: str = ""
    diversions: int = 0
    earlier: int | None = None
    calls: int = 0
    most_calls: int = 1
    stopping: bool = False


def decide(facts: Facts) -> tuple[Verdict, str]:
    """Return the verdict and a one-word reason.

    A forwarding loop is rejected, since voicemail would only fill with its echoes; a call
    that we can't serve goes to voicemail.
    """
    ours = _digits(facts.trunk)
    if ours and _digits(facts.diverted_from) == ours:
        return Verdict.REJECT, "loop"
    if facts.diversions > MOST_DIVERSIONS:
        return Verdict.REJECT, "diversions"
    if facts.earlier is not None and facts.diversions > facts.earlier:
        return Verdict.REJECT, "loop"
    if facts.stopping:
        return Verdict.VOICEMAIL, "stopping"
    if facts.calls >= facts.most_calls:
        return Verdict.VOICEMAIL, "full"
    return Verdict.TAKE, "free"


class Memory:
    """Who called within the last LOOP_SECONDS, and how often that call was forwarded."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: dict[str, tuple[float, int]] = {}

    def swap(self, caller: str, diversions: int) -> int | None:
        """Remember this call and return the same caller's earlier diversions, if any."""
        now = self._monotonic()
        self._seen = {
            who: seen for who, seen in self._seen.items() if now - seen[0] <= LOOP_SECONDS
        }
        earlier = self._seen.get(caller)
        if caller:
            self._seen[caller] = (now, diversions)
        return earlier[1] if earlier else None


class Load(Protocol):
    """What the gate asks of the phone server."""

    @property
    def calls(self) -> int:
        """How many calls there are now."""

    @property
    def stopping(self) -> bool:
        """Whether the agent is going away."""


class GateServer:
    """Answers Asterisk's FastAGI requests on ``agent.host``:``agent.gate_port``."""

    def __init__(
        self,
        settings: Settings,
        load: Load,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._agent = settings.agent
        self._trunk = settings.trunk.number
        self._load = load
        self._memory = Memory(monotonic)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            PhoneError: the port can't be had.
        """
        host, port = self._agent.host, self._agent.gate_port
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

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # panoramisk's own Application.handler is not used: when a client connects and leaves
        # without a word, it reads end-of-file for ever and stalls the whole event loop.
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                head = (await reader.readuntil(b"\n\n")).decode()
                headers = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
                await self._answer(Request(self, headers, reader, writer))
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            log.warning("The gate was asked something strange.", error=str(error))
        except (ConnectionError, TimeoutError) as error:
            log.warning("Asterisk left the gate in mid-sentence.", error=repr(error))
        finally:
            writer.close()

    async def _answer(self, request: Request) -> None:
        headers = request.headers
        said = read_arguments(
            [value for key, value in sorted(headers.items()) if key.startswith("agi_arg_")]
        )
        caller = said.get("caller", headers.get("agi_callerid", ""))
        diversions = await _diversions(request)
        facts = Facts(
            trunk=self._trunk,
            diverted_from=said.get("diverted_from", headers.get("agi_rdnis", "")),
            diversions=diversions,
            earlier=self._memory.swap(caller, diversions),
            calls=self._load.calls,
            most_calls=self._agent.max_calls,
            stopping=self._load.stopping,
        )
        verdict, reason = decide(facts)
        if verdict is not Verdict.TAKE:
            log.warning("A call was not taken.", verdict=verdict.value, reason=reason)
        await request.send_command(f"SET VARIABLE GATE_VERDICT {verdict}")
        await request.send_command(f"SET VARIABLE GATE_REASON {reason}")


async def _diversions(request: Request) -> int:
    # Asterisk sums the counters of the Diversion headers up in REDIRECTING(count).
    answer = await request.send_command("GET FULL VARIABLE ${REDIRECTING(count)}")
    _, value = answer.get("result", ("", ""))
    return int(value) if value.isdigit() else 0


def _digits(number: str) -> str:
    """Return the last ten digits: +1 316 555 0142 and 3165550142 are the same."""
    return "".join(character for character in number if character.isdigit())[-10:]
