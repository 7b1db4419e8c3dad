"""The agent process: loads the engines once, then serves every call Asterisk hands over.

Started by systemd in production and by ``agent.service.stack`` elsewhere; both watch its
heartbeat and kill it when it stalls, whereupon the dialplan looks after the callers.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from agent.call import Call, Parts
from agent.ear import EarEngine, words_of
from agent.events import PromiseKind
from agent.evidence.machine import describe_machine, started_card
from agent.evidence.recorder import Recorder, new_folder
from agent.mind.dialogue import Dialogue, all_lines
from agent.mind.tools import capabilities_of
from agent.mind.understanding import Mind
from agent.mouth import Mouth, Phrases
from agent.phone import CallLeg, GateServer, Heartbeat, PhoneServer
from agent.phone.verdict import Script
from agent.promises.ledger import Ledger
from agent.restaurant import Restaurant, load_restaurant
from agent.service.edits import Edits
from agent.service.own_call import answer_own_call
from agent.settings import Settings

log = structlog.get_logger()

DRAIN_SECONDS: Final = 30.0
"""At shutdown, calls in progress may take this long to end by themselves."""


PLAIN_SILENCE: Final = 0.6
"""The quiet after which a plain pipeline takes a turn to be over; 0.5 to 0.8 s are common."""


async def serve(settings: Settings, *, plain: bool = False) -> None:
    """Serve calls until SIGTERM or SIGINT.

    Args:
        settings: The machine's settings.
        plain: Serve as a plain pipeline would, with the same engines, to compare with: a fixed
            silence ends a turn, then come the final words, then the mind, then the voice, with
            nothing thought or spoken ahead.

    Raises:
        PickupError: the restaurant file, a model, a port: whatever keeps it from starting.
    """
    restaurant = load_restaurant(settings.restaurant)
    async with contextlib.AsyncExitStack() as stack:
        heartbeat = Heartbeat.from_environment()
        serving = await _load(settings, restaurant, stack, plain=plain)
        await asyncio.to_thread(describe_machine, settings)  # hashes the models, once
        server = PhoneServer(settings, lambda leg: _serve_call(settings, serving.parts, leg))
        await server.start()
        stack.push_async_callback(server.stop, DRAIN_SECONDS)
        gate = GateServer(settings, server, restaurant)
        await gate.start()
        stack.push_async_callback(gate.stop)

        async def take_up(edited: Restaurant) -> None:
            await serving.take_up(edited)
            gate.use(edited)

        edits = asyncio.create_task(Edits(settings.restaurant, take_up).follow())
        stack.callback(edits.cancel)
        stack.push_async_callback(heartbeat.stop)
        await heartbeat.start()
        log.info("Pickup answers.", restaurant=restaurant.name, port=settings.agent.port)
        await _until_told_to_stop()
        log.info("Pickup stops; calls in progress may end.")


class _Serving:
    """The parts the next call is made with."""

    def __init__(self, parts: Parts, mind: Mind) -> None:
        """Begin with ``parts``, of which ``mind`` is one."""
        self.parts = parts
        self._mind = mind

    async def take_up(self, restaurant: Restaurant) -> None:
        """Serve the next calls from an edited file; calls in progress keep what they have."""
        capabilities = capabilities_of(restaurant, frozenset(PromiseKind))
        self._mind = await self._mind.edited(restaurant)
        await self.parts.phrases.warm(all_lines(restaurant, capabilities))
        self.parts = replace(
            self.parts, restaurant=restaurant, mind=self._mind, capabilities=capabilities
        )


async def _load(
    settings: Settings, restaurant: Restaurant, stack: contextlib.AsyncExitStack, *, plain: bool
) -> _Serving:
    ears = EarEngine(
        settings.models.ear,
        words_of(restaurant),
        settings.home / "cache" / "ear",
        fixed_silence=PLAIN_SILENCE if plain else None,
    )
    stack.callback(ears.close)
    mind = Mind(settings, restaurant)
    await mind.start()
    stack.push_async_callback(mind.stop)
    mouth = Mouth(settings, restaurant.pronounce)
    await mouth.start()
    stack.push_async_callback(mouth.stop)
    capabilities = capabilities_of(restaurant, frozenset(PromiseKind))
    phrases = Phrases(settings.phrases, mouth)
    if not plain:
        await phrases.warm(all_lines(restaurant, capabilities))
    ledger = Ledger(settings)
    stack.push_async_callback(ledger.close)
    parts = Parts(
        restaurant=restaurant,
        ears=ears,
        mind=mind,
        mouth=mouth,
        phrases=phrases,
        ledger=ledger,
        capabilities=capabilities,
        longest_call=settings.agent.longest_call_seconds,
        think_ahead=not plain,
    )
    return _Serving(parts, mind)


async def _serve_call(settings: Settings, parts: Parts, leg: CallLeg) -> None:
    restaurant = parts.restaurant
    if leg.info.script in (Script.CANARY, Script.PROBE):
        await answer_own_call(settings, restaurant, parts.phrases, leg)
        return
    now = datetime.now(ZoneInfo(restaurant.time_zone))
    folder = new_folder(settings.calls, now, Random())  # noqa: S311 - a name, no secret
    card = started_card(now, restaurant.time_zone) | describe_machine(settings)
    script = {"script": leg.info.script} if leg.info.script else {}
    recorder = Recorder(folder, card | {"can": sorted(parts.capabilities)} | script)
    recorder.restaurant(settings.restaurant)
    dialogue = Dialogue(
        restaurant=restaurant,
        caller=leg.info.caller,
        withheld=leg.info.withheld,
        capabilities=parts.capabilities,
        now=now,
        short=leg.info.script == Script.SHORT,
    )
    await Call(leg, parts, dialogue, recorder).run()


async def _until_told_to_stop() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, told.set)
    await told.wait()
