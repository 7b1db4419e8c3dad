"""The trunk: its address, whether it answers, what it may send, what came over it lately."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections import Counter
from typing import Any, Final

from agent.errors import EvidenceError
from agent.evidence.bundle import bundle_folders, read_card
from agent.phone.gate import REFUSED_FILE
from agent.promises.files import read_lines
from agent.service.doctor.finding import Finding, Patient, bad, warn, well
from agent.service.watch_state import state_file

LINE_CODECS: Final = frozenset({"ulaw", "alaw"})
"""What a phone line carries; a trunk that offers neither can't talk to it."""

QUALIFY_SECONDS: Final = 4.0
"""Asterisk gives an OPTIONS up after 3 s (qualify_timeout)."""

ANSWERS: Final = re.compile(r"trunk/\S+\s+\S+\s+Avail")
"""In ``pjsip show contacts``: the trunk answered when it was asked last."""

RECENT_SECONDS: Final = 3600.0
FEW_CALLS: Final = 3
"""So many calls without Diversion in a row are no accident."""


async def trunk(patient: Patient) -> Finding:
    """The provider's address is known, and it answers OPTIONS."""
    peer = patient.settings.trunk.peer
    try:
        await asyncio.get_running_loop().getaddrinfo(peer, None, type=socket.SOCK_DGRAM)
    except OSError as error:
        saw = f"trunk.peer {peer!r} is no address ({error.strerror})."
        return bad("trunk", saw, "Write the provider's signalling address; check DNS.")
    shown = await _qualified(patient)
    if "trunk/" not in shown:
        return bad("trunk", "Asterisk has no [trunk] in pjsip.conf.", "See local/pjsip.conf.")
    registrations = patient.console("pjsip show registrations")
    if re.search(r"(Rejected|Unregistered)", registrations):
        line = next(t for t in registrations.splitlines() if re.search("Rejected|Unregist", t))
        saw = f"The provider does not let us register: {' '.join(line.split())}."
        return bad("trunk", saw, "Check user and password in local/pjsip.conf.")
    if not ANSWERS.search(shown):
        port = patient.settings.trunk.peer_port
        saw = f"{peer}:{port} does not answer SIP OPTIONS: no call can come in."
        return bad("trunk", saw, "Check the provider's status, our firewall, and trunk.peer.")
    return well("trunk", f"{peer} answers SIP OPTIONS.")


async def _qualified(patient: Patient) -> str:
    """Have Asterisk ask the trunk anew; return `pjsip show contacts` once the answer is in it."""
    before = patient.console("pjsip show contacts")
    patient.console("pjsip qualify trunk")
    ends = asyncio.get_running_loop().time() + QUALIFY_SECONDS
    shown = before
    while asyncio.get_running_loop().time() < ends:
        await asyncio.sleep(0.2)
        shown = patient.console("pjsip show contacts")
        # The round trip, in microseconds, is never the same twice. A change for the worse may be
        # the end of an older question, asked while the provider was down.
        if shown != before and ANSWERS.search(shown):
            break
    return shown


async def codecs(patient: Patient) -> Finding:
    """The trunk may speak G.711."""
    shown = patient.console("pjsip show endpoint trunk")
    found = re.search(r"^\s*allow\s*:\s*\(([^)]*)\)", shown, re.MULTILINE)
    names = set(found[1].replace("|", ",").split(",")) if found else set()
    if not names & LINE_CODECS:
        saw = f"[trunk] allows {', '.join(sorted(names)) or 'nothing'}; a phone line has G.711."
        return bad("codecs", saw, "allow = ulaw,alaw in local/pjsip.conf.")
    return well("codecs", f"{', '.join(sorted(names & LINE_CODECS))}.")


async def forwarding(patient: Patient) -> Finding:
    """The calls of late were forwarded by the restaurant's line, and none went in circles."""
    now = patient.clock()
    refused = Counter(
        str(row.get("reason"))
        for row in read_lines(patient.settings.home / REFUSED_FILE)[-200:]
        if now - float(row.get("time", 0)) < RECENT_SECONDS
    )
    if loops := refused["loop"] + refused["diversions"]:
        saw = f"{loops} calls in the last hour were refused: they were forwarded in a circle."
        return bad("forwarding", saw, "A line forwards to itself: see docs/line.md, step 2.")
    cards = []
    for folder in bundle_folders(patient.settings.calls)[-20:]:
        try:
            card = read_card(folder)
        except EvidenceError:
            continue
        if "voicemail" not in card and "called" in card:
            cards.append(card)
    last = cards[-FEW_CALLS:]
    if len(last) == FEW_CALLS and not any(card.get("diverted_from") for card in last):
        saw = f"The last {FEW_CALLS} calls came without a Diversion header."
        do = "Ask the provider to pass Diversion on; or callers dial the trunk's number itself."
        return warn("forwarding", saw, do)
    return well("forwarding", f"{len(cards)} calls looked at; {sum(refused.values())} refused.")


async def sound(patient: Patient) -> Finding:
    """Sound flowed both ways in the calls that the watch saw."""
    faults: dict[str, Any] = _watch(patient).get("faults", {})
    for name, hop in (("rtp.flows", "sound"), ("calls.connect", "sound")):
        if name in faults:
            do = "Open the RTP ports for the provider; set media_address if behind NAT."
            return bad(hop, str(faults[name].get("detail", name)), do)
    return well("sound", "The watch saw no call without sound.")


def _watch(patient: Patient) -> dict[str, Any]:
    try:
        row = json.loads(state_file(patient.settings.home).read_bytes())
    except (OSError, ValueError):
        return {}
    return row if isinstance(row, dict) else {}
