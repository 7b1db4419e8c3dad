"""``pickup run | demo | serve``: the whole box, one call to look at, the agent alone."""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from agent.cli import views
from agent.cli.call import Reporter
from agent.evaluate.calls import run_calls, summarise
from agent.service.logs import configure_logs
from agent.service.ports import STAND_IN_TWILIO, loopback_settings
from agent.service.secrets import ensure_secrets
from agent.service.stack import Stack
from agent.settings import CHECKOUT, Settings, load_settings


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(serve)
    app.command()(run)
    app.command()(demo)


def serve(
    person: Annotated[bool, typer.Option("--person", help="Coloured log lines.")] = False,
    plain: Annotated[
        bool, typer.Option("--plain", hidden=True, help="As a plain pipeline: `make bench`.")
    ] = False,
) -> None:
    """Run the agent alone, in the foreground; Asterisk, Redis and the worker run elsewhere."""
    from agent.service.agent import serve as serve_calls  # the engines load for this one only

    configure_logs(person=person)
    asyncio.run(serve_calls(load_settings(), plain=plain))


def run(
    carrier: Annotated[
        bool,
        typer.Option("--carrier", help="With a stand-in phone company and Twilio, for trying."),
    ] = False,
) -> None:
    """Serve in the foreground: Redis, Asterisk, worker and agent. Ctrl-C stops them all."""
    configure_logs(person=True)
    ensure_secrets(load_settings().home)
    settings = load_settings(twilio=STAND_IN_TWILIO) if carrier else load_settings()
    asyncio.run(_run(settings, carrier=carrier, console=Console()))


async def _run(settings: Settings, *, carrier: bool, console: Console) -> None:
    told = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, told.set)
    async with Stack(settings, carrier=carrier, on_step=step_printer(console)):
        trunk, pbx = settings.trunk, settings.pbx
        console.print(
            f"[bold green]Pickup answers.[/] Calls to {trunk.number} from {trunk.peer} arrive at "
            f"{pbx.sip_host}:{pbx.sip_port}. Logs: {settings.home / 'log'}. Ctrl-C stops."
        )
        await told.wait()
        console.print("Stopping; calls in progress may end.")


def demo() -> None:
    """Show a real call: a caller phones, nobody picks up, Pickup does, the link comes by text."""
    configure_logs(person=True, level=logging.WARNING)
    home = CHECKOUT / "var" / "demo"
    shutil.rmtree(home / "callers", ignore_errors=True)
    raise typer.Exit(asyncio.run(_demo(loopback_settings(home), Console())))


async def _demo(settings: Settings, console: Console) -> int:
    console.print("[bold]Starting[/] (all on this machine, all real, no cloud)")
    async with Stack(settings, carrier=True, on_step=step_printer(console)) as stack:
        console.print("\n[bold]A hungry caller dials the restaurant; the staff don't pick up.[/]\n")
        view = Reporter(console, many=False)
        outcomes = await run_calls(settings, "order", on_event=view.event, on_done=view.done)
        console.print()
        for message in stack.standin.received() if stack.standin else ():
            console.print(f"[bold]Text to {message.to}[/] ({message.status}): {message.body}")
        summary = summarise(outcomes)
        console.print()
        console.print(views.latency_table(summary))
        console.print(views.summary_line(summary))
        for outcome in outcomes:
            if outcome.bundle is not None:
                console.print(f"\nEvidence: {outcome.bundle.folder}")
            if outcome.result is not None:
                console.print(f"Both sides as the caller heard them: {outcome.result.wav}")
    failed = [outcome for outcome in outcomes if not outcome.ok]
    if failed:
        console.print(f"[red]The call did not go as it should: {failed[0].fault or 'see above'}[/]")
        console.print(f"Logs: {settings.home / 'log'} and {settings.home / 'pbx' / 'log'}")
    return 1 if failed else 0


def step_printer(console: Console) -> Callable[[str], None]:
    """Return what tells the console of each thing that is started."""
    return lambda what: console.print(f"  [dim]·[/] {what}")
