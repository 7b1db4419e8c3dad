"""Has a call's promises made and kept, and says how far they came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.call.parts import Parts
from agent.errors import QueueDown
from agent.events import Event, FaultSeen, Outcome, PromiseKind, PromiseMade, PromiseUpdated
from agent.mind.dialogue import ToolDone
from agent.mind.tools import PassMessage, SendLink
from agent.promises import texts

ACCEPTANCE_SECONDS: Final = 4.0
"""How long a caller waits for the carrier to accept a text; then they hear that it is pending."""


class Keeping:
    """The promises of one call.

    Args:
        parts: The ledger and the restaurant.
        folder: The call's bundle; promises are written down beside its evidence.
        post: Gets the events.
        clock: Call time in seconds.
    """

    def __init__(
        self,
        parts: Parts,
        folder: Path,
        post: Callable[[Event], None],
        clock: Callable[[], float],
    ) -> None:
        self._parts = parts
        self._folder = folder
        self._post = post
        self._clock = clock
        self.receipts: dict[str, tuple[PromiseKind, Outcome]] = {}
        """What may be said of each promise made."""

    async def use(self, tool: SendLink | PassMessage, *, wait: bool = True) -> ToolDone:
        """Make the promise, have it kept, and say how far that came in a caller's patience."""
        ledger = self._parts.ledger
        to, body = self._message(tool)
        promise = await asyncio.to_thread(ledger.make, tool.promise_kind, to, body, self._folder)
        self._post(
            PromiseMade(
                at=self._clock(), promise=promise.id, promise_kind=promise.kind, to=promise.to
            )
        )
        try:
            await ledger.keep(promise)
        except QueueDown as error:
            self._post(FaultSeen(at=self._clock(), code=error.code, message=str(error)))
            outcome, receipt, code = Outcome.PENDING, "", error.code
        else:
            news = await ledger.outcome(promise.id, ACCEPTANCE_SECONDS if wait else 0.0)
            outcome, receipt, code = news.outcome, news.receipt, news.code
        self.receipts[promise.id] = (promise.kind, outcome)
        self._post(
            PromiseUpdated(
                at=self._clock(),
                promise=promise.id,
                outcome=outcome,
                receipt=receipt,
                code=code,
            )
        )
        return ToolDone(outcome, promise.id, code)

    def _message(self, tool: SendLink | PassMessage) -> tuple[str, str]:
        restaurant = self._parts.restaurant
        if isinstance(tool, SendLink):
            return tool.to, texts.order_link(restaurant.name, str(restaurant.ordering_link))
        body = texts.owner_message(tool.kind, tool.details, tool.name, tool.number)
        return restaurant.contacts.owner_sms, body
