"""One caller's leg: what can be done with the call, and what happens on it.

A leg lives from Asterisk's StasisStart until the caller is gone, hung up by us, or given
back to the dialplan. Whichever it is, nothing of it stays behind in Asterisk or here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote
from uuid import uuid4

import structlog

from agent.errors import AriError, CallGone, PhoneError
from agent.events import CallerHungUp, CallStarted, Event, KeyPressed
from agent.phone.ari import Ari
from agent.phone.media import Media

log = structlog.get_logger()

BRIDGE_PREFIX: Final = "pickup-"
"""How our bridges are known again after a crash."""

NORMAL_CLEARING: Final = 16
"""Q.850 cause of an ordinary hang-up; Asterisk gives none for a SIP BYE (measured)."""

MEDIA_START_SECONDS: Final = 2.0
"""How long the media channel may take to enter our application; it takes 1–2 ms."""

RETRY_SECONDS: Final = (0.2, 1.0, 3.0)
"""Pauses before a caller whom Asterisk would not take back is offered again."""

GONE_SECONDS: Final = 0.25
"""The socket tells that a caller left after REST does: 40 ms late at most (Nagle)."""


@dataclass(frozen=True, slots=True)
class CallInfo:
    """Who calls, as Asterisk tells it. Numbers are as they came: digits, perhaps with +.

    Attributes:
        channel: Asterisk's channel name, e.g. ``PJSIP/trunk-00000012``.
        channel_id: Asterisk's unique id of the channel.
        caller: The caller's number; empty if withheld or unknown.
        called: The number that was dialled on the trunk.
        diverted_from: Who forwarded the call (top Diversion header); empty if nobody.
        diversion_reason: Asterisk's word for why: ``cfnr``, ``cfb``, ``cfu``, ….
        withheld: The caller asked for privacy; ``caller`` is empty then.
        script: How the gate wants the agent to speak, see ``verdict.Script``; empty: as ever.
    """

    channel: str
    channel_id: str
    caller: str = ""
    called: str = ""
    diverted_from: str = ""
    diversion_reason: str = ""
    withheld: bool = False
    script: str = ""

    def started(self, at: float) -> CallStarted:
        """Return the event that the call began at call time ``at``."""
        return CallStarted(
            at=at,
            channel=self.channel,
            caller=self.caller,
            called=self.called,
            diverted_from=self.diverted_from,
            diversion_reason=self.diversion_reason,
            withheld=self.withheld,
        )


def read_arguments(arguments: Sequence[str]) -> dict[str, str]:
    """Return the dialplan's ``key=value`` arguments, values URI-decoded."""
    pairs = (argument.partition("=") for argument in arguments)
    return {key: unquote(value) for key, _, value in pairs}


def read_info(start: Mapping[str, Any]) -> CallInfo:
    """Return who calls, from a StasisStart event; the dialplan's arguments come first.

    Without arguments the channel's own caller id is used. A withheld number that came
    along all the same (trunks do send it) is dropped here.
    """
    channel = start["channel"]
    said = read_arguments(start.get("args", ()))
    withheld = said.get("withheld", "no") == "yes"
    return CallInfo(
        channel=channel["name"],
        channel_id=channel["id"],
        caller="" if withheld else said.get("caller", channel["caller"]["number"]),
        called=said.get("called", channel["dialplan"]["exten"]),
        diverted_from=said.get("diverted_from", channel.get("caller_rdnis", "")),
        diversion_reason=said.get("diversion_reason", ""),
        withheld=withheld,
        script=said.get("script", ""),
    )


class CallLeg:
    """A call handed to us by Asterisk. Made by the server, one per call.

    Attributes:
        info: Who calls.
    """

    def __init__(
        self,
        ari: Ari,
        start: Mapping[str, Any],
        monotonic: Callable[[], float],
    ) -> None:
        self.info = read_info(start)
        self._ari = ari
        self._app = str(start["application"])
        self._monotonic = monotonic
        self._began = monotonic()
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._over = asyncio.Event()
        # Over is over for us; parted is out of our application, so that the caller is safe.
        self._parted = False
        self._ending: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[Any]] = set()
        self._media: Media | None = None
        self._media_channel = ""
        self._media_started = asyncio.Event()
        self._bridge = ""

    def clock(self) -> float:
        """Return the call time: seconds since Asterisk handed us the call."""
        return self._monotonic() - self._began

    async def events(self) -> AsyncIterator[Event]:
        """Yield KeyPressed for each key, and CallerHungUp last if the caller ended the call.

        Ends without CallerHungUp after :meth:`hang_up` or :meth:`to_voicemail`. Only one
        consumer.
        """
        while (event := await self._events.get()) is not None:
            yield event

    async def answer(self) -> None:
        """Answer the call.

        Raises:
            CallGone: the caller hung up.
            AriError: Asterisk refused or did not answer.
        """
        await self._ask(self._ari.answer(self.info.channel_id))

    async def open_media(self) -> Media:
        """Connect the caller's audio, both ways.

        Raises:
            CallGone: the caller hung up.
            AriError: Asterisk refused or did not answer.
            PhoneError: the media channel did not start in time.
        """
        if self._media_channel:
            raise PhoneError("The call's audio is open already.")
        self._media_channel = f"{BRIDGE_PREFIX}media-{uuid4()}"
        self._bridge = f"{BRIDGE_PREFIX}{uuid4()}"
        await self._ask(self._connect(self._media_channel, self._bridge))
        if self._media is None or self.over:
            raise _gone()
        return self._media

    async def hang_up(self) -> None:
        """End the call: the goodbye was said. Nothing happens if it is over already.

        Raises:
            AriError: Asterisk refused or did not answer.
        """
        if not self._parted:
            try:
                await self._ask(self._ari.set_variable(self.info.channel_id, "PICKUP_ENDED", "yes"))
                self._leave()
                await self._ask(self._ari.hang_up(self.info.channel_id))
            except CallGone:
                log.debug("The caller was faster.", channel=self.info.channel)
            self._parted = True
        await self._finish("")

    async def to_voicemail(self, reason: str) -> None:
        """Give the caller back to the dialplan, which apologises and takes a voicemail.

        Nothing happens if the call is over. Does not raise: where Asterisk does not answer
        it is asked again for some seconds, and then the log says so. ``reason`` is a short
        word for Asterisk's log.
        """
        await self._finish(reason)

    @property
    def over(self) -> bool:
        """Whether the call is over for us: hung up by either side, or given back."""
        return self._over.is_set()

    # ── what Asterisk tells ─────────────────────────────────────────────────────────────

    def take(self, event: Mapping[str, Any]) -> None:
        """Take an event of this call's socket."""
        channel = event.get("channel", {}).get("id", "")
        kind = event["type"]
        if channel == self._media_channel and kind == "StasisStart":
            self._media_started.set()
        if channel != self.info.channel_id:
            return
        if kind == "ChannelDtmfReceived":
            self._emit(KeyPressed(at=self.clock(), digit=str(event["digit"])))
        elif kind in ("ChannelHangupRequest", "ChannelDestroyed", "StasisEnd"):
            self._parted = True
            self.lose(int(event.get("cause", NORMAL_CLEARING)))

    def lose(self, cause: int) -> None:
        """Take it that the caller is gone, or out of our reach, with this Q.850 cause."""
        if not self.over:
            self._emit(CallerHungUp(at=self.clock(), cause=cause))
            self._leave()

    def _emit(self, event: Event) -> None:
        if not self._over.is_set():
            self._events.put_nowait(event)

    def _leave(self) -> None:
        if self._over.is_set():
            return
        self._over.set()
        self._media_started.set()
        self._events.put_nowait(None)
        if self._media is not None:
            self._media.end(_gone())

    # ── asking Asterisk ─────────────────────────────────────────────────────────────────

    async def _connect(self, channel: str, bridge: str) -> None:
        connection = await self._ari.external_media(channel, self._app)
        self._media = Media(await self._ari.connect_media(connection))
        await self._ari.create_bridge(bridge)
        try:
            async with asyncio.timeout(MEDIA_START_SECONDS):
                await self._media_started.wait()
        except TimeoutError as error:
            raise PhoneError(
                "The media channel did not start.",
                remedy="Check that Asterisk's chan_websocket is loaded and see its log.",
            ) from error
        if not self.over:
            await self._ari.add_to_bridge(bridge, self.info.channel_id, channel)

    async def _finish(self, reason: str) -> None:
        """End what is left of the call, once, even if whoever waits is cancelled meanwhile."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(reason), name="end of call")
        await asyncio.shield(self._ending)

    async def _end(self, reason: str) -> None:
        self._leave()
        while self._requests:
            await asyncio.wait(self._requests)
        if not self._parted:
            await self._give_back(reason)
        if self._media is not None:
            await self._media.close(_gone())
        if self._media_channel:
            await self._drop(self._ari.hang_up(self._media_channel))
            await self._drop(self._ari.destroy_bridge(self._bridge))

    async def _give_back(self, reason: str) -> None:
        for pause in (*RETRY_SECONDS, None):
            try:
                await self._ari.set_variable(self.info.channel_id, "PICKUP_VOICEMAIL", reason)
                await self._ari.continue_in_dialplan(self.info.channel_id)
            except CallGone:
                return
            except AriError as error:
                log.error("A caller can't be given back.", tries_again=pause, error=str(error))
            else:
                return
            if pause is not None:
                await asyncio.sleep(pause)

    async def _ask(self, request: Coroutine[Any, Any, None]) -> None:
        """Carry out ``request`` whole, even if whoever waits for it is cancelled meanwhile."""
        task = asyncio.create_task(request)
        self._requests.add(task)
        task.add_done_callback(self._answered)
        try:
            await asyncio.shield(task)
        except CallGone:
            await self._hear_of_it(NORMAL_CLEARING)
            raise
        except AriError as error:
            await self._hear_of_it(None)
            if self.over:
                raise CallGone(str(error)) from error
            raise

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._requests.discard(task)
        if not task.cancelled():
            task.exception()

    async def _hear_of_it(self, cause: int | None) -> None:
        """Let the socket say what REST found out; with ``cause``, take it as said in the end."""
        try:
            async with asyncio.timeout(GONE_SECONDS):
                await self._over.wait()
        except TimeoutError:
            if cause is not None:
                self.lose(cause)

    async def _drop(self, request: Awaitable[None]) -> None:
        try:
            await request
        except CallGone:
            return
        except AriError as error:
            log.warning("Something of a call stays behind in Asterisk.", error=str(error))


def _gone() -> CallGone:
    return CallGone("The call is over.")
