"""``pickup backup | restore``: what can't be made again, in one archive."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.service import backup as archives
from agent.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(backup)
    app.command()(restore)


def backup(
    folder: Annotated[Path, typer.Argument(help="Where the archives lie.")],
    keep: Annotated[int, typer.Option(min=0, help="Keep the newest so many; 0: all.")] = 0,
) -> None:
    """Write evidence, promises, mailbox, secrets and settings into one archive (mode 600)."""
    path = archives.backup(load_settings(), folder, datetime.now(UTC), keep)
    typer.echo(f"{path}  {path.stat().st_size // 1024} KiB")


def restore(
    archive: Annotated[Path, typer.Argument(help="A pickup-….tar.gz.")],
) -> None:
    """Put an archive into an empty home (PICKUP_HOME), open promises included."""
    settings = load_settings()
    calls, promises = archives.restore(settings, archive)
    typer.echo(f"{calls} calls and {promises} open promises are in {settings.home}.")
    typer.echo(f"The restaurant file is {settings.home / 'restaurant.restored.toml'}.")
