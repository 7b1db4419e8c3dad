"""Everything one box runs, started in order and stopped in reverse.

::

    redis ─► worker (keeps promises; Twilio's webhook)
    asterisk "pbx" ◄─► agent, under its guardian
               └─► watch (alerts, voicemail, canary), reviewer (calls that are over)
    asterisk "carrier" and Twilio's stand-in: only in demo, evals, replay and tests
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import aiohttp
import structlog

from agent.errors import SetupError
from agent.evaluate.standin import TwilioStandIn
from agent.service.asterisk import AsteriskServer
from agent.service.environment import child_environment
from agent.service.guardian import Guardian, State
from agent.service.redis_server import RedisServer
from agent.settings import Settings

START_SECONDS: Final = 120.0
"""The first start speaks every phrase ahead; later ones take about two seconds."""
STOP_SECONDS: Final = 8.0
KEEP_SECONDS: Final = 0.5
"""How often it is looked whether Asterisk still runs."""

log = structlog.get_logger()


class Stack:
    """A running Pickup: ``async with Stack(settings) as stack``."""

    def __init__(
        self,
        settings: Settings,
        *,
        carrier: bool = False,
        agent: bool = True,
        plain: bool = False,
        on_step: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Say what to run.

        Args:
            settings: The machine's settings; secrets are already made.
            carrier: Also run the stand-in phone company and Twilio's stand-in.
            agent: Run the agent; tests that want it absent say no.
            plain: Run it as a plain pipeline, to compare with.
            on_step: Hears what is being started, for a progress line.
        """
        self.settings = settings
        self.pbx = AsteriskServer("pbx", settings)
        self.carrier = AsteriskServer("carrier", settings) if carrier else None
        self.standin: TwilioStandIn | None = None
        self.agent: Guardian | None = None
        self.redis = RedisServer(settings)
        self._with_agent = agent
        self._serve = ("serve", "--plain") if plain else ("serve",)
        self._on_step = on_step
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises:
            SetupError: something did not come up; what had is stopped again.
        """
        try:
            await self._start()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything, the last started first."""
        await self._exit.aclose()

    async def _start(self) -> None:
        await self._start_blocking("Redis", self.redis)
        if self.carrier is not None:
            self.standin = await self._start_standin()
        await self._start_helper("worker")
        await self._start_blocking("Asterisk, the restaurant's", self.pbx)
        await self._start_helper("watch")
        if self.carrier is not None:
            await self._start_blocking("Asterisk, the phone company's", self.carrier)
        if self._with_agent:
            await self.start_agent()
            await self._start_helper("reviewer")

    async def _start_blocking(self, what: str, server: AsteriskServer | RedisServer) -> None:
        self._on_step(what)
        await asyncio.to_thread(server.start)
        self._exit.push_async_callback(asyncio.to_thread, server.stop)
        if server is self.pbx:
            keeper = asyncio.create_task(self._keep_pbx(), name="pbx keeper")
            self._exit.push_async_callback(_cancel, keeper)

    async def _keep_pbx(self) -> None:
        """Start the restaurant's Asterisk again when it crashed; systemd does so in production."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            if self.pbx.pid is None:
                log.error("Asterisk died and is started again.", log=str(self.pbx.log_file))
                await asyncio.to_thread(self.pbx.stop)
                await asyncio.to_thread(self.pbx.start)

    async def _start_standin(self) -> TwilioStandIn:
        self._on_step("Twilio's stand-in")
        twilio = self.settings.twilio
        standin = TwilioStandIn(
            account_sid=twilio.account_sid,
            auth_token=twilio.auth_token.get_secret_value(),
            inbox=self.settings.home / "inbox.jsonl",
            port=urlsplit(twilio.api_base).port or 0,
        )
        await standin.start()
        self._exit.push_async_callback(standin.stop)
        return standin

    async def _start_helper(self, name: str) -> None:
        self._on_step(name)
        with self._log_file(name).open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *_pickup(name),
                env=child_environment(self.settings),
                stdout=output,
                stderr=output,
            )
        self._exit.push_async_callback(_stop_process, process)

    async def start_agent(self) -> None:
        """Start the agent under its guardian and wait until it answers.

        Raises:
            SetupError: it did not come up; the message holds the end of its log.
        """
        self._on_step("agent")
        log_file = self._log_file("agent")
        given_up = asyncio.Event()
        guardian = Guardian(
            _pickup(*self._serve),
            env=child_environment(self.settings),
            watchdog_seconds=self.settings.agent.watchdog_seconds,
            log_file=log_file,
            on_state=lambda state: given_up.set() if state is State.WAITING else None,
        )
        self.agent = guardian
        await guardian.start()
        self._exit.push_async_callback(guardian.stop)
        ready = asyncio.ensure_future(guardian.ready())
        failed = asyncio.ensure_future(given_up.wait())
        try:
            await asyncio.wait(
                {ready, failed}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not ready.done():
                raise SetupError(f"The agent did not come up:\n{_tail(log_file)}")
            await ready
        finally:
            ready.cancel()
            failed.cancel()

    async def health(self) -> dict[str, object]:
        """Return what the agent says of itself, e.g. how many calls it has now."""
        agent = self.settings.agent
        url = f"http://{agent.host}:{agent.port}/health"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return dict(await answer.json())

    def _log_file(self, name: str) -> Path:
        folder = self.settings.home / "log"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.log"


def _pickup(*command: str) -> list[str]:
    return [sys.executable, "-m", "agent.cli", *command]


def _tail(path: Path, lines: int = 15) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _stop_process(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
