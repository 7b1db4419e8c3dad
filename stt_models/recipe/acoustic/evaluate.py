"""Word error rates while the model is being made: ``evaluate.py MODEL SOUNDS``.

On a person (the half of the prompts that may be tuned on, `heldout/split.toml`) and on sentences
like the training's, of trained voices: what settings are chosen on. The figures to believe are
those of `make bench-ear`, whose clips nothing here has heard.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import vosk
from numpy.typing import NDArray
from scipy.io import wavfile
from sentences import as_read, sentence
from split import HUMAN_TEXTS, is_dev
from voices import RATE, TEST_VOICES

STEP: Final = RATE // 10
BAND: Final = (300, 3_400)
CLEAN_DB, NOISY_DB = 40.0, 15.0
"""Speech over noise."""


class Clip(NamedTuple):
    """A sentence on the line."""

    text: str
    sound: NDArray[np.int16]


def lined(sound: NDArray[np.int16], below: float, seed: int) -> NDArray[np.int16]:
    """Return the sound after a line: falling noise, band, µ-law, 0.3 s before and after."""
    chance = np.random.default_rng(seed)
    loud = sound[np.abs(sound.astype(np.int32)) > 0.1 * np.abs(sound.astype(np.int32)).max()]
    pad = np.zeros(RATE * 3 // 10)
    speech = np.concatenate([pad, sound, pad])
    lines = np.fft.rfft(chance.normal(size=len(speech)))
    noise = np.fft.irfft(lines / (np.arange(len(lines)) + 20) ** 0.5, len(speech))
    speech += noise / noise.std() * loud.std() * 10 ** (-below / 20)
    hertz = np.fft.rfftfreq(len(speech), 1 / RATE)
    keep = np.clip((hertz - BAND[0] + 60) / 120, 0, 1) * np.clip((BAND[1] + 60 - hertz) / 120, 0, 1)
    speech = np.fft.irfft(np.fft.rfft(speech) * keep, len(speech))
    speech *= 9_000 / np.abs(speech).max() / 32_768
    law = np.round(np.sign(speech) * np.log1p(255 * np.abs(speech)) / np.log(256) * 127) / 127
    return np.round(np.sign(law) * (256 ** np.abs(law) - 1) / 255 * 32_767).astype(np.int16)


def people(sounds: Path, every: int) -> Iterator[tuple[str, NDArray[np.int16]]]:
    """Yield text and sound of the prompts that may be tuned on."""
    lines = HUMAN_TEXTS.read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" ", 1) for line in lines if line and not line.startswith("#")]
    for file, text in [pair for pair in pairs if is_dev(pair[0])][::every]:
        yield text, wavfile.read(sounds / f"{file}.wav")[1]


def voice(name: str, many: int) -> Iterator[tuple[str, NDArray[np.int16]]]:
    """Yield text and sound of sentences of the generator, other ones than in training."""
    for number in range(many):
        chance = random.Random(f"to tune on {name} {number}")
        text = sentence(chance)
        yield text, TEST_VOICES[name](as_read(text, chance), chance).sound


def heard(model: vosk.Model, sound: NDArray[np.int16]) -> str:
    """Return what the model hears in a sound of a call."""
    recogniser = vosk.KaldiRecognizer(model, RATE)
    words = ""
    for at in range(0, len(sound), STEP):
        if recogniser.AcceptWaveform(sound[at : at + STEP].tobytes()):
            words += json.loads(recogniser.Result())["text"] + " "
    words += json.loads(recogniser.FinalResult())["text"]
    return " ".join(words.replace("[unk]", "").split())


def wrong(said: str, got: str) -> int:
    """Return the least number of words to change, add or remove."""
    row = list(range(len(got.split()) + 1))
    for i, word in enumerate(said.split(), 1):
        before, row[0] = row[0], i
        for j, other in enumerate(got.split(), 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


def main() -> None:
    """Print the word error rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("sounds", type=Path, help="folder with the prompts' wav files")
    parser.add_argument("--every", type=int, default=1, help="only each so many-th prompt")
    parser.add_argument("--many", type=int, default=25, help="sentences of each voice")
    parser.add_argument("--voices", nargs="*", default=["slt", "pico_us", "rms"])
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    vosk.SetLogLevel(-1)
    model = vosk.Model(str(options.model))
    sets = {"a person": list(people(options.sounds, options.every))}
    sets |= {name: list(voice(name, options.many)) for name in options.voices}
    for name, pairs in sets.items():
        for kind, below in (("clean", CLEAN_DB), ("noisy", NOISY_DB)):
            clips = [Clip(text, lined(sound, below, k)) for k, (text, sound) in enumerate(pairs)]
            began = time.process_time()
            got = [heard(model, clip.sound) for clip in clips]
            spent = (time.process_time() - began) / sum(len(c.sound) / RATE for c in clips)
            words = sum(len(clip.text.split()) for clip in clips)
            errors = sum(wrong(c.text, h) for c, h in zip(clips, got, strict=True))
            rate = 100 * errors / words
            print(f"{name:10} {kind:6} {rate:5.1f} % of {words}, CPU {spent:.3f}", flush=True)
            if options.show:
                for clip, text in zip(clips, got, strict=True):
                    print(f"  - {clip.text}\n  + {text}")


if __name__ == "__main__":
    main()
