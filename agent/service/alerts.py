"""Tells people when the line is in danger: once per fault, and once more when it is over.

What is open is kept in ``<home>/alerts.json``, so that a restart neither repeats nor forgets.
Texts are promises like any other (kept through outages, sent once); e-mail goes to the mail
server that the settings name.
"""

from __future__ import annotations

import hashlib
import json
import smtplib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import structlog

from agent.errors import PromiseError
from agent.events import PromiseKind
from agent.phone.watch import Sign
from agent.promises.files import append_line, put_file
from agent.promises.ledger import Ledger
from agent.settings import Settings

log = structlog.get_logger()

SMTP_SECONDS: Final = 10.0

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not well.

    Attributes:
        name: The sign's name.
        detail: One sentence for a person.
        since: Unix time.
        told: Whether people have been told.
    """

    name: str
    detail: str
    since: float
    told: bool = False


class Alerts:
    """Keeps the open faults and tells of them. Blocking; call from a thread."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        """Read what is open. ``clock`` gives Unix time."""
        self._settings = settings
        self._to = settings.alerts
        self._clock = clock
        self._path = settings.home / "alerts.json"
        self._open = _load(self._path)
        self._unsent: list[tuple[str, str]] = []

    @property
    def open(self) -> Mapping[str, Fault]:
        """What is not well now, by name."""
        return self._open

    def note(self, sign: Sign) -> None:
        """Take a sign. People are told by :meth:`tell`, when a fault has lasted."""
        known = self._open.get(sign.name)
        if sign.passing:
            self._log(sign.name, "happened", sign.detail)
            self._send(sign.name, sign.detail, self._clock())
        elif not sign.well and known is None:
            self._open[sign.name] = Fault(sign.name, sign.detail, self._clock())
            self._save()
        elif sign.well and known is not None:
            del self._open[sign.name]
            self._save()
            if known.told:
                self._log(sign.name, "over", sign.detail)
                self._send(f"{sign.name} over", f"All clear: {sign.detail}", known.since)

    def tell(self) -> None:
        """Tell of every fault that has lasted ``settle_seconds``, and try failed e-mail again."""
        now = self._clock()
        for name, fault in list(self._open.items()):
            if not fault.told and now - fault.since >= self._to.settle_seconds:
                # Written down first: told once too little is mended by the next fault, told
                # over and over by a process that dies each time is not.
                self._open[name] = Fault(name, fault.detail, fault.since, told=True)
                self._save()
                self._log(name, "began", fault.detail)
                self._send(name, fault.detail, fault.since)
        unsent, self._unsent = self._unsent, []
        for name, text in unsent:
            self._mail(name, text)

    def _send(self, name: str, text: str, since: float) -> None:
        log.warning("People are told.", about=name, text=text)
        ledger = Ledger(self._settings, self._clock)
        try:
            for number in self._to.sms:
                about = _token(f"{name} {since:.3f} {number}")
                ledger.make(
                    PromiseKind.OWNER_MESSAGE,
                    number,
                    f"Pickup: {text}",
                    self._settings.home / "alerts",
                    about=about,
                )
        except PromiseError as error:
            log.critical("An alert can't be texted.", about=name, error=str(error))
        self._mail(name, text)

    def _mail(self, name: str, text: str) -> None:
        if not self._to.email:
            return
        letter = EmailMessage()
        letter["From"], letter["To"] = self._to.email_from, ", ".join(self._to.email)
        letter["Subject"] = f"Pickup: {name}"
        letter.set_content(f"{text}\n\nTo look closer: pickup doctor\n")
        try:
            with smtplib.SMTP(
                self._to.smtp_host, self._to.smtp_port, timeout=SMTP_SECONDS
            ) as server:
                server.send_message(letter)
        except (OSError, smtplib.SMTPException) as error:
            self._unsent.append((name, text))
            log.error("An alert can't be mailed yet.", about=name, error=str(error))

    def _log(self, name: str, what: str, detail: str) -> None:
        row: dict[str, Any] = {"time": self._clock(), "name": name, "what": what, "detail": detail}
        try:
            append_line(self._settings.home / "alerts" / "history.jsonl", row)
        except OSError as error:
            log.critical("An alert can't be written down.", about=name, error=str(error))

    def _save(self) -> None:
        try:
            put_file(self._path, {name: asdict(fault) for name, fault in self._open.items()})
        except OSError as error:
            log.critical("The open alerts can't be written down.", error=str(error))


def _load(path: Path) -> dict[str, Fault]:
    try:
        rows = json.loads(path.read_bytes())
        return {name: Fault(**row) for name, row in rows.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError, OSError) as error:
        log.warning("The open alerts can't be read; they begin anew.", error=str(error))
        return {}


def _token(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(_ALPHABET[byte % 32] for byte in digest[:8])
