"""The watch: what Asterisk tells over AMI about trunk, calls, sound and intruders.

``Signs`` is pure: AMI events in, signs out. ``Watch`` keeps the connection (panoramisk) and asks
what Asterisk does not tell by itself. A sign names a thing that can be well or not; who is told
of it, and when, is decided in ``agent.service.alerts``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from panoramisk import Manager

from agent.settings import Pbx

log = structlog.get_logger()

ASK_SECONDS: Final = 30.0
"""How often the trunk's state is asked for; changes are told at once anyway."""

GOOD_CAUSES: Final = frozenset({0, 16, 17, 18, 19, 26, 31})
"""Q.850: normal, busy, no answer, answered elsewhere, unspecified. Others are faults."""

CAUSES: Final = {
    1: "number not ours",
    21: "refused by the other side",
    27: "other side out of order",
    34: "no channel free",
    38: "network out of order",
    41: "temporary failure",
    44: "no sound for a minute",
    58: "no common codec",
    127: "other fault",
}
"""Q.850's causes as they are met on a trunk, in words."""

FEW: Final = 5
MANY_FAILED: Final = 3
"""Three of the last five calls failed: one is a caller's bad line, three are ours."""

GUESSES: Final = 5
GUESS_SECONDS: Final = 60.0
"""So many refused strangers within a minute are told; a single scan is the Internet's weather."""

STALLED_REPORTS: Final = 2
"""RTCP reports are 5 s apart: after two without new packets a caller has been silent for 10 s
on the wire, not merely quiet."""


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that is well or not.

    Attributes:
        name: Stable name, e.g. ``trunk.reachable``.
        well: Whether it is.
        detail: One sentence for the person who is told.
        passing: It happened and is over; nothing will say that it is well again.
    """

    name: str
    well: bool
    detail: str
    passing: bool = False


@dataclass
class Counts:
    """What happened since the watch began, for metrics."""

    calls: int = 0
    causes: Counter[int] = field(default_factory=Counter)
    security: Counter[str] = field(default_factory=Counter)
    stalls: int = 0
    restarts: int = 0
    trunk: str = "unknown"
    round_trip_seconds: float | None = None


class Signs:
    """Reads AMI events. ``trunk`` is the endpoint's name in pjsip.conf."""

    def __init__(self, trunk: str = "trunk") -> None:
        self.counts = Counts()
        self._trunk = trunk
        self._recent: deque[bool] = deque(maxlen=FEW)
        self._guesses: deque[float] = deque(maxlen=GUESSES)
        self._packets: dict[str, tuple[str, int]] = {}
        self._stalled: set[str] = set()
        self._booted = ""

    def take(self, event: Mapping[str, Any], now: float) -> list[Sign]:
        """Return what an event tells; ``now`` is any steady clock, in seconds."""
        match str(event.get("Event", "")):
            case "ContactStatus" | "ContactStatusDetail" | "ContactList":
                return self._contact(event)
            case "Registry" | "OutboundRegistrationDetail":
                return self._registration(event)
            case "Hangup":
                return self._hangup(event)
            case "RTCPSent":
                return self._rtcp(event)
            case "InvalidPassword" | "InvalidAccountID" | "FailedACL" | "ChallengeResponseFailed":
                return self._stranger(event, now)
            case _:
                return []

    def booted(self, date: str, time: str) -> list[Sign]:
        """Take when Asterisk says it started; a later time than before is a restart."""
        started = f"{date} {time}"
        before, self._booted = self._booted, started
        if not before or before == started:
            return []
        self.counts.restarts += 1
        self._packets.clear()
        self._stalled.clear()
        said = f"Asterisk was started again at {started}; calls in progress were lost."
        return [Sign("asterisk.restarted", well=False, detail=said, passing=True)]

    def _contact(self, event: Mapping[str, Any]) -> list[Sign]:
        name = str(event.get("AOR") or event.get("Aor") or event.get("EndpointName") or "")
        if name != self._trunk:
            return []
        status = str(event.get("ContactStatus") or event.get("Status") or "")
        if status not in ("Reachable", "Unreachable", "Removed"):
            return []
        self.counts.trunk = status.lower()
        trip = str(event.get("RoundtripUsec", ""))
        self.counts.round_trip_seconds = int(trip) / 1e6 if trip.isdigit() else None
        well = status == "Reachable"
        answer = "answers" if well else "does not answer"
        uri = str(event.get("URI") or event.get("Uri") or "its address")
        return [Sign("trunk.reachable", well, f"The trunk at {uri} {answer} (SIP OPTIONS).")]

    def _registration(self, event: Mapping[str, Any]) -> list[Sign]:
        status = str(event.get("Status", ""))
        if not status:
            return []
        who = (
            event.get("Username") or event.get("ClientUri") or event.get("Domain") or "the provider"
        )
        well = status == "Registered"
        return [Sign("trunk.registered", well, f"Registration of {who}: {status}.")]

    def _hangup(self, event: Mapping[str, Any]) -> list[Sign]:
        channel = str(event.get("Channel", ""))
        if not channel.startswith(f"PJSIP/{self._trunk}-"):
            return []
        self._packets.pop(channel, None)
        cause = int(str(event.get("Cause", "0")) or 0)
        self.counts.calls += 1
        self.counts.causes[cause] += 1
        self._recent.append(cause not in GOOD_CAUSES)
        signs = []
        if channel in self._stalled:
            self._stalled.discard(channel)
        failed = sum(self._recent)
        if failed >= MANY_FAILED:
            why = CAUSES.get(cause, f"cause {cause}")
            said = f"{failed} of the last {len(self._recent)} calls failed; the last: {why}."
            signs.append(Sign("calls.connect", well=False, detail=said))
        elif len(self._recent) >= MANY_FAILED:
            signs.append(Sign("calls.connect", well=True, detail="Calls connect."))
        return signs

    def _rtcp(self, event: Mapping[str, Any]) -> list[Sign]:
        channel = str(event.get("Channel", ""))
        if not channel.startswith(f"PJSIP/{self._trunk}-"):
            return []
        # No report block, or always the same highest packet: nothing arrives from the caller.
        highest = str(event.get("Report0HighestSequence", "none"))
        last, same = self._packets.get(channel, ("", 0))
        same = same + 1 if highest in (last, "none") else 0
        self._packets[channel] = (highest, same)
        if same >= STALLED_REPORTS and channel not in self._stalled:
            self._stalled.add(channel)
            self.counts.stalls += 1
            said = "A caller's sound stopped arriving: check firewall, NAT and the RTP ports."
            return [Sign("rtp.flows", well=False, detail=said)]
        if same == 0 and last:
            self._stalled.discard(channel)
            return [Sign("rtp.flows", well=True, detail="Callers' sound arrives.")]
        return []

    def _stranger(self, event: Mapping[str, Any], now: float) -> list[Sign]:
        kind = str(event["Event"])
        self.counts.security[kind] += 1
        self._guesses.append(now)
        if len(self._guesses) < GUESSES or now - self._guesses[0] > GUESS_SECONDS:
            return []
        self._guesses.clear()
        where = str(event.get("RemoteAddress", "")).split("/")
        address = where[2] if len(where) > 2 else "unknown"
        said = f"{GUESSES} refused attempts within a minute ({kind}), the last from {address}."
        return [Sign("security.guessing", well=False, detail=said, passing=True)]


class Watch:
    """The AMI connection. Signs go to ``on_sign``, on the event loop."""

    def __init__(
        self, pbx: Pbx, on_sign: Callable[[Sign], None], signs: Signs | None = None
    ) -> None:
        """Prepare to watch the Asterisk of ``pbx``."""
        self._on_sign = on_sign
        self.signs = signs or Signs()
        self._there = False
        self._asking: asyncio.Task[None] | None = None
        quiet = logging.getLogger("panoramisk")
        quiet.setLevel(logging.CRITICAL)  # it logs each try to connect; we say it once
        self._manager = Manager(
            host=pbx.host,
            port=pbx.ami_port,
            username=pbx.ami_user,
            secret=pbx.ami_password.get_secret_value(),
            log=quiet,
            ping_delay=5,
            ping_interval=5,
            on_login=self._logged_in,
            on_disconnect=self._lost,
        )
        self._manager.register_event("*", self._take)

    async def run(self) -> None:
        """Watch until cancelled. Asterisk may come and go."""
        self._manager.loop = asyncio.get_running_loop()
        # Well or not, it is said within the first moments.
        self._on_sign(
            Sign("asterisk.answers", well=False, detail="Asterisk's AMI does not answer.")
        )
        self._manager.connect()
        try:
            while True:
                await asyncio.sleep(ASK_SECONDS)
                if self._there:
                    await self._ask()
        finally:
            self._manager.close()

    def _logged_in(self, _manager: Manager) -> None:
        self._there = True
        self._on_sign(Sign("asterisk.answers", well=True, detail="Asterisk's AMI answers."))
        self._asking = asyncio.ensure_future(self._ask())

    def _lost(self, _manager: Manager, _error: object) -> None:
        self._there = False
        self._on_sign(
            Sign("asterisk.answers", well=False, detail="Asterisk's AMI does not answer.")
        )

    async def _ask(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                status = await self._manager.send_action({"Action": "CoreStatus"})
                date, time = (
                    str(status.get(f"CoreStartup{part}", "")) for part in ("Date", "Time")
                )
                for sign in self.signs.booted(date, time):
                    self._on_sign(sign)
                for action in ("PJSIPShowContacts", "PJSIPShowRegistrationsOutbound"):
                    answers = await self._manager.send_action({"Action": action}, as_list=True)
                    for answer in answers:
                        self._take(self._manager, answer)

    def _take(self, _manager: Manager, event: Mapping[str, Any]) -> None:
        for sign in self.signs.take(event, asyncio.get_running_loop().time()):
            self._on_sign(sign)
