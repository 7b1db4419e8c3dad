"""``pickup chat``: talk to the mind in the terminal, no phone."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from agent.errors import CaseError
from agent.evaluate.case import WORLDS, World
from agent.evaluate.case_values import OPEN
from agent.evaluate.text import Conversation, Exchange, TextDriver
from agent.mind.tools import SendLink, Tool
from agent.restaurant import load_restaurant
from agent.service.logs import configure_logs
from agent.settings import load_settings

HELP = "Type what a caller says; empty: silence; #1: key 1; Ctrl-D: hang up. Nothing is sent."


def register(app: typer.Typer) -> None:
    """Add the command ``chat`` to ``app``."""

    @app.command()
    def chat(
        restaurant: Annotated[str, typer.Option(help="a file of evals/worlds")] = "hikari",
        caller: Annotated[str, typer.Option(help="your number, or withheld")] = "+13165550150",
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", help="show moves, slots and steps")
        ] = False,
    ) -> None:
        """Talk to the mind by typing: what a caller would hear, and what would be sent."""
        configure_logs(person=True, level=logging.ERROR)
        asyncio.run(_chat(restaurant, caller, verbose=verbose))


async def _chat(restaurant: str, caller: str, *, verbose: bool) -> None:
    console = Console(highlight=False)
    file = WORLDS / f"{restaurant}.toml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in WORLDS.glob("*.toml")))
        raise CaseError(f"There is no restaurant {restaurant!r}.", remedy=f"There are: {known}.")
    zone = ZoneInfo(load_restaurant(file).time_zone)
    now = datetime.now(zone).replace(tzinfo=None)
    try:
        world = World(restaurant=restaurant, caller=caller, clock=now)
    except ValidationError as error:
        raise CaseError(error.errors()[0]["msg"].removeprefix("Value error, ") + ".") from error
    console.print(HELP, style="dim")
    async with TextDriver(load_settings()) as driver:
        talk = Conversation(await driver.mind(restaurant), world)
        exchange = talk.open()
        while True:
            for line in exchange_lines(exchange, verbose=verbose):
                console.print(line)
            if talk.end != OPEN:
                console.print(f"The call is over: {talk.end}.", style="dim")
                return
            try:
                words = (await asyncio.to_thread(console.input, "[cyan]caller[/cyan]  ")).strip()
            except EOFError:
                console.print()
                exchange = talk.hang_up()
                continue
            if words.startswith("#"):
                exchange = talk.keys(words[1:])
            elif words:
                exchange = await talk.hear(words)
            else:
                exchange = talk.silence()


def exchange_lines(exchange: Exchange, *, verbose: bool) -> list[Text]:
    """Return what a person reads of an exchange: what is said and what would be sent.

    Args:
        exchange: What came of a caller's turn.
        verbose: Moves, slots and steps too.
    """
    lines = []
    if verbose and exchange.understood is not None:
        understood = exchange.understood
        moves = ", ".join(f"{move} ({move.score:.2f})" for move in understood.moves)
        slots = "".join(f", {name} = {value}" for name, value in understood.slots.items())
        lines.append(Text(f"        {moves}{slots} by {understood.by}", "dim"))
    for reply in exchange.replies:
        said = " ".join(sentence.text for sentence in reply.sentences)
        if said:
            lines.append(Text.assemble(("Pickup  ", "green"), said))
        if verbose:
            ends = ", ends the call" if reply.ends_call else ""
            lines.append(Text(f"        {reply.step}, expects {reply.expect}{ends}", "dim"))
        if reply.tool is not None:
            lines.append(Text(f"        [{_would(reply.tool)}]", "yellow"))
    lines += [Text(f"        nothing backs: {one.text}", "red") for one in exchange.unbacked]
    return lines


def _would(tool: Tool) -> str:
    if isinstance(tool, SendLink):
        return f"the link would be texted to {tool.to}"
    who = tool.name or "no name"
    number = tool.number or "no number"
    return f"the owner would get: {tool.kind}; {tool.details}; {who}, {number}"
