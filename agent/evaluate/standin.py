"""Twilio's messaging API on loopback: answers as the real one, with faults to order.

For the demo, the evals and the tests; reached by the real ``twilio`` package through
``settings.twilio.api_base``. Shapes follow Twilio's public reference of the Messages resource
(2010-04-01) and its error dictionary. Basic authentication is checked, messages go from
``queued`` to ``sent`` to ``delivered``, and status callbacks carry a valid X-Twilio-Signature.

Faults come by receiver number (``MAGIC_REFUSED`` are Twilio's own test numbers,
``MAGIC_UNDELIVERED`` are ours) or are ordered over ``/control``, which has no password and
is for loopback only::

    POST /control/fault  {"fault": "drop_after", "count": 1, "to": "+13165550123"}
    POST /control/reset
    GET  /control/inbox      what the phones received      GET /control/messages   all accepted
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import time
from typing import Final
from urllib.parse import urlencode

import aiohttp
import structlog
from aiohttp import web
from twilio.request_validator import RequestValidator

from agent.evaluate.twilio_wire import (
    API,
    MAGIC_UNDELIVERED,
    Message,
    error_response,
    invalid,
    matches,
)

_log = structlog.get_logger(__name__)


NUMBERS_API: Final = "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json"


class Fault(StrEnum):
    """What can be made to go wrong with the next requests."""

    TOO_MANY = "too_many"
    """429, with Retry-After if ``seconds`` is given."""
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    HANG = "hang"
    """No answer for ``seconds``; nothing accepted."""
    HANG_AFTER = "hang_after"
    """Accepted, and no answer for ``seconds``."""
    DROP = "drop"
    """The connection breaks; nothing accepted."""
    DROP_AFTER = "drop_after"
    """Accepted, then the connection breaks before the answer: the nasty one."""
    UNDELIVERED = "undelivered"
    """Accepted, later reported undelivered with code 30006."""


@dataclass(slots=True)
class _Order:
    fault: Fault
    count: int
    to: str = ""
    seconds: float | None = None


@dataclass(slots=True)
class TwilioStandIn:
    """The stand-in as a server of one account. ``start``, use ``address``, ``stop``.

    Attributes:
        account_sid: The only account that exists.
        auth_token: Its token, for authentication and for the signatures.
        inbox: File that gets one JSON line per delivered message, or None.
        step_seconds: Time from queued to sent, and from sent to delivered.
        port: 0 chooses a free one; after ``start`` the real one.
        clock: Unix time.
        numbers: The account's numbers, and whether each sends texts; empty: any does.
    """

    account_sid: str
    auth_token: str
    inbox: Path | None = None
    step_seconds: float = 0.2
    host: str = "127.0.0.1"
    port: int = 0
    clock: Callable[[], float] = time
    numbers: dict[str, bool] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    _orders: list[_Order] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _runner: web.AppRunner | None = None
    _session: aiohttp.ClientSession | None = None

    @property
    def address(self) -> str:
        """Base URL, for ``settings.twilio.api_base``."""
        return f"http://{self.host}:{self.port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        app = web.Application()
        app.router.add_post(API + ".json", self._create)
        app.router.add_get(API + ".json", self._list)
        app.router.add_get(API + "/{sid}.json", self._fetch)
        app.router.add_get(NUMBERS_API, self._numbers)
        app.router.add_post("/control/fault", self._control_fault)
        app.router.add_post("/control/reset", self._control_reset)
        app.router.add_get("/control/inbox", self._control_inbox)
        app.router.add_get("/control/messages", self._control_messages)
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening and forget messages under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def order(
        self, fault: Fault, count: int = 1, to: str = "", seconds: float | None = None
    ) -> None:
        """Make the next ``count`` requests go wrong (only those to ``to``, if given)."""
        self._orders.append(_Order(fault, count, to, seconds))

    def received(self, to: str = "") -> list[Message]:
        """Return the messages that arrived on a phone."""
        return [m for m in self.messages if m.status == "delivered" and to in {"", m.to}]

    # ── the API ─────────────────────────────────────────────────────────────────────────

    async def _create(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._unauthorized(request):
            return refusal
        form = {key: str(value) for key, value in (await request.post()).items()}
        order = self._next_order(form.get("To", ""))
        if answer := await self._before(request, order):
            return answer
        code = invalid(form)
        if code:
            return error_response(code)
        message = self._accept(form, order)
        if order and order.fault is Fault.DROP_AFTER:
            _cut(request)
        if order and order.fault is Fault.HANG_AFTER:
            await asyncio.sleep(order.seconds or 60.0)
        return web.json_response(message.as_json(), status=201)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._unauthorized(request):
            return refusal
        query = request.query
        try:
            size = min(int(query.get("PageSize", "50")), 1000)
            page = int(query.get("Page", "0"))
            found = [m for m in reversed(self.messages) if matches(m, query)]
        except ValueError:
            return error_response(20404)
        path = API.format(account=self.account_sid) + ".json"

        def uri(number: int) -> str:
            rest = {k: v for k, v in query.items() if k not in {"Page", "PageSize"}}
            return f"{path}?{urlencode({**rest, 'PageSize': size, 'Page': number})}"

        shown = found[page * size : (page + 1) * size]
        return web.json_response(
            {
                "messages": [m.as_json() for m in shown],
                "page": page,
                "page_size": size,
                "start": page * size,
                "end": page * size + max(len(shown) - 1, 0),
                "uri": uri(page),
                "first_page_uri": uri(0),
                "previous_page_uri": uri(page - 1) if page else None,
                "next_page_uri": uri(page + 1) if len(found) > (page + 1) * size else None,
            }
        )

    async def _fetch(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._unauthorized(request):
            return refusal
        sid = request.match_info["sid"]
        found = next((m for m in self.messages if m.sid == sid), None)
        return error_response(20404) if found is None else web.json_response(found.as_json())

    async def _numbers(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._unauthorized(request):
            return refusal
        asked = request.query.get("PhoneNumber", "")
        sms = self.numbers.get(asked, not self.numbers)
        known = asked in self.numbers or not self.numbers
        row = {"phone_number": asked, "capabilities": {"sms": sms, "voice": True, "mms": False}}
        return web.json_response({"incoming_phone_numbers": [row] if known else []})

    def _unauthorized(self, request: web.Request) -> web.Response | None:
        scheme, _, coded = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(coded, validate=True)
        except binascii.Error:
            given = b""
        wanted = f"{self.account_sid}:{self.auth_token}".encode()
        if scheme.lower() != "basic" or not secrets.compare_digest(given, wanted):
            return error_response(20003)
        return None if request.match_info["account"] == self.account_sid else error_response(20404)

    def _next_order(self, to: str) -> _Order | None:
        for order in self._orders:
            if order.to in {"", to}:
                order.count -= 1
                if order.count <= 0:
                    self._orders.remove(order)
                return order
        return None

    async def _before(self, request: web.Request, order: _Order | None) -> web.Response | None:
        match order.fault if order else None:
            case Fault.TOO_MANY:
                response = error_response(20429)
                if order and order.seconds is not None:
                    response.headers["Retry-After"] = str(round(order.seconds))
                return response
            case Fault.SERVER_ERROR:
                return error_response(20500)
            case Fault.UNAVAILABLE:
                return error_response(20503)
            case Fault.UNAUTHORIZED:
                return error_response(20003)
            case Fault.DROP:
                _cut(request)
                return error_response(20503)
            case Fault.HANG:
                await asyncio.sleep((order.seconds if order else None) or 60.0)
                _cut(request)
                return error_response(20503)
            case _:
                return None

    def _accept(self, form: Mapping[str, str], order: _Order | None) -> Message:
        message = Message(
            sid="SM" + secrets.token_hex(16),
            account=self.account_sid,
            to=form["To"],
            sender=form["From"],
            body=form["Body"],
            callback=form.get("StatusCallback", ""),
            created=self.clock(),
        )
        self.messages.append(message)
        error = MAGIC_UNDELIVERED.get(message.to, 0)
        if order and order.fault is Fault.UNDELIVERED:
            error = 30006
        task = asyncio.create_task(self._deliver(message, error))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return message

    async def _deliver(self, message: Message, error: int) -> None:
        for status in ("sent", "undelivered" if error else "delivered"):
            await asyncio.sleep(self.step_seconds)
            message.status = status
            message.updated = self.clock()
            if status == "sent":
                message.sent = message.updated
            if status == "undelivered":
                message.error = error
            if status == "delivered" and self.inbox is not None:
                _append(self.inbox, message)
            await self._call_back(message)

    async def _call_back(self, message: Message) -> None:
        if not message.callback or self._session is None:
            return
        form = {
            "ApiVersion": "2010-04-01",
            "AccountSid": message.account,
            "From": message.sender,
            "MessageSid": message.sid,
            "MessageStatus": message.status,
            "SmsSid": message.sid,
            "SmsStatus": message.status,
            "To": message.to,
        }
        if message.error:
            form["ErrorCode"] = str(message.error)
        signature = RequestValidator(self.auth_token).compute_signature(message.callback, form)
        headers = {"X-Twilio-Signature": signature, "User-Agent": "TwilioProxy/1.1"}
        try:
            async with self._session.post(message.callback, data=form, headers=headers) as reply:
                _log.info("standin_callback", status=message.status, answer=reply.status)
        except (aiohttp.ClientError, TimeoutError):
            _log.warning("standin_callback_unanswered", status=message.status)

    # ── control ─────────────────────────────────────────────────────────────────────────

    async def _control_fault(self, request: web.Request) -> web.Response:
        wish = await request.json()
        try:
            seconds = wish.get("seconds")
            self.order(
                Fault(wish["fault"]),
                int(wish.get("count", 1)),
                str(wish.get("to", "")),
                None if seconds is None else float(seconds),
            )
        except (KeyError, ValueError, TypeError) as error:
            faults = ", ".join(Fault)
            raise web.HTTPBadRequest(text=f"fault must be one of: {faults}") from error
        return web.json_response({"ordered": True})

    async def _control_reset(self, _request: web.Request) -> web.Response:
        self._orders.clear()
        self.messages.clear()
        return web.json_response({"reset": True})

    async def _control_inbox(self, request: web.Request) -> web.Response:
        return web.json_response([m.as_json() for m in self.received(request.query.get("to", ""))])

    async def _control_messages(self, _request: web.Request) -> web.Response:
        return web.json_response([m.as_json() for m in self.messages])


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _append(inbox: Path, message: Message) -> None:
    inbox.parent.mkdir(parents=True, exist_ok=True)
    row = {"time": message.updated, "to": message.to, "from": message.sender, "body": message.body}
    with inbox.open("a", encoding="utf-8") as out:
        out.write(json.dumps({**row, "sid": message.sid}, ensure_ascii=False) + "\n")


async def serve(standin: TwilioStandIn) -> None:
    """Run until cancelled."""
    await standin.start()
    try:
        await asyncio.Event().wait()
    finally:
        await standin.stop()


def main() -> None:
    """Run the stand-in with the account of the machine's settings."""
    from agent.settings import load_settings

    settings = load_settings()
    parser = argparse.ArgumentParser(description="Twilio's messaging API on loopback.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8768)
    parser.add_argument("--inbox", type=Path, default=settings.home / "standin" / "inbox.jsonl")
    given = parser.parse_args()
    standin = TwilioStandIn(
        account_sid=settings.twilio.account_sid,
        auth_token=settings.twilio.auth_token.get_secret_value(),
        inbox=given.inbox,
        host=given.host,
        port=given.port,
    )
    try:
        asyncio.run(serve(standin))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
