"""The keeper: does what a promise's state calls for, and writes down what came of it.

The order is the whole secret. The attempt is on disk before the request leaves; what came of
it is on disk before anybody is told; and while an attempt's outcome is unknown the carrier is
asked, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Final

import redis
import structlog

from agent.errors import CarrierAccount, CarrierRefused, CarrierUnreachable
from agent.events import PromiseKind
from agent.promises.jobs import Queue
from agent.promises.ledger import Ledger
from agent.promises.owner import OwnersList
from agent.promises.state import Act, Line, News, Promise, Standing
from agent.promises.texts import spoken_number
from agent.promises.twilio import Carrier, Taken
from agent.restaurant import Restaurant

_log = structlog.get_logger(__name__)

REASONS: Final = {
    "21211": "the number is not valid",
    "21214": "the number can't be reached",
    "21408": "texts to that region are not enabled",
    "21610": "that number has opted out of our texts",
    "21612": "texts can't be sent to that number",
    "21614": "that number can't receive texts",
    "30003": "the phone is switched off or unreachable",
    "30004": "the carrier blocked the message",
    "30005": "the number does not exist",
    "30006": "it is a landline or can't be reached",
    "30007": "the carrier filtered the message",
}
"""Twilio's error codes in the owner's words (Twilio's error dictionary)."""

IN_CALL_SECONDS: Final = 10.0
"""A refusal within this time reached the caller, who was still on the line waiting for it."""


class Keeper:
    """Carries promises out. Blocking; several threads and processes may each have one."""

    def __init__(
        self,
        ledger: Ledger,
        carrier: Carrier,
        queue: Queue,
        owner: OwnersList,
        restaurant: Restaurant,
        clock: Callable[[], float] = time,
    ) -> None:
        """Work on ``ledger`` with ``carrier``. ``clock`` gives Unix time."""
        self._ledger = ledger
        self._carrier = carrier
        self._queue = queue
        self._owner = owner
        self._restaurant = restaurant
        self._clock = clock

    def tend(self, promise_id: str) -> None:
        """Do everything that is due for this promise now. Doing it twice does no harm."""
        with self._ledger.hold(promise_id) as promise:
            if promise is None:
                return
            while True:
                now = self._ledger.standing(promise)
                step = self._ledger.step(promise, now)
                if step.due > self._clock():
                    return
                match step.act:
                    case Act.SEND:
                        self._send(promise, now)
                    case Act.ASK:
                        self._ask(promise)
                    case Act.CHECK:
                        self._check(promise, now)
                    case Act.GIVE_UP:
                        self._note(promise, News.ABANDONED, code=now.code)
                        self._announce(promise)
                    case Act.STOP_WAITING:
                        self._note(promise, News.UNCONFIRMED)
                    case Act.TELL_OWNER:
                        self._tell_owner(promise, now)
                    case Act.SETTLE:
                        self._ledger.settle(promise)
                        return
                    case Act.NOTHING:
                        return

    def due(self, promise_id: str) -> float | None:
        """Return the Unix time at which something is to do for an open promise."""
        promise = self._ledger.find(promise_id)
        if promise is None:
            return None
        return self._ledger.step(promise, self._ledger.standing(promise)).due

    def _send(self, promise: Promise, before: Standing) -> None:
        self._note(promise, News.ATTEMPT)
        try:
            taken = self._carrier.send(promise)
        except CarrierRefused as error:
            self._note(promise, News.REFUSED, code=str(error.carrier_code))
        except CarrierUnreachable as error:
            code = str(error.carrier_code or error.code)
            news = News.UNKNOWN if error.uncertain else News.FAILED
            self._note(promise, news, code=code, wait=error.retry_after)
            if isinstance(error, CarrierAccount) and code != before.code:
                _log.critical("carrier_account_unusable", promise=promise.id, error=str(error))
                self._owner.add(
                    promise.id,
                    self._clock(),
                    "Texts can't be sent at the moment: our text-message account does not "
                    "work. Please tell whoever looks after the system.",
                )
        else:
            self._note_taken(promise, News.ACCEPTED, taken, by="post")
        self._announce(promise)

    def _ask(self, promise: Promise) -> None:
        """Find out whether an attempt of unknown outcome was taken."""
        try:
            taken = self._carrier.find(promise)
        except (CarrierUnreachable, CarrierRefused) as error:
            code = str(error.carrier_code or error.code)
            wait = getattr(error, "retry_after", None)
            self._note(promise, News.UNASKED, code=code, wait=wait)
            return
        if taken is None:
            self._note(promise, News.ABSENT)
            return
        self._note_taken(promise, News.ACCEPTED, taken, by="list")
        self._announce(promise)

    def _check(self, promise: Promise, now: Standing) -> None:
        try:
            taken = self._carrier.check(now.receipt)
        except (CarrierUnreachable, CarrierRefused) as error:
            code = str(error.carrier_code or error.code)
            self._note(promise, News.CHECKED, code=code)
            return
        self._note(promise, News.CHECKED, by="check")
        self._note_taken(promise, News.STATUS, taken, by="check")

    def _tell_owner(self, promise: Promise, now: Standing) -> None:
        """Put the failure into the owner's list and, if it is news to them, into a text.

        No text about a text to the owner that failed, and none about a number that was
        refused at once: the caller was told so and could give another. The list has them all.
        """
        reason = REASONS.get(now.code, f"error {now.code or 'unknown'}")
        if now.abandoned:
            reason = f"it could not be sent in time ({reason})"
        to = spoken_number(promise.to)
        if promise.kind is PromiseKind.OWNER_MESSAGE:
            text = f"A text to you ({to}) could not be delivered: {reason}. It said: {promise.body}"
        else:
            text = (
                f"A caller at {to} was promised the ordering link, and it did not arrive: "
                f"{reason}. You may want to call them."
            )
        self._owner.add(promise.id, self._clock(), text)
        at_once = now.refused is not None and now.refused - promise.made < IN_CALL_SECONDS
        if promise.kind is PromiseKind.ORDER_LINK and not at_once:
            notice = self._ledger.make(
                PromiseKind.OWNER_MESSAGE,
                self._restaurant.contacts.owner_sms,
                text,
                promise.bundle,
                about=promise.id,
            )
            self._nudge(notice.id)
        self._note(promise, News.TOLD)
        _log.error("promise_not_kept", promise=promise.id, code=now.code)

    def _note_taken(self, promise: Promise, news: News, taken: Taken, by: str) -> None:
        self._note(
            promise, news, receipt=taken.receipt, status=taken.status, code=taken.code, by=by
        )

    def _note(
        self,
        promise: Promise,
        news: News,
        *,
        receipt: str = "",
        code: str = "",
        status: str = "",
        wait: float | None = None,
        by: str = "",
    ) -> None:
        line = Line(news, self._clock(), receipt, code, status, wait, by)
        self._ledger.note(promise, line)
        _log.info("promise_news", promise=promise.id, **line.as_json())

    def _announce(self, promise: Promise) -> None:
        try:
            self._queue.announce(promise.id)
        except redis.RedisError:
            _log.warning("promise_news_unsent", promise=promise.id)

    def _nudge(self, promise_id: str) -> None:
        try:
            self._queue.nudge(promise_id)
        except redis.RedisError:
            _log.warning("promise_job_unsent", promise=promise_id)
