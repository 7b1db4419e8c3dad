"""The doctor's table of faults: each is planted in a real house, and the right hop is named first.

``make doctor-faults`` prints the table.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import redis.asyncio

from agent.evaluate.standin import TwilioStandIn
from agent.events import CallEnded, CallStarted, PromiseKind
from agent.evidence.recorder import Recorder, new_folder
from agent.pause import Pause, PauseStore
from agent.promises.files import append_line
from agent.promises.ledger import Ledger
from agent.service.doctor.chain import examine
from agent.service.doctor.finding import Finding, Patient, Verdict
from agent.service.ports import loopback_settings
from agent.service.stack import Stack
from agent.service.watch_state import CANARY_HISTORY
from agent.settings import Settings
from tests.pbx.sip_caller import SipCaller

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENCE = 40.0

Plant = Callable[[Stack], AbstractAsyncContextManager[Patient]]
FAULTS: dict[str, tuple[str, Plant]] = {}
"""What is wrong → the hop that must be named first, and how it is planted and taken away."""


def fault(what: str, hop: str) -> Callable[[Callable[[Stack], AsyncIterator[Patient]]], None]:
    def add(plant: Callable[[Stack], AsyncIterator[Patient]]) -> None:
        FAULTS[what] = (hop, asynccontextmanager(plant))

    return add


def patient(stack: Stack, **sections: dict[str, Any]) -> Patient:
    """Return the house, with some settings other than those it was started with."""
    changed = {
        name: getattr(stack.settings, name).model_copy(update=values)
        for name, values in sections.items()
    }
    return Patient(stack.settings.model_copy(update=changed))


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    home = tmp_path_factory.mktemp("x")
    settings = loopback_settings(home, dial_out={"numbers": ["+13165550142"]})
    async with Stack(settings, carrier=True) as running:
        yield running


# ── the table ───────────────────────────────────────────────────────────────────────────


@fault("the restaurant file has a slip", "restaurant")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    copy = stack.settings.home / "restaurant.toml"
    copy.write_text(stack.settings.restaurant.read_text().replace("public_number", "publik"))
    yield Patient(stack.settings.model_copy(update={"restaurant": copy}))


@fault("the passwords can be read by others", "secrets")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.settings.home / "secrets.toml"
    path.chmod(0o644)
    yield patient(stack)
    path.chmod(0o600)


@fault("the disk is full", "disk")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield replace(patient(stack), least_disk=shutil.disk_usage(stack.settings.home).free + 2**30)


@fault("the evidence folder can't be written", "evidence")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    calls = stack.settings.calls
    aside = calls.with_name("calls.aside")
    calls.mkdir(exist_ok=True)
    calls.rename(aside)
    calls.write_text("a file")
    yield patient(stack)
    calls.unlink()
    aside.rename(calls)


@fault("the clock is an hour off", "clock")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield replace(patient(stack), clock=lambda: time.time() + 3600)


@fault("Asterisk was never set up", "asterisk")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield replace(patient(stack), build=stack.settings.home / "nothing")


@fault("Asterisk hangs", "running")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    control = stack.settings.home / "pbx" / "run" / "asterisk.ctl"
    control.rename(control.with_suffix(".aside"))
    yield patient(stack)
    control.with_suffix(".aside").rename(control)


@fault("a file of Asterisk's was edited by hand", "config")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.pbx.etc / "pjsip.conf"
    text = path.read_text()
    path.write_text(text + "\n; just a quick fix\n")
    yield patient(stack)
    path.write_text(text)


@fault("the agent's port was changed and nothing restarted", "config")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield patient(stack, agent={"port": 1})


@fault("the dialplan was edited wrongly", "dialplan")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.settings.home / "local" / "extensions.conf"
    path.write_text("[gate](+)\nexten => 1,1,Goto(nowhere,s,1)\n")
    yield patient(stack)
    path.unlink()


@fault("the dialplan was edited and not applied", "dialplan")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.settings.home / "local" / "globals.conf"
    path.write_text("GATE_SECONDS = 2\n")
    yield patient(stack)
    path.unlink()


@fault("a module is missing", "modules")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    await asyncio.to_thread(stack.pbx.command, "module unload func_uri.so")
    yield patient(stack)
    await asyncio.to_thread(stack.pbx.command, "module load func_uri.so")


@fault("the apology is gone", "prompts")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    command = stack.pbx.command
    shown = await asyncio.to_thread(command, "dialplan show globals")
    path = next(w.split("=")[1] for w in shown.split() if w.startswith("APOLOGY="))
    await asyncio.to_thread(command, "dialplan set global APOLOGY /nowhere/apology")
    yield patient(stack)
    await asyncio.to_thread(command, f"dialplan set global APOLOGY {path}")


@asynccontextmanager
async def listening(host: str, *name: str) -> AsyncIterator[int]:
    """Run a program that listens; yields its port."""
    listen = f"import socket,time;s=socket.create_server(({host!r},0));"
    listen += "print(s.getsockname()[1],flush=True);time.sleep(600)"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", listen, *name, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.communicate()


@fault("another program has taken the webhook's port", "ports")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    async with listening("127.0.0.1") as port:
        yield patient(stack, twilio={"webhook_port": port})


@fault("a port of ours is open to the world", "ports")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    async with listening("0.0.0.0", "agent.cli") as port:  # noqa: S104 - that is the fault
        yield patient(stack, twilio={"webhook_port": port})


@fault("the trunk is down", "trunk")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    assert stack.carrier is not None
    await asyncio.to_thread(stack.carrier.stop)
    yield patient(stack)
    await asyncio.to_thread(stack.carrier.start)
    await asyncio.to_thread(stack.pbx.command, "pjsip qualify trunk")


async def _reloaded(stack: Stack, local: str) -> None:
    path = stack.settings.home / "local" / "pjsip.conf"
    path.write_text(local) if local else path.unlink()
    await asyncio.to_thread(stack.pbx.command, "module reload res_pjsip.so")


@fault("the provider refuses our registration", "trunk")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    carrier = stack.settings.carrier
    load = stack.pbx.command
    await asyncio.to_thread(load, "module load res_pjsip_outbound_authenticator_digest.so")
    await asyncio.to_thread(load, "module load res_pjsip_outbound_registration.so")
    await _reloaded(
        stack,
        "[provider]\ntype = registration\nmax_retries = 0\noutbound_auth = provider\n"
        f"server_uri = sip:{carrier.host}:{carrier.sip_port}\n"
        f"client_uri = sip:hikari@{carrier.host}:{carrier.sip_port}\n"
        "[provider]\ntype = auth\nauth_type = userpass\nusername = hikari\npassword = wrong\n",
    )
    await until(lambda: "Rejected" in load("pjsip show registrations"))
    yield patient(stack)
    await _reloaded(stack, "")
    await asyncio.to_thread(load, "module unload res_pjsip_outbound_registration.so")


@fault("the trunk speaks no phone line's codec", "codecs")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    await _reloaded(stack, "[trunk](+type=endpoint)\ndisallow = all\nallow = g722\n")
    yield patient(stack)
    await _reloaded(stack, "")


@fault("the ear's model is missing", "models")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield patient(stack, models={"ear": stack.settings.home / "no-model"})


@fault("the voice was cut short", "models")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    voice = stack.settings.home / "voice.onnx"
    whole = stack.settings.models.mouth
    voice.write_bytes(whole.read_bytes()[:100_000])
    shutil.copyfile(f"{whole}.json", f"{voice}.json")
    yield patient(stack, models={"mouth": voice})


@fault("the ear's model was cut short", "models")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    folder = stack.settings.home / "ear"
    shutil.copytree(stack.settings.models.ear, folder, dirs_exist_ok=True)
    final = folder / "am" / "final.mdl"
    final.write_bytes(final.read_bytes()[:50_000])
    yield patient(stack, models={"ear": folder})


@fault("Redis is down", "redis")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    await asyncio.to_thread(stack.redis.stop)
    yield patient(stack)
    await asyncio.to_thread(stack.redis.start)


async def _configured(stack: Stack, name: str, value: str) -> None:
    client = redis.asyncio.Redis.from_url(stack.settings.redis.url)
    await client.config_set(name, value)
    await client.aclose()


@fault("Redis is read-only", "redis")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    await _configured(stack, "min-replicas-to-write", "1")
    yield patient(stack)
    await _configured(stack, "min-replicas-to-write", "0")


@fault("Redis writes nothing down", "redis")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    await _configured(stack, "appendonly", "no")
    yield patient(stack)
    await _configured(stack, "appendonly", "yes")


@fault("Redis has another password", "redis")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    url = stack.settings.redis.url
    yield patient(stack, redis={"url": f"redis://:wrong@{url.rpartition('@')[2]}"})


@fault("Asterisk has another ARI password", "ari")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.pbx.etc / "ari.conf"
    text = path.read_text()
    secret = stack.settings.pbx.ari_password.get_secret_value()
    path.write_text(text.replace(secret, "another"))
    await asyncio.to_thread(stack.pbx.command, "module reload res_ari.so")
    path.write_text(text)
    yield patient(stack)
    await asyncio.to_thread(stack.pbx.command, "module reload res_ari.so")


@fault("Asterisk has another AMI password", "ami")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.pbx.etc / "manager.conf"
    text = path.read_text()
    secret = stack.settings.pbx.ami_password.get_secret_value()
    path.write_text(text.replace(secret, "another"))
    await asyncio.to_thread(stack.pbx.command, "manager reload")
    path.write_text(text)
    yield patient(stack)
    await asyncio.to_thread(stack.pbx.command, "manager reload")


@fault("the agent is not running", "agent")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    assert stack.agent is not None
    await stack.agent.stop()
    yield patient(stack)
    await stack.start_agent()


@fault("another program has taken the Stasis application", "stasis")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    pbx = stack.settings.pbx
    auth = aiohttp.encode_basic_auth(pbx.ari_user, pbx.ari_password.get_secret_value())
    url = f"http://{pbx.host}:{pbx.http_port}/ari/events?app={pbx.app}"
    async with (
        aiohttp.ClientSession(headers={"Authorization": auth}) as http,
        http.ws_connect(url),
    ):
        yield patient(stack)


@fault("the gate is asked at a wrong address", "gate")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    right = f"agi://{stack.settings.agent.host}:{stack.settings.agent.gate_port}/gate"
    command = stack.pbx.command
    await asyncio.to_thread(command, "dialplan set global GATE agi://127.0.0.1:1/gate")
    yield patient(stack)
    await asyncio.to_thread(command, f"dialplan set global GATE {right}")


@fault("the owner switched the agent off", "pause")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    store = PauseStore(stack.settings)
    now = time.time()
    await asyncio.to_thread(store.write, Pause(since=now, until=None, by="owner"))
    yield patient(stack)
    await asyncio.to_thread(store.write, Pause(since=now + 1, until=now, by="owner"))
    await store.close()


@fault("the worker is not running", "worker")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield patient(stack, twilio={"webhook_port": 1})


@fault("Twilio refuses our token (401)", "twilio")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield patient(stack, twilio={"account_sid": "AC" + "9" * 32})


@fault("the number can't send texts", "twilio")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    standin = _standin(stack)
    standin.numbers = {stack.settings.twilio.from_number: False}
    yield patient(stack)
    standin.numbers = {}


@fault("the number is not ours", "twilio")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    standin = _standin(stack)
    standin.numbers = {"+13165550177": True}
    yield patient(stack)
    standin.numbers = {}


@fault("Twilio can't be reached", "twilio")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield patient(stack, twilio={"api_base": "http://127.0.0.1:1"})


def _standin(stack: Stack) -> TwilioStandIn:
    assert stack.standin is not None
    return stack.standin


@fault("texts have been waiting for an hour", "promises")
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


@fault("the watch is not running", "watch")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield replace(patient(stack), clock=lambda: time.time() + 50)


@fault("a voicemail is not passed on", "voicemail")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    # In a box where the watch can't write the evidence, so it stays.
    inbox = stack.settings.voicemail / "default" / "restaurant" / "INBOX"
    inbox.mkdir(parents=True, exist_ok=True)
    note = inbox / "msg0900.txt"
    note.write_text(f"origtime={time.time() - 3600:.0f}\nmsg_id=stuck\n")  # and no recording
    yield patient(stack)
    note.unlink(missing_ok=True)


@fault("a line forwards in a circle", "forwarding")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    settings = stack.settings
    loop = (f"Diversion: <sip:{settings.trunk.number}@127.0.0.2>;reason=no-answer",)
    where = (settings.pbx.sip_host, settings.pbx.sip_port)
    async with SipCaller(where, settings.trunk.number, headers=loop) as caller:
        assert await caller.dial() == 486
    yield patient(stack)
    (settings.home / "gate" / "refused.jsonl").unlink()


@fault("calls come without a Diversion header", "forwarding")
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


@fault("sound goes one way only", "sound")
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


@fault("the last canary did not come back", "canary")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.settings.home / CANARY_HISTORY
    row = {"time": time.time(), "well": False, "sentence": "Forwarding is off.", "do": "Look."}
    append_line(path, row)
    yield patient(stack)
    path.unlink()


async def test_the_table_is_long_enough() -> None:
    assert len(FAULTS) >= 25


async def first_named(house: Patient) -> Finding:
    """Return the doctor's first finding that is not well."""
    findings = [finding async for finding in examine(house, until_bad=True)]
    return findings[-1]


async def test_a_healthy_house_is_all_green(stack: Stack) -> None:
    await until(lambda: (stack.settings.home / "watch.json").exists())
    findings = [finding async for finding in examine(patient(stack))]
    slow = [f for f in findings if f.hop == "speed" and f.verdict is Verdict.WARN]
    ill = [f for f in findings if f.verdict is not Verdict.WELL and f not in slow]
    assert ill == []
    assert len(findings) > 25


@pytest.mark.parametrize("what", FAULTS)
async def test_the_broken_hop_is_named_first(
    stack: Stack, what: str, record_property: Callable[[str, object], None]
) -> None:
    hop, plant = FAULTS[what]
    async with plant(stack) as house:
        found = await first_named(house)
    record_property("saw", found.saw)
    print(f"{'ok' if found.hop == hop else 'WRONG':<6} {what:<55} {found.hop:<11} {found.saw}")  # noqa: T201
    assert found.hop == hop, found
    assert found.verdict is not Verdict.WELL
    assert found.do
