"""Plays runs in worker processes; none that crashes or hangs loses another run.

An evaluation that was broken off goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final, Protocol, Self

import structlog

from agent.evaluate.case import WORLDS, Run
from agent.evaluate.results import Played, Status, not_played
from agent.evaluate.sound_driver import AudioDriver, PhoneDriver
from agent.evaluate.text import Result, TextDriver, played
from agent.settings import Settings

PATIENCE_SECONDS: Final = 120.0
"""A text run takes milliseconds, the first one a few seconds more for loading the mind; one
that takes this long hangs, and its worker is killed."""

MOST_DEATHS: Final = 2
"""A run that has taken so many workers with it is errored; the first may have been bad luck."""


class Driver(Protocol):
    """Plays runs one after the other; an async context manager."""

    async def __aenter__(self) -> Self:
        """Start what is needed."""

    async def __aexit__(self, *_: object) -> None:
        """Stop it."""

    async def play(self, run: Run) -> Result:
        """Play one run and judge it; a fault of ours is its status, never an exception."""


DriverMaker = Callable[[Settings, Path], Driver]
"""Makes a driver of the settings and the folder of restaurant files."""

DRIVERS: Final[dict[str, DriverMaker]] = {
    "text": TextDriver,
    "audio": AudioDriver,
    "phone": PhoneDriver,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How runs are to be played.

    Attributes:
        settings: The machine's: models, most of all.
        driver: A name in `DRIVERS`.
        worlds: Folder of restaurant files.
        repeat: How often each run is played.
        jobs: How many worker processes.
        patience: Seconds that all repeats of a run may take.
    """

    settings: Settings
    driver: str = "text"
    worlds: Path = WORLDS
    repeat: int = 1
    jobs: int = 1
    patience: float = PATIENCE_SECONDS


class Journal:
    """What was played already, on disk, one line a run: an evaluation can be taken up again."""

    def __init__(self, path: Path, inputs: str, *, resume: bool) -> None:
        """Begin, or go on with what is at ``path`` if it was played of the same ``inputs``.

        Args:
            path: The journal.
            inputs: Hash of everything that decides how a run goes.
            resume: Take up what is there; else it is begun anew.
        """
        self._path = path
        self.known: dict[str, Played] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if resume:
            self.known = _read_journal(path, inputs)
        if not self.known:
            path.write_text(json.dumps({"inputs": inputs}) + "\n", encoding="utf-8")

    def note(self, one: Played) -> None:
        """Write down how a run went."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one.as_json(), ensure_ascii=False) + "\n")


def _read_journal(path: Path, inputs: str) -> dict[str, Played]:
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        if json.loads(first) != {"inputs": inputs}:
            return {}
    except (OSError, ValueError):
        return {}
    known: dict[str, Played] = {}
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # torn when it was broken off
            one = Played.from_json(json.loads(line))
            known[one.name] = one
    return known


def play_all(
    runs: Sequence[Run],
    plan: Plan,
    *,
    journal: Journal | None = None,
    on_played: Callable[[Played], None] = lambda one: None,
) -> Generator[Played, None, None]:
    """Yield how each run went, in the order in which they are done.

    Args:
        runs: What to play; names are unique.
        plan: How.
        journal: Remembers what is done; what it knows is yielded without being played.
        on_played: Told of each run that was played now.
    """
    known = journal.known if journal else {}
    todo = []
    for run in runs:
        if run.name in known:
            yield known[run.name]
        elif plan.driver not in run.case.drivers:
            yield not_played(run, Status.NOT_RUN, f"not a case for the driver {plan.driver}")
        else:
            todo.append(run)
    for one in _Pool(plan).play(todo):
        if journal is not None:
            journal.note(one)
        on_played(one)
        yield one


@dataclass
class _Worker:
    """One process and what it is at."""

    process: BaseProcess
    pipe: Connection
    run: Run | None = None
    since: float = 0.0


@dataclass
class _Pool:
    """Keeps ``plan.jobs`` workers busy and replaces those that die."""

    plan: Plan
    _deaths: dict[str, int] = field(default_factory=dict)

    def play(self, runs: Sequence[Run]) -> Iterator[Played]:
        todo = deque(runs)
        workers = [self._worker() for _ in range(min(self.plan.jobs, len(todo)))]
        try:
            while todo or any(worker.run for worker in workers):
                for index, worker in enumerate(workers):
                    if worker.run is None and todo:
                        worker.run, worker.since = todo.popleft(), time.monotonic()
                        try:
                            worker.pipe.send(worker.run)
                        except (BrokenPipeError, ConnectionResetError):
                            yield from self._died(workers, index, todo)
                yield from self._gather(workers, todo)
        finally:
            for worker in workers:
                worker.process.kill()
                worker.process.join()
                worker.pipe.close()

    def _gather(self, workers: list[_Worker], todo: deque[Run]) -> Iterator[Played]:
        busy = [worker for worker in workers if worker.run]
        ready = wait([worker.pipe for worker in busy], timeout=1.0)
        for index, worker in enumerate(workers):
            if worker.run is None:
                continue
            if worker.pipe in ready:
                try:
                    one = Played.from_json(worker.pipe.recv())
                except (EOFError, ConnectionResetError):
                    yield from self._died(workers, index, todo)
                else:
                    worker.run = None
                    yield one
            elif time.monotonic() - worker.since > self.plan.patience:
                worker.process.kill()
                yield from self._died(workers, index, todo, hung=True)

    def _died(
        self, workers: list[_Worker], index: int, todo: deque[Run], *, hung: bool = False
    ) -> Iterator[Played]:
        """Replace a worker; its run is tried once more, or is errored."""
        worker = workers[index]
        worker.process.join()
        worker.pipe.close()
        workers[index] = self._worker()
        run = worker.run
        if run is None:
            return
        deaths = self._deaths[run.name] = self._deaths.get(run.name, 0) + 1
        if hung:
            yield not_played(run, Status.ERRORED, f"took longer than {self.plan.patience:.0f} s")
        elif deaths >= MOST_DEATHS:
            code = worker.process.exitcode
            how = f"signal {-code}" if code and code < 0 else f"exit status {code}"
            yield not_played(run, Status.ERRORED, f"its worker died {deaths} times ({how})")
        else:
            todo.appendleft(run)

    def _worker(self) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self.plan), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours)


def _work(pipe: Connection, plan: Plan) -> None:
    """Play what comes through ``pipe`` until it is closed; the life of a worker."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(pipe, plan))


async def _serve(pipe: Connection, plan: Plan) -> None:
    async with DRIVERS[plan.driver](plan.settings, plan.worlds) as driver:
        while True:
            try:
                run = await asyncio.to_thread(pipe.recv)
            except EOFError:
                return
            began = time.perf_counter()
            results = [await driver.play(run) for _ in range(plan.repeat)]
            pipe.send(played(results, time.perf_counter() - began).as_json())
