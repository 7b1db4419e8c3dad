"""An agent in this process, for calls that are not real.

The engines are those that serve calls; the world is told: the clock, what can be done, what
becomes of promises.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, Final, Self

from agent.call import Call, Parts
from agent.call.needs import Leg
from agent.ear import EarEngine
from agent.evaluate.frozen import FrozenLedger, Tools
from agent.events import Event, PromiseKind, PromiseUpdated, Replied
from agent.evidence.machine import describe_machine, started_card
from agent.evidence.recorder import Recorder, new_folder
from agent.mind.dialogue import Dialogue, DialogueState, Input, Reply, all_lines
from agent.mind.tools import Capabilities, PassMessage, capabilities_of
from agent.mind.understanding import Mind
from agent.mouth import Mouth, Phrases
from agent.restaurant import load_restaurant
from agent.settings import Settings

PATIENCE: Final = 60.0
"""Seconds that a decision may take: what is decided must not depend on how busy the machine is."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What is so in one call.

    Attributes:
        caller: The caller's number, E.164; empty if unknown or withheld.
        withheld: The caller keeps the number to themselves.
        now: When the call comes in; aware. The agent's clock stands there.
        can: What can be done; None: what the restaurant file allows.
        tools: What becomes of promises.
        rush: The short script.
        origin: What ``call.json`` says of where the call came from.
    """

    caller: str
    now: datetime
    withheld: bool = False
    can: Capabilities | None = None
    tools: Tools = field(default_factory=dict)
    rush: bool = False
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing given to the policy and its reply. ``given`` is None for the opening."""

    given: Input | None
    reply: Reply


class WatchedDialogue(Dialogue):
    """A dialogue that remembers what it was given and what it replied, guesses included.

    Attributes:
        steps: In order; the opening first.
        left: What was passed on of a message whose caller hung up.
    """

    def __init__(self, *scene: Any) -> None:
        """Set the scene; see `Dialogue`."""
        super().__init__(*scene)
        self.steps: list[Step] = []
        self.left: PassMessage | None = None

    def open(self) -> tuple[DialogueState, Reply]:
        """Return the greeting; see `Dialogue.open`."""
        state, reply = super().open()
        self.steps.append(Step(None, reply))
        return state, reply

    def step(self, state: DialogueState, given: Input) -> tuple[DialogueState, Reply]:
        """Take one input; see `Dialogue.step`."""
        after, reply = super().step(state, given)
        self.steps.append(Step(given, reply))
        return after, reply

    def left_over(self, state: DialogueState) -> PassMessage | None:
        """Return what is to be passed on; see `Dialogue.left_over`."""
        steps = len(self.steps)
        self.left = super().left_over(state)
        del self.steps[steps:]
        return self.left


class WatchedRecorder(Recorder):
    """A recorder that also keeps the events in memory.

    Attributes:
        events: In order.
        tools: How many tools are at work.
    """

    def __init__(self, folder: Path, card: dict[str, object]) -> None:
        """Begin a bundle; see `Recorder`."""
        self.events: list[Event] = []
        self.tools = 0
        super().__init__(folder, card)

    def event(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)
        self.tools += bool(isinstance(event, Replied) and event.tool)
        self.tools -= isinstance(event, PromiseUpdated)
        super().event(event)


class ServedCall:
    """A call that an agent in this process serves, with all that can be asked of it.

    Attributes:
        setup: What is so in it.
        dialogue: What was decided.
        recorder: What happened.
        ledger: What was promised.
    """

    def __init__(self, engines: Engines, setup: Setup, calls: Path) -> None:
        """Prepare; :meth:`run` serves it, once there is a leg."""
        self.setup = setup
        restaurant = engines.parts.restaurant
        can = engines.parts.capabilities if setup.can is None else setup.can
        self._parts = replace(engines.parts, capabilities=can)
        self.ledger = FrozenLedger(setup.tools)
        folder = new_folder(calls, setup.now, engines.random)
        card = started_card(setup.now, restaurant.time_zone) | describe_machine(engines.settings)
        origin = {"replayed": setup.origin} if setup.origin else {}
        self.recorder = WatchedRecorder(folder, card | {"can": sorted(can)} | origin)
        self.recorder.restaurant(engines.restaurant)
        self.dialogue = WatchedDialogue(
            restaurant, setup.caller, setup.withheld, can, setup.now, setup.rush
        )

    async def run(self, leg: Leg, parts: Parts | None = None) -> None:
        """Serve the call to its end. ``parts`` in place of the engines' own."""
        with_ledger = replace(parts or self._parts, ledger=self.ledger)
        with_ledger = replace(with_ledger, capabilities=self._parts.capabilities)
        await Call(leg, with_ledger, self.dialogue, self.recorder).run()


class Engines:
    """Ear, mind and mouth for one restaurant file; an async context manager.

    Attributes:
        parts: What a call is made with, but for its ledger, which every call has of its own.
        kept: Lines that are not pre-spoken in a real call, and are kept for those by audio.
    """

    parts: Parts
    kept: Phrases

    def __init__(self, settings: Settings, restaurant: Path, phrases: Path) -> None:
        """Say what to load.

        Args:
            settings: The machine's: which models.
            restaurant: The restaurant file.
            phrases: Folder of pre-spoken audio.
        """
        self.settings = settings
        self.restaurant = restaurant
        self.random = Random()  # noqa: S311 - names of folders
        self._phrases = phrases
        self._exit = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Load the engines (some seconds).

        Raises:
            PickupError: the restaurant file or a model is wrong.
        """
        restaurant = load_restaurant(self.restaurant)
        async with contextlib.AsyncExitStack() as stack:
            ears = EarEngine(self.settings.models.ear)
            stack.callback(ears.close)
            mind = Mind(self.settings, restaurant, deadline=PATIENCE)
            await mind.start()
            stack.push_async_callback(mind.stop)
            if mind.fault is not None:
                raise mind.fault
            mouth = Mouth(self.settings, restaurant.pronounce)
            await mouth.start()
            stack.push_async_callback(mouth.stop)
            capabilities = capabilities_of(restaurant, frozenset(PromiseKind))
            phrases = Phrases(self._phrases, mouth)
            await phrases.warm(all_lines(restaurant, capabilities))
            self.kept = Phrases(self._phrases, mouth)
            self.parts = Parts(
                restaurant=restaurant,
                ears=ears,
                mind=mind,
                mouth=mouth,
                phrases=phrases,
                ledger=FrozenLedger({}),
                capabilities=capabilities,
                longest_call=self.settings.agent.longest_call_seconds,
            )
            self._exit = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Free the engines."""
        await self._exit.aclose()
