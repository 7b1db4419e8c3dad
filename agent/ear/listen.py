"""Listen to a whole recording as a call would: turns end when their pause has lasted its wait."""

from __future__ import annotations

from typing import Final

from agent.audio import FRAME_BYTES, SAMPLE_BYTES, SAMPLE_RATE, pad_to_frame, seconds
from agent.ear.ear import Ear
from agent.events import Event, Expect, PartialHeard, SpeechStarted, SpeechStopped

TRAILING_SILENCE: Final = 1.5
"""Seconds of silence heard after the recording, so that its last words come to an end."""


async def listen(ear: Ear, pcm: bytes, expect: Expect = Expect.OPEN) -> list[Event]:
    """Return what a call would hear in ``pcm`` (slin16), in order, times from its beginning.

    Args:
        ear: A fresh ear.
        pcm: The recording.
        expect: What the agent would have asked just before.
    """
    ear.expect(expect)
    events: list[Event] = []
    ends: float | None = None
    stopped = 0.0
    padded = pad_to_frame(pcm + bytes(round(TRAILING_SILENCE * SAMPLE_RATE) * SAMPLE_BYTES))
    for start in range(0, len(padded), FRAME_BYTES):
        at = round(seconds(padded[: start + FRAME_BYTES]), 6)
        for event in await ear.hear(padded[start : start + FRAME_BYTES], at):
            events.append(event)
            match event:
                case SpeechStarted():
                    ends = None
                case SpeechStopped():
                    stopped = event.last_voiced
                    ends = stopped + event.wait
                case PartialHeard(wait=float(wait)):
                    ends = stopped + wait
        if ends is not None and at >= ends:
            events.append(await ear.finish(at))
            ends = None
    last = await ear.finish(seconds(padded))
    return [*events, last] if last.text else events
