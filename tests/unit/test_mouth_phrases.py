"""Pre-spoken lines, with the real Piper program."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from agent.audio import FRAME_BYTES, SAMPLE_BYTES, SAMPLE_RATE, seconds
from agent.mouth import Mouth, Phrases
from agent.settings import Settings

LINES = ["How can I help?", "We have Japanese beer and sake.", "Our ramen is $13.50."]


@pytest.fixture
async def mouth() -> AsyncIterator[Mouth]:
    mouth = Mouth(Settings(), {"sake": "sahkay"})
    await mouth.start()
    yield mouth
    await mouth.stop()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


async def test_lines_are_spoken_once_and_kept(tmp_path: Path, mouth: Mouth) -> None:
    folder = tmp_path / "phrases"
    first = Phrases(folder, mouth)
    assert first.get(LINES[0]) is None
    await first.warm([*LINES, LINES[0]])
    kept = files(folder)
    assert len(kept) == 3
    for line in LINES:
        sound = first.get(line)
        assert sound is not None
        assert sound.text == line
        assert len(sound) % FRAME_BYTES == 0
        assert 0.5 < seconds(sound) < 5

    second = Phrases(folder, mouth)
    await second.warm(LINES)
    assert files(folder) == kept, "fresh speech would differ: its noise has no seed"
    assert [second.get(line) for line in LINES] == [first.get(line) for line in LINES]


async def test_a_kept_line_is_an_ordinary_wav(tmp_path: Path, mouth: Mouth) -> None:
    phrases = Phrases(tmp_path, mouth)
    await phrases.warm(LINES[:1])
    with wave.open(str(only_file(tmp_path))) as sound:
        shape = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
        assert shape == (1, SAMPLE_BYTES, SAMPLE_RATE)
        assert sound.readframes(sound.getnframes()) == phrases.get(LINES[0])


async def test_a_changed_file_re_speaks_only_what_is_said_differently(
    tmp_path: Path, mouth: Mouth
) -> None:
    await Phrases(tmp_path, mouth).warm(LINES)
    before = set(files(tmp_path))

    other = Mouth(Settings(), {"sake": "sah keh"})
    await other.start()
    await Phrases(tmp_path, other).warm([*LINES[:2], "Our ramen is $14."])
    await other.stop()
    after = set(files(tmp_path))
    assert before < after
    assert len(after - before) == 2, "the new pronunciation and the new price"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data[:-300], id="cut short"),
        pytest.param(lambda data: bytes(len(data)), id="all zeros"),
        pytest.param(lambda data: data[:44] + bytes(len(data) - 44), id="silent"),
        pytest.param(lambda data: data[:5000] + b"\x7f" + data[5001:], id="one byte"),
        pytest.param(lambda data: b"garbage" * 100, id="no wav"),
    ],
)
async def test_a_damaged_file_is_made_again(
    tmp_path: Path, mouth: Mouth, damage: Callable[[bytes], bytes]
) -> None:
    await Phrases(tmp_path, mouth).warm(LINES[:1])
    file = only_file(tmp_path)
    file.write_bytes(damage(file.read_bytes()))
    phrases = Phrases(tmp_path, mouth)
    await phrases.warm(LINES[:1])
    sound = phrases.get(LINES[0])
    assert sound is not None
    assert any(sound)
    assert only_file(tmp_path).suffix == ".wav"


async def test_a_full_or_forbidden_folder_only_costs_the_next_start(
    tmp_path: Path, mouth: Mouth
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    phrases = Phrases(blocked, mouth)
    await phrases.warm(LINES)
    assert all(phrases.get(line) for line in LINES)
    assert blocked.read_text() == "not a folder"
