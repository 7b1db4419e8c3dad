"""Make the PBX's own prompts with the house voice. Run it again when the voice or the words change.

Usage: ``python asterisk/sounds/make.py [VOICE.onnx]``
"""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import soxr

HERE = Path(__file__).resolve().parent
VOICE = HERE.parents[1] / "tts_models" / "house-en" / "voice.onnx"

PROMPTS = {
    "apology": "I'm sorry, we can't take your call right now. Please leave your name, your number"
    " and a message after the tone, and we'll call you back.",
    "not-kept": "I'm sorry, your message could not be kept. Please call again later.",
}

LINE_RATE = 8_000
"""Hz; Asterisk plays a .wav prompt at the telephone's own rate only."""

PEAK = 0.5
"""Of full scale (-6 dB): loud enough beside Debian's prompts, and clear of clipping in G.711."""


def main(voice: Path) -> None:
    """Speak every prompt and write it beside this file: 8 kHz, mono, 16 bit."""
    for name, words in PROMPTS.items():
        command = [sys.executable, "-m", "piper", "-m", str(voice), "--sentence-silence", "0.25"]
        wav = HERE / f"{name}.wav"
        subprocess.run([*command, "-f", str(wav)], input=words, text=True, check=True)
        with wave.open(str(wav)) as spoken:
            rate = spoken.getframerate()
            pcm = np.frombuffer(spoken.readframes(spoken.getnframes()), np.int16)
        line = soxr.resample(pcm.astype(np.float32), rate, LINE_RATE)
        line *= PEAK * 32767 / np.abs(line).max()
        with wave.open(str(wav), "wb") as prompt:
            prompt.setnchannels(1)
            prompt.setsampwidth(2)
            prompt.setframerate(LINE_RATE)
            prompt.writeframes(line.astype("<i2").tobytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else VOICE)
