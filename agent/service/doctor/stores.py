"""Redis, promises, voicemail, and the processes that look after them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Final

import redis.asyncio

from agent.promises.ledger import Ledger
from agent.service.backup import newest
from agent.service.doctor.finding import Finding, Patient, bad, warn, well
from agent.service.voicemail import waiting
from agent.service.watch_state import LATE_VOICEMAIL_SECONDS, STATE_SECONDS, state_file

SECONDS: Final = 3.0

LATE_PROMISE_SECONDS: Final = 900.0
"""A promise not even accepted after a quarter of an hour is no passing hiccup."""

LATE_BACKUP_HOURS: Final = 30.0
"""A night and some: the timer is nightly, within ten minutes."""


async def store(patient: Patient) -> Finding:
    """Redis answers, takes writes, and writes them down."""
    url = patient.settings.redis.url
    shown = url.rpartition("@")[2]
    client = redis.asyncio.Redis.from_url(
        url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS
    )
    try:
        await client.set("pickup:doctor", "here", ex=10)
        kept = await client.config_get("appendonly")
    except redis.AuthenticationError:
        do = "Redis and secrets.toml differ: restart Pickup, so that both read the same."
        return bad("redis", f"Redis at {shown} refuses our password.", do)
    except (redis.ConnectionError, redis.TimeoutError) as error:
        do = "Start Redis. Promises wait on disk meanwhile and are kept all the same, more slowly."
        return bad("redis", f"Redis at {shown} does not answer ({type(error).__name__}).", do)
    except redis.ResponseError as error:
        saw = f"Redis at {shown} does not take writes: {error}."
        return bad("redis", saw, "INFO replication and persistence tell why; is its disk full?")
    finally:
        await client.aclose()
    if kept.get("appendonly") != "yes":
        saw = "Redis does not write down what it takes (appendonly no)."
        return warn("redis", saw, "CONFIG SET appendonly yes, and in redis.conf.")
    return well("redis", f"{shown} takes writes, appendonly.")


async def worker(patient: Patient) -> Finding:
    """The worker listens for Twilio's news."""
    twilio = patient.settings.twilio
    where = f"{twilio.webhook_host}:{twilio.webhook_port}"
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(twilio.webhook_host, twilio.webhook_port)
        writer.close()
    except (OSError, TimeoutError):
        log = patient.settings.home / "log" / "worker.log"
        saw = f"No worker at {where}: texts are promised and not sent."
        return bad("worker", saw, f"Start `pickup worker`; see {log}.")
    return well("worker", f"Listens at {where}.")


async def promises(patient: Patient) -> Finding:
    """No promise has been waiting for long."""
    ledger = Ledger(patient.settings, patient.clock)
    late = []
    for promise_id in ledger.open_ids():
        promise = ledger.find(promise_id)
        if promise is None:
            saw = f"The marker of promise {promise_id} is damaged."
            return bad("promises", saw, "pickup promises --rebuild")
        age = patient.clock() - promise.made
        if age > LATE_PROMISE_SECONDS and ledger.standing(promise).accepted is None:
            late.append(promise_id)
    if late:
        saw = f"{len(late)} texts wait for more than a quarter of an hour: {late[0]}."
        return bad("promises", saw, "pickup promises says what the carrier answered.")
    return well("promises", f"{len(ledger.open_ids())} open, none late.")


async def watch(patient: Patient) -> Finding:
    """The watch runs, and has nothing to tell that is not told here."""
    path = state_file(patient.settings.home)
    try:
        row = json.loads(path.read_bytes())
        age = patient.clock() - float(row["time"])
    except (OSError, ValueError, KeyError, TypeError):
        saw = "The watch never ran here: no alerts, and voicemail stays in the mailbox."
        return bad("watch", saw, "Start `pickup watch`.")
    if age > 10 * STATE_SECONDS:
        log = patient.settings.home / "log" / "watch.log"
        saw = f"The watch was last heard of {age:.0f} s ago."
        return bad("watch", saw, f"Start `pickup watch`; see {log}.")
    return well("watch", f"Runs; trunk {row.get('trunk')}, {row.get('calls')} calls seen.")


async def voicemail(patient: Patient) -> Finding:
    """Nothing that a caller left is still waiting."""
    left = waiting(patient.settings.voicemail, patient.clock())
    late = [m for m in left if patient.clock() - m.left > LATE_VOICEMAIL_SECONDS]
    if late:
        saw = f"{len(late)} voicemail messages were not passed on: {late[0].sound}."
        return bad("voicemail", saw, "The log of `pickup watch` says why.")
    if left:
        return warn("voicemail", f"{len(left)} messages wait for seconds.", "Look again.")
    return well("voicemail", "None waits.")


async def backup(patient: Patient) -> Finding:
    """The newest backup is of last night."""
    folder = patient.settings.backup.folder
    if folder is None:
        return well("backup", "Nobody looks after backups here ([backup] folder is not set).")
    do = f"`pickup backup {folder}`; systemctl status pickup-backup tells why the timer's failed."
    made = await asyncio.to_thread(newest, folder)
    if made is None:
        return warn("backup", f"There is no backup in {folder}.", do)
    age = (datetime.fromtimestamp(patient.clock(), UTC) - made).total_seconds() / 3600
    if age > LATE_BACKUP_HOURS:
        return warn("backup", f"The newest backup in {folder} is {age:.0f} hours old.", do)
    return well("backup", f"The newest is {max(age, 0):.0f} hours old.")
