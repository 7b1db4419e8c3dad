"""What a call's SIP headers tell the gate: who forwarded it, its id, its attestation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MOST_HEADERS: Final = 4
"""Of one name; a call that was forwarded more often is refused by its count anyway."""

SEPARATOR: Final = "\x1f"
"""Between the parts of the one answer; no SIP header may hold it (RFC 3261, section 25.1)."""

_NUMBER: Final = re.compile(r"(?:sips?|tel):([+0-9*#().-]+)")
_VERSTAT: Final = re.compile(r"verstat=([A-Za-z-]+)")


@dataclass(frozen=True, slots=True)
class SipFacts:
    """What was read.

    Attributes:
        diverted: Numbers in Diversion and History-Info, the top one first.
        diversions: How often the call was forwarded: the greatest of what the headers say.
        call_id: The call's Session-ID where the network has one, else the SIP Call-ID.
        verstat: ``TN-Validation-Passed``, ``TN-Validation-Failed``, …; empty if not told.
    """

    diverted: tuple[str, ...] = ()
    diversions: int = 0
    call_id: str = ""
    verstat: str = ""


def question() -> str:
    """Return the dialplan expression whose value :func:`read` takes: all headers at once."""
    many = [
        f"${{PJSIP_HEADER(read,{name},{n})}}"
        for name in ("Diversion", "History-Info")
        for n in range(1, MOST_HEADERS + 1)
    ]
    one = [
        f"${{PJSIP_HEADER(read,{name})}}"
        for name in ("P-Asserted-Identity", "From", "X-Twilio-VerStat", "Session-ID")
    ]
    count = "${REDIRECTING(count)}"
    return SEPARATOR.join([*many, *one, "${CHANNEL(pjsip,call-id)}", count])


def read(answer: str) -> SipFacts:
    """Return what the value of :func:`question` tells. Anything malformed counts as absent."""
    parts = answer.split(SEPARATOR)
    if len(parts) != 2 * MOST_HEADERS + 6:
        return SipFacts()
    diversion = [part for part in parts[:MOST_HEADERS] if part]
    # Some send the entries of History-Info in one header, separated by commas.
    history = [
        entry
        for part in parts[MOST_HEADERS : 2 * MOST_HEADERS]
        for entry in part.split(",")
        if entry
    ]
    asserted, sender, twilio, session, call_id, count = parts[2 * MOST_HEADERS :]
    # The last entry of History-Info is where the call was sent: us (RFC 7044, section 10.1.1).
    diverted = tuple(number for entry in (*diversion, *history[:-1]) if (number := _number(entry)))
    verstat = next((f[1] for text in (asserted, sender) if (f := _VERSTAT.search(text))), twilio)
    counted = int(count) if count.isdigit() else 0
    return SipFacts(
        diverted=diverted,
        diversions=max(counted, len(diversion), len(history) - 1),
        call_id=session.partition(";")[0] or call_id,
        verstat=verstat,
    )


def _number(header: str) -> str:
    found = _NUMBER.search(header)
    return found[1] if found else ""
