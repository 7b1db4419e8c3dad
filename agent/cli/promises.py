"""``pickup worker`` keeps promises; ``pickup promises`` shows them."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Annotated, Any

import typer

from agent.promises import worker
from agent.promises.ledger import HISTORY, Ledger
from agent.promises.state import Act, Promise
from agent.promises.texts import spoken_number
from agent.settings import Settings, load_settings


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("worker")(work)
    app.command("promises")(promises)


def work() -> None:
    """Keep promises: send the texts, hear how delivery went. Runs until SIGTERM."""
    asyncio.run(worker.run(load_settings()))


def promises(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    count: Annotated[int, typer.Option(help="How many settled ones to show.")] = 20,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Put back lost markers from the evidence first.")
    ] = False,
) -> None:
    """List the open promises, then the latest settled ones."""
    settings = load_settings()
    ledger = Ledger(settings)
    if rebuild:
        restored = ledger.rebuild()
        if not as_json:
            typer.echo(f"{restored} open promises put back.")
    rows = listed(settings, ledger, count)
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not rows:
        typer.echo("No promises yet.")
    for row in rows:
        typer.echo(
            f"{row['made']}  {row['promise']:<9}  {row['kind']:<13}  "
            f"{spoken_number(row['to']):<14}  {row['state']}"
        )


def listed(settings: Settings, ledger: Ledger, count: int) -> list[dict[str, Any]]:
    """Return open promises, then at most ``count`` settled ones, newest first, JSON-ready."""
    opened = [p for i in ledger.open_ids() if (p := ledger.find(i)) is not None]
    opened.sort(key=lambda p: p.made, reverse=True)
    known = {p.id for p in opened}
    settled: list[Promise] = []
    for history in sorted(settings.calls.glob(f"*/*/{HISTORY}"), reverse=True):
        if len(settled) >= count:
            break
        settled += [p for p in reversed(ledger.promises_of(history.parent)) if p.id not in known]
    return [_row(ledger, promise) for promise in (*opened, *settled[:count])]


def _row(ledger: Ledger, promise: Promise) -> dict[str, Any]:
    now = ledger.standing(promise)
    step = ledger.step(promise, now)
    if now.lost:
        state = f"not kept (code {now.code or 'none'})"
    elif now.accepted is None:
        state = f"waiting, tried {now.tries} times" if now.tries else "waiting"
    else:
        state = now.status or "accepted"
    return {
        "promise": promise.id,
        "kind": str(promise.kind),
        "to": promise.to,
        "made": datetime.fromtimestamp(promise.made).astimezone().isoformat(timespec="seconds"),
        "outcome": str(now.outcome),
        "state": state,
        "receipt": now.receipt,
        "code": now.code,
        "open": not now.settled,
        "next": None if step.act is Act.NOTHING else str(step.act),
        "bundle": str(promise.bundle),
        "about": promise.about,
    }
