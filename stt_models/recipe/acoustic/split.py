"""What training and tuning may see: sentences by fingerprint, human prompts by half."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

HUMAN_TEXTS: Final = Path(__file__).resolve().parent.parent / "heldout" / "prompts.txt"
"""File names and words of Debian's asterisk-core-sounds-en-wav that tests use."""


def is_dev(prompt: str) -> bool:
    """Return whether a prompt (its file, without ``.wav``) is in the half to tune on."""
    return int(hashlib.sha256(prompt.encode()).hexdigest()[0], 16) % 2 == 0


def fingerprint(text: str) -> str:
    """Return what stands in ``read.sha256`` for a sentence that the training voices read."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]
