"""What Twilio's messaging API says on the wire: resources, errors, filters, magic numbers. Pure.

Shapes follow Twilio's public reference of the Messages resource (2010-04-01) and its error
dictionary, read beside what the ``twilio`` package sends and parses.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import Any, Final

from aiohttp import web

API: Final = "/2010-04-01/Accounts/{account}/Messages"

MAGIC_REFUSED: Final[Mapping[str, int]] = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
"""Receivers that are refused, as with Twilio's test credentials (docs: magic input)."""

MAGIC_UNDELIVERED: Final[Mapping[str, int]] = {"+15005553003": 30003, "+15005553006": 30006}
"""Receivers whose message is accepted and then reported undelivered."""

ERRORS: Final[Mapping[int, tuple[int, str]]] = {
    20003: (401, "Authenticate"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "An internal server error has occurred"),
    20503: (503, "Service is temporarily unavailable"),
    21211: (400, "Invalid 'To' Phone Number"),
    21408: (400, "Permission to send an SMS has not been enabled for the region"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' phone number is required."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "The 'From' phone number provided is not a valid message-capable number"),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21612: (400, "The 'To' phone number is not currently reachable using the 'From' number"),
    21614: (400, "'To' number is not a valid mobile number"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
}
"""HTTP status and message by error code."""


@dataclass(slots=True)
class Message:
    """A message the stand-in accepted."""

    sid: str
    account: str
    to: str
    sender: str
    body: str
    callback: str
    created: float
    status: str = "queued"
    error: int = 0
    sent: float | None = None
    updated: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return Twilio's Message resource."""
        uri = f"{API.format(account=self.account)}/{self.sid}"
        return {
            "account_sid": self.account,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": _rfc2822(self.created),
            "date_sent": None if self.sent is None else _rfc2822(self.sent),
            "date_updated": _rfc2822(self.updated or self.created),
            "direction": "outbound-api",
            "error_code": self.error or None,
            "error_message": None,
            "from": self.sender,
            "messaging_service_sid": None,
            "num_media": "0",
            "num_segments": str(max(1, -(-len(self.body) // 153) if len(self.body) > 160 else 1)),
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }


def _rfc2822(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(at, UTC))


def invalid(form: Mapping[str, str]) -> int:
    """Return the error code for a form that Twilio would not take, or 0."""
    to = form.get("To", "")
    if not to:
        return 21604
    if not form.get("From"):
        return 21603
    if not form.get("Body"):
        return 21602
    if len(form["Body"]) > 1600:
        return 21617
    if not (to.startswith("+") and to[1:].isdigit() and 8 <= len(to) <= 16):
        return 21211
    return MAGIC_REFUSED.get(to, 0)


def matches(message: Message, query: Mapping[str, str]) -> bool:
    """Apply Twilio's list filters. A message that is not sent yet has no DateSent to match.

    Raises:
        ValueError: a date is none.
    """
    if query.get("To", message.to) != message.to:
        return False
    if query.get("From", message.sender) != message.sender:
        return False
    for name, fits in (
        ("DateSent", operator.eq),
        ("DateSent<", operator.le),
        ("DateSent>", operator.ge),
    ):
        if name in query:
            if message.sent is None:
                return False
            day = datetime.fromtimestamp(message.sent, UTC).date()
            if not fits(day, date.fromisoformat(query[name][:10])):
                return False
    return True


def error_response(code: int) -> web.Response:
    """Return Twilio's JSON for this error code, with its HTTP status."""
    status, words = ERRORS[code]
    return web.json_response(
        {
            "code": code,
            "message": words,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        },
        status=status,
    )
