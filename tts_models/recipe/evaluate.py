"""Measure the house voice beside its teacher and espeak-ng: understood, alike, fast, small.

Everybody says the same held-out lines, on the same day and machine. `recognise` writes down what
it hears through the telephone's band and in the whole band; `distance` tells how far each is from
the teacher.
"""

from __future__ import annotations

import json
import math
import subprocess
import tempfile
import time
import wave
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from recognise import Pcm, Sound, errors, in_the_room, recogniser, through_the_phone, words_of
from teacher import RATE, say

_STEP, _WINDOW, _MELS, _ORDER = 80, 400, 40, 25


def held_out() -> list[str]:
    """Return the lines to measure on."""
    text = (Path(__file__).parent / "text" / "heldout.txt").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


# ── who speaks ──────────────────────────────────────────────────────────────────────────


def by_piper(voice: Path, lines: Sequence[str]) -> tuple[list[Sound], dict[str, float]]:
    """Return the lines as a Piper voice says them, and its speed on one core."""
    import onnxruntime
    from piper import PiperVoice, SynthesisConfig
    from piper.config import PiperConfig

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    config = PiperConfig.from_dict(json.loads(Path(f"{voice}.json").read_text("utf-8")))
    piper = PiperVoice(onnxruntime.InferenceSession(str(voice), options), config)
    settings = SynthesisConfig(normalize_audio=False)
    list(piper.synthesize("Hello there.", settings))
    sounds = []
    cpu = time.process_time()
    for line in lines:
        parts = [part.audio_float_array for part in piper.synthesize(line, settings)]
        sounds.append(np.concatenate(parts).astype(np.float32))
    cpu = time.process_time() - cpu
    seconds = sum(map(len, sounds)) / config.sample_rate
    if config.sample_rate != RATE:
        sounds = [soxr.resample(sound, config.sample_rate, RATE) for sound in sounds]
    return sounds, {"rtf": cpu / seconds, "megabytes": voice.stat().st_size / 1e6}


def by_flite(program: Path, lines: Sequence[str]) -> list[Sound]:
    """Return the lines as the teacher says them."""
    said = say(program, lines, sound=True)
    return [item.sound.astype(np.float32) / np.float32(32768) for item in said]


def by_espeak(lines: Sequence[str]) -> list[Sound]:
    """Return the lines as the espeak-ng on this machine says them, at 16 kHz."""
    sounds = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "line.wav"
        for line in lines:
            subprocess.run(["espeak-ng", "-v", "en-us", "-w", out, line], check=True)
            with wave.open(str(out)) as file:
                pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
                rate = file.getframerate()
            sounds.append(soxr.resample(pcm.astype(np.float32) / 32768, rate, RATE))
    return sounds


# ── how alike it sounds ─────────────────────────────────────────────────────────────────


def spectrum(sound: Sound) -> NDArray[np.float64]:
    """Return the levels of 40 mel bands in dB every 5 ms, edges of silence cut off."""
    padded = np.pad(sound, _WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_STEP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), 512)) ** 2
    mel = np.linspace(_mel(60.0), _mel(7600.0), _MELS + 2)
    corners = 700 * (10 ** (mel / 2595) - 1)
    bins = np.arange(257) * RATE / 512
    filters = [
        np.clip(np.minimum((bins - low) / (top - low), (high - bins) / (high - top)), 0, None)
        for low, top, high in zip(corners, corners[1:], corners[2:], strict=False)
    ]
    levels: NDArray[np.float64] = 10 * np.log10(power @ np.array(filters).T + 1e-7)
    loud = np.flatnonzero(levels.mean(1) > -45)
    return levels[loud[0] : loud[-1] + 1]


def _mel(hertz: float) -> float:
    return 2595 * math.log10(1 + hertz / 700)


def distance(teacher: Sound, other: Sound) -> dict[str, float]:
    """Return how far ``other`` is from ``teacher``, along the best path in time.

    Returns:
        spectral: dB between the mel spectra (root mean square over 40 bands), levels matched.
        cepstral: dB between 24 mel-cepstra: the same without the finest ripple.
        length: Of ``other`` by that of ``teacher``.
    """
    real, said = spectrum(teacher), spectrum(other)
    said = said + (real.mean() - said.mean())
    turns = np.pi * np.outer(np.arange(_MELS) + 0.5, np.arange(1, _ORDER)) / _MELS
    bases = np.cos(turns) * np.sqrt(2 / _MELS)
    one, two = real @ bases, said @ bases
    costs = np.sqrt(np.maximum(0, (one**2).sum(1)[:, None] + (two**2).sum(1) - 2 * one @ two.T))
    i, j = np.array(_cheapest(costs)).T
    return {
        "spectral": float(np.sqrt(((real[i] - said[j]) ** 2).mean(1)).mean()),
        "cepstral": float(costs[i, j].mean() / np.sqrt(_MELS)),
        "length": len(said) / len(real),
    }


def _cheapest(costs: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the cheapest path from corner to corner (dynamic time warping)."""
    rows, columns = costs.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    for diagonal in range(2, rows + columns + 1):  # all cells of one diagonal at once
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        ways = np.minimum(np.minimum(total[i - 1, j], total[i, j - 1]), total[i - 1, j - 1])
        total[i, j] = costs[i - 1, j - 1] + ways
    i, j = rows, columns
    path = []
    while i and j:
        path.append((i - 1, j - 1))
        way = int(np.argmin([total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]]))
        i, j = i - (way != 2), j - (way != 1)
    return path


# ── all of it ───────────────────────────────────────────────────────────────────────────

TEACHER = "flite slt"
BANDS: dict[str, Callable[[Sound], Pcm]] = {"phone": through_the_phone, "wide": in_the_room}


def compare(voices: dict[str, Path], flite: Path) -> dict[str, dict[str, float]]:
    """Return all figures of the voices, of Flite and of espeak-ng; print them as they come.

    Args:
        voices: Piper voices by name.
        flite: The dumper.

    Returns:
        By speaker: ``wer phone`` and ``wer wide`` with their standard errors over lines,
        ``… more`` than the teacher's with the paired standard error, `distance`'s figures with
        theirs, and for voices ``rtf`` and ``megabytes``.
    """
    lines = held_out()
    teacher = by_flite(flite, lines)
    speakers = {TEACHER: teacher}
    report: dict[str, dict[str, float]] = {TEACHER: {}}
    for name, voice in voices.items():
        speakers[name], report[name] = by_piper(voice, lines)
    speakers["espeak-ng"], report["espeak-ng"] = by_espeak(lines), {}
    wrong: dict[tuple[str, str], NDArray[np.float64]] = {}
    with ProcessPoolExecutor() as pool:
        jobs = {
            (name, band): pool.submit(_wrong_words, lines, sounds, band)
            for name, sounds in speakers.items()
            for band in BANDS
        }
        for name, sounds in speakers.items():
            if name != TEACHER:
                far = list(pool.map(distance, teacher, sounds, chunksize=8))
                for key in far[0]:
                    some = np.array([item[key] for item in far])
                    report[name] |= {key: some.mean(), f"{key} error": _standard_error(some)}
            for band in BANDS:
                wrong[name, band] = jobs[name, band].result()
                report[name] |= _word_errors(band, lines, wrong[name, band], wrong[TEACHER, band])
            print(_row(name, report[name]), flush=True)
    return {
        name: {key: round(float(value), 4) for key, value in figures.items()}
        for name, figures in report.items()
    }


def _wrong_words(lines: Sequence[str], sounds: Sequence[Sound], band: str) -> NDArray[np.float64]:
    """Return how many words of each line were heard wrongly; runs in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        hear = recogniser(lines, Path(folder))
        heard = [hear(BANDS[band](sound)) for sound in sounds]
    return np.array([errors(words_of(line), some) for line, some in zip(lines, heard, strict=True)])


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _word_errors(
    band: str,
    lines: Sequence[str],
    wrong: NDArray[np.float64],
    by_teacher: NDArray[np.float64],
) -> dict[str, float]:
    """Return the word error rate, how much more it is than the teacher's, and both errors.

    Standard errors over lines by bootstrap, seeded; the second one paired line by line.
    """
    words = np.array([len(words_of(line)) for line in lines])
    picks = np.random.default_rng(0).integers(len(words), size=(2000, len(words)))
    read = words[picks].sum(1)
    more = wrong - by_teacher
    return {
        f"wer {band}": wrong.sum() / words.sum(),
        f"wer {band} error": float((wrong[picks].sum(1) / read).std()),
        f"wer {band} more": more.sum() / words.sum(),
        f"wer {band} more error": float((more[picks].sum(1) / read).std()),
    }


def _row(name: str, figures: dict[str, float]) -> str:
    parts = [f"{name:10s}"]
    for band in BANDS:
        wer, error = 100 * figures[f"wer {band}"], 100 * figures[f"wer {band} error"]
        parts.append(f"WER {band} {wer:5.1f} ± {error:.1f} %")
    if "spectral" in figures:
        parts.append(f"spectral {figures['spectral']:.2f} ± {figures['spectral error']:.2f} dB")
        parts.append(f"length {figures['length']:.3f}")
    if "rtf" in figures:
        parts.append(f"RTF {figures['rtf']:.4f}, {figures['megabytes']:.1f} MB")
    return "  ".join(parts)
