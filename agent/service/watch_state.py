"""What the watch leaves for others to read: `pickup doctor`, the metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Final

STATE_SECONDS: Final = 2.0
"""How often the file is written anew."""

LATE_VOICEMAIL_SECONDS: Final = 600.0
"""A voicemail that waits longer than this is not being passed on."""

CANARY_HISTORY: Final = "canary/history.jsonl"
"""Below the home: one line a canary."""


def state_file(home: Path) -> Path:
    """Return where a watcher of this home writes what it knows."""
    return home / "watch.json"
