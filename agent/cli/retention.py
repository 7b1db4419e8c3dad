"""``pickup retention | looked``: how long evidence stays, and what is released from being kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from agent.evidence.bundle import find_bundle
from agent.service import retention as rules
from agent.service.logs import configure_logs
from agent.settings import load_settings

COLOURS = {rules.Fate.REDACT: "yellow", rules.Fate.DELETE: "red", rules.Fate.HOLD: "cyan"}


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(retention)
    app.command()(looked)


def retention(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be done.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs, one line a call.")] = False,
) -> None:
    """Redact and delete calls that are past their time ([retention]); tell which are held and why.

    `pickup watch` does the same every hour, while no call is on.
    """
    configure_logs(person=True)
    settings = load_settings()
    now = datetime.now(UTC)
    out = Console(highlight=False)
    count = 0
    for one in rules.due(settings, now) if dry_run else rules.carry_out(settings, now):
        count += 1
        name = f"{one.folder.parent.name}/{one.folder.name}"
        if as_json:
            typer.echo(json.dumps({"call": name, "fate": str(one.fate), "why": one.why}))
        else:
            out.print(f"{name}  [{COLOURS[one.fate]}]{one.fate:<6}[/]  {one.why}", soft_wrap=True)
    if not as_json and not count:
        rule = settings.retention
        out.print(
            f"No call is past its time (redacted after {rule.redact_after_days} days,"
            f" deleted after {rule.delete_after_days}; 0: never)."
        )


def looked(
    call_ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Ids or their beginnings; `last`.")
    ],
) -> None:
    """Say that you have looked at flagged calls: their evidence need not be held any longer."""
    settings = load_settings()
    for folder in [find_bundle(settings.calls, call_id) for call_id in call_ids]:
        rules.looked_at(folder, datetime.now(UTC))
        typer.echo(f"{folder.parent.name}/{folder.name}  looked at")
