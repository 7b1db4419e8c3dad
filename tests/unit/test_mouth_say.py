"""``pickup say`` as a person starts it, with the real Piper program."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import pytest


def pickup(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_line_is_written_as_wav_and_reported(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    result = pickup("say", "It's $13.50.", "-o", out, "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["spoken"] == ["It's thirteen dollars and fifty cents."]
    with wave.open(str(out)) as sound:
        assert (sound.getframerate(), sound.getnchannels()) == (16_000, 1)
        assert sound.getnframes() / 16_000 == pytest.approx(report["seconds"], abs=0.01)


def test_a_voice_is_chosen_by_its_name_in_the_catalogue(tmp_path: Path) -> None:
    result = pickup("say", "Hi", "-o", tmp_path / "out.wav", "--voice", "house-en", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["seconds"] > 0.1


@pytest.mark.parametrize(
    ("voice", "reason"),
    [
        ("en_US-ljspeech-medium", "pickup models pull en_US-ljspeech-medium"),
        ("vosk-model-small-en-us-0.15", "vosk-model-small-en-us-0.15"),
        ("nobody", "nobody"),
    ],
    ids=["not fetched", "an ear", "not in the catalogue"],
)
def test_a_name_that_gives_no_voice_says_why(tmp_path: Path, voice: str, reason: str) -> None:
    result = pickup("say", "Hi", "-o", tmp_path / "out.wav", "--voice", voice)
    assert result.returncode == 1
    assert reason in " ".join(result.stderr.split())


def test_a_voice_that_is_missing_is_a_clear_error(tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    result = pickup("say", "Hi", "-o", out, "--voice", tmp_path / "no.onnx")
    assert result.returncode == 1
    assert "engine.mouth" in result.stderr
    assert "can't be read" in " ".join(result.stderr.split())
    assert not out.exists()
