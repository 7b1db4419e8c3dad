"""Makes the callers' clips: every line of lines.toml in every voice of voices.toml.

Needs flite and espeak-ng on the PATH (Debian: ``apt-get install flite espeak-ng``); nothing
else in Pickup does. Writes ``voices/<voice>/<line>.wav`` and ``clips.json``.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from agent.evidence.measures import voiced_spans
from agent.evidence.wav import Sound, read_wav, write_wav

HERE = Path(__file__).resolve().parent
RATE = 8_000
"""Samples per second of a telephone line (G.711)."""
BAND_HZ = (200, 3500)
"""What a telephone line lets through: ITU-T G.712 is flat from 300 to 3400 Hz and cuts below
200 and above 3600. Each edge is 100 Hz wide."""
SPEECH_DB = -22.0
"""RMS of the speech, dB re full scale: about ITU-T P.56's usual −26 dBov plus a close phone."""
PEAK = 0.7
"""No sample may be louder than this share of full scale."""
HESITATION = 0.8
"""Seconds of silence for each `…` in a line."""
MARGIN = RATE // 50
"""20 ms kept before the first and after the last voiced sample, faded."""


def main() -> None:
    """Make all clips and the list of where in them the voice is."""
    lines: dict[str, str] = {}
    for group in tomllib.loads((HERE / "lines.toml").read_text("utf-8")).values():
        lines |= group
    voices = tomllib.loads((HERE / "voices.toml").read_text("utf-8"))
    clips: dict[str, dict[str, Any]] = {}
    for voice, how in voices.items():
        folder = HERE / "voices" / voice
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in lines.items():
            parts = [spoken(how["program"], how["arguments"], part) for part in text.split("…")]
            clip, first, last = finished(hesitating([trimmed(part) for part in parts]))
            path = folder / f"{name}.wav"
            write_wav(path, Sound(RATE, clip.reshape(-1, 1)))
            clips[f"{voice}/{name}"] = {
                "first_voiced": first,
                "last_voiced": last,
                "samples": len(clip),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
    listing = {"rate": RATE, "lines": lines, "clips": clips}
    (HERE / "clips.json").write_text(json.dumps(listing, indent=1) + "\n", "utf-8")
    sys.stdout.write(f"{len(clips)} clips\n")


def spoken(program: str, arguments: list[str], text: str) -> NDArray[np.float64]:
    """Return ``text`` in a synthesiser's voice at 8 kHz, −1 … 1."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spoken.wav"
        if program == "flite":
            command = [program, *arguments, "-t", text, "-o", str(path)]
        else:
            command = [program, *arguments, "-w", str(path), text]
        subprocess.run(command, check=True)
        sound = read_wav(path)
    speech = sound.channel(0).astype(np.float64) / 32768
    return np.asarray(soxr.resample(speech, sound.rate, RATE, "VHQ"))


def trimmed(speech: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``speech`` without the silence that synthesisers put around it."""
    loud = np.flatnonzero(np.abs(speech) > 0.003 * np.abs(speech).max())
    return speech[loud[0] : loud[-1] + 1]


def hesitating(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the parts of a line with a hesitation between them."""
    pause = np.zeros(round(HESITATION * RATE))
    joined = [piece for part in parts for piece in (pause, part)]
    return np.concatenate(joined[1:])


def finished(speech: NDArray[np.float64]) -> tuple[NDArray[np.int16], int, int]:
    """Return the clip as it goes on the line, with its first and last voiced sample."""
    speech = through_telephone(np.concatenate([np.zeros(RATE // 4), speech, np.zeros(RATE // 4)]))
    loud = np.abs(speech) > 0.1 * np.abs(speech).max()
    gain = 10 ** (SPEECH_DB / 20) / np.sqrt(np.mean(speech[loud] ** 2))
    gain = min(gain, PEAK / np.abs(speech).max())
    samples = np.round(speech * gain * 32767).astype(np.int16)
    spans = voiced_spans(samples, RATE)
    first, last = round(spans[0].start * RATE), round(spans[-1].end * RATE) - 1
    clip = samples[first - MARGIN : last + 1 + MARGIN].astype(np.float64)
    fade = np.linspace(0, 1, MARGIN)
    clip[:MARGIN] *= fade
    clip[-MARGIN:] *= fade[::-1]
    return np.round(clip).astype(np.int16), MARGIN, len(clip) - 1 - MARGIN


def through_telephone(speech: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return only what a telephone line lets through."""
    spectrum = np.fft.rfft(speech)
    hertz = np.fft.rfftfreq(len(speech), 1 / RATE)
    low, high = BAND_HZ
    keep = np.clip((hertz - low + 50) / 100, 0, 1) * np.clip((high + 50 - hertz) / 100, 0, 1)
    return np.asarray(np.fft.irfft(spectrum * keep, len(speech)))


if __name__ == "__main__":
    main()
