"""``GET /metrics`` for Prometheus: what `metrics.render` makes of the watch's latest state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from agent.errors import SetupError
from agent.service.metrics import render
from agent.settings import Metrics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus's text format."""


class Exporter:
    """A small HTTP server with one page; there is nothing personal on it."""

    def __init__(self, settings: Metrics, state: Callable[[], Mapping[str, Any]]) -> None:
        """Say where to listen and whose state to show."""
        self._settings = settings
        self._state = state
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on ``metrics.host``:``metrics.port``; port 0: not at all.

        Raises:
            SetupError: the port can't be had.
        """
        where = self._settings
        if not where.port:
            return
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, where.host, where.port).start()
        except OSError as error:
            await self.stop()
            raise SetupError(
                f"No metrics on {where.host}:{where.port} ({error.strerror}).",
                remedy="Stop what uses the port, or set metrics.port; 0 turns it off.",
            ) from error

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=render(self._state()).encode(), headers={"Content-Type": CONTENT_TYPE}
        )
