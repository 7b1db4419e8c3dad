"""``pickup replay``: recorded callers on a line again; ``pickup import``: from elsewhere too."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.errors import EvidenceError
from agent.evaluate.case import DriverName
from agent.evaluate.engines import Engines
from agent.evaluate.imported import import_recording, read_transcript
from agent.evaluate.phone_line import PhoneLine
from agent.evaluate.replay import Replayed, replay_all
from agent.evaluate.story import Moment
from agent.evidence.bundle import Bundle, bundle_folders, find_bundle, read_bundle
from agent.restaurant import load_restaurant
from agent.service.exchange import Exchange, exchange_settings
from agent.service.logs import configure_logs
from agent.settings import Settings, load_settings

DIFFERS: Final = 1
NOT_TOLD: Final = 2

IMPORTED: Final = "imported"
"""Below the home: bundles of recordings from elsewhere, apart from the restaurant's own calls."""

REPLAYS: Final = "replay"
"""Below the home: what replays leave."""


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("replay")(replay)
    app.command("import")(import_)


def replay(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Calls: ids, `last`, or folders.")
    ] = None,
    day: Annotated[str, typer.Option(help="All calls of a day, as 2026-11-22.")] = "",
    driver: Annotated[DriverName, typer.Option(help="What plays them.")] = "phone",
    as_of: Annotated[
        str,
        typer.Option(help="Where the agent's clock stands: `then`, `now`, or 2026-11-22T18:30."),
    ] = "then",
    at_once: Annotated[int, typer.Option(min=1, max=8, help="Calls at a time, by phone.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="For programs, one line a call.")] = False,
) -> None:
    """Put recorded callers on the line again, to today's agent, and show then and now.

    By phone through carrier, SIP, dialplan and ARI; by audio from ear to mouth; by text the
    words as they were heard. Nothing is ever sent: promises become what they became then.
    Exits with 1 if something is decided differently, with 2 if a call can't be replayed.
    """
    configure_logs(person=True, level=logging.ERROR)
    settings = load_settings()
    zone = ZoneInfo(load_restaurant(settings.restaurant).time_zone)
    broken: list[Replayed] = []
    bundles = _bundles(settings, ids or (), day, broken)
    if not bundles and not broken:
        raise typer.BadParameter("name a call, or a --day with calls")
    console = Console(highlight=False, stderr=as_json)
    for one in broken:
        _tell(one, console, as_json=as_json)
    done = asyncio.run(
        _replay(
            settings,
            bundles,
            driver,
            _clock(as_of, zone),
            at_once,
            console,
            as_json=as_json,
        )
    )
    everything = [*broken, *done]
    if not as_json and len(everything) > 1:
        same = sum(one.same for one in everything)
        faults = sum(bool(one.fault) for one in everything)
        console.print(
            f"{len(everything)} calls: {same} as then, "
            f"{len(everything) - same - faults} decided differently, {faults} not replayed."
        )
    if any(one.fault for one in everything):
        raise typer.Exit(NOT_TOLD)
    if not all(one.same for one in everything):
        raise typer.Exit(DIFFERS)


async def _replay(
    settings: Settings,
    bundles: Sequence[Bundle],
    driver: DriverName,
    clock: datetime | None,
    at_once: int,
    console: Console,
    *,
    as_json: bool,
) -> list[Replayed]:
    home = settings.home / REPLAYS
    async with contextlib.AsyncExitStack() as stack:
        line = None
        if driver == "phone":
            settings_there = exchange_settings(settings, home)
            console.print("[dim]Starting both Asterisks and the agent …[/]")
            await stack.enter_async_context(Exchange(settings_there))
        else:
            settings_there = settings
        engines = Engines(settings_there, settings.restaurant, settings.phrases)
        await stack.enter_async_context(engines)
        if driver == "phone":
            line = await stack.enter_async_context(PhoneLine(engines, home / "calls"))
        return await replay_all(
            bundles,
            engines,
            home / "calls",
            driver=driver,
            line=line,
            clock=clock,
            at_once=at_once,
            on_done=lambda one: _tell(one, console, as_json=as_json),
        )


def _bundles(
    settings: Settings, ids: Sequence[str], day: str, broken: list[Replayed]
) -> list[Bundle]:
    """Return the calls that are meant; those that can't be read go to ``broken``."""
    folders = [_find(settings, one) for one in ids]
    if day:
        try:
            wanted = date.fromisoformat(day).isoformat()
        except ValueError as error:
            raise typer.BadParameter(f"{day!r} is no day; write it as 2026-11-22") from error
        folders += [f for f in bundle_folders(settings.calls) if f.parent.name == wanted]
    found = []
    for folder in dict.fromkeys(folders):
        try:
            found.append(read_bundle(folder))
        except EvidenceError as error:
            broken.append(Replayed(folder.name, "", fault=f"{error.code}: {error}"))
    return found


def _find(settings: Settings, wanted: str) -> Path:
    try:
        return find_bundle(settings.calls, wanted)
    except EvidenceError:
        imported = settings.home / IMPORTED
        if wanted == "last" or not bundle_folders(imported):
            raise
        with contextlib.suppress(EvidenceError):
            return find_bundle(imported, wanted)
        raise


def _clock(as_of: str, zone: ZoneInfo) -> datetime | None:
    if as_of == "then":
        return None
    if as_of == "now":
        return datetime.now(zone)
    try:
        asked = datetime.fromisoformat(as_of)
    except ValueError as error:
        raise typer.BadParameter(f"{as_of!r}: write then, now, or 2026-11-22T18:30") from error
    return asked if asked.tzinfo else asked.replace(tzinfo=zone)


# ── to be read ──────────────────────────────────────────────────────────────────────────


def _tell(one: Replayed, console: Console, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(one.as_json(), ensure_ascii=False))
        return
    if one.fault:
        console.print(Text(f"{one.call}: not replayed. {one.fault}", "red"))
        return
    table = Table(title=f"{one.call}, by {one.driver}, clock {one.clock}", title_justify="left")
    table.add_column("the caller", ratio=2, style="cyan")
    table.add_column("then", ratio=5)
    table.add_column("now", ratio=5)
    for row in one.rows:
        style = "" if row.same else "yellow"
        now = _cell(row.now) if row.played else Text("not come to", "dim")
        table.add_row(row.deed, _cell(row.then), now, style=style)
    ended = "" if one.then == one.now or one.driver == "text" else "yellow"
    table.add_row("the end", one.then, one.now, style=ended)
    console.print(table)
    verdict = "decided as then" if one.same else "decided differently"
    ear = [f"{1000 * value:.0f}" for value in one.ear]
    heard = f"; at the ear {', '.join(ear)} ms" if ear and one.driver == "phone" else ""
    console.print(Text(f"{verdict}{heard}", "green" if one.same else "yellow"))
    if one.folder:
        console.print(Text(str(one.folder), "dim"))


def _cell(moments: Sequence[Moment]) -> Text:
    text = Text()
    for number, one in enumerate(moments):
        if number:
            text.append("\n")
        took = f" {1000 * one.latency:.0f} ms" if one.latency is not None else ""
        what = " ".join(filter(None, ("+".join(one.moves), "→", ", ".join(one.steps))))
        if one.heard:
            text.append(f"“{one.heard}” ", "cyan")
        text.append(f"{what}{took}", "dim")
        for tool in one.tools:
            text.append(f"\n{tool}", "magenta")
        for line in one.lines:
            text.append(f"\n{line}")
    return text


# ── recordings from elsewhere ───────────────────────────────────────────────────────────


def import_(
    wav: Annotated[Path, typer.Argument(help="A recorded call: WAV, 16 bit, 8 or 16 kHz.")],
    transcript: Annotated[
        Path | None, typer.Option(help='Lines as "[0:07] caller: Do you have parking?".')
    ] = None,
    caller_channel: Annotated[int, typer.Option(help="Of two channels the caller's.")] = 1,
    caller: Annotated[str, typer.Option(help="The caller's number, as +13165550150.")] = "",
    when: Annotated[str, typer.Option(help="When the call was, as 2026-11-22T18:30.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Take in a call that was recorded elsewhere, to replay it here.

    It goes below <home>/imported and into no list or report of the restaurant's calls.
    """
    settings = load_settings()
    zone = load_restaurant(settings.restaurant).time_zone
    started = _clock(when or "now", ZoneInfo(zone))
    assert started is not None  # noqa: S101 - `then` is no time of a recording
    folder = import_recording(
        wav,
        settings.home / IMPORTED,
        started=started,
        zone=zone,
        caller=caller,
        caller_channel=caller_channel,
        transcript=read_transcript(transcript) if transcript else (),
    )
    bundle = read_bundle(folder)
    turns = sum(event.kind() == "final_heard" for event in bundle.events)
    if as_json:
        typer.echo(json.dumps({"id": folder.name, "folder": str(folder), "turns": turns}))
        return
    Console(highlight=False).print(
        f"{folder.name}: the caller speaks {turns} times. Replay it: pickup replay {folder.name}"
    )
