"""A small server of pages rendered here: no scripts, nothing from elsewhere, loopback only.

Whoever may reach this machine's loopback may read the page. Writing an answer into the
restaurant file needs the token besides, which lies in the home folder.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from agent.errors import EvidenceError, PickupError, RestaurantError, SetupError
from agent.evidence.bundle import Bundle, Said, read_bundle
from agent.evidence.picture import draw
from agent.evidence.recorder import AGENT_AUDIO, CALLER_AUDIO
from agent.report.answer import LONGEST, add_fact, fact_toml, suggest_id
from agent.report.day import Reports, call_line
from agent.report.masked import masked
from agent.report.trend import trend
from agent.restaurant import load_restaurant
from agent.settings import Settings
from agent.web.words import FILTERS

HOST: Final = "127.0.0.1"
HERE: Final = Path(__file__).parent
TOKEN_FILE: Final = "web-token"  # noqa: S105 - a file's name

TREND_DAYS: Final = 14
LONGEST_FORM: Final = 8_192
"""Bytes of a form."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

_ID: Final = re.compile(r"[0-9a-zA-Z-]{1,64}")
_SOUNDS: Final = {"caller": CALLER_AUDIO, "agent": AGENT_AUDIO}

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def ensure_token(home: Path) -> str:
    """Return the token for writing; made at the first start, mode 600."""
    path = home / TOKEN_FILE
    home.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(12) + "\n")
    except FileExistsError:
        pass
    return path.read_text(encoding="utf-8").strip()


class Pages:
    """The pages, as an aiohttp application in ``app``."""

    def __init__(
        self,
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare to serve.

        Args:
            settings: Where bundles and restaurant file are.
            now: The time; aware.

        Raises:
            RestaurantError: the restaurant file is wrong.
        """
        self._settings = settings
        self._now = now
        self._token = ensure_token(settings.home)
        zone = load_restaurant(settings.restaurant).time_zone
        self._reports = Reports(settings.home, settings.calls, zone)
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        self.app = web.Application(middlewares=[self._guard], client_max_size=LONGEST_FORM)
        self.app.router.add_get("/", self._today)
        self.app.router.add_get("/style.css", self._style)
        self.app.router.add_get("/icon.svg", self._icon)
        self.app.router.add_get("/day/{day}", self._day)
        self.app.router.add_get("/call/{day}/{id}", self._call)
        self.app.router.add_get("/call/{day}/{id}/picture.svg", self._picture)
        self.app.router.add_get("/call/{day}/{id}/{side}.wav", self._sound)
        self.app.router.add_get("/trends", self._trends)
        self.app.router.add_get("/answer", self._ask_answer)
        self.app.router.add_post("/answer", self._take_answer)

    # ── every request ───────────────────────────────────────────────────────────────────

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse names that are not this machine's (DNS rebinding); add the headers."""
        name = request.host.rpartition(":")[0] or request.host
        if name not in ("127.0.0.1", "localhost", "[::1]"):
            raise web.HTTPForbidden(text="This page is served on this machine only.")
        try:
            response = await handler(request)
        except EvidenceError as error:
            response = self._page("error.html", status=404, message=str(error))
        except web.HTTPNotFound:
            response = self._page("error.html", status=404, message="There is no such page.")
        except PickupError as error:
            log.error("A page failed.", path=request.path, code=error.code, reason=str(error))
            response = self._page("error.html", status=500, message=str(error))
        response.headers.update(HEADERS)
        return response

    def _page(self, name: str, *, status: int = 200, **values: Any) -> web.Response:
        restaurant = load_restaurant(self._settings.restaurant)
        text = self._templates.get_template(name).render(restaurant=restaurant, **values)
        return web.Response(text=text, content_type="text/html", status=status)

    # ── pages ───────────────────────────────────────────────────────────────────────────

    async def _style(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(HERE / "style.css")

    async def _icon(self, request: web.Request) -> web.StreamResponse:
        return web.FileResponse(HERE / "icon.svg")

    async def _today(self, request: web.Request) -> web.StreamResponse:
        return self._show_day(self._reports.today(self._now()))

    async def _day(self, request: web.Request) -> web.StreamResponse:
        return self._show_day(_date(request))

    def _show_day(self, day: date) -> web.Response:
        today = self._reports.today(self._now())
        return self._page(
            "day.html",
            report=self._reports.day(day),
            today=today,
            before=day - timedelta(days=1),
            after=day + timedelta(days=1) if day < today else None,
        )

    async def _call(self, request: web.Request) -> web.StreamResponse:
        bundle = self._bundle(request)
        return self._page(
            "call.html",
            call=call_line(bundle.folder),
            said=[(one, one.text) for one in masked_bundle(bundle).transcript()],
            day=_date(request),
            sounds=[side for side, file in _SOUNDS.items() if (bundle.folder / file).is_file()],
        )

    async def _picture(self, request: web.Request) -> web.StreamResponse:
        picture = draw(masked_bundle(self._bundle(request)))
        return web.Response(text=picture, content_type="image/svg+xml")

    async def _sound(self, request: web.Request) -> web.StreamResponse:
        file = _SOUNDS.get(request.match_info["side"])
        path = self._bundle(request).folder / (file or "")
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Content-Type": "audio/wav"})

    async def _trends(self, request: web.Request) -> web.StreamResponse:
        today = self._reports.today(self._now())
        days = [today - timedelta(days=back) for back in range(TREND_DAYS)]
        points = trend([self._reports.day(day) for day in days])
        return self._page("trends.html", points=points)

    def _bundle(self, request: web.Request) -> Bundle:
        call_id = request.match_info["id"]
        if not _ID.fullmatch(call_id):
            raise web.HTTPNotFound
        return read_bundle(self._settings.calls / _date(request).isoformat() / call_id)

    # ── answers ─────────────────────────────────────────────────────────────────────────

    async def _ask_answer(self, request: web.Request) -> web.StreamResponse:
        question = request.query.get("question", "").strip()[:LONGEST]
        if not question:
            raise web.HTTPNotFound
        restaurant = load_restaurant(self._settings.restaurant)
        fact_id = suggest_id(question, restaurant)
        return self._answer_page(fact_id, question, "")

    def _answer_page(
        self, fact_id: str, question: str, answer: str, *, status: int = 200, **more: str
    ) -> web.Response:
        return self._page(
            "answer.html",
            status=status,
            fact_id=fact_id,
            question=question,
            answer=answer,
            toml=fact_toml(fact_id, question, answer) if answer else "",
            file=self._settings.restaurant,
            longest=LONGEST,
            token_file=self._settings.home / TOKEN_FILE,
            problem=more.get("problem", ""),
            done=more.get("done", ""),
        )

    async def _take_answer(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        given = {name: str(form.get(name, "")).strip() for name in ("id", "question", "answer")}
        fact_id, question, answer = given["id"], given["question"], given["answer"]
        token = str(form.get("token", "")).strip()
        if not question or not answer:
            problem = "Write the answer, as it should be spoken."
            return self._answer_page(fact_id, question, answer, status=400, problem=problem)
        if "show" in form:
            return self._answer_page(fact_id, question, answer)
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            problem = "The token is not the right one; nothing was written."
            return self._answer_page(fact_id, question, answer, status=403, problem=problem)
        try:
            add_fact(self._settings.restaurant, fact_id, question, answer)
        except RestaurantError as error:
            return self._answer_page(fact_id, question, answer, status=400, problem=str(error))
        log.info("A fact was added to the restaurant file.", fact=fact_id)
        return self._answer_page(fact_id, question, answer, done="yes")


class _MaskedBundle(Bundle):
    def transcript(self) -> tuple[Said, ...]:
        return tuple(replace(one, text=masked(one.text)) for one in super().transcript())


def masked_bundle(bundle: Bundle) -> Bundle:
    """Return a bundle in whose transcript telephone numbers are masked."""
    parts = (bundle.folder, bundle.card, bundle.events, bundle.promises, bundle.damaged)
    return _MaskedBundle(*parts)


async def start(pages: Pages, port: int) -> web.AppRunner:
    """Serve ``pages`` on loopback; stop it with ``cleanup()``.

    Raises:
        SetupError: the port is taken.
    """
    runner = web.AppRunner(pages.app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
    except OSError as error:
        await runner.cleanup()
        raise SetupError(
            f"Can't serve the page on {HOST}:{port} ({error.strerror}).",
            remedy="Stop what uses the port, or set web.port.",
        ) from error
    return runner


def _date(request: web.Request) -> date:
    try:
        return date.fromisoformat(request.match_info["day"])
    except ValueError as error:
        raise web.HTTPNotFound from error
