"""What a look at one hop gives, and what all looks share."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from agent.restaurant import Restaurant, load_restaurant
from agent.service.asterisk_config import Installation, find_asterisk
from agent.settings import CHECKOUT, Settings

COMMAND_SECONDS: Final = 5.0


class Verdict(StrEnum):
    """How a hop is."""

    WELL = "well"
    WARN = "warn"
    """Calls go on, but somebody should look."""
    BAD = "bad"
    """Calls, texts or evidence are lost, now or at the next occasion."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One hop.

    Attributes:
        hop: Its name.
        verdict: How it is.
        saw: What was looked at and found.
        do: What to do; empty if it is well.
    """

    hop: str
    verdict: Verdict
    saw: str
    do: str = ""


def well(hop: str, saw: str) -> Finding:
    """Return that a hop is well."""
    return Finding(hop, Verdict.WELL, saw)


def warn(hop: str, saw: str, do: str) -> Finding:
    """Return that somebody should look."""
    return Finding(hop, Verdict.WARN, saw, do)


def bad(hop: str, saw: str, do: str) -> Finding:
    """Return that a hop is broken."""
    return Finding(hop, Verdict.BAD, saw, do)


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return the worst verdict."""
    order = list(Verdict)
    return max((f.verdict for f in findings), key=order.index, default=Verdict.WELL)


@dataclass
class Patient:
    """The house that is examined.

    Attributes:
        settings: The machine's settings.
        clock: Unix time.
        build: Where set-up noted which Asterisk there is.
        least_disk: Bytes that have to be free.
    """

    settings: Settings
    clock: Callable[[], float] = time.time
    build: Path = CHECKOUT / "build"
    least_disk: int = 500 * 1024 * 1024

    @cached_property
    def restaurant(self) -> Restaurant:
        """The restaurant file; raises RestaurantError."""
        return load_restaurant(self.settings.restaurant)

    @cached_property
    def asterisk(self) -> Installation:
        """Which Asterisk; raises SetupError."""
        return find_asterisk(self.build)

    @property
    def etc(self) -> Path:
        """Asterisk's configuration in use."""
        return self.settings.home.resolve() / "pbx" / "etc"

    def console(self, line: str) -> str:
        """Run an Asterisk console command and return what it printed; empty: it does not answer."""
        try:
            done = subprocess.run(
                [self.asterisk.binary, "-C", self.etc / "asterisk.conf", "-rx", line],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=COMMAND_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return done.stdout if done.returncode == 0 else ""
