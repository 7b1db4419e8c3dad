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
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TextIO

import phonenumbers
import structlog

from agent.errors import PhoneError, SetupError
from agent.restaurant import Restaurant, load_restaurant
from agent.service.lock import take_lock
from agent.settings import CHECKOUT, Settings

Role = Literal["pbx", "carrier"]

BOOT_SECONDS: Final = 30.0
"""Longest wait for "fully booted"; measured 0.7-1.4 s on two idle cores."""

STOP_SECONDS: Final = 5.0
"""Longest wait after ``core stop now`` before SIGKILL."""

COMMAND_SECONDS: Final = 10.0
"""Longest wait for the answer to a console command."""

_SOCKET_PATH_LIMIT: Final = 107
"""Bytes in the path of a Unix socket (``sun_path`` of unix(7), less its final NUL)."""

_EMPTY_FILES: Final = (
    "acl",
    "ccss",
    "cdr",
    "cel",
    "features",
    "indications",
    "manager",
    "pjproject",
    "stasis",
    "udptl",
    "websocket_client",
)
"""Files whose absence Asterisk 22 reports as an error though it needs nothing from them."""

_PLACEHOLDER: Final = re.compile(r"@([a-z_]+)@")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Installation:
    """An Asterisk that fits: its program, its modules, its sounds (``data/sounds/en``)."""

    binary: Path
    modules: Path
    data: Path
    version: str


def find_asterisk(build: Path = CHECKOUT / "build") -> Installation:
    """Return the Asterisk that ``asterisk/install`` chose.

    Raises:
        SetupError: it never ran, or what it found is gone.
    """
    remedy = "Run make setup."
    try:
        found = tomllib.loads((build / "asterisk.toml").read_text())
    except FileNotFoundError as error:
        raise SetupError("Asterisk is not set up.", remedy=remedy) from error
    installation = Installation(
        binary=Path(found["binary"]),
        modules=Path(found["modules"]),
        data=Path(found["data"]),
        version=found["version"],
    )
    for path in (installation.binary, installation.modules, installation.data):
        if not path.exists():
            raise SetupError(f"Asterisk's {path} is gone.", remedy=remedy)
    return installation


def render(template: str, values: Mapping[str, str]) -> str:
    """Return ``template`` with every ``@name@`` replaced.

    Raises:
        SetupError: a name has no value, or a value would break the file's syntax.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise SetupError(
                f"Asterisk's configuration asks for @{name}@, which does not exist.",
                remedy="Correct the name in asterisk/.",
            )
        if re.search(r"[;\r\n]", values[name]):
            raise SetupError(
                f"{values[name]!r} can't stand in Asterisk's configuration as {name}.",
                remedy="Use a value without semicolons and line breaks.",
            )
        return values[name]

    return _PLACEHOLDER.sub(value, template)


def ways_to_dial(number: str) -> tuple[str, ...]:
    """Return the digits by which a trunk may name ``number`` (E.164): with and without country."""
    parsed = phonenumbers.parse(number)
    national = phonenumbers.national_significant_number(parsed)
    return (f"{parsed.country_code}{national}", national)


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
        values = self._values(load_restaurant(self._settings.restaurant))
        files = {f"{name}.conf": "; Empty on purpose.\n" for name in _EMPTY_FILES}
        for template in (CHECKOUT / "asterisk" / self.role).glob("*.conf"):
            files[template.name] = render(template.read_text(encoding="utf-8"), values)
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

    def start(self) -> None:
        """Render, start, and return once Asterisk is fully booted.

        An Asterisk left over in this home by a killed parent is stopped first.

        Raises:
            SetupError: it is not set up, already runs, a port is taken, or it did not boot.
        """
        self.render()
        control = self.home / "run" / "asterisk.ctl"
        if len(os.fsencode(control)) > _SOCKET_PATH_LIMIT:
            raise SetupError(
                f"{control} is too long for a control socket.",
                remedy="Choose a home folder with a shorter path.",
            )
        self._lock = take_lock(self.home, f"The {self.role}")
        try:
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

    def _values(self, restaurant: Restaurant) -> dict[str, str]:
        settings, found = self._settings, self._found
        values = {
            "etc": str(self.etc),
            "var": str(self.home),
            "modules": str(found.modules),
            "data": str(found.data),
            "public_number": restaurant.public_number,
            "trunk_number": settings.trunk.number,
        }
        if self.role == "carrier":
            carrier = settings.carrier
            return values | {
                "carrier_host": carrier.host,
                "http_port": str(carrier.http_port),
                "sip_port": str(carrier.sip_port),
                "ari_user": carrier.ari_user,
                "ari_password": carrier.ari_password.get_secret_value(),
                "rtp_first": str(carrier.rtp_first),
                "rtp_last": str(carrier.rtp_last),
                "ring_seconds": str(carrier.ring_seconds),
                "pbx_sip_host": settings.pbx.sip_host,
                "pbx_sip_port": str(settings.pbx.sip_port),
            }
        pbx = settings.pbx
        numbers = dict.fromkeys(
            way
            for number in (settings.trunk.number, restaurant.public_number)
            for way in ways_to_dial(number)
        )
        return values | {
            "local": str(settings.home / "local"),
            "dialplan": str(CHECKOUT / "dialplan"),
            "sounds": str(CHECKOUT / "asterisk" / "sounds"),
            "restaurant": re.sub(r"[^\w .&'-]", " ", restaurant.name),
            "numbers": "-".join(numbers),
            "http_host": pbx.host,
            "http_port": str(pbx.http_port),
            "sip_host": pbx.sip_host,
            "sip_port": str(pbx.sip_port),
            "ami_port": str(pbx.ami_port),
            "ami_user": pbx.ami_user,
            "ami_password": pbx.ami_password.get_secret_value(),
            "ari_user": pbx.ari_user,
            "ari_password": pbx.ari_password.get_secret_value(),
            "app": pbx.app,
            "rtp_first": str(pbx.rtp_first),
            "rtp_last": str(pbx.rtp_last),
            "agent_host": settings.agent.host,
            "agent_port": str(settings.agent.port),
            "gate_port": str(settings.agent.gate_port),
            "peer": settings.trunk.peer,
            "peer_port": str(settings.trunk.peer_port),
        }

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
        while self._answers():
            if time.monotonic() > deadline:
                raise SetupError(
                    f"An Asterisk left over in {self.home} does not stop.",
                    remedy="Kill the process whose id stands in run/asterisk.pid there.",
                )
            time.sleep(0.05)

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
