"""How the agent answers a call of our own: the canary's, or the doctor's probe.

It greets, listens whether any sound comes the other way, and hangs up. The evidence is a
bundle like any other, but under ``<home>/canary/calls``: no list, report or review of the
restaurant's calls ever sees it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import structlog

from agent.audio import FRAME_SECONDS, SAMPLE_BYTES, SAMPLE_RATE, AudioTime
from agent.errors import CallGone, PhoneError
from agent.events import CallAnswered, CallEnded, FaultSeen, LineFinished, LineStarted
from agent.evidence.machine import describe_machine, started_card
from agent.evidence.recorder import Recorder, new_folder
from agent.mouth import Phrases
from agent.phone import CallLeg, Media
from agent.restaurant import Restaurant
from agent.settings import Settings

log = structlog.get_logger()

FOLDER: Final = "canary/calls"
"""Below the home."""

LOUD: Final = 500
"""A frame whose peak is above this is sound; G.711's quantisation noise is 8, comfort noise 100."""

HEAR_SECONDS: Final = 4.0
"""How long after the greeting the caller's tone is waited for."""

BYTES_PER_SECOND: Final = SAMPLE_RATE * SAMPLE_BYTES

DEAF: Final = "phone.deaf"
"""Code of the fault: the caller's sound never arrived."""


async def answer_own_call(
    settings: Settings, restaurant: Restaurant, phrases: Phrases, leg: CallLeg
) -> None:
    """Serve a call whose ``script`` is ``canary`` or ``probe``."""
    now = datetime.now(ZoneInfo(restaurant.time_zone))
    folder = new_folder(settings.home / FOLDER, now, Random())  # noqa: S311 - a name, no secret
    card = started_card(now, restaurant.time_zone) | {"test_call": leg.info.script}
    recorder = Recorder(folder, card | describe_machine(settings))
    info = leg.info
    recorder.event(info.started(leg.clock()))
    reason = info.script
    try:
        await leg.answer()
        media = await leg.open_media()
        recorder.event(CallAnswered(at=leg.clock()))
        heard = asyncio.create_task(_hear(media, leg, recorder), name="test call ear")
        try:
            await _greet(media, leg, recorder, phrases, restaurant.greeting)
            await asyncio.wait([heard], timeout=HEAR_SECONDS)
        finally:
            deaf = not heard.done()
            heard.cancel()
            await asyncio.wait([heard])
        if deaf:
            reason = DEAF
            said = "The test call's own sound did not reach the agent."
            recorder.event(FaultSeen(at=leg.clock(), code=DEAF, message=said))
        await leg.hang_up()
    except CallGone:
        reason = "hung_up"
    except TimeoutError as error:
        reason = "phone.mute"
        raise PhoneError("Asterisk took the greeting and did not play it.") from error
    except PhoneError as error:
        reason = error.code
        recorder.event(FaultSeen(at=leg.clock(), code=error.code, message=str(error)))
        raise
    finally:
        recorder.event(CallEnded(at=leg.clock(), by="agent", reason=reason))
        recorder.close()
        log.info("A test call is over.", script=info.script, reason=reason)


async def _greet(
    media: Media, leg: CallLeg, recorder: Recorder, phrases: Phrases, text: str
) -> None:
    spoken = phrases.get(text)
    if spoken is None:
        raise PhoneError("The greeting was not spoken ahead.", remedy="See the agent's log.")
    at = leg.clock()
    recorder.event(LineStarted(at=at, line=1, text=text, cached=True))
    greeted = asyncio.Event()
    media.on_mark = lambda _: greeted.set()
    await media.play(spoken)
    recorder.agent_audio(at, spoken)
    await media.mark("greeted")
    async with asyncio.timeout(len(spoken) / BYTES_PER_SECOND + HEAR_SECONDS):
        await greeted.wait()
    recorder.event(LineFinished(at=leg.clock(), line=1, heard=text))


async def _hear(media: Media, leg: CallLeg, recorder: Recorder) -> None:
    """Return once a second of sound has come."""
    clock = AudioTime(leg.clock())
    loud = 0.0
    async for frame in media.frames():
        recorder.caller_frame(frame, clock.next_frame(leg.clock()))
        if np.abs(np.frombuffer(frame, "<i2").astype(np.int32)).max() > LOUD:
            loud += FRAME_SECONDS
        if loud > 1.0:
            return
