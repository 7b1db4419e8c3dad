"""The canary: phones the restaurant's public number through the real trunk, and sees what happens.

::

    this box ─ trunk ─► the restaurant's number ─(nobody answers: forwarded)─► trunk ─► this box

The agent answers with its greeting and hangs up. Then a text goes to a test number, and its
delivery is waited for. It needs the one permission to call out that there is (``[dial_out]
numbers``), goes out only while the restaurant is closed so that no staff is called to the phone,
one at a time, and is known again by our own number as its caller while it is due back.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog

from agent.errors import AriError, QueueDown, SetupError
from agent.events import PromiseKind
from agent.evidence.bundle import read_card
from agent.phone.gate import CANARY_FILE, canary_due
from agent.phone.verdict import digits
from agent.promises.files import append_line, put_file
from agent.promises.ledger import Ledger
from agent.restaurant import load_restaurant
from agent.service.doctor.finding import Patient, Verdict
from agent.service.doctor.trunk import trunk
from agent.service.probe import Probe, own_call
from agent.service.watch_state import CANARY_HISTORY
from agent.settings import Settings

log = structlog.get_logger()

CALL_SECONDS: Final = 40.0
"""After the call is back, greeting and tone are over by then."""

TEXT_SECONDS: Final = 60.0
"""Longest wait for ``delivered``; carriers take seconds."""

LOOK_SECONDS: Final = 0.2

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Song:
    """How a canary fared.

    Attributes:
        well: Whether all of it went as it should.
        call: ``well``, ``trunk``, ``not_forwarded``, ``somebody_else``, ``mailbox``,
            ``no_diversion``, ``sound`` or ``refused``.
        text: ``well``, ``none`` (no test number is set), ``undelivered``, ``late`` or ``refused``.
        sentence: What happened, for a person.
        do: What to do about it.
    """

    well: bool
    call: str
    text: str
    sentence: str
    do: str = ""


async def sing(settings: Settings, clock: Callable[[], float]) -> Song:
    """Send the canary out and return how it fared; it is also written down.

    Raises:
        SetupError: it may not be sent: no permission, open hours, or one is out already.
        RestaurantError: the restaurant file is wrong.
    """
    _may_go(settings, clock())
    call, sentence, do = await _phone(settings, clock)
    text, about_text, do_text = await _text(settings, clock)
    song = Song(
        well=call == "well" and text in ("well", "none"),
        call=call,
        text=text,
        sentence=f"{sentence} {about_text}".strip(),
        do=do or do_text,
    )
    row: dict[str, Any] = {
        "time": clock(),
        "well": song.well,
        "call": song.call,
        "text": song.text,
        "sentence": song.sentence,
        "do": song.do,
    }
    await asyncio.to_thread(append_line, settings.home / CANARY_HISTORY, row)
    log.info("The canary is back.", **row)
    return song


def _may_go(settings: Settings, now: float) -> None:
    restaurant = load_restaurant(settings.restaurant)
    if restaurant.public_number not in settings.dial_out.numbers:
        raise SetupError(
            f"This box may not call {restaurant.public_number}.",
            remedy=f'Set [dial_out] numbers = ["{restaurant.public_number}"] in pickup.toml and'
            " restart: it is the only permission to call out.",
        )
    open_ = restaurant.open_at(datetime.fromtimestamp(now, ZoneInfo(restaurant.time_zone)))
    if open_ is not False:
        why = "is open now" if open_ else "has no hours in its file"
        raise SetupError(
            f"{restaurant.name} {why}: the canary would have the staff run to the phone.",
            remedy="Send it outside opening hours.",
        )
    if canary_due(settings.home, now):
        raise SetupError("A canary is out already.", remedy="Wait a minute or two.")


async def _phone(settings: Settings, clock: Callable[[], float]) -> tuple[str, str, str]:
    """Return what became of the call: a word, a sentence, what to do."""
    looked = await trunk(Patient(settings, clock))
    if looked.verdict is Verdict.BAD:
        return "trunk", f"Not sent, the trunk is down: {looked.saw}", looked.do
    number = load_restaurant(settings.restaurant).public_number
    within = settings.canary.within_seconds
    note = settings.home / CANARY_FILE
    await asyncio.to_thread(put_file, note, {"until": clock() + within + CALL_SECONDS})
    try:
        probe = await own_call(settings, f"Local/{number}@dial-out/n", {}, within)
    except AriError as error:
        return "refused", f"Asterisk did not place the call: {error}", "pickup doctor"
    finally:
        note.unlink(missing_ok=True)
    return _told(probe, number, within)


def _told(probe: Probe, number: str, within: float) -> tuple[str, str, str]:
    if probe.by == "nobody" and probe.cause is not None:
        saw = f"The call to {number} was refused (Q.850 cause {probe.cause})."
        return (
            "refused",
            saw,
            "The number is wrong, or the trunk may not call out: ask the provider.",
        )
    if probe.by == "nobody":
        saw = f"{number} rang for {within:.0f} s and the call never came back."
        return "not_forwarded", saw, "Call forwarding is off: docs/line.md, step 2."
    if probe.by == "fallback":
        saw = f"{number} was answered, but not by Pickup."
        do = "Staff picked up, or the line is forwarded to a wrong number: docs/line.md, step 2."
        return "somebody_else", saw, do
    card = read_card(probe.folder) if probe.folder else {}
    if digits(str(card.get("diverted_from", ""))) != digits(number):
        saw = "The call came back without a Diversion header that names the restaurant's line."
        return "no_diversion", saw, "Ask the provider to pass Diversion on."
    if not probe.well:
        return "sound", probe.sentence, "Open the RTP ports for the provider; check NAT."
    return "well", f"{number} was forwarded to Pickup after {probe.answered:.0f} s.", ""


async def _text(settings: Settings, clock: Callable[[], float]) -> tuple[str, str, str]:
    to = settings.canary.text_to
    if not to:
        return "none", "", ""
    ledger = Ledger(settings, clock)
    digest = hashlib.sha256(f"canary {clock():.3f}".encode()).digest()
    about = "".join(_ALPHABET[byte % 32] for byte in digest[:8])
    folder = settings.home / "canary"
    try:
        promise = await asyncio.to_thread(
            ledger.make, PromiseKind.OWNER_MESSAGE, to, "Pickup's canary.", folder, about=about
        )
        try:
            await ledger.keep(promise)
        except QueueDown as error:
            log.warning("The canary's text waits for the worker.", error=str(error))
        try:
            async with asyncio.timeout(TEXT_SECONDS):
                while True:
                    now = await asyncio.to_thread(ledger.standing, promise)
                    if now.delivered:
                        return "well", "The text was delivered.", ""
                    if now.lost:
                        do = f"Look up twilio.com/docs/errors/{now.code or '…'}; A2P registration?"
                        return "undelivered", f"The text was not delivered (code {now.code}).", do
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            saw = f"No news of the text within {TEXT_SECONDS:.0f} s."
            return "late", saw, "pickup doctor: worker, webhook, Twilio."
    finally:
        await ledger.close()
