"""The command ``pickup``: one file per group of commands, gathered here."""

from __future__ import annotations

import importlib
import sys
from typing import Final

import typer
from rich.console import Console
from rich.markup import escape

from agent.errors import PickupError

GROUPS: Final = (
    "stack",
    "bench",
    "call",
    "calls",
    "promote",
    "ask",
    "chat",
    "eval",
    "review",
    "replay",
    "report",
    "hear",
    "say",
    "warm",
    "models",
    "promises",
    "pause",
    "dialplan",
    "watch",
    "doctor",
    "canary",
    "backup",
    "retention",
)
"""Modules of this package that register commands, in the order of ``pickup --help``."""

app = typer.Typer(
    name="pickup",
    help="The phone agent that answers when a small restaurant's staff can't.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

for _group in GROUPS:
    importlib.import_module(f"agent.cli.{_group}").register(app)


def main() -> None:
    """Run the command line; errors of ours become one red sentence and exit code 1."""
    try:
        app()
    except PickupError as error:
        Console(stderr=True).print(
            f"[red]{error.code}:[/red] {escape(str(error))}", highlight=False, soft_wrap=True
        )
        sys.exit(1)
