"""The webhook that Twilio calls: delivery news, and texts to our number. Its port has nothing else.

Only requests signed with our auth token count (X-Twilio-Signature, checked by Twilio's own
``RequestValidator`` against the *public* address, because that is what Twilio signed). The
promise's id is in the query, so a callback is matched even if the answer to our POST, and
with it the message SID, was lost: the callback is then the proof that it was taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from time import time
from typing import Final

import redis
import structlog
from aiohttp import web
from twilio.request_validator import RequestValidator
from twilio.twiml.messaging_response import MessagingResponse

from agent.promises.inbound import OwnersSwitch
from agent.promises.jobs import Queue
from agent.promises.ledger import Ledger
from agent.promises.state import Line, News
from agent.promises.twilio import STATUS_PATH
from agent.settings import Twilio

_log = structlog.get_logger(__name__)

INBOUND_PATH: Final = "/twilio/inbound"
"""To be entered at Twilio as the number's "a message comes in" address."""

LARGEST_BODY: Final = 64 * 1024
"""Bytes; a status callback has some 500."""


class Webhook:
    """Takes delivery news and writes it into the ledger."""

    def __init__(
        self,
        settings: Twilio,
        ledger: Ledger,
        queue: Queue,
        switch: OwnersSwitch | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        """Check signatures with ``settings.auth_token``. ``clock`` gives Unix time.

        Texts to our number go to ``switch``; without one they are only taken.
        """
        self._switch = switch
        self._public = settings.public_webhook_url.rstrip("/")
        self._validator = RequestValidator(settings.auth_token.get_secret_value())
        self._ledger = ledger
        self._queue = queue
        self._clock = clock

    def app(self) -> web.Application:
        """Return the aiohttp application with its two routes."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post(STATUS_PATH, self._status)
        app.router.add_post(INBOUND_PATH, self._inbound)
        return app

    async def _signed(self, request: web.Request) -> Mapping[str, object]:
        """Return the form of a request that Twilio signed; anything else is refused."""
        form = await request.post()
        signature = request.headers.get("X-Twilio-Signature", "")
        address = f"{self._public}{request.rel_url.raw_path_qs}"
        if not self._public or not self._validator.validate(address, form, signature):
            _log.warning("webhook_signature_wrong")
            raise web.HTTPForbidden(text="signature does not match")
        return form

    async def _inbound(self, request: web.Request) -> web.Response:
        form = await self._signed(request)
        answer = MessagingResponse()
        if self._switch is not None:
            sender, text = str(form.get("From", "")), str(form.get("Body", ""))
            if said := await asyncio.to_thread(self._switch.obey, sender, text):
                answer.message(said)
        return web.Response(text=str(answer), content_type="text/xml")

    async def _status(self, request: web.Request) -> web.Response:
        form = await self._signed(request)
        promise = request.query.get("promise", "")
        line = Line(
            News.STATUS,
            self._clock(),
            receipt=str(form.get("MessageSid", "")),
            code=str(form.get("ErrorCode", "")),
            status=str(form.get("MessageStatus", "")),
            by="callback",
        )
        if line.receipt and line.status:
            await asyncio.to_thread(self._record, promise, line)
        return web.Response(status=204)

    def _record(self, promise_id: str, line: Line) -> None:
        """Write the news down, unless it is known or the promise is settled already."""
        if promise_id not in self._ledger.open_ids():
            return
        promise = self._ledger.find(promise_id)
        if promise is None:
            return
        history = self._ledger.history(promise)
        if any(
            (old.news, old.receipt, old.status) == (line.news, line.receipt, line.status)
            for old in history
        ):
            return
        if any(old.receipt and old.receipt != line.receipt for old in history):
            _log.critical("promise_sent_twice", promise=promise.id, receipt=line.receipt)
        self._ledger.note(promise, line)
        try:
            self._queue.announce(promise.id)
            self._queue.nudge(promise.id)
        except redis.RedisError:
            _log.warning("promise_job_unsent", promise=promise.id)
