"""The models: present, whole, and fast enough on this machine."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from agent.audio import SAMPLE_RATE
from agent.ear import EarEngine
from agent.ear.listen import listen
from agent.errors import PickupError
from agent.mind.embedder import Embedder
from agent.mind.heads import load_heads
from agent.mouth import Mouth
from agent.service.doctor.finding import Finding, Patient, bad, warn, well
from agent.service.model_check import check_ear, check_mind, check_mouth

SAMPLE: str = "Thanks for calling. How can I help you today?"
SLOW = 0.7
"""Real-time factor above which a second call at once would stutter."""


async def models(patient: Patient) -> Finding:
    """Every model is where the settings say, and opens."""
    chosen = patient.settings.models
    try:
        check_ear(chosen.ear)
        check_mouth(chosen.mouth)
        load_heads(chosen.mind / "heads.npz")
        if chosen.decide is not None:
            check_mind(chosen.decide)
        engine = await asyncio.to_thread(EarEngine, chosen.ear)
        engine.close()
        embedder = Embedder(chosen.embedder)
        await embedder.start()
        await embedder.stop()
    except PickupError as error:
        do = "Fetch or make it anew: `pickup models list`, make setup."
        return bad("models", str(error), do)
    return well(
        "models", f"Ear {chosen.ear.name}, mouth {chosen.mouth.name}, mind {chosen.mind.name}."
    )


async def speed(patient: Patient) -> Finding:
    """Ear and mouth keep up with speech on this machine as it is now."""
    chosen = patient.settings.models
    try:
        mouth = Mouth(patient.settings)
        await mouth.start()
        try:
            began = time.perf_counter()
            pcm = b"".join([chunk async for chunk in mouth.speak(SAMPLE)])
            spoke = (time.perf_counter() - began) / max(len(pcm) / 2 / SAMPLE_RATE, 0.1)
        finally:
            await mouth.stop()
        engine = await asyncio.to_thread(EarEngine, chosen.ear)
        try:
            began = time.perf_counter()
            await listen(engine.open(), pcm)
            heard = (time.perf_counter() - began) / max(len(pcm) / 2 / SAMPLE_RATE, 0.1)
        finally:
            engine.close()
    except PickupError as error:
        return bad("speed", str(error), "See the agent's log.")
    loud = int(np.abs(np.frombuffer(pcm, "<i2").astype(np.int32)).max(initial=0))
    saw = f"Real-time factor: mouth {spoke:.2f}, ear {heard:.2f}."
    if loud < 1000:
        return bad("speed", f"The mouth speaks silence. {saw}", "Fetch the voice anew.")
    if max(spoke, heard) > SLOW:
        return warn("speed", saw, "The machine is busy or too slow: fewer agent.max_calls.")
    return well("speed", saw)
