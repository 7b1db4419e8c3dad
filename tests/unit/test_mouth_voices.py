"""Voices of other makers: Piper's layouts load, are resampled and speak with the right speaker.

The voices hum instead of speaking (``tts_models/recipe/hum.py``), but their shapes and
configurations are those of Piper's published voices.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from agent.audio import SAMPLE_RATE, seconds
from agent.errors import MouthError
from agent.mouth import Mouth, level
from agent.service.model_check import check_mouth
from agent.settings import Models, Settings

VOICES = Path(__file__).parent / "piper_voices"
HOUSE_TABLE = json.loads(Path(f"{Models().mouth}.json").read_text("utf-8"))["phoneme_id_map"]
PIPER_TABLE = {symbol: ids for symbol, ids in HOUSE_TABLE.items() if len(symbol) == 1}
"""Piper's own symbols: one character each."""


def voice(folder: Path, name: str, rate: int, quality: str, **changes: object) -> Path:
    """Lay a humming voice out as Piper's publishers do: NAME.onnx, NAME.onnx.json."""
    path = folder / f"en_US-hum-{quality}.onnx"
    shutil.copy(VOICES / f"{name}.onnx", path)
    config = {
        "dataset": "hum",
        "audio": {"sample_rate": rate, "quality": quality},
        "espeak": {"voice": "en-us"},
        "language": {"code": "en_US", "family": "en", "region": "US"},
        "inference": {"noise_scale": 0.667, "length_scale": 1, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "phoneme_map": {},
        "phoneme_id_map": PIPER_TABLE,
        "num_symbols": 256,
        "num_speakers": 1,
        "speaker_id_map": {},
        "piper_version": "1.0.0",
    }
    Path(f"{path}.json").write_text(json.dumps(config | changes), "utf-8")
    return path


async def hum(path: Path, text: str = "Thanks for calling.") -> tuple[float, float]:
    """Return the tone in Hz and the seconds of one line by this voice."""
    mouth = Mouth(Settings(models=Models(mouth=path)))
    await mouth.start()
    try:
        pcm = b"".join([chunk async for chunk in mouth.speak(text)])
    finally:
        await mouth.stop()
    sound = level.samples(pcm)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(spectrum.argmax() * SAMPLE_RATE / len(sound)), seconds(pcm)


SPEAKERS = {"num_speakers": 3, "speaker_id_map": {"p1": 0, "p2": 1, "p3": 2}}


@pytest.mark.parametrize(
    ("name", "rate", "quality", "changes", "tone"),
    [
        ("low", 16_000, "low", {}, 440),
        ("medium", 22_050, "medium", {}, 440),
        ("medium-speakers", 22_050, "medium", SPEAKERS, 440),
        ("medium-speakers", 22_050, "medium", SPEAKERS | {"default_speaker_id": 2}, 880),
    ],
    ids=["low", "medium", "several speakers: the first", "several speakers: the chosen one"],
)
async def test_every_layout_of_piper_speaks_by_the_same_path(
    tmp_path: Path, name: str, rate: int, quality: str, changes: dict[str, object], tone: int
) -> None:
    path = voice(tmp_path, name, rate, quality, **changes)
    assert check_mouth(path) == path
    heard, lasted = await hum(path)
    assert heard == pytest.approx(tone, abs=3), "a wrong rate would shift the tone"
    assert 0.3 < lasted < 3


async def test_a_medium_voice_keeps_its_pace_on_the_line(tmp_path: Path) -> None:
    low, medium = tmp_path / "low", tmp_path / "medium"
    low.mkdir()
    medium.mkdir()
    _, fast = await hum(voice(medium, "medium", 22_050, "medium"))
    _, slow = await hum(voice(low, "low", 16_000, "low"))
    # The same number of samples at either rate, made into 16 kHz; 0.1 s: silence cut at edges.
    assert fast == pytest.approx(slow * 16_000 / 22_050, abs=0.1)


async def test_a_slower_length_scale_of_the_voice_is_kept(tmp_path: Path) -> None:
    usual, slow = tmp_path / "usual", tmp_path / "slow"
    usual.mkdir()
    slow.mkdir()
    _, plain = await hum(voice(usual, "low", 16_000, "low"))
    _, longer = await hum(voice(slow, "low", 16_000, "low", inference={"length_scale": 1.5}))
    assert longer == pytest.approx(1.5 * plain, abs=0.1)


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        ("medium", SPEAKERS, "sid"),
        ("medium-speakers", {}, "sid"),
    ],
    ids=["the file has one speaker, its configuration three", "the other way round"],
)
async def test_files_of_two_voices_do_not_fit(
    tmp_path: Path, name: str, changes: dict[str, object], reason: str
) -> None:
    path = voice(tmp_path, name, 22_050, "medium", **changes)
    with pytest.raises(MouthError, match=f"can't use the voice .*{reason}"):
        await hum(path)
