"""Faults of Asterisk: its set-up, its files, its trunk."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from agent.service.doctor.finding import Patient
from agent.service.stack import Stack
from tests.pbx.faults.planting import Faults, patient, until

FAULTS = Faults()


@FAULTS.plant("Asterisk was never set up", "asterisk")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield replace(patient(stack), build=stack.settings.home / "nothing")


@FAULTS.plant("Asterisk hangs", "running")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    control = stack.settings.home / "pbx" / "run" / "asterisk.ctl"
    control.rename(control.with_suffix(".aside"))
    yield patient(stack)
    control.with_suffix(".aside").rename(control)


@FAULTS.plant("a file of Asterisk's was edited by hand", "config")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.pbx.etc / "pjsip.conf"
    text = path.read_text()
    path.write_text(text + "\n; just a quick fix\n")
    yield patient(stack)
    path.write_text(text)


@FAULTS.plant("the agent's port was changed and nothing restarted", "config")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield patient(stack, agent={"port": 1})


@FAULTS.plant("the dialplan was edited wrongly", "dialplan")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.settings.home / "local" / "extensions.conf"
    path.write_text("[gate](+)\nexten => 1,1,Goto(nowhere,s,1)\n")
    yield patient(stack)
    path.unlink()


@FAULTS.plant("the dialplan was edited and not applied", "dialplan")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.settings.home / "local" / "globals.conf"
    path.write_text("GATE_SECONDS = 2\n")
    yield patient(stack)
    path.unlink()


@FAULTS.plant("a module is missing", "modules")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    await asyncio.to_thread(stack.pbx.command, "module unload func_uri.so")
    yield patient(stack)
    await asyncio.to_thread(stack.pbx.command, "module load func_uri.so")


@FAULTS.plant("the apology is gone", "prompts")
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


@FAULTS.plant("another program has taken the webhook's port", "ports")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    async with listening("127.0.0.1") as port:
        yield patient(stack, twilio={"webhook_port": port})


@FAULTS.plant("a port of ours is open to the world", "ports")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    async with listening("0.0.0.0", "agent.cli") as port:  # noqa: S104 - that is the fault
        yield patient(stack, twilio={"webhook_port": port})


@FAULTS.plant("the trunk is down", "trunk")
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


@FAULTS.plant("the provider refuses our registration", "trunk")
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


@FAULTS.plant("the trunk speaks no phone line's codec", "codecs")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    await _reloaded(stack, "[trunk](+type=endpoint)\ndisallow = all\nallow = g722\n")
    yield patient(stack)
    await _reloaded(stack, "")
