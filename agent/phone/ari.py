"""The few REST requests that a call needs, over plain HTTP.

Asterisk offers the same requests over the per-call WebSocket too, but there ``answer`` and
``addChannel`` took 44–48 ms each against 0.3–6 ms over HTTP (measured, Asterisk 22.10.1). So
commands go here, and only events come over the socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import quote

import aiohttp
from pydantic import SecretStr

from agent.errors import AriError, CallGone
from agent.settings import Pbx

REQUEST_SECONDS: Final = 2.0
"""A request that takes longer than this has failed; measured requests take 0.3–6 ms."""

GONE_STATUS: Final = frozenset({404, 409, 412})
"""Channel unknown, not in our application, or not in a state for it: the caller left."""

REMEDIES: Final[Mapping[int, str]] = {
    0: "Check that Asterisk runs and that pbx.http_port is its HTTP port.",
    401: "Check that pbx.ari_user and pbx.ari_password are those of Asterisk's ari.conf.",
    403: "The ARI user is read-only: set read_only=no in Asterisk's ari.conf.",
    501: "Asterisk lacks a module for it: see asterisk/ for the list of those needed.",
}
"""What to do, by HTTP status; 0 is no answer at all."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge as Asterisk lists it."""

    id: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as Asterisk lists it."""

    id: str
    name: str


def open_session(user: str, password: SecretStr, seconds: float) -> aiohttp.ClientSession:
    """Return an HTTP session that an Asterisk lets in; a request may take ``seconds``."""
    credentials = aiohttp.encode_basic_auth(user, password.get_secret_value())
    return aiohttp.ClientSession(
        headers={"Authorization": credentials}, timeout=aiohttp.ClientTimeout(total=seconds)
    )


class Ari:
    """A client of Asterisk's REST interface; one per process, shared by all calls.

    Use as an async context manager, or call :meth:`close`.
    """

    def __init__(self, pbx: Pbx) -> None:
        self._host = f"{pbx.host}:{pbx.http_port}"
        self._http = open_session(pbx.ari_user, pbx.ari_password, REQUEST_SECONDS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections to Asterisk."""
        await self._http.close()

    async def answer(self, channel: str) -> None:
        """Answer ``channel`` (an id).

        Raises:
            CallGone: the channel no longer exists or left the application.
            AriError: Asterisk refused or did not answer.
        """
        await self._channel("POST", channel, "/answer")

    async def hang_up(self, channel: str) -> None:
        """Hang up ``channel`` with cause 16, normal clearing. Raises as :meth:`answer`."""
        await self._channel("DELETE", channel, reason="normal")

    async def set_variable(self, channel: str, name: str, value: str) -> None:
        """Set a channel variable for the dialplan to read. Raises as :meth:`answer`."""
        await self._channel("POST", channel, "/variable", variable=name, value=value)

    async def continue_in_dialplan(self, channel: str) -> None:
        """Give ``channel`` back to the dialplan, after Stasis(). Raises as :meth:`answer`."""
        await self._channel("POST", channel, "/continue")

    async def external_media(self, channel: str, app: str) -> str:
        """Create the media channel ``channel`` (a fresh id) and return its connection id.

        Asterisk waits for us to connect to ``/media/<connection id>``; the channel enters
        ``app`` (its own StasisStart) only then. An id that is in use already crashes
        Asterisk 22.10.1 (measured), so ids must never repeat.

        Raises:
            AriError: Asterisk refused or did not answer.
        """
        answer = await self._request(
            "POST",
            "/channels/externalMedia",
            channelId=channel,
            app=app,
            external_host="INCOMING",
            transport="websocket",
            encapsulation="none",
            connection_type="server",
            format="slin16",
            transport_data="f(json)",
        )
        connection = answer["channelvars"]["MEDIA_WEBSOCKET_CONNECTION_ID"]
        return str(connection)

    async def create_bridge(self, bridge: str) -> None:
        """Create a two-way mixing bridge with the id and name ``bridge``.

        Raises:
            AriError: Asterisk refused or did not answer.
        """
        await self._request("POST", "/bridges", type="mixing", bridgeId=bridge, name=bridge)

    async def add_to_bridge(self, bridge: str, *channels: str) -> None:
        """Put ``channels`` (ids) into ``bridge``; all must be in our application by now.

        Raises:
            CallGone: bridge or channel no longer exists.
            AriError: Asterisk refused (422: a channel is not in the application).
        """
        try:
            await self._request(
                "POST", f"/bridges/{_id(bridge)}/addChannel", channel=",".join(channels)
            )
        except AriError as error:
            raise _gone_or(error) from error

    async def destroy_bridge(self, bridge: str) -> None:
        """Destroy ``bridge``; a bridge that is gone already is no error.

        Raises:
            AriError: Asterisk refused or did not answer.
        """
        try:
            await self._request("DELETE", f"/bridges/{_id(bridge)}")
        except AriError as error:
            if error.status != 404:
                raise

    async def bridges(self) -> tuple[Bridge, ...]:
        """Return all bridges that Asterisk has.

        Raises:
            AriError: Asterisk refused or did not answer.
        """
        found = await self._request("GET", "/bridges")
        return tuple(Bridge(id=b["id"], channels=tuple(b["channels"])) for b in found)

    async def channels(self) -> tuple[Channel, ...]:
        """Return all channels that Asterisk has. Raises as :meth:`bridges`."""
        found = await self._request("GET", "/channels")
        return tuple(Channel(id=c["id"], name=c["name"]) for c in found)

    async def connect_media(self, connection: str) -> aiohttp.ClientWebSocketResponse:
        """Open the media socket of a channel made by :meth:`external_media`.

        Raises:
            CallGone: the media channel no longer exists.
            AriError: Asterisk refused or did not answer.
        """
        url = f"ws://{self._host}/media/{_id(connection)}"
        try:
            return await self._http.ws_connect(
                url,
                protocols=("media",),
                max_msg_size=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=0.5),
            )
        except aiohttp.WSServerHandshakeError as error:
            refused = AriError(
                f"Asterisk refused the media socket ({error.status} {error.message}).",
                status=error.status,
                remedy=REMEDIES.get(error.status, ""),
            )
            raise _gone_or(refused) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(f"GET {url}", error) from error

    async def _channel(self, method: str, channel: str, action: str = "", **query: str) -> None:
        try:
            await self._request(method, f"/channels/{_id(channel)}{action}", **query)
        except AriError as error:
            raise _gone_or(error) from error

    async def _request(self, method: str, path: str, **query: str) -> Any:
        try:
            async with self._http.request(
                method, f"http://{self._host}/ari{path}", params=query
            ) as response:
                body = await response.json(content_type=None) if response.status != 204 else None
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise _unreachable(f"{method} {path}", error) from error
        if response.status >= 400:
            said = body.get("message", "") if isinstance(body, dict) else ""
            raise AriError(
                f"Asterisk refused {method} {path}: {response.status} {said}".rstrip(". ") + ".",
                status=response.status,
                remedy=REMEDIES.get(response.status, ""),
            )
        return body


def _id(value: str) -> str:
    return quote(value, safe="")


def _unreachable(what: str, error: Exception) -> AriError:
    return AriError(
        f"Asterisk did not answer {what} ({type(error).__name__}: {error}).",
        status=0,
        remedy=REMEDIES[0],
    )


def _gone_or(error: AriError) -> AriError | CallGone:
    return CallGone(str(error)) if error.status in GONE_STATUS else error
