"""The gate's decision: pure, over a snapshot of everything it depends on.

Read ``decide`` from top to bottom: loops first (a loop must not even reach the mailbox, which
would fill with its echoes), then what the sysadmin's own tools send, then the owner's wishes,
then what this machine can carry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Final

from agent.errors import SettingsError
from agent.restaurant import DAYS
from agent.settings import Gate

MOST_DIVERSIONS: Final = 3
"""Restaurant line to trunk is one; a call centre or a second line before it, two or three."""


class Verdict(StrEnum):
    """What becomes of a call, in the dialplan's words."""

    TAKE = "take"
    VOICEMAIL = "voicemail"
    REJECT = "reject"
    RING_THROUGH = "ring-through"


class Script(StrEnum):
    """How the agent is to speak; the dialplan passes it on as ``script``."""

    FULL = ""
    SHORT = "short"
    """A rush: shortest wording, so that the next caller gets a line."""
    CANARY = "canary"
    """Our own test call through the carrier: greet and hang up."""
    PROBE = "probe"
    """The same from inside this machine."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a call, a one-word reason for the log, and the script for the agent."""

    verdict: Verdict
    reason: str
    script: Script = Script.FULL


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the decision depends on.

    Attributes:
        trunk: Our own number on the trunk.
        caller: The caller's number, empty if withheld or unknown.
        withheld: The caller asked for privacy.
        diverted: Every number that forwarded the call, from Diversion and History-Info.
        diversions: How often the call was forwarded, as its headers count.
        earlier: The same caller's diversions on a call a moment ago, or None.
        seen: The network's own id of this call is that of another call we have.
        ringing_through: The same caller is being rung through to the staff right now.
        verstat: STIR/SHAKEN's result as the trunk tells it; empty if it does not.
        probe: This machine's own probe call.
        canary: The canary's call is out and due back.
        open: Whether the restaurant is open; None if it has no hours.
        staff_only: Now is one of the staff's own hours.
        paused: The owner has switched the agent off.
        spam: The caller is on the spam list.
        vip: The caller is on the VIP list.
        calls: Calls that we have now.
        most_calls: Calls that we may have.
        load: Load average per core.
        recent: Calls taken within the last ``gate.rush_minutes``.
        stopping: The agent is going away.
    """

    trunk: str = ""
    caller: str = ""
    withheld: bool = False
    diverted: tuple[str, ...] = ()
    diversions: int = 0
    earlier: int | None = None
    seen: bool = False
    ringing_through: bool = False
    verstat: str = ""
    probe: bool = False
    canary: bool = False
    open: bool | None = None
    staff_only: bool = False
    paused: bool = False
    spam: bool = False
    vip: bool = False
    calls: int = 0
    most_calls: int = 1
    load: float = 0.0
    recent: int = 0
    stopping: bool = False


def decide(now: Snapshot, policy: Gate) -> Decision:
    """Return what becomes of the call that ``now`` describes."""
    ours = digits(now.trunk)
    # A provider, or the way there, may drop our number from the canary's call: while it is out, a
    # forwarded call with no number at all is taken for it. A withheld number is a person's.
    bare = now.canary and not now.withheld and not digits(now.caller) and bool(now.diverted)
    own_caller = bool(ours) and (digits(now.caller) == ours or bare)
    if ours and any(digits(number) == ours for number in now.diverted):
        return Decision(Verdict.REJECT, "loop")
    if own_caller and not now.canary:
        return Decision(Verdict.REJECT, "loop")
    if now.diversions > MOST_DIVERSIONS:
        return Decision(Verdict.REJECT, "diversions")
    if now.seen or now.ringing_through:
        return Decision(Verdict.REJECT, "loop")
    if now.earlier is not None and now.diversions > now.earlier:
        return Decision(Verdict.REJECT, "loop")
    if now.stopping:
        return Decision(Verdict.VOICEMAIL, "stopping")
    if now.calls >= now.most_calls:
        return Decision(Verdict.VOICEMAIL, "full")
    if now.probe:
        return Decision(Verdict.TAKE, "probe", Script.PROBE)
    if own_caller:
        return Decision(Verdict.TAKE, "canary", Script.CANARY)
    return _wished(now, policy) or _carried(now, policy)


def _wished(now: Snapshot, policy: Gate) -> Decision | None:
    """Return what the owner wants for this call, None if simply that it is taken."""
    if now.spam and policy.spam != "take":
        return Decision(Verdict(policy.spam), "spam")
    if now.verstat.startswith("TN-Validation-Failed") and policy.failed_attestation != "take":
        return Decision(Verdict(policy.failed_attestation), "attestation")
    if now.vip and policy.ring_through:
        return Decision(Verdict.RING_THROUGH, "vip")
    if now.withheld and policy.anonymous != "take":
        return Decision(Verdict(policy.anonymous), "anonymous")
    if now.paused:
        return Decision(Verdict.VOICEMAIL, "paused")
    if now.staff_only:
        ring = Verdict.RING_THROUGH if policy.ring_through else Verdict.VOICEMAIL
        return Decision(ring, "staff_only")
    if now.open is False and policy.closed != "take":
        return Decision(Verdict(policy.closed), "closed")
    return None


def _carried(now: Snapshot, policy: Gate) -> Decision:
    if now.load > policy.most_load:
        return Decision(Verdict.VOICEMAIL, "overloaded")
    if now.recent >= policy.rush_calls:
        return Decision(Verdict.TAKE, "rush", Script.SHORT)
    return Decision(Verdict.TAKE, "free")


def digits(number: str) -> str:
    """Return the last ten digits: +1 316 555 0142 and 3165550142 are the same."""
    return "".join(character for character in number if character.isdigit())[-10:]


def listed(number: str, patterns: Iterable[str]) -> bool:
    """Whether ``number`` is in a list of numbers; ``+1900*`` stands for all that begin so."""
    if not number:
        return False
    mine = "".join(character for character in number if character.isdigit())
    for pattern in patterns:
        text = pattern.strip()
        if text.endswith("*"):
            start = "".join(character for character in text if character.isdigit())
            if start and mine.startswith(start):
                return True
        elif text and digits(text) == digits(number):
            return True
    return False


@dataclass(frozen=True, slots=True)
class Span:
    """A weekly span of local time; ``day`` counts from Monday = 0."""

    day: int
    begins: time
    ends: time

    def holds(self, now: datetime) -> bool:
        """Whether ``now`` lies in it."""
        return now.weekday() == self.day and self.begins <= now.time() < self.ends


def read_spans(texts: Sequence[str]) -> tuple[Span, ...]:
    """Return what ``friday 17:00-20:00`` means; ``daily`` stands for all seven days.

    Raises:
        SettingsError: it is no such span.
    """
    spans: list[Span] = []
    for text in texts:
        try:
            day, begins, ends = re.split(r"[\s-]+", text.strip().lower())
            days = range(7) if day == "daily" else (DAYS.index(day),)
            first, last = (time.fromisoformat(part.zfill(5)) for part in (begins, ends))
            if first >= last:
                raise ValueError("ends before it begins")
        except ValueError as error:
            raise SettingsError(
                f"gate.staff_only: {text!r} is no span of time.",
                remedy='Write "friday 17:00-20:00" or "daily 11:00-11:30".',
            ) from error
        spans += [Span(number, first, last) for number in days]
    return tuple(spans)
