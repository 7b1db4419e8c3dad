"""``pickup promote``: makes a failing case of a call that went wrong."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

from agent.errors import CaseError
from agent.evaluate.case import WORLDS
from agent.evaluate.promote import HEARD, PROMOTED, Promotion, promote, write_case, write_recording
from agent.evaluate.results import Status
from agent.evaluate.sound_driver import AudioDriver
from agent.evaluate.text import TextDriver
from agent.evidence.bundle import Bundle, find_bundle, read_bundle
from agent.review.reviewer import review_call
from agent.review.schema import Flag
from agent.service.logs import configure_logs
from agent.settings import load_settings

out = Console(highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("promote")(promote_call)


def promote_call(
    call_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id or its beginning; `last`; or a folder.")
    ] = "last",
    flag: Annotated[
        int, typer.Option(min=1, help="Which flag, as `pickup review` numbers them.")
    ] = 1,
    audio: Annotated[
        bool, typer.Option("--audio", help="Keep the caller's voice too, names silenced.")
    ] = False,
    out_folder: Annotated[Path, typer.Option("--out", help="Where the case goes.")] = PROMOTED,
    worlds: Annotated[Path, typer.Option(help="Another folder of restaurant files.")] = WORLDS,
) -> None:
    """Make a case of a call: redacted, as short as it can be, shown to fail now.

    Exits with 1, and writes nothing, if the case does not fail with the agent as it is now.
    """
    configure_logs(person=True, level=logging.ERROR)
    settings = load_settings()
    bundle = read_bundle(find_bundle(settings.calls, call_id))
    review = review_call(bundle.folder, datetime.now(UTC))
    chosen = _chosen(review.flags, flag, bundle.id)
    if chosen.kind in HEARD and not audio:
        raise CaseError(
            f"{chosen.kind} is of sound.", remedy="Add --audio: it is played with the recording."
        )

    async def made() -> Promotion:
        if chosen.kind not in HEARD:
            async with TextDriver(settings, worlds) as driver:
                return await promote(bundle, chosen, driver, worlds)
        with tempfile.TemporaryDirectory() as folder:
            recording = Path(folder) / "caller.wav"
            write_recording(bundle, recording)
            async with AudioDriver(settings, worlds) as ears:
                return await promote(bundle, chosen, ears, worlds, recording)

    done = asyncio.run(made())
    if done.result.status is Status.ERRORED:
        raise CaseError(f"It could not be played: {done.result.faults[0]}")
    if not done.fails:
        out.print(f"[yellow]It does not fail now[/yellow]: {chosen.kind}, “{escape(chosen.quote)}”")
        out.print(
            "It is fixed already, or it needs what the call had: a busy box, a bad line "
            "(`pickup replay` puts the caller back on one). Nothing was written."
        )
        raise typer.Exit(1)
    _write(done, bundle, out_folder, audio=audio)


def _chosen(flags: tuple[Flag, ...], number: int, call: str) -> Flag:
    if number > len(flags):
        raise CaseError(
            f"{call} has {len(flags)} flags, there is no flag {number}.",
            remedy=f"`pickup review {call}` lists them.",
        )
    return flags[number - 1]


def _write(done: Promotion, bundle: Bundle, folder: Path, *, audio: bool) -> None:
    if audio:
        recording = f"{done.case['case']}.wav"
        folder.mkdir(parents=True, exist_ok=True)
        write_recording(bundle, folder / recording)
        done.case["caller"] = {"recording": recording}
    path = write_case(done, bundle, folder)
    before, after = done.turns
    out.print(f"[green]{path}[/green]  {before} turns of the caller, {after} needed")
    out.print(Syntax(path.read_text("utf-8"), "yaml", background_color="default"))
    for fault in done.result.faults:
        out.print(f"[red]fails now[/red]  {escape(fault)}")
    if done.note:
        out.print(f"[yellow]{done.note}[/yellow]")
    out.print(f"Then: fix it, `pickup eval {path}`, `pickup eval --gate`.", style="dim")
