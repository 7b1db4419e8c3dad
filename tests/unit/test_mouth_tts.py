"""The mouth with the real Piper program and the house voice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import struct
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from agent.audio import FRAME_BYTES, SAMPLE_BYTES, SAMPLE_RATE, seconds
from agent.errors import MouthError
from agent.mouth import Mouth, level, tts
from agent.mouth.protocol import Frame, Kind, read_frame
from agent.mouth.units import clauses
from agent.settings import Models, Settings

HOUSE = Models().mouth
LINE = "Thanks for calling. We're open from eleven to nine, and closed on Monday. How can I help?"


def settings_for(voice: Path) -> Settings:
    return Settings(models=Models(mouth=voice))


@pytest.fixture
async def mouth() -> AsyncIterator[Mouth]:
    mouth = Mouth(Settings(), {"Hikari": "heekaari"})
    await mouth.start()
    yield mouth
    await mouth.stop()


async def said(mouth: Mouth, text: str) -> bytes:
    return b"".join([chunk async for chunk in mouth.speak(text)])


async def test_a_line_is_spoken_unit_by_unit_in_whole_frames_at_the_level_of_the_phone(
    mouth: Mouth,
) -> None:
    chunks = [chunk async for chunk in mouth.speak(LINE)]
    assert [chunk.text for chunk in chunks] == clauses(LINE)
    assert all(len(chunk) % FRAME_BYTES == 0 for chunk in chunks)
    sound = b"".join(chunks)
    assert 3 < seconds(sound) < 8
    assert abs(level.heard_level(sound) - level.TARGET_LEVEL) < 2
    assert np.abs(level.samples(sound)).max() < 0.8, "nothing is clipped"
    lead = level.samples(sound)[: round(0.02 * SAMPLE_RATE)]
    assert abs(lead).max() > 0.001, "speech must begin in the first frame"


async def test_digits_and_prices_are_spoken_as_words(mouth: Mouth) -> None:
    assert mouth.units("At Hikari it's $5.") == ["At heekaari it's five dollars."]
    digits, words = (
        await said(mouth, "$13.50"),
        await said(mouth, "thirteen dollars and fifty cents"),
    )
    assert abs(seconds(digits) - seconds(words)) < 0.2


@pytest.mark.parametrize("text", ["", "   ", "🍣🍜", "<speak></speak>", "...", "\x00\u200b"])
async def test_nothing_to_say_is_silence_not_an_error(mouth: Mouth, text: str) -> None:
    assert await said(mouth, text) == b""


@pytest.mark.parametrize(
    "text",
    [
        "<speak><prosody rate='slow'>Hello</prosody> there.</speak>",
        "Sushi 🍣 and ramen 🍜!",
        "[[not phonemes]] but words",
        "ありがとう ramen",
        "CAFÉ résumé naïve",
        "x" * 300,
    ],
)
async def test_odd_text_is_spoken_somehow(mouth: Mouth, text: str) -> None:
    chunks = [chunk async for chunk in mouth.speak(text)]
    assert all(0.2 < seconds(chunk) < 20 for chunk in chunks)
    assert chunks


async def test_ten_thousand_characters_begin_at_once_and_can_be_left(mouth: Mouth) -> None:
    text = ("We have vegetable rolls, tofu ramen and vegetable gyoza. " * 180)[:10_000]
    speech = mouth.speak(text)
    first = await anext(speech)
    assert 0.5 < seconds(first) < 5
    await speech.aclose()
    assert await said(mouth, "Goodbye.")


async def test_a_reader_who_walks_away_mid_unit_leaves_nothing_behind(mouth: Mouth) -> None:
    before = asyncio.all_tasks()
    speech = mouth.speak(LINE)
    waiting = asyncio.ensure_future(anext(speech))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await speech.aclose()
    assert asyncio.all_tasks() == before
    assert await said(mouth, "Goodbye.")


async def test_several_lines_at_once_take_turns(mouth: Mouth) -> None:
    order: list[int] = []

    async def speak(number: int) -> None:
        async for chunk in mouth.speak("One is here. Two is here. Three is here."):
            assert chunk
            order.append(number)

    await asyncio.gather(*[speak(number) for number in range(4)])
    assert sorted(order) == sorted([0, 1, 2, 3] * 3)
    assert set(order[:4]) == {0, 1, 2, 3}, "every line gets its first sound before any its second"


async def test_killed_in_the_middle_of_a_line_it_goes_on_speaking(mouth: Mouth) -> None:
    speech = mouth.speak(LINE)
    chunks = [await anext(speech)]
    waiting = asyncio.ensure_future(anext(speech))
    await asyncio.sleep(0)
    victim = mouth.pid
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    chunks += [await waiting, *[chunk async for chunk in speech]]
    assert [chunk.text for chunk in chunks] == clauses(LINE)
    assert mouth.pid not in (None, victim)


async def test_a_program_that_hangs_is_replaced(
    mouth: Mouth, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only the first try is hurried: the second one must have the time a fresh start needs.
    monkeypatch.setattr(tts, "UNIT_SECONDS", 0.3)
    victim = mouth.pid
    assert victim is not None
    os.kill(victim, signal.SIGSTOP)
    waiting = asyncio.ensure_future(said(mouth, "Hello."))
    asyncio.get_running_loop().call_later(0.2, monkeypatch.undo)
    assert await waiting
    assert mouth.pid not in (None, victim)


async def test_killed_again_and_again_the_line_fails_with_a_reason(mouth: Mouth) -> None:
    async def kill() -> None:
        while True:
            if mouth.pid:
                with contextlib.suppress(ProcessLookupError):  # dead, and not yet noticed
                    os.kill(mouth.pid, signal.SIGKILL)
            await asyncio.sleep(0.001)

    killer = asyncio.create_task(kill())
    with pytest.raises(MouthError, match="ended twice"):
        await said(mouth, LINE)
    killer.cancel()
    assert await said(mouth, "Back again.")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_stop_leaves_no_process_pipe_or_task() -> None:
    before = asyncio.all_tasks(), open_files()
    mouth = Mouth(Settings())
    await mouth.start()
    pid = mouth.pid
    assert pid is not None
    await said(mouth, "Hello.")
    await mouth.stop()
    await mouth.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert (asyncio.all_tasks(), open_files()) == before


async def test_a_line_in_flight_fails_when_the_mouth_stops() -> None:
    mouth = Mouth(Settings())
    await mouth.start()
    speech = mouth.speak(LINE)
    await anext(speech)
    waiting = asyncio.ensure_future(anext(speech))
    await asyncio.sleep(0)
    await mouth.stop()
    with pytest.raises(MouthError, match="stopped"):
        await waiting
    await speech.aclose()


def copy_voice(folder: Path, **changes: object) -> Path:
    """Return a copy of the house voice with a changed configuration."""
    voice = folder / "voice.onnx"
    shutil.copy(HOUSE, voice)
    config = json.loads(Path(f"{HOUSE}.json").read_text())
    Path(f"{voice}.json").write_text(json.dumps(config | changes))
    return voice


async def test_a_voice_of_another_sample_rate_is_resampled(tmp_path: Path, mouth: Mouth) -> None:
    other = Mouth(settings_for(copy_voice(tmp_path, audio={"sample_rate": 22_050})))
    await other.start()
    try:
        # The same samples, taken for 22.05 kHz, last 16/22.05 as long.
        ratio = seconds(await said(other, LINE)) / seconds(await said(mouth, LINE))
        assert 0.65 < ratio < 0.85
        assert other.voice_id != mouth.voice_id
    finally:
        await other.stop()


async def test_a_missing_voice_is_named(tmp_path: Path) -> None:
    with pytest.raises(MouthError, match=r"nobody\.onnx can't be read.*PICKUP_MODELS__MOUTH"):
        await Mouth(settings_for(tmp_path / "nobody.onnx")).start()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_speakers": 2}, "sid"),
        ({"phoneme_type": "telepathy"}, "telepathy"),
        ({"espeak": {}}, "voice"),
    ],
)
async def test_a_configuration_that_does_not_fit_is_a_clear_error(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(MouthError, match=f"can't use the voice .*{reason}"):
        await Mouth(settings_for(copy_voice(tmp_path, **changes))).start()


async def test_a_file_that_is_no_voice_is_a_clear_error(tmp_path: Path) -> None:
    voice = copy_voice(tmp_path)
    voice.write_bytes(b"not a model")
    with pytest.raises(MouthError, match=r"can't use the voice .*onnx"):
        await Mouth(settings_for(voice)).start()


async def test_the_program_speaks_only_what_is_still_wanted() -> None:
    program = await asyncio.create_subprocess_exec(
        sys.executable, tts.PROGRAM, HOUSE, stdin=PIPE, stdout=PIPE
    )
    assert program.stdin is not None
    assert program.stdout is not None
    ready = await read_frame(program.stdout)
    assert ready is not None
    assert (ready.kind, json.loads(ready.payload)) == (Kind.READY, {"sample_rate": 16_000})
    frames = [Frame(Kind.SPEAK, unit, LINE.encode()) for unit in (1, 2, 3)]
    frames += [Frame(Kind.CANCEL, unit) for unit in (2, 3)]
    frames += [Frame(Kind.SPEAK, 4, b"Hello.")]
    program.stdin.write(b"".join(frame.encode() for frame in frames))
    sound: dict[int, int] = {}
    done: list[int] = []
    while len(done) < 2:
        frame = await read_frame(program.stdout)
        assert frame is not None
        if frame.kind is Kind.AUDIO:
            assert len(frame.payload) % SAMPLE_BYTES == 0
            sound[frame.unit] = sound.get(frame.unit, 0) + len(frame.payload)
        elif frame.kind is Kind.TIMES:
            times = json.loads(frame.payload)
            assert [end for _, end in times] == sorted(end for _, end in times)
            assert times[-1][0] == "$"
        else:
            assert frame.kind is Kind.DONE
            assert struct.unpack("<f", frame.payload)[0] > 0
            done.append(frame.unit)
    assert (done, sorted(sound)) == ([1, 4], [1, 4])
    rest, _ = await program.communicate(b"")
    assert (rest, program.returncode) == (b"", 0)


async def test_a_stream_out_of_step_is_noticed() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"\xff" * 16)
    with pytest.raises(ValueError, match="impossible frame length"):
        await read_frame(reader)


async def test_a_frame_cut_short_is_the_end() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(Frame(Kind.AUDIO, 7, bytes(640)).encode()[:-1])
    reader.feed_eof()
    assert await read_frame(reader) is None


def test_nothing_of_the_package_is_in_the_piper_program() -> None:
    """The licence boundary: GPL-3 on one side, Apache-2.0 on the other."""
    source = (tts.PROGRAM / "__main__.py").read_text()
    assert "SPDX-License-Identifier: GPL-3.0-or-later" in source
    assert not [
        line
        for line in source.splitlines()
        if line.split()[:2] in (["from", "agent"], ["import", "agent"])
    ]
    package = Path(tts.__file__).parent.parent
    importing = [
        path
        for path in package.rglob("*.py")
        if any(
            line.split()[:2] in (["from", "piper"], ["import", "piper"])
            for line in path.read_text().splitlines()
        )
    ]
    assert importing == []
