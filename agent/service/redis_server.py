"""Starts and stops a redis-server of our own on loopback, with its data in the home folder.

Calls here block (a start takes about 0.1 s): use ``asyncio.to_thread`` in async code.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Final, TextIO
from urllib.parse import urlsplit

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from agent.errors import SetupError
from agent.service.lock import take_lock
from agent.settings import CHECKOUT, Settings

START_SECONDS: Final = 10.0
"""Longest wait for the first PONG; reading a small append-only file takes milliseconds."""

STOP_SECONDS: Final = 5.0
"""Longest wait after SIGTERM before SIGKILL."""

log = structlog.get_logger()


def find_redis(build: Path = CHECKOUT / "build") -> Path:
    """Return the redis-server that ``asterisk/install`` chose.

    Raises:
        SetupError: it never ran, or what it found is gone.
    """
    try:
        binary = Path(tomllib.loads((build / "redis.toml").read_text())["binary"])
    except FileNotFoundError as error:
        raise SetupError("Redis is not set up.", remedy="Run make setup.") from error
    if not binary.exists():
        raise SetupError(f"Redis's {binary} is gone.", remedy="Run make setup.")
    return binary


class RedisServer:
    """One redis-server at the address in ``settings.redis.url``.

    Every change is appended to a file and synced to disk once a second: what a crash of the
    machine may cost is a second of queue, and the promises behind it are on disk elsewhere.
    """

    def __init__(self, settings: Settings) -> None:
        self.home = settings.home.resolve() / "redis"
        self._url = settings.redis.url
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: TextIO | None = None

    @property
    def log_file(self) -> Path:
        """What Redis has to say."""
        return self.home / "redis.log"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start it and return once it answers.

        A redis-server left over in this home by a killed parent is stopped first.

        Raises:
            SetupError: not set up, already running, its port is taken, or it did not start.
        """
        where = urlsplit(self._url)
        if where.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise SetupError(
                f"Redis at {where.hostname} is not on this machine; it can't be started from here.",
                remedy="Start it there, or set redis.url to a loopback address.",
            )
        binary = find_redis()
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = take_lock(self.home, "Redis")
        try:
            self._stop_leftover()
            self._launch(binary, where.hostname, where.port or 6379, where.password or "")
            self._wait_ready()
        except BaseException:
            self.stop()
            raise
        log.info("redis started", pid=self.pid, port=where.port)

    def stop(self) -> None:
        """Stop it; what it holds is on disk. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                log.warning("redis does not stop, killing it")
                process.kill()
                process.wait()
            log.info("redis stopped")
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> RedisServer:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def _launch(self, binary: Path, host: str, port: int, password: str) -> None:
        config = self.home / "redis.conf"
        lines = [
            f"bind {host}",
            f"port {port}",
            f'dir "{self.home}"',
            f'logfile "{self.log_file}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "daemonize no",
        ]
        if password:
            lines.append(f'requirepass "{password}"')
        config.unlink(missing_ok=True)
        descriptor = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("\n".join(lines) + "\n")
        self._process = subprocess.Popen(
            [binary, config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            umask=0o077,
            # Ctrl-C at the terminal is for Pickup, which then stops us in good order.
            start_new_session=True,
        )

    def _wait_ready(self) -> None:
        assert self._process is not None  # noqa: S101
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise SetupError(
                    f"Redis ended while starting.\n{self._last_words()}",
                    remedy="If its port is taken, stop what uses it or set another redis.url.",
                )
            if self._folder_of_answering() == self.home:
                return
            time.sleep(0.02)
        raise SetupError(
            f"Redis did not answer within {START_SECONDS:.0f} s.\n{self._last_words()}",
            remedy=f"See {self.log_file}.",
        )

    def _folder_of_answering(self) -> Path | None:
        """Return the data folder of whatever Redis answers at our address, None if none does."""
        with self._client() as client:
            try:
                return Path(str(client.config_get("dir")["dir"]))
            except redis.RedisError:
                return None

    def _client(self) -> contextlib.closing[redis.Redis]:
        # The library's own retries would take seconds to say that nobody is there.
        once = Retry(NoBackoff(), 0)
        return contextlib.closing(redis.Redis.from_url(self._url, socket_timeout=1.0, retry=once))

    def _stop_leftover(self) -> None:
        if self._folder_of_answering() != self.home:
            return
        log.warning("stopping a redis left over from before")
        with self._client() as client, contextlib.suppress(redis.RedisError):
            client.shutdown()
        deadline = time.monotonic() + STOP_SECONDS
        while self._folder_of_answering() is not None and time.monotonic() < deadline:
            time.sleep(0.02)

    def _last_words(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-15:])
        return ""
