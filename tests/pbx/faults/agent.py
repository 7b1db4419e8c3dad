"""Faults of what the agent needs: models, Redis, Asterisk's two interfaces, the gate."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import redis.asyncio
from pydantic import SecretStr

from agent.pause import Pause, PauseStore
from agent.service.doctor.finding import Patient
from agent.service.stack import Stack
from tests.pbx.faults.planting import Faults, patient

FAULTS = Faults()


@FAULTS.plant("the ear's model is missing", "models")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield patient(stack, models={"ear": stack.settings.home / "no-model"})


@FAULTS.plant("the voice was cut short", "models")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    voice = stack.settings.home / "voice.onnx"
    whole = stack.settings.models.mouth
    voice.write_bytes(whole.read_bytes()[:100_000])
    shutil.copyfile(f"{whole}.json", f"{voice}.json")
    yield patient(stack, models={"mouth": voice})


@FAULTS.plant("the ear's model was cut short", "models")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    folder = stack.settings.home / "ear"
    shutil.copytree(stack.settings.models.ear, folder, dirs_exist_ok=True)
    final = folder / "am" / "final.mdl"
    final.write_bytes(final.read_bytes()[:50_000])
    yield patient(stack, models={"ear": folder})


@FAULTS.plant("Redis is down", "redis")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    await asyncio.to_thread(stack.redis.stop)
    yield patient(stack)
    await asyncio.to_thread(stack.redis.start)


async def _configured(stack: Stack, name: str, value: str) -> None:
    client = redis.asyncio.Redis.from_url(stack.settings.redis.url)
    await client.config_set(name, value)
    await client.aclose()


@FAULTS.plant("Redis is read-only", "redis")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    await _configured(stack, "min-replicas-to-write", "1")
    yield patient(stack)
    await _configured(stack, "min-replicas-to-write", "0")


@FAULTS.plant("Redis writes nothing down", "redis")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    await _configured(stack, "appendonly", "no")
    yield patient(stack)
    await _configured(stack, "appendonly", "yes")


@FAULTS.plant("Redis has another password", "redis")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    url = stack.settings.redis.url
    yield patient(stack, redis={"url": f"redis://:wrong@{url.rpartition('@')[2]}"})


@asynccontextmanager
async def _another_password(
    stack: Stack, file: str, secret: SecretStr, reload: str
) -> AsyncIterator[None]:
    path = stack.pbx.etc / file
    text = path.read_text()
    path.write_text(text.replace(secret.get_secret_value(), "another"))
    await asyncio.to_thread(stack.pbx.command, reload)
    path.write_text(text)
    yield
    await asyncio.to_thread(stack.pbx.command, reload)


@FAULTS.plant("Asterisk has another ARI password", "ari")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    secret = stack.settings.pbx.ari_password
    async with _another_password(stack, "ari.conf", secret, "module reload res_ari.so"):
        yield patient(stack)


@FAULTS.plant("Asterisk has another AMI password", "ami")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    secret = stack.settings.pbx.ami_password
    async with _another_password(stack, "manager.conf", secret, "manager reload"):
        yield patient(stack)


@FAULTS.plant("the agent is not running", "agent")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    assert stack.agent is not None
    await stack.agent.stop()
    yield patient(stack)
    await stack.start_agent()


@FAULTS.plant("another program has taken the Stasis application", "stasis")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    pbx = stack.settings.pbx
    auth = aiohttp.encode_basic_auth(pbx.ari_user, pbx.ari_password.get_secret_value())
    url = f"http://{pbx.host}:{pbx.http_port}/ari/events?app={pbx.app}"
    async with (
        aiohttp.ClientSession(headers={"Authorization": auth}) as http,
        http.ws_connect(url),
    ):
        yield patient(stack)


@FAULTS.plant("the gate is asked at a wrong address", "gate")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    right = f"agi://{stack.settings.agent.host}:{stack.settings.agent.gate_port}/gate"
    command = stack.pbx.command
    await asyncio.to_thread(command, "dialplan set global GATE agi://127.0.0.1:1/gate")
    yield patient(stack)
    await asyncio.to_thread(command, f"dialplan set global GATE {right}")


@FAULTS.plant("the owner switched the agent off", "pause")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    store = PauseStore(stack.settings)
    now = time.time()
    await asyncio.to_thread(store.write, Pause(since=now, until=None, by="owner"))
    yield patient(stack)
    await asyncio.to_thread(store.write, Pause(since=now + 1, until=now, by="owner"))
    await store.close()
