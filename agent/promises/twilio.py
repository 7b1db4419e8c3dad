"""The text-message carrier: Twilio, through Twilio's own client, one request at a time.

The client never retries by itself: a repeated POST is a second message (Twilio's docs on
error 20500: sending is not idempotent). What a failure means for the next try is told by the
exception:

======================================  ===================================================
what happened                           raised
======================================  ===================================================
no connection, 429                      ``CarrierUnreachable``, certainly not taken
time-out, connection lost, 5xx          ``CarrierUnreachable(uncertain=True)``: ask the list
401, 403, bad sender number             ``CarrierAccount``, certainly not taken
any other 4xx (21211, 21614, 21610, …)  ``CarrierRefused``: the same request never succeeds
======================================  ===================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from urllib3.exceptions import NewConnectionError

from agent.errors import CarrierAccount, CarrierRefused, CarrierUnreachable
from agent.promises.state import Promise
from agent.promises.texts import carries
from agent.settings import Twilio

STATUS_PATH: Final = "/twilio/status"
"""Path of the webhook, below ``settings.twilio.public_webhook_url``."""

CONNECT_SECONDS: Final = 3.05
"""Just over one TCP retransmission (requests' documentation advises so)."""

LIST_LIMIT: Final = 1000
"""Messages looked through for one receiver: the largest page Twilio gives in one answer."""

ACCOUNT_CODES: Final = frozenset({20003, 20005, 20008, 21603, 21606, 21659, 21660})
"""Errors of our key, account or sender number, whatever their HTTP status (Twilio's error
dictionary): authenticate, account not active, test credentials, no / foreign / unfit sender."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A message the carrier has: its SID, status and delivery error code (empty if none)."""

    receipt: str
    status: str
    code: str = ""


class _Http(TwilioHttpClient):  # type: ignore[misc]
    """Twilio's HTTP client with a time-out for both phases, on one fresh connection.

    Fresh, because calls are hours apart: a kept connection that a router has forgotten in the
    meantime would turn a sure send into an uncertain one. The price is one TLS handshake.
    With ``base`` (the stand-in's address) requests go there instead of to api.twilio.com:
    this is the only place that knows.
    """

    def __init__(self, base: str, seconds: float) -> None:
        super().__init__(pool_connections=True)
        self._base = urlsplit(base) if base else None
        self._limits = (min(CONNECT_SECONDS, seconds), seconds)
        self.retry_after: float | None = None
        if self._base is not None:
            self.session.trust_env = False  # a proxy can't reach our loopback

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        if self._base is not None:
            parts = urlsplit(url)._replace(scheme=self._base.scheme, netloc=self._base.netloc)
            url = urlunsplit(parts)
        self.timeout = self._limits  # the client's own check takes a plain number only
        kwargs["timeout"] = None
        response = super().request(method, url, *args, **kwargs)
        self.retry_after = _seconds(response.headers)
        return response


class Carrier:
    """Sends texts and asks about them. Blocking; safe to use from several threads."""

    def __init__(self, settings: Twilio) -> None:
        """Use this account; ``settings.api_base`` leads to the stand-in."""
        self._settings = settings

    def send(self, promise: Promise) -> Taken:
        """Hand the promise's message to the carrier, once.

        Raises:
            CarrierRefused: for good; ``carrier_code`` says why.
            CarrierUnreachable, CarrierAccount: not now; see the table above.
        """
        optional: dict[str, Any] = {}
        if base := self._settings.public_webhook_url.rstrip("/"):
            query = urlencode({"promise": promise.id})
            optional["status_callback"] = f"{base}{STATUS_PATH}?{query}"
        with self._client(changes=True) as client:
            message = client.messages.create(
                to=promise.to, from_=self._settings.from_number, body=promise.body, **optional
            )
        return _taken(message)

    def find(self, promise: Promise) -> Taken | None:
        """Return the promise's message if the carrier has it, else None.

        The whole list for the receiver is read, not filtered by Twilio's ``DateSent``: that is
        the day of sending, which a message still in Twilio's queue does not have.

        Raises:
            CarrierUnreachable, CarrierAccount: the list can't be had now.
        """
        with self._client(changes=False) as client:
            for message in client.messages.list(
                to=promise.to, limit=LIST_LIMIT, page_size=LIST_LIMIT
            ):
                if carries(message.body or "", promise.id):
                    return _taken(message)
        return None

    def check(self, receipt: str) -> Taken:
        """Return how the message with this SID stands.

        Raises:
            CarrierUnreachable, CarrierAccount: it can't be had now.
            CarrierRefused: the carrier does not know the SID.
        """
        with self._client(changes=False) as client:
            return _taken(client.messages(receipt).fetch())

    @contextmanager
    def _client(self, *, changes: bool) -> Iterator[Any]:
        """Lend a client; turn its exceptions into ours. ``changes``: a lost answer matters."""
        http = _Http(self._settings.api_base, self._settings.timeout_seconds)
        try:
            # spelled out, or the client would fall back to TWILIO_* of the environment
            yield Client(
                self._settings.account_sid or "unset",
                self._settings.auth_token.get_secret_value() or "unset",
                http_client=http,
                environment={},
            )
        except TwilioRestException as error:
            raise _translated(error, http.retry_after, changes) from error
        except requests.RequestException as error:
            raise CarrierUnreachable(
                f"The carrier did not answer ({type(error).__name__}).",
                uncertain=changes and not _never_connected(error),
                remedy="Check the network and Twilio's status page.",
            ) from error
        except (TwilioException, ValueError) as error:
            raise CarrierUnreachable(
                f"The carrier's answer can't be read ({type(error).__name__}).",
                uncertain=changes,
                remedy="Check that no proxy stands between this machine and Twilio.",
            ) from error
        finally:
            http.session.close()


def _taken(message: Any) -> Taken:
    return Taken(
        receipt=str(message.sid),
        status=str(message.status or ""),
        code=str(message.error_code or ""),
    )


def _translated(
    error: TwilioRestException, retry_after: float | None, changes: bool
) -> CarrierRefused | CarrierUnreachable:
    code = int(error.code or error.status)
    if error.status in {401, 403} or code in ACCOUNT_CODES:
        return CarrierAccount(
            f"Twilio does not accept our account or sender (HTTP {error.status}, code {code}).",
            carrier_code=code,
            remedy="Correct account_sid, auth_token and from_number under [twilio].",
        )
    if error.status == 429 or error.status >= 500:
        return CarrierUnreachable(
            f"Twilio asks us to come back later (HTTP {error.status}, code {code}).",
            carrier_code=code,
            retry_after=retry_after,
            uncertain=changes and error.status != 429,
        )
    return CarrierRefused(
        f"Twilio refused the message (HTTP {error.status}, code {code}).",
        carrier_code=code,
        remedy=f"See https://www.twilio.com/docs/errors/{code}.",
    )


def _never_connected(error: requests.RequestException) -> bool:
    """Tell whether the request can't have left: the connection was never made."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, NewConnectionError)


def _seconds(headers: Any) -> float | None:
    """Return the ``Retry-After`` of a response in seconds (RFC 9110 §10.2.3), None if absent."""
    value = str((headers or {}).get("Retry-After", "")).strip()
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        later = parsedate_to_datetime(value)
        now = parsedate_to_datetime(str(headers.get("Date", "")))
        return max(0.0, (later - now).total_seconds())
    except (ValueError, TypeError):
        return None
