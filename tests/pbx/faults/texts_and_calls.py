"""Faults that show in texts, messages and calls."""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random

from agent.evaluate.standin import TwilioStandIn
from agent.events import CallEnded, CallStarted, PromiseKind
from agent.evidence.recorder import Recorder, new_folder
from agent.promises.files import append_line
from agent.promises.ledger import Ledger
from agent.service.doctor.finding import Patient
from agent.service.stack import Stack
from agent.service.watch_state import CANARY_HISTORY
from agent.settings import Settings
from tests.pbx.faults.planting import Faults, patient, until
from tests.pbx.sip_caller import SipCaller

FAULTS = Faults()


@FAULTS.plant("the worker is not running", "worker")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield patient(stack, twilio={"webhook_port": 1})


@FAULTS.plant("Twilio refuses our token (401)", "twilio")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield patient(stack, twilio={"account_sid": "AC" + "9" * 32})


@FAULTS.plant("the number can't send texts", "twilio")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    standin = _standin(stack)
    standin.numbers = {stack.settings.twilio.from_number: False}
    yield patient(stack)
    standin.numbers = {}


@FAULTS.plant("the number is not ours", "twilio")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    standin = _standin(stack)
    standin.numbers = {"+13165550177": True}
    yield patient(stack)
    standin.numbers = {}


@FAULTS.plant("Twilio can't be reached", "twilio")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield patient(stack, twilio={"api_base": "http://127.0.0.1:1"})


def _standin(stack: Stack) -> TwilioStandIn:
    assert stack.standin is not None
    return stack.standin


@FAULTS.plant("texts have been waiting for an hour", "promises")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    # The worker would keep it at once: it is made where only the doctor looks.
    home = stack.settings.home / "stuck"
    other = stack.settings.model_copy(update={"home": home})
    ledger = Ledger(other, lambda: time.time() - 3600)
    ledger.make(PromiseKind.ORDER_LINK, "+13165550111", "x", home / "calls" / "a" / "b")
    marker = next((home / "promises").glob("*.json"))
    target = stack.settings.open_promises / marker.name
    row = json.loads(marker.read_text())
    row["bundle"] = str(home / "calls" / "a" / "b")
    assert stack.standin is not None
    target.parent.mkdir(exist_ok=True)
    draft = target.with_suffix(".held")
    draft.write_text(json.dumps(row))
    with draft.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as a worker that hangs in its request holds it
        draft.rename(target)
        yield patient(stack)
        target.unlink()


@FAULTS.plant("the watch is not running", "watch")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield replace(patient(stack), clock=lambda: time.time() + 50)


@FAULTS.plant("a voicemail is not passed on", "voicemail")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    # In a box where the watch can't write the evidence, so it stays.
    inbox = stack.settings.voicemail / "default" / "restaurant" / "INBOX"
    inbox.mkdir(parents=True, exist_ok=True)
    note = inbox / "msg0900.txt"
    note.write_text(f"origtime={time.time() - 3600:.0f}\nmsg_id=stuck\n")  # and no recording
    yield patient(stack)
    note.unlink(missing_ok=True)


@FAULTS.plant("a line forwards in a circle", "forwarding")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    settings = stack.settings
    loop = (f"Diversion: <sip:{settings.trunk.number}@127.0.0.2>;reason=no-answer",)
    where = (settings.pbx.sip_host, settings.pbx.sip_port)
    async with SipCaller(where, settings.trunk.number, headers=loop) as caller:
        assert await caller.dial() == 486
    yield patient(stack)
    (settings.home / "gate" / "refused.jsonl").unlink()


@FAULTS.plant("calls come without a Diversion header", "forwarding")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    folders = [_a_call(stack.settings, number) for number in range(3)]
    yield patient(stack)
    for folder in folders:
        shutil.rmtree(folder)


def _a_call(settings: Settings, number: int) -> Path:
    """Leave the evidence of a call that was not forwarded."""
    folder = new_folder(settings.calls, datetime(2030, 1, 1, 12, number), Random(number))  # noqa: S311
    recorder = Recorder(folder, {})
    recorder.event(CallStarted(at=0.0, channel="x", called="13165550143"))
    recorder.event(CallEnded(at=1.0, by="caller", reason="hung_up"))
    recorder.close()
    assert recorder.wait_closed(10)
    return folder


@FAULTS.plant("sound goes one way only", "sound")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    settings = stack.settings
    where = (settings.pbx.sip_host, settings.pbx.sip_port)
    forwarded = ("Diversion: <sip:+13165550142@127.0.0.2>;reason=no-answer",)
    async with SipCaller(where, settings.trunk.number, headers=forwarded) as caller:
        assert await caller.dial() == 200
        caller.mute()
        await until(lambda: "rtp.flows" in (settings.home / "watch.json").read_text())
        yield patient(stack)
    # The next call whose sound arrives is the all-clear.
    async with SipCaller(where, settings.trunk.number, headers=forwarded) as caller:
        assert await caller.dial() == 200
        await until(lambda: "rtp.flows" not in (settings.home / "watch.json").read_text())


@FAULTS.plant("the last canary did not come back", "canary")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.settings.home / CANARY_HISTORY
    row = {"time": time.time(), "well": False, "sentence": "Forwarding is off.", "do": "Look."}
    append_line(path, row)
    yield patient(stack)
    path.unlink()
