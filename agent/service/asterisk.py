"""Starts and stops an Asterisk of our own: the restaurant's PBX, or the carrier of the demo.

The configuration in ``asterisk/<role>/`` is filled in with this machine's settings and
written to ``<home>/<role>/etc``; everything Asterisk writes stays in ``<home>/<role>``.
Which Asterisk it is was decided by ``asterisk/install`` and stands in ``build/asterisk.toml``.

Calls here block (a start takes about a second): use ``asyncio.to_thread`` in async code.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, TextIO

import structlog

from agent.errors import PhoneError, SetupError
from agent.service.asterisk_config import Installation, Role, configuration, find_asterisk
from agent.service.dialplan import files as dialplan
from agent.service.lock import take_lock
from agent.settings import Settings

BOOT_SECONDS: Final = 30.0
"""Longest wait for "fully booted"; measured 0.7-1.4 s on two idle cores."""

STOP_SECONDS: Final = 5.0
"""Longest wait after ``core stop now`` before SIGKILL."""

COMMAND_SECONDS: Final = 10.0
"""Longest wait for the answer to a console command."""

_SOCKET_PATH_LIMIT: Final = 107
"""Bytes in the path of a Unix socket (``sun_path`` of unix(7), less its final NUL)."""

log = structlog.get_logger()


class AsteriskServer:
    """One Asterisk process with a home of its own.

    Args:
        role: ``pbx`` is the restaurant's, ``carrier`` the phone company of demo and tests.
        settings: Ports, passwords and paths, and the restaurant file they name.
        installation: Which Asterisk; by default the one that set-up chose.
    """

    def __init__(
        self, role: Role, settings: Settings, installation: Installation | None = None
    ) -> None:
        self.role = role
        self.home = settings.home.resolve() / role
        self.etc = self.home / "etc"
        self._settings = settings
        self._installation = installation
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: TextIO | None = None

    @property
    def log_file(self) -> Path:
        """What Asterisk has to say."""
        return self.home / "log" / "messages"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def render(self) -> None:
        """Write the configuration for this machine into ``<home>/<role>/etc``.

        Raises:
            SetupError: a placeholder or a value is wrong, or Asterisk is not set up.
            RestaurantError: the restaurant file is wrong.
        """
        for name in ("", "etc", "lib/cache", "lib/agi-bin", "db", "keys", "spool", "log", "run"):
            (self.home / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.home / "log" / "cdr-csv").mkdir(exist_ok=True)
        (self._settings.home / "local").mkdir(exist_ok=True)
        files = configuration(self.role, self._settings, self._found)
        for name, text in files.items():
            # The files hold passwords; they must never be readable by others, not even briefly.
            draft = self.etc / f"{name}.new"
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as f:
                f.write(text)
            draft.replace(self.etc / name)
        for old in self.etc.glob("*.conf"):
            if old.name not in files:
                old.unlink()

    def _put_dialplan(self) -> None:
        """Put the edited dialplan to use, unless it is wrong and the last good one is there."""
        if self.role == "carrier":
            return
        wrong = dialplan.problems(self._settings)
        if not wrong or not dialplan.deployed(self._settings).exists():
            dialplan.put(self._settings)
        for problem in wrong:
            log.error(
                "The dialplan is wrong.", problem=str(problem), remedy="pickup dialplan check"
            )

    def start(self) -> None:
        """Render, start, and return once Asterisk is fully booted.

        An Asterisk left over in this home by a killed parent is stopped first.

        Raises:
            SetupError: it is not set up, already runs, a port is taken, or it did not boot.
        """
        control = self.home / "run" / "asterisk.ctl"
        if len(os.fsencode(control)) > _SOCKET_PATH_LIMIT:
            raise SetupError(
                f"{control} is too long for a control socket.",
                remedy="Choose a home folder with a shorter path.",
            )
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = take_lock(self.home, f"The {self.role}")
        try:
            self.render()
            self._put_dialplan()
            if self._answers():
                log.warning("stopping an asterisk left over from before", role=self.role)
                self._stop_leftover()
            self._check_ports()
            self._launch()
            self._wait_booted()
            self._check_modules()
        except BaseException:
            self.stop()
            raise
        log.info("asterisk started", role=self.role, pid=self.pid, version=self._found.version)

    def command(self, line: str) -> str:
        """Run a console command (``core show channels``) and return what it printed.

        Raises:
            PhoneError: Asterisk does not answer.
        """
        try:
            done = self._remote(line)
        except subprocess.TimeoutExpired as error:
            raise PhoneError(
                f"The {self.role} did not answer {line!r} within {COMMAND_SECONDS:.0f} s."
            ) from error
        if done.returncode != 0:
            raise PhoneError(
                f"The {self.role} does not answer: {done.stdout.strip() or done.stderr.strip()}",
                remedy=f"Is it running? Its log is {self.log_file}.",
            )
        return done.stdout

    def reload(self) -> None:
        """Render again and let the running Asterisk read it; calls go on. Ports don't change."""
        self.render()
        self._put_dialplan()
        self.command("core reload")

    def stop(self) -> None:
        """Stop it, whatever state it is in; calls are hung up. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            if process.poll() is None:
                # SIGTERM is no help: measured, it had not stopped Asterisk after 1 s.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._remote("core stop now")
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                log.warning("asterisk does not stop, killing it", role=self.role)
                process.kill()
                process.wait()
            log.info("asterisk stopped", role=self.role)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> AsteriskServer:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    @property
    def _found(self) -> Installation:
        if self._installation is None:
            self._installation = find_asterisk()
        return self._installation

    def _listens(self) -> tuple[tuple[str, socket.SocketKind, str, int], ...]:
        tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
        if self.role == "carrier":
            carrier = self._settings.carrier
            return (
                ("carrier.sip_port", udp, carrier.host, carrier.sip_port),
                ("carrier.http_port", tcp, carrier.host, carrier.http_port),
            )
        pbx = self._settings.pbx
        return (
            ("pbx.sip_port", udp, pbx.sip_host, pbx.sip_port),
            ("pbx.http_port", tcp, pbx.host, pbx.http_port),
            ("pbx.ami_port", tcp, pbx.host, pbx.ami_port),
        )

    def _check_ports(self) -> None:
        # Asterisk would boot all the same, and stay deaf.
        for name, kind, host, port in self._listens():
            with socket.socket(socket.AF_INET, kind) as probe:
                if kind is socket.SOCK_STREAM:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((host, port))
                except OSError as error:
                    raise SetupError(
                        f"The {self.role} can't listen on {host}:{port} ({error.strerror}).",
                        remedy=f"Stop what uses the port, or set another {name}.",
                    ) from error

    def _launch(self) -> None:
        with (self.home / "log" / "console").open("wb") as console:
            self._process = subprocess.Popen(
                [self._found.binary, "-f", "-C", self.etc / "asterisk.conf"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                umask=0o077,  # recordings and call records are nobody else's
                # Ctrl-C at the terminal is for Pickup, which then stops us in good order.
                start_new_session=True,
            )

    def _wait_booted(self) -> None:
        assert self._process is not None  # noqa: S101
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise SetupError(
                    f"The {self.role} ended while starting (status {self._process.returncode}).\n"
                    f"{self._last_words()}",
                    remedy=f"See {self.log_file}.",
                )
            if self._answers():
                return
            time.sleep(0.05)
        raise SetupError(
            f"The {self.role} did not boot within {BOOT_SECONDS:.0f} s.\n{self._last_words()}",
            remedy=f"See {self.log_file}.",
        )

    def _check_modules(self) -> None:
        # Asterisk boots without the modules that fail to load, and then answers no call.
        wanted = re.findall(r"^load = (\S+)", (self.etc / "modules.conf").read_text(), re.MULTILINE)
        shown = self.command("module show")
        running = set(re.findall(r"^(\S+\.so) .* Running ", shown, re.MULTILINE))
        missing = sorted(set(wanted) - running)
        if missing:
            raise SetupError(
                f"The {self.role}'s Asterisk could not load {', '.join(missing)}.",
                remedy=f"See {self.log_file}; if it is not Pickup's own Asterisk, take that one"
                " off PATH and run make setup.",
            )

    def _answers(self) -> bool:
        try:
            done = self._remote("core waitfullybooted")
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0 and "fully booted" in done.stdout

    def _stop_leftover(self) -> None:
        self._remote("core stop now")
        deadline = time.monotonic() + STOP_SECONDS
        while self._answers() and time.monotonic() < deadline:
            time.sleep(0.05)
        # It gives its ports back a little after it stopped answering.
        while time.monotonic() < deadline:
            with contextlib.suppress(SetupError):
                self._check_ports()
                return
            time.sleep(0.05)
        raise SetupError(
            f"An Asterisk left over in {self.home} does not stop.",
            remedy="Kill the process whose id stands in run/asterisk.pid there.",
        )

    def _remote(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._found.binary, "-C", self.etc / "asterisk.conf", "-rx", line],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def _last_words(self) -> str:
        lines: list[str] = []
        for path in (self.home / "log" / "console", self.log_file):
            with contextlib.suppress(FileNotFoundError):
                lines += path.read_text(errors="replace").splitlines()[-15:]
        return "\n".join(lines)
