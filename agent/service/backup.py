"""Backup and restore: what can't be made again, in one archive.

Evidence, open promises, the owner's list, mailbox, secrets, settings and the sysadmin's own
dialplan go in; what Pickup makes itself (phrases, logs, rendered configuration, Redis) stays out.
The archive appears whole or not at all. Lines that are being written while it is made may be
torn at the end; every reader here passes over a torn last line.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agent import __version__
from agent.errors import SetupError
from agent.promises.ledger import Ledger
from agent.settings import Settings

PARTS: Final = (
    "calls",
    "promises",
    "owner",
    "alerts",
    "canary",
    "gate",
    "voicemail",
    "pbx/spool/voicemail",
    "local",
    "secrets.toml",
    "pickup.toml",
    "pause.json",
    "spam.txt",
    "alerts.json",
)
"""Below the home."""

CARD: Final = "backup.json"
NAME: Final = "pickup-%Y%m%dT%H%M%SZ.tar.gz"


def newest(folder: Path) -> datetime | None:
    """Return when the newest archive in ``folder`` was made, by its name; None if there is none."""
    found = []
    for path in folder.glob("pickup-*.tar.gz"):
        with contextlib.suppress(ValueError):
            found.append(datetime.strptime(path.name, NAME).replace(tzinfo=UTC))
    return max(found, default=None)


def backup(settings: Settings, folder: Path, now: datetime, keep: int = 0) -> Path:
    """Write an archive into ``folder`` and return its path.

    Args:
        settings: The machine's settings.
        folder: Where the archives lie; made if absent.
        now: For the archive's name.
        keep: How many archives may stay, the newest; 0: all.

    Raises:
        SetupError: the disk did not take it; nothing is left behind.
    """
    target = folder / f"{now.astimezone(UTC):{NAME}}"
    draft = target.with_suffix(".draft")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
                _add_card(archive, settings, now)
                for part in PARTS:
                    if (settings.home / part).exists():
                        archive.add(settings.home / part, f"home/{part}", filter=_plain)
                archive.add(settings.restaurant.resolve(), "restaurant.toml")
            out.flush()
            os.fsync(out.fileno())
        draft.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise SetupError(
            f"The backup can't be written into {folder} ({error.strerror or error}).",
            remedy="Free some space there, or name another folder.",
        ) from error
    if keep:
        for old in sorted(folder.glob("pickup-*.tar.gz"))[:-keep]:
            old.unlink()
    return target


def restore(settings: Settings, archive: Path) -> tuple[int, int]:
    """Put an archive into the home folder, which must hold no calls yet.

    Returns:
        How many calls there are now, and how many promises are open.

    Raises:
        SetupError: it is no backup, or the home is in use.
    """
    home = settings.home
    if any((home / "calls").glob("*/*")) or any((home / "promises").glob("*.json")):
        raise SetupError(
            f"{home} has calls or promises already.",
            remedy="Restore into an empty home: set PICKUP_HOME to a new folder.",
        )
    try:
        with tarfile.open(archive) as opened:
            card = json.load(opened.extractfile(CARD) or io.BytesIO(b"{}"))
            members = [m for m in opened.getmembers() if m.name.startswith("home/")]
            for member in members:
                member.name = member.name.removeprefix("home/")
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            opened.extractall(home, members, filter="data")
            (home / "restaurant.restored.toml").write_bytes(
                (opened.extractfile("restaurant.toml") or io.BytesIO()).read()
            )
    except (tarfile.TarError, KeyError, ValueError, OSError) as error:
        raise SetupError(
            f"{archive} is no backup of Pickup's that can be read ({error}).",
            remedy="Name a pickup-….tar.gz that `pickup backup` wrote.",
        ) from error
    if card.get("pickup") is None:
        raise SetupError(f"{archive} does not say which Pickup wrote it.", remedy="Take another.")
    # The archive was made while markers came and went; the evidence has the last word.
    ledger = Ledger(settings)
    ledger.rebuild()
    return sum(1 for _ in (home / "calls").glob("*/*/call.json")), len(ledger.open_ids())


def _add_card(archive: tarfile.TarFile, settings: Settings, now: datetime) -> None:
    made = now.astimezone(UTC).isoformat()
    card = {"pickup": __version__, "made": made, "home": str(settings.home)}
    data = json.dumps(card).encode()
    info = tarfile.TarInfo(CARD)
    info.size, info.mtime = len(data), int(now.timestamp())
    archive.addfile(info, io.BytesIO(data))


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Only files and folders: no socket, no lock, no link that leads elsewhere."""
    return member if member.isfile() or member.isdir() else None
