"""Recorded calls for the tests of replays: made from ear to mouth, with the callers that ship."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.evaluate.audio_line import AudioCaller
from agent.evaluate.engines import Engines, ServedCall, Setup
from agent.evaluate.replay import news
from agent.evaluate.script import plan
from agent.evaluate.talker import Deed, Talk, sequence, talk
from agent.evidence import Bundle, read_bundle
from agent.evidence.wav import write_wav
from agent.phone import CallInfo

CALLER = "+13165550150"
WHEN = datetime(2026, 11, 24, 17, 0, tzinfo=ZoneInfo("America/Chicago"))


def deeds(script: str, voice: str = "slt") -> list[Deed]:
    """What the caller of a script does."""
    return [
        Deed(
            clip=one.clip,
            keys=one.turn.keys,
            hangs_up=one.turn.hang_up,
            reaction=one.reaction,
            barge_in=one.turn.barge_in,
        )
        for one in plan(script, 0, voice).turns
    ]


async def call(engines: Engines, calls: Path, does: Sequence[Deed]) -> tuple[Bundle, Talk]:
    """Have a caller do ``does``; return the bundle and what the caller heard."""
    served = ServedCall(engines, Setup(CALLER, WHEN), calls)
    live = AudioCaller(served, CallInfo("audio", "audio", CALLER), engines)
    talked = await talk(live, sequence(does), news(served.recorder.events), limit=120)
    assert served.recorder.wait_closed(10)
    folder = served.recorder.folder
    write_wav(folder / "heard.wav", talked.sound)
    return read_bundle(folder), talked
