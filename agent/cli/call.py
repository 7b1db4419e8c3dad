"""``pickup call``: puts synthetic callers on the line and measures what they hear."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from agent.cli import views
from agent.evaluate.calls import Outcome, run_calls, summarise
from agent.evaluate.script import load_script, script_names
from agent.events import Event
from agent.settings import load_settings


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("call")(call)


def call(
    script: Annotated[
        str, typer.Argument(help="Name of a script, path of one, or `list`.")
    ] = "order",
    count: Annotated[int, typer.Option(min=1, help="How many calls.")] = 1,
    concurrency: Annotated[int, typer.Option(min=1, help="How many at a time.")] = 1,
    seed: Annotated[int, typer.Option(help="Chooses voices, wordings and reactions.")] = 0,
    voice: Annotated[str, typer.Option(help="One voice for all; without it they go round.")] = "",
    manner: Annotated[str, typer.Option(help="clean, noisy, slow, hesitant, …")] = "clean",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Call the restaurant as a synthetic caller; needs a running Pickup with its carrier.

    Prints what is said as it is said, then the latency at the caller's ear. Exits with 1 if
    a call was not answered or did not end as its script says.
    """
    console = Console(stderr=as_json, highlight=False)
    if script == "list":
        _list(as_json)
        return
    reporter = Reporter(console, many=concurrency > 1)
    outcomes = asyncio.run(
        run_calls(
            load_settings(),
            script,
            count=count,
            concurrency=concurrency,
            seed=seed,
            voice=voice,
            manner=manner,
            on_event=reporter.event,
            on_done=reporter.done,
        )
    )
    summary = summarise(outcomes)
    if as_json:
        calls = [outcome.as_json() for outcome in outcomes]
        print(json.dumps({"calls": calls, "summary": summary.as_json()}, ensure_ascii=False))
    else:
        console.print()
        console.print(views.latency_table(summary))
        console.print(views.summary_line(summary))
    if summary.failed:
        raise typer.Exit(1)


class Reporter:
    """Prints calls while they happen."""

    def __init__(self, console: Console, *, many: bool) -> None:
        """Take the console; with ``many`` calls at a time every line says which one it is of."""
        self._console = console
        self._many = many

    def event(self, number: int, event: Event) -> None:
        """Print an event of call ``number``, if it is one to be read."""
        line = views.event_line(event)
        if line is not None:
            self._console.print(self._marked(number, line), soft_wrap=True)

    def done(self, outcome: Outcome) -> None:
        """Print what became of a call."""
        line = self._marked(outcome.number, Text(_verdict(outcome)))
        self._console.print(line, soft_wrap=True)

    def _marked(self, number: int, line: Text) -> Text:
        return Text.assemble((f"{number:3d} ", "magenta"), line) if self._many else line


def _verdict(outcome: Outcome) -> str:
    result = outcome.result
    if result is None:
        return f"         failed: {outcome.failure}"
    where = outcome.bundle.folder if outcome.bundle else "no bundle was written"
    how = {
        "agent": "the other side hung up",
        "caller": "the caller hung up",
        "limit": "the caller gave up waiting",
        "unanswered": "nobody answered",
    }[result.ended]
    verdict = "" if outcome.ok else f"failed, {outcome.failure}: "
    return f"         {verdict}{how} ({result.voice}, {result.seconds:.1f} s)  {where}"


def _list(as_json: bool) -> None:
    scripts = {name: load_script(name) for name in script_names()}
    if as_json:
        print(json.dumps({name: script.model_dump() for name, script in scripts.items()}))
        return
    for name, script in scripts.items():
        print(f"{name:<20} {script.about}")
