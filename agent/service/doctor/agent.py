"""The agent: it answers, Asterisk can reach it, nobody else has its name, the gate speaks."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

import aiohttp

from agent.errors import PickupError
from agent.service.doctor.finding import Finding, Patient, bad, warn, well
from agent.service.probe import probe_call

SECONDS: Final = 4.0


async def agent(patient: Patient) -> Finding:
    """The agent's own server says that it takes calls."""
    where = f"{patient.settings.agent.host}:{patient.settings.agent.port}"
    status, row = await _get(f"http://{where}/health")
    if status == 0:
        log = patient.settings.home / "log" / "agent.log"
        return bad("agent", f"Nobody answers at {where} ({row}).", f"Start it; see {log}.")
    if not isinstance(row, dict) or "max_calls" not in row:
        return bad("agent", f"What answers at {where} is not the agent.", "See who holds the port.")
    if row["status"] != "ok":
        saw = f"The agent is {row['status']} ({row['calls']} of {row['max_calls']} calls)."
        return warn("agent", saw, "Further callers reach the mailbox until that changes.")
    return well("agent", f"Takes calls, {row['calls']} of {row['max_calls']} now.")


async def ari(patient: Patient) -> Finding:
    """Asterisk takes the agent's commands."""
    pbx = patient.settings.pbx
    auth = aiohttp.encode_basic_auth(pbx.ari_user, pbx.ari_password.get_secret_value())
    url = f"http://{pbx.host}:{pbx.http_port}/ari/asterisk/info"
    status, row = await _get(url, auth)
    if status == 401:
        do = "Asterisk and secrets.toml differ: restart Pickup, so that both read the same."
        return bad("ari", f"Asterisk refuses the password of {pbx.ari_user!r}.", do)
    if status != 200:
        return bad("ari", f"{url} answers {status or row}.", "Check http.conf and pbx.http_port.")
    return well("ari", f"Asterisk takes commands at {pbx.host}:{pbx.http_port}.")


async def ami(patient: Patient) -> Finding:
    """Asterisk lets the watch in."""
    pbx = patient.settings.pbx
    login = (
        f"Action: Login\r\nUsername: {pbx.ami_user}\r\n"
        f"Secret: {pbx.ami_password.get_secret_value()}\r\nEvents: off\r\n\r\n"
    )
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(pbx.host, pbx.ami_port)
            writer.write(login.encode())
            await reader.readline()
            answer = (await reader.readuntil(b"\r\n\r\n")).decode()
            writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
        saw = f"AMI at {pbx.host}:{pbx.ami_port} does not answer ({type(error).__name__})."
        return bad("ami", saw, "Check manager.conf and pbx.ami_port.")
    if "Success" not in answer:
        do = "Asterisk and secrets.toml differ: restart Pickup, so that both read the same."
        return bad("ami", f"AMI refuses the password of {pbx.ami_user!r}.", do)
    return well("ami", "The watch can log in.")


async def stasis(patient: Patient) -> Finding:
    """Nobody else has taken the application's name, and Asterisk calls the right address."""
    app = patient.settings.pbx.app
    shown = patient.console("ari show apps")
    if re.search(rf"^\s*{re.escape(app)}\s*$", shown, re.MULTILINE):
        return bad(
            "stasis",
            f"Another program has subscribed to {app!r}: calls go to it, not to the agent.",
            f"Stop it (`ari show app {app}` tells more), or give pbx.app another name.",
        )
    client = (patient.etc / "websocket_client.conf").read_text("utf-8", errors="replace")
    where = f"{patient.settings.agent.host}:{patient.settings.agent.port}/"
    if where not in client:
        return bad(
            "stasis", f"Asterisk looks for the agent elsewhere than {where}", "Restart Pickup."
        )
    return well("stasis", f"Asterisk opens ws://{where}ari per call; {app!r} is free.")


async def gate(patient: Patient) -> Finding:
    """The gate answers where Asterisk asks it."""
    found = re.search(r"GATE=agi://([^:\s]+):(\d+)/", patient.console("dialplan show globals"))
    if found is None:
        return bad("gate", "The dialplan has no GATE.", "See asterisk/pbx/extensions.conf.")
    host, port = found[1], int(found[2])
    ask = "agi_network: yes\nagi_type: Local\nagi_arg_1: caller=\nagi_arg_2: probe=yes\n\n"
    try:
        async with asyncio.timeout(SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(ask.encode())
            verdict = ""
            while line := (await reader.readline()).decode():
                verdict = line.split()[-1] if "GATE_VERDICT" in line else verdict
                writer.write(b"200 result=1\n")
            writer.close()
    except (OSError, TimeoutError) as error:
        saw = f"No gate at {host}:{port} ({type(error).__name__}): every call is taken, unasked."
        return bad("gate", saw, "The agent runs the gate: restart it; check agent.gate_port.")
    if not verdict:
        return bad("gate", f"What answers at {host}:{port} is no gate.", "See who holds the port.")
    return well("gate", f"Answers at {host}:{port}: {verdict}.")


async def probe(patient: Patient) -> Finding:
    """A call of our own goes all the way: gate, agent, sound both ways."""
    try:
        found = await probe_call(patient.settings)
    except PickupError as error:
        return bad("probe", f"Asterisk takes no probe call: {error}", "See Asterisk's log.")
    if not found.well:
        do = "See the agent's log, and Asterisk's: they have the call by its time."
        return bad("probe", found.sentence, do)
    return well("probe", found.sentence)


async def _get(url: str, auth: str = "") -> tuple[int, Any]:
    """Return status and decoded body; status 0 and the reason if nobody answers."""
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    head = {"Authorization": auth} if auth else {}
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url, headers=head) as a:
            return a.status, await a.json(content_type=None)
    except ValueError:
        return 200, None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return 0, type(error).__name__
