"""One owner at a time for a folder that a server works in."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import TextIO

from agent.errors import SetupError


def take_lock(folder: Path, what: str) -> TextIO:
    """Lock ``folder`` for as long as the returned file stays open.

    The lock ends with the process that took it, however it ends; the server it started may
    outlive it, and can then be told from one that somebody still needs.

    Raises:
        SetupError: another process holds it; ``what`` names the server in the message.
    """
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise SetupError(
            f"{what} already runs in {folder}.",
            remedy="Stop that Pickup first, or set PICKUP_HOME to another folder.",
        ) from error
    return lock
