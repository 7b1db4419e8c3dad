"""The server that Asterisk connects to: one WebSocket per call, carrying its events.

Asterisk is the client, so a dead or overloaded agent is something the dialplan notices by
itself: where the socket is refused or can't be had again, Stasis() ends and the fallback
takes the caller. A socket that merely breaks is opened anew, with the caller still in
Stasis(); so a call is given back over REST, never by closing its socket. Asterisk closes
it 3.5 s after the call has left (measured, 22.10.1).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import aiohttp
import structlog
from aiohttp import web

from agent.errors import AriError, CallGone, PhoneError, PickupError
from agent.phone.ari import Ari
from agent.phone.leg import CallLeg
from agent.phone.sweep import sweep
from agent.settings import Settings

log = structlog.get_logger()

START_SECONDS: Final = 1.5
"""A socket that brings no call in this time is an orphan's; Asterisk takes 0.5 s (measured) …"""

EXPECTED_SECONDS: Final = 10.0
"""… unless the gate has just let this call through: then the box is only busy."""

WRAP_UP_SECONDS: Final = 30.0
"""How long ``on_call`` may go on after its call is over, to write what there is to write."""

CANCEL_SECONDS: Final = 5.0
"""How long cancelled calls may take to give their callers back."""

SOCKET_LOST: Final = 38
"""Q.850 cause: network out of order. Asterisk closed the call's socket without a word."""

OnCall = Callable[[CallLeg], Awaitable[None]]
"""What is done with a call. When it returns or fails, a caller who is still there goes to
the dialplan's fallback."""


class PhoneServer:
    """Takes calls from Asterisk and runs ``on_call`` for each, in a task of its own.

    ``GET /ari`` takes Asterisk's sockets; ``GET /health`` answers 200 while calls are taken
    and 503 while not, for load balancers.
    """

    def __init__(
        self,
        settings: Settings,
        on_call: OnCall,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._on_call = on_call
        self._monotonic = monotonic
        self._ari: Ari | None = None
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._sweeping: asyncio.Task[int] | None = None
        self._opening = 0
        self._expected: dict[str, float] = {}
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._sockets: dict[web.WebSocketResponse, asyncio.Task[Any] | None] = {}
        self._stopping = False

    @property
    def calls(self) -> int:
        """How many calls there are now, those that just begin or wrap up included."""
        return self._opening + len(self._calls)

    @property
    def stopping(self) -> bool:
        """Whether new calls are refused because the agent is going away."""
        return self._stopping

    def expect(self, channel: str) -> None:
        """Know that this channel's call is on its way: its socket will bring it."""
        now = self._monotonic()
        self._expected = {c: until for c, until in self._expected.items() if until > now}
        self._expected[channel] = now + EXPECTED_SECONDS

    async def start(self) -> None:
        """Listen on ``agent.host``:``agent.port``. Asterisk need not run yet.

        Raises:
            PhoneError: the port can't be had.
        """
        agent = self._settings.agent
        self._ari = Ari(self._settings.pbx)
        app = web.Application()
        app.router.add_get("/ari", self._take_socket)
        app.router.add_get("/health", self._health)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, agent.host, agent.port)
        try:
            await self._site.start()
        except OSError as error:
            await self._runner.cleanup()
            await self._ari.close()
            raise PhoneError(
                f"Can't listen on {agent.host}:{agent.port} ({error.strerror}).",
                remedy="Stop what uses the port, or set agent.port and Asterisk's uri alike.",
            ) from error
        self._sweeping = asyncio.create_task(sweep(self._ari), name="sweep")
        log.info("Waiting for Asterisk's calls.", host=agent.host, port=agent.port)

    async def stop(self, grace: float) -> None:
        """Refuse new calls, let those under way end for ``grace`` seconds, then give them back.

        Callers who are still there after that go to the dialplan's fallback.
        """
        self._stopping = True
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait([self._sweeping])
        if calls := set(self._calls.values()):
            await asyncio.wait(calls, timeout=grace)
        if calls := set(self._calls.values()):
            for call in calls:
                call.cancel()
            await asyncio.wait(calls, timeout=CANCEL_SECONDS)
        if self._site is not None:
            # Before the sockets are closed: Asterisk opens them anew at once.
            await self._site.stop()
        readers = {reader for reader in self._sockets.values() if reader is not None}
        for socket in tuple(self._sockets):
            await socket.close()
        if readers:
            await asyncio.wait(readers, timeout=CANCEL_SECONDS)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._ari is not None:
            await self._ari.close()

    async def _health(self, request: web.Request) -> web.Response:
        most = self._settings.agent.max_calls
        status = "stopping" if self._stopping else "full" if self.calls >= most else "ok"
        return web.json_response(
            {
                "status": status,
                "calls": self.calls,
                "max_calls": most,
                "tasks": len(asyncio.all_tasks()),
            },
            status=200 if status == "ok" else 503,
        )

    async def _take_socket(self, request: web.Request) -> web.WebSocketResponse:
        if not self._known(request):
            log.warning("A stranger knocked.", peer=request.remote)
            raise web.HTTPUnauthorized
        if self._stopping or self.calls >= self._settings.agent.max_calls:
            log.warning("A call was refused.", calls=self.calls, stopping=self._stopping)
            raise web.HTTPServiceUnavailable
        socket = web.WebSocketResponse(protocols=("ari",), timeout=0.5)
        self._sockets[socket] = asyncio.current_task()
        try:
            start = await self._open(socket, request)
            if start["type"] == "StasisStart":
                await self._follow(socket, start)
            else:
                await self._let_go(socket, start)
        finally:
            await socket.close()
            del self._sockets[socket]
        return socket

    def _known(self, request: web.Request) -> bool:
        pbx = self._settings.pbx
        expected = aiohttp.encode_basic_auth(pbx.ari_user, pbx.ari_password.get_secret_value())
        return hmac.compare_digest(request.headers.get("Authorization", ""), expected)

    async def _open(self, socket: web.WebSocketResponse, request: web.Request) -> dict[str, Any]:
        """Accept a socket; return its StasisStart, or what else it said last."""
        said: dict[str, Any] = {"type": ""}
        self._opening += 1
        try:
            async with asyncio.timeout(START_SECONDS) as patience:
                await socket.prepare(request)
                async for said in _events(socket):
                    until = self._expected.pop(_channel_of(said), None)
                    if said["type"] == "StasisStart":
                        break
                    if until is not None:
                        left = until - self._monotonic()
                        patience.reschedule(asyncio.get_running_loop().time() + left)
        except TimeoutError:
            log.warning("A socket brought no call.", application=said.get("application"))
        finally:
            self._opening -= 1
        return said

    async def _let_go(self, socket: web.WebSocketResponse, said: dict[str, Any]) -> None:
        """Give back a caller whose agent is gone.

        When a call's socket breaks, Asterisk opens it anew, perhaps to another agent, with
        the caller waiting in Stasis() all the time. The application is named after them.
        """
        assert self._ari is not None  # noqa: S101  no socket can come before start()
        name = _channel_of(said)
        try:
            for channel in await self._ari.channels():
                if channel.name == name:
                    log.warning("An orphaned caller goes to voicemail.", channel=name)
                    await self._ari.set_variable(channel.id, "PICKUP_VOICEMAIL", "orphan")
                    await self._ari.continue_in_dialplan(channel.id)
        except CallGone:
            log.info("An orphaned caller had left.", channel=name)
        except AriError as error:
            log.error("An orphaned caller can't be given back.", channel=name, error=str(error))
        async for _ in _events(socket):
            pass

    async def _follow(self, socket: web.WebSocketResponse, start: dict[str, Any]) -> None:
        """Run ``on_call`` and pass a call's events on until its socket closes."""
        assert self._ari is not None  # noqa: S101  no socket can come before start()
        leg = CallLeg(self._ari, start, self._monotonic)
        channel = leg.info.channel_id
        call = asyncio.create_task(self._serve(leg), name=f"call {leg.info.channel}")
        self._calls[channel] = call
        call.add_done_callback(lambda _: self._calls.pop(channel))
        try:
            async for event in _events(socket):
                leg.take(event)
        finally:
            leg.lose(SOCKET_LOST)
            _, late = await asyncio.wait([call], timeout=WRAP_UP_SECONDS)
            if late:
                log.error("A call would not end after its caller had left.", task=call.get_name())
                call.cancel()
                await asyncio.wait([call])

    async def _serve(self, leg: CallLeg) -> None:
        channel = leg.info.channel
        reason = "returned"
        try:
            log.info("A call came in.", channel=channel)
            await self._on_call(leg)
        except CallGone:
            reason = "gone"
        except asyncio.CancelledError:
            reason = "stopped"
            raise
        except PickupError as error:
            reason = error.code
            log.error("A call failed.", channel=channel, code=error.code, exc_info=error)
        except Exception as error:
            # Whatever it was, the caller must not be left in silence.
            reason = "crash"
            log.error("A call crashed.", channel=channel, exc_info=error)
        finally:
            await leg.to_voicemail(reason)
            log.info("A call is over.", channel=channel, seconds=round(leg.clock(), 3))


def _channel_of(said: dict[str, Any]) -> str:
    """Return the name of the channel that an event's application is named after."""
    return str(said.get("application", "")).partition(":")[2]


async def _events(socket: web.WebSocketResponse) -> AsyncIterator[dict[str, Any]]:
    async for message in socket:
        if message.type is aiohttp.WSMsgType.TEXT:
            yield json.loads(message.data)
