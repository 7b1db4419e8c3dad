"""The bench's callers in audio time: no telephone network, no clock, the same on any machine.

What is measured is what turn-taking decides: cut-ins, yields, false yields, waits. Computing takes
no time here, and the line only its frames, so latencies are those of an endless fast machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.evaluate.audio_line import AudioCaller
from agent.evaluate.caller import ScriptedCaller
from agent.evaluate.calls import FIRST_NUMBER, NUMBERS, Outcome
from agent.evaluate.engines import Engines, ServedCall, Setup
from agent.evaluate.line import Staff
from agent.evaluate.script import Plan
from agent.evidence.bundle import read_bundle
from agent.phone import CallInfo

CLOSE_SECONDS: Final = 10.0
"""How long the last writes of a bundle are waited for."""


async def run_in_audio_time(
    engines: Engines,
    plans: Sequence[Plan],
    now: datetime,
    folder: Path,
    on_done: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Have these callers phone, one after another, in audio time.

    Args:
        engines: Serve the calls; loaded.
        plans: The callers.
        now: When they call; aware.
        folder: Where bundles and recordings go.
        on_done: Told every outcome as it comes.

    Raises:
        PickupError: a call met a fault of ours.
    """
    outcomes = []
    for number, chosen in enumerate(plans):
        outcomes.append(await _one_call(engines, number, chosen, now, folder))
        on_done(outcomes[-1])
    return outcomes


async def _one_call(
    engines: Engines, number: int, chosen: Plan, now: datetime, folder: Path
) -> Outcome:
    phone = f"+{FIRST_NUMBER + number % NUMBERS}"
    setup = Setup(phone, now, withheld=chosen.script.withheld)
    line = _Line(engines, ServedCall(engines, setup, folder / "calls"))
    name = f"{chosen.name}-{chosen.manner}-{number:03d}-{chosen.voice}.wav"
    result = await ScriptedCaller(line, chosen, phone, folder / "callers" / name).run()
    line.call.recorder.wait_closed(CLOSE_SECONDS)
    # The line's clock stands while computing, so none of its slots can be late.
    result = replace(result, late_slots=0)
    return Outcome(number, result, read_bundle(line.call.recorder.folder))


class _Line:
    """In place of `agent.evaluate.line.Line`, for one call."""

    def __init__(self, engines: Engines, call: ServedCall) -> None:
        self._engines = engines
        self.call = call

    async def place(
        self,
        caller_id: str,
        *,
        staff: Staff = "no-answer",
        withheld: bool = False,
        background: NDArray[np.int16] | None = None,
    ) -> AudioCaller:
        info = CallInfo("audio", "audio", caller_id, withheld=withheld)
        return AudioCaller(self.call, info, self._engines, background)
