"""A line with everything real: carrier, SIP trunk, dialplan, gate, ARI, media.

Behind it is an agent in this process, which knows which call is which.

Both Asterisks must be running (``agent.service.exchange``); Redis and the promises' worker
need not, for nothing is promised here (`agent.evaluate.frozen`).
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final, Self

from agent.errors import PhoneError
from agent.evaluate.engines import Engines, ServedCall, Setup
from agent.evaluate.line import Line, LiveCaller, Staff
from agent.phone import CallLeg, GateServer, PhoneServer
from agent.restaurant import load_restaurant

ANONYMOUS: Final = "+13165550189"
"""The number behind a call whose caller is withheld or unknown; the trunk hides it."""


class PhoneLine:
    """Places calls and serves them; an async context manager. One engine set, many calls."""

    def __init__(self, engines: Engines, calls: Path) -> None:
        """Say what serves the calls, and where their bundles go.

        Args:
            engines: Started; their settings say where the Asterisks are.
            calls: Folder of the bundles.
        """
        self._engines = engines
        self._calls = calls
        self._expected: dict[str, ServedCall] = {}
        self._exit = contextlib.AsyncExitStack()
        self._line: Line | None = None

    async def __aenter__(self) -> Self:
        """Listen for Asterisk.

        Raises:
            PhoneError: a port can't be had.
        """
        settings = self._engines.settings
        restaurant = self._engines.parts.restaurant
        number = load_restaurant(settings.restaurant).public_number  # the carrier knows this one
        async with contextlib.AsyncExitStack() as stack:
            server = PhoneServer(settings, self._serve)
            await server.start()
            stack.push_async_callback(server.stop, 1.0)
            gate = GateServer(settings, server, restaurant)
            await gate.start()
            stack.push_async_callback(gate.stop)
            self._line = await stack.enter_async_context(Line(settings, number))
            self._exit = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        await self._exit.aclose()

    async def place(
        self, setup: Setup, staff: Staff = "always-forward"
    ) -> tuple[LiveCaller, ServedCall]:
        """Let a caller dial the restaurant; returns when it rings.

        Two calls at once need two numbers.

        Raises:
            PhoneError: the same number is on the line already.
            AriError: the carrier is not there, or refused.
        """
        if self._line is None:
            raise PhoneError("The line is not open.", remedy="Use it as a context manager.")
        if setup.caller in self._expected:
            raise PhoneError(f"{setup.caller or 'A withheld number'} is calling already.")
        call = ServedCall(self._engines, setup, self._calls)
        self._expected[setup.caller] = call
        number, hidden = setup.caller or ANONYMOUS, setup.withheld or not setup.caller
        try:
            return await self._line.place(number, staff=staff, withheld=hidden), call
        except BaseException:
            self._expected.pop(setup.caller, None)
            call.recorder.close()
            raise

    async def _serve(self, leg: CallLeg) -> None:
        call = self._expected.pop(leg.info.caller, None)
        if call is None:
            raise PhoneError(f"Nobody expected a call from {leg.info.caller or 'a hidden number'}.")
        await call.run(leg)
