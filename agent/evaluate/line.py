"""Places callers on the public line, through the carrier's ARI, and records both sides.

A caller is a channel at the carrier plus a WebSocket with its audio. Everything happens on
the line's own clock, in slots of 20 ms: in each one frame goes out and what came in is
handed over. The recording keeps both on that clock: left, what the caller said, at the
moment it was sent; right, what the caller heard, at the moment it arrived. So a latency
read from it holds the whole way there and back, as for a person with a phone at the ear.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, Literal, Self
from urllib.parse import quote

import aiohttp
import numpy as np
from numpy.typing import NDArray

from agent.errors import AriError, PhoneError
from agent.evaluate.line_sound import SLOT_SECONDS, Clip, LineSound, Slot
from agent.evaluate.live import Live
from agent.phone.ari import open_session
from agent.settings import Settings

SETUP_SECONDS: Final = 5.0
"""Longest wait for the carrier to set up a caller's channels; measured 10–40 ms."""

Staff = Literal["no-answer", "answers", "busy", "always-forward"]

__all__ = ["Clip", "Line", "LiveCaller", "Slot", "Staff"]


class Line:
    """The carrier's side of the restaurant's public number.

    Use as an async context manager.
    """

    def __init__(self, settings: Settings, number: str) -> None:
        """Note where the carrier is.

        Args:
            settings: The machine's settings; ``carrier`` says where its ARI is.
            number: The restaurant's public number, E.164.
        """
        carrier = settings.carrier
        self._base = f"http://{carrier.host}:{carrier.http_port}"
        self._number = number
        self._http = open_session(carrier.ari_user, carrier.ari_password, SETUP_SECONDS)

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first call."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections to the carrier; callers must be gone by then."""
        await self._http.close()

    async def place(
        self,
        caller_id: str,
        *,
        staff: Staff = "no-answer",
        withheld: bool = False,
        background: NDArray[np.int16] | None = None,
    ) -> LiveCaller:
        """Let a caller dial the restaurant; returns when it rings.

        Args:
            caller_id: The caller's number, E.164.
            staff: What the staff phone does: see ``asterisk/carrier/extensions.conf``.
            withheld: The number is not to be shown.
            background: What is heard behind the caller, int16 at 8 kHz; it repeats.

        Raises:
            AriError: the carrier is not there, or refused.
        """
        caller = LiveCaller(self, background=background)
        try:
            await caller.dial(
                f"Local/{self._number}@phone-company/n",
                {
                    "CALLER_NUMBER": caller_id,
                    "WITHHELD": "yes" if withheld else "no",
                    "STAFF": staff,
                },
            )
        except BaseException:
            with contextlib.suppress(AriError):  # the first error tells more
                await caller.close()
            raise
        return caller

    async def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: str
    ) -> Any:
        """Make a REST request and return its answer, decoded.

        Raises:
            AriError: the carrier did not answer or refused.
        """
        url = f"{self._base}/ari{path}"
        try:
            async with self._http.request(method, url, params=query, json=body) as response:
                answer = await response.json(content_type=None) if response.status != 204 else None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise AriError(
                f"The carrier did not answer {method} {path} ({type(error).__name__}).",
                status=0,
                remedy="Start Pickup with its carrier, or check the settings under carrier.",
            ) from error
        if response.status >= 400:
            said = answer.get("message", "") if isinstance(answer, dict) else ""
            raise AriError(
                f"The carrier refused {method} {path}: {response.status} {said}.",
                status=response.status,
                remedy="See the carrier's log.",
            )
        return answer

    async def connect(self, path: str, **query: str) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket to the carrier.

        Raises:
            AriError: the carrier did not answer or refused.
        """
        protocols = ("media",) if path.startswith("/media/") else ()
        try:
            return await self._http.ws_connect(
                f"{self._base}{path}", params=query, protocols=protocols, max_msg_size=0
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise AriError(
                f"The carrier did not open {path.rpartition('/')[0]} ({error}).",
                status=getattr(error, "status", 0),
                remedy="Start Pickup with its carrier, or check the settings under carrier.",
            ) from error


class LiveCaller(Live):
    """A caller on the line. Made by :meth:`Line.place`; close it, whatever happens."""

    def __init__(
        self,
        line: Line,
        clock: Callable[[], float] = time.monotonic,
        *,
        background: NDArray[np.int16] | None = None,
    ) -> None:
        """Take the line; nothing happens before :meth:`dial`."""
        super().__init__(LineSound(background))
        self._line = line
        self._clock = clock
        name = uuid.uuid4().hex[:12]
        self._app = f"caller-{name}"
        self._channel, self._media_channel, self._bridge = (
            f"call-{name}",
            f"ear-{name}",
            f"bridge-{name}",
        )
        self._started = {self._channel: asyncio.Event(), self._media_channel: asyncio.Event()}
        self._gone = asyncio.Event()
        self._made = False
        self._tasks: list[asyncio.Task[None]] = []
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []
        self._media: aiohttp.ClientWebSocketResponse | None = None
        self._origin = 0.0

    @property
    def gone(self) -> bool:
        """Whether the call is over."""
        return self._gone.is_set()

    @property
    def now(self) -> float:
        """Line time: seconds since the audio was connected."""
        return self._clock() - self._origin

    async def dial(self, endpoint: str, variables: Mapping[str, str]) -> None:
        """Make the channels, connect the audio, dial. Raises AriError."""
        events = await self._line.connect("/ari/events", app=self._app)
        self._sockets.append(events)
        self._tasks.append(asyncio.create_task(self._follow(events), name="caller events"))
        self._made = True
        await self._line.request(
            "POST",
            "/channels/create",
            {"variables": dict(variables)},
            endpoint=endpoint,
            app=self._app,
            channelId=self._channel,
        )
        await self._entered(self._channel)
        made = await self._line.request(
            "POST",
            "/channels/externalMedia",
            app=self._app,
            channelId=self._media_channel,
            external_host="INCOMING",
            transport="websocket",
            encapsulation="none",
            connection_type="server",
            format="slin",
            transport_data="f(json)",
        )
        connection = quote(made["channelvars"]["MEDIA_WEBSOCKET_CONNECTION_ID"], safe="")
        self._media = await self._line.connect(f"/media/{connection}")
        self._sockets.append(self._media)
        self._origin = self._clock()
        self._tasks.append(asyncio.create_task(self._listen(self._media), name="caller ear"))
        await self._entered(self._media_channel)
        await self._line.request("POST", "/bridges", type="mixing", bridgeId=self._bridge)
        both = f"{self._channel},{self._media_channel}"
        await self._line.request("POST", f"/bridges/{self._bridge}/addChannel", channel=both)
        await self._line.request("POST", f"/channels/{self._channel}/dial")

    async def slots(self) -> AsyncIterator[Slot]:
        """Keep the line alive and yield it slot by slot until the call is over.

        A frame goes out in every slot. The slots lie on an absolute schedule; where this
        process was late for one, nothing is sent in its place afterwards: that would stay
        in the carrier's queue and delay all that follows.
        """
        if self._media is None:
            raise PhoneError("The caller has not dialled.", remedy="Use Line.place.")
        slot = int(self.now / SLOT_SECONDS)
        while not self._gone.is_set():
            slot = max(slot + 1, int(self.now / SLOT_SECONDS))
            await asyncio.sleep(max(0.0, slot * SLOT_SECONDS - self.now))
            with contextlib.suppress(ConnectionError, aiohttp.ClientError):
                await self._media.send_bytes(self._sound.send(slot))
            yield self._sound.slot(slot)

    async def press(self, digit: str) -> None:
        """Press a key (DTMF, RFC 4733 on the trunk). Raises AriError."""
        await self._line.request("POST", f"/channels/{self._channel}/dtmf", dtmf=digit)

    async def hang_up(self) -> None:
        """Put the receiver down; before the answer this is a SIP CANCEL. Raises AriError."""
        if not self._gone.is_set() and not await self._delete(f"/channels/{self._channel}"):
            self._gone.set()

    async def close(self) -> None:
        """Hang up if need be and remove everything of this caller at the carrier.

        Raises:
            AriError: the carrier does not answer any more.
        """
        try:
            if self._made:
                await self.hang_up()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SETUP_SECONDS):
                        await self._gone.wait()
                await self._delete(f"/channels/{self._media_channel}")
                await self._delete(f"/bridges/{self._bridge}")
        finally:
            for socket in self._sockets:
                await socket.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, media: aiohttp.ClientWebSocketResponse) -> None:
        async for message in media:
            if message.type is aiohttp.WSMsgType.BINARY:
                self._sound.hear(message.data, self.now)

    async def _follow(self, events: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for message in events:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._note(json.loads(message.data))
        finally:
            self._gone.set()

    def _note(self, event: Mapping[str, Any]) -> None:
        channel = event.get("channel") or {}
        name = channel.get("id", "")
        match event["type"]:
            case "StasisStart" if name in self._started:
                self._started[name].set()
            case "ChannelStateChange" if name == self._channel and channel["state"] == "Up":
                self.answered = self.answered if self.answered is not None else self.now
            case "ChannelDestroyed" if name == self._channel:
                self.cause = int(event.get("cause", 0))
                self._gone.set()

    async def _entered(self, channel: str) -> None:
        try:
            async with asyncio.timeout(SETUP_SECONDS):
                await self._started[channel].wait()
        except TimeoutError as error:
            raise AriError(
                "The carrier did not hand over the caller's channel.",
                status=0,
                remedy="See the carrier's log.",
            ) from error

    async def _delete(self, path: str) -> bool:
        """Delete something at the carrier; False if it was not there any more."""
        try:
            await self._line.request("DELETE", path)
        except AriError as error:
            if error.status != 404:
                raise
            return False
        return True
