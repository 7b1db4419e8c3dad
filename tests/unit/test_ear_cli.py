"""``pickup hear`` as a person and as a program use it."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from agent.cli import hear
from agent.errors import EarError
from tests.unit.ear_sounds import SPEECH, speech


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    hear.register(app)
    app.callback()(lambda: None)
    return app


def write(path: Path, rate: int, channels: int, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((channels, width, rate, 0, "NONE", ""))
        sound.writeframes(bytes(rate * channels * width))
    return path


def test_a_person_sees_partials_pauses_and_turns(app: typer.Typer) -> None:
    shown = CliRunner().invoke(app, ["hear", str(SPEECH / "order_rms.wav")])
    assert shown.exit_code == 0
    assert "turn    hi i'd like to place an order" in shown.output
    assert "(ordinary)" in shown.output


def test_a_program_reads_json(app: typer.Typer) -> None:
    files = [str(SPEECH / "number_groups_rms.wav"), str(SPEECH / "yes_rms.wav")]
    shown = CliRunner().invoke(app, ["hear", "--json", "--expect", "phone_number", *files])
    first, second = [json.loads(line) for line in shown.output.splitlines()]
    assert first["text"] == "three one six five five five zero one two three"
    assert [event["event"] for event in first["events"]].count("final_heard") == 1
    assert second["text"] == "yes"


def test_the_left_channel_is_heard(app: typer.Typer, tmp_path: Path) -> None:
    left = speech("yes_rms").astype("<i2")
    both = np.stack([left, np.zeros_like(left)], axis=1)
    path = tmp_path / "call.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((2, 2, 8_000, 0, "NONE", ""))
        sound.writeframes(both.tobytes())
    shown = CliRunner().invoke(app, ["hear", "--json", str(path)])
    assert json.loads(shown.output)["text"] == "yes"


@pytest.mark.parametrize(
    ("rate", "channels", "width"), [(44_100, 1, 2), (8_000, 3, 2), (8_000, 1, 1)]
)
def test_other_formats_are_refused(tmp_path: Path, rate: int, channels: int, width: int) -> None:
    with pytest.raises(EarError, match="wanted are 8000 or 16000 Hz"):
        hear.read_call_audio(write(tmp_path / "odd.wav", rate, channels, width))


def test_empty_absent_and_foreign_files_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.write_bytes(b"")
    text = tmp_path / "text.wav"
    text.write_text("hello, this is no sound at all")
    for path in (empty, text):
        with pytest.raises(EarError, match="no PCM WAV"):
            hear.read_call_audio(path)
    with pytest.raises(EarError, match="can't be read"):
        hear.read_call_audio(tmp_path / "absent.wav")
