"""How a fault is planted in a real house, and taken away again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from agent.service.doctor.finding import Patient
from agent.service.stack import Stack

PATIENCE = 40.0

Plant = Callable[[Stack], AbstractAsyncContextManager[Patient]]


class Faults(dict[str, tuple[str, Plant]]):
    """What is wrong → the hop that must be named first, and how it is planted and taken away."""

    def plant(
        self, what: str, hop: str
    ) -> Callable[[Callable[[Stack], AsyncIterator[Patient]]], None]:
        def add(plant: Callable[[Stack], AsyncIterator[Patient]]) -> None:
            self[what] = (hop, asynccontextmanager(plant))

        return add


def patient(stack: Stack, **sections: dict[str, Any]) -> Patient:
    """Return the house, with some settings other than those it was started with."""
    changed = {
        name: getattr(stack.settings, name).model_copy(update=values)
        for name, values in sections.items()
    }
    return Patient(stack.settings.model_copy(update=changed))


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.1)
