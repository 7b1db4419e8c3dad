"""What a line can bring besides speech: nothing may crash, grow, or come out as words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agent.audio import SAMPLE_BYTES, SAMPLE_RATE, seconds
from agent.ear import EarEngine, listen
from agent.events import Expect, FinalHeard, SpeechStopped
from agent.settings import Models
from tests.unit.ear_sounds import Line, clicks, hiss, keys, music, silence, slin16, speech

BLOCK = round(0.2 * SAMPLE_RATE) * SAMPLE_BYTES
CALL_SECONDS = 30 * 60


@pytest.fixture(scope="module")
def engine() -> Iterator[EarEngine]:
    engine = EarEngine(Models().ear)
    yield engine
    engine.close()


def square(duration: float) -> Line:
    """A tone clipped to full scale, as a broken gateway sends it."""
    times = np.arange(round(duration * 8_000))
    return 32_767 * np.sign(np.sin(times * 2 * np.pi * 440 / 8_000) + 1e-9)


@pytest.mark.parametrize("expect", [Expect.OPEN, Expect.PHONE_NUMBER, Expect.YES_NO])
@pytest.mark.parametrize(
    "sound",
    [silence(3), hiss(3, 4_000), clicks(3), keys(3), music(3), square(3)],
    ids=["zeros", "noise", "clicks", "dtmf", "music", "clipped tone"],
)
async def test_what_is_no_speech_makes_no_words(
    engine: EarEngine, sound: Line, expect: Expect
) -> None:
    events = await listen(engine.open(), slin16(sound), expect)
    assert [event.text for event in events if isinstance(event, FinalHeard) and event.text] == []


async def test_no_audio_at_all(engine: EarEngine) -> None:
    assert await listen(engine.open(), b"") == []


async def test_speech_between_noises_is_heard(engine: EarEngine) -> None:
    sound = slin16(keys(1), silence(0.5), speech("order_rms"), silence(0.5), clicks(2))
    finals = [e for e in await listen(engine.open(), sound) if isinstance(e, FinalHeard)]
    assert "place an order" in finals[0].text


async def test_half_an_hour_leaves_nothing_behind(engine: EarEngine) -> None:
    """A caller who says something every half minute, and a line that hums in between."""
    minute = slin16(hiss(1), speech("hours_ked"), hiss(27), speech("order_rms"), hiss(27.5))
    ear = engine.open()
    at, turns, resident = 0.0, 0, 0
    while at < CALL_SECONDS:
        for start in range(0, len(minute), BLOCK):
            block = minute[start : start + BLOCK]
            at += seconds(block)
            for event in await ear.hear(block, at):
                if isinstance(event, SpeechStopped):
                    final = await ear.finish(at)
                    turns += bool(final.text)
                    assert all(word.end <= at for word in final.words)
        if at > 300 and not resident:
            resident = _resident()
    ear.close()
    assert turns >= 2 * round(CALL_SECONDS / seconds(minute))
    assert _resident() - resident < 20_000_000


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
