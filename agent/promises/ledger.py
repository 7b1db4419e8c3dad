"""The ledger: every promise on disk before anything is done about it.

Two places. ``<bundle>/promises.jsonl`` is the history, one line for every piece of news, kept
for ever with the call's evidence. ``<home>/promises/<id>.json`` is a marker: the promise is
open, and here is all that is needed to keep it. Redis holds neither; it only wakes the worker.
What the lines mean, and what follows from them, is drawn in ``state.py``.

A marker is also the promise's lock (``flock``): whoever acts on the promise holds it, and the
kernel gives it back when that process dies.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any, Final, TypeVar

import redis
import structlog

from agent.errors import PromiseError, QueueDown
from agent.events import Outcome, PromiseKind
from agent.promises import state
from agent.promises.files import append_line, put_file, read_lines, sync_folder
from agent.promises.jobs import Queue
from agent.promises.owner import OwnersList
from agent.promises.state import ID_PATTERN, Line, News, Promise, Standing, Step
from agent.promises.texts import with_token
from agent.settings import Settings

_log = structlog.get_logger(__name__)

HISTORY: Final = "promises.jsonl"

QUEUE_SECONDS: Final = 0.3
"""Longest wait for Redis while a caller listens; the sweeper finds the promise anyway."""

LOOK_SECONDS: Final = 0.25
"""How often ``outcome`` looks at the disk although Redis said nothing."""

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PromiseNews:
    """What may be said of a promise now: outcome, the carrier's message SID, the last code."""

    outcome: Outcome
    receipt: str = ""
    code: str = ""


def new_id() -> str:
    """Return 40 random bits as eight characters of Crockford's base 32."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


class Ledger:
    """Makes promises and knows what became of them. Safe from several processes at once.

    ``make`` and every other plain method touch the disk: call them from a thread where an
    event loop must not wait for an fsync. The ``async`` methods never block the loop.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float] = time,
        fresh_id: Callable[[], str] = new_id,
    ) -> None:
        """Look after ``settings.open_promises``. ``clock`` gives Unix time."""
        self._settings = settings
        self._clock = clock
        self._fresh_id = fresh_id
        self._folder = settings.open_promises
        self._owner = OwnersList(settings.home)
        self._queue = Queue(settings.redis.url, wait=QUEUE_SECONDS)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="promises")
        self._made: dict[str, Promise] = {}

    # ── made, on disk ───────────────────────────────────────────────────────────────────

    def make(
        self, kind: PromiseKind, to: str, body: str, bundle: Path, *, about: str = ""
    ) -> Promise:
        """Write a promise to the disk and return it; from now on it will be kept.

        ``{token}`` in ``body`` becomes the promise's id; a body without it gets the id
        appended, so that every message can be told from every other in the carrier's list.
        A message to the owner is in the owner's list before this returns.

        Args:
            kind: What is promised.
            to: Receiver, E.164.
            body: Text of the message.
            bundle: The call's evidence folder.
            about: Id of a promise that failed, for the notice about it; making the same
                notice again returns the one that exists.

        Raises:
            PromiseError: the disk did not take it: nothing has been promised.
        """
        promise_id = f"{about}n" if about else self._fresh_id()
        if about and (known := self.find(promise_id, bundle)):
            return known
        promise = Promise(
            id=promise_id,
            kind=kind,
            to=to,
            body=with_token(body, promise_id),
            bundle=bundle,
            made=self._clock(),
            about=about,
        )
        try:
            if kind is PromiseKind.OWNER_MESSAGE and not about:
                self._owner.add(promise.id, promise.made, promise.body)
            append_line(bundle / HISTORY, self._as_json(promise))
            put_file(self._marker(promise.id), self._as_json(promise))
        except OSError as error:
            raise PromiseError(
                f"A promise could not be written to the disk: {error}.",
                remedy="Free some space under the home folder.",
            ) from error
        while len(self._made) > 1000:
            self._made.pop(next(iter(self._made)))
        self._made[promise.id] = promise
        _log.info("promise_made", promise=promise.id, kind=str(kind))
        return promise

    def note(self, promise: Promise, line: Line) -> None:
        """Append a piece of news to the promise's history; on disk when this returns."""
        append_line(promise.bundle / HISTORY, {"promise": promise.id, **line.as_json()})

    def settle(self, promise: Promise) -> None:
        """Close the promise: nothing is left to do. Call it while holding the promise."""
        self.note(promise, Line(News.SETTLED, self._clock()))
        self._marker(promise.id).unlink(missing_ok=True)
        sync_folder(self._folder)

    # ── read ────────────────────────────────────────────────────────────────────────────

    def find(self, promise_id: str, bundle: Path | None = None) -> Promise | None:
        """Return the promise: an open one, one made by this object, or one of ``bundle``."""
        if not ID_PATTERN.fullmatch(promise_id):
            return None
        if marked := self._marked(promise_id):
            return marked
        if promise_id in self._made:
            return self._made[promise_id]
        made = (p for p in (self.promises_of(bundle) if bundle else ()) if p.id == promise_id)
        return next(made, None)

    def open_ids(self) -> list[str]:
        """Return the ids of all promises that are not settled."""
        if not self._folder.is_dir():
            return []
        return sorted(p.stem for p in self._folder.glob("*.json") if ID_PATTERN.fullmatch(p.stem))

    def promises_of(self, bundle: Path) -> list[Promise]:
        """Return all promises of one call, oldest first."""
        rows = read_lines(bundle / HISTORY)
        return [self._from_json(row, bundle) for row in rows if row.get("news") == News.MADE]

    def history(self, promise: Promise) -> list[Line]:
        """Return the promise's news, oldest first.

        If the folder with the history is gone, nobody knows whether the message was sent:
        the promise is then as uncertain as after a crash, and the carrier is asked first.
        """
        lines: list[Line] = []
        for row in read_lines(promise.bundle / HISTORY):
            if row.get("promise") != promise.id:
                continue
            try:
                lines.append(Line.from_json(row))
            except (KeyError, ValueError, TypeError):
                _log.warning("promise_line_strange", promise=promise.id)
        if not lines:
            _log.error("promise_history_lost", promise=promise.id)
            return [Line(News.ATTEMPT, promise.made), Line(News.UNKNOWN, promise.made)]
        return lines

    def standing(self, promise: Promise) -> Standing:
        """Return where the promise stands, from the disk."""
        return state.standing(self.history(promise))

    def step(self, promise: Promise, standing: Standing) -> Step:
        """Return what comes next with the promise, seen from now."""
        return state.next_step(promise, standing, self._settings.promises, self._clock())

    @contextmanager
    def hold(self, promise_id: str) -> Iterator[Promise | None]:
        """Hold a promise while acting on it; None if it is settled or in other hands."""
        try:
            marker = self._marker(promise_id).open("rb")
        except FileNotFoundError:
            yield None
            return
        with marker:
            try:
                fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            # settled by the previous holder while we waited for the kernel's answer?
            settled = os.fstat(marker.fileno()).st_nlink == 0
            yield None if settled else self._marked(promise_id)

    def rebuild(self) -> int:
        """Put back the marker of every unsettled promise found in the bundles; return how many.

        For a home folder restored from a backup, or a lost ``promises`` folder.
        """
        restored = 0
        for history in sorted(self._settings.calls.glob(f"*/*/{HISTORY}")):
            for promise in self.promises_of(history.parent):
                if self._marked(promise.id) or self.standing(promise).settled:
                    continue
                put_file(self._marker(promise.id), self._as_json(promise))
                restored += 1
        return restored

    # ── kept, through the worker ────────────────────────────────────────────────────────

    async def keep(self, promise: Promise) -> None:
        """Ask the worker to keep ``promise`` now. Takes at most ``QUEUE_SECONDS``.

        Raises:
            QueueDown: Redis did not take it. The promise stays on disk, and the worker's
                sweeper will find it.
        """
        try:
            async with asyncio.timeout(QUEUE_SECONDS):
                await self._run(lambda: self._queue.nudge(promise.id))
        except (redis.RedisError, TimeoutError) as error:
            raise QueueDown(
                "Redis did not take a promise; it stays on disk and is kept all the same.",
                remedy="See whether Redis runs and answers at redis.url.",
            ) from error

    async def outcome(self, promise_id: str, within: float) -> PromiseNews:
        """Wait until the carrier took or refused the promise, ``within`` seconds at most.

        The disk is the truth; Redis only says when to look. Returns PENDING when the time is
        up, when nothing more can happen in time (the next try is later), or Redis is down.
        """
        news = PromiseNews(Outcome.PENDING)
        try:
            async with asyncio.timeout(within) as limit, self._queue.hearing(promise_id) as heard:
                while True:
                    news, due = await self._run(lambda: self._look(promise_id))
                    remaining = (limit.when() or 0.0) - asyncio.get_running_loop().time()
                    if news.outcome is not Outcome.PENDING or due > self._clock() + remaining:
                        return news
                    await heard(LOOK_SECONDS)
        except TimeoutError:
            return news
        except redis.RedisError:
            _log.warning("promise_news_unheard", promise=promise_id)
            return (await self._run(lambda: self._look(promise_id)))[0]

    async def close(self) -> None:
        """Let go of Redis and the threads."""
        await self._queue.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _look(self, promise_id: str) -> tuple[PromiseNews, float]:
        """Return the news, and the Unix time before which there can't be more."""
        promise = self.find(promise_id)
        if promise is None:
            raise PromiseError(
                "This promise was never made, or was settled long ago.",
                remedy="Look into the call's promises.jsonl.",
            )
        now = self.standing(promise)
        due = 0.0 if now.in_flight else self.step(promise, now).due
        return PromiseNews(now.outcome, now.receipt, now.code), due

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    # ── as written ──────────────────────────────────────────────────────────────────────

    def _marker(self, promise_id: str) -> Path:
        return self._folder / f"{promise_id}.json"

    def _marked(self, promise_id: str) -> Promise | None:
        """Return the open promise with this id; a damaged marker is reported, and is none."""
        marker = self._marker(promise_id)
        try:
            return self._from_json(json.loads(marker.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            _log.error(
                "promise_marker_damaged", promise=promise_id, remedy="`pickup promises --rebuild`"
            )
            return None

    def _as_json(self, promise: Promise) -> dict[str, Any]:
        home, bundle = self._settings.home.resolve(), promise.bundle.resolve()
        inside = bundle.is_relative_to(home)
        return {
            "promise": promise.id,
            "news": str(News.MADE),
            "time": promise.made,
            "kind": str(promise.kind),
            "to": promise.to,
            "body": promise.body,
            "about": promise.about,
            # relative, so that a home folder can be moved or restored elsewhere
            "bundle": str(bundle.relative_to(home) if inside else bundle),
        }

    def _from_json(self, row: dict[str, Any], bundle: Path | None = None) -> Promise:
        return Promise(
            id=str(row["promise"]),
            kind=PromiseKind(row["kind"]),
            to=str(row["to"]),
            body=str(row["body"]),
            bundle=bundle or self._settings.home / str(row["bundle"]),
            made=float(row["time"]),
            about=str(row.get("about", "")),
        )
