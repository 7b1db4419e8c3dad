"""Measure the house voice beside its teacher and espeak-ng: understood, alike, fast, small.

Everybody says the same held-out lines. Through the telephone's band two recognisers that had
no part in the training write down what they hear: pocketsphinx with its own acoustic model of
people's speech, and Pickup's Vosk model. Their language models know the words of the
lines (one trigram model of them for pocketsphinx): what is measured is sound, and the same
for all.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import subprocess
import tempfile
import time
import wave
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from teacher import RATE, Said, say

Sound = NDArray[np.float32]

PHONE_BAND = (300.0, 3400.0)
PHONE_RATE = 8_000
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


def by_flite(program: Path, lines: Sequence[str]) -> tuple[list[Sound], list[Said]]:
    """Return the lines as the teacher says them, and its parameters."""
    said = say(program, lines, sound=True)
    return [item.sound.astype(np.float32) / np.float32(32768) for item in said], said


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


# ── how well it is understood ───────────────────────────────────────────────────────────


def through_the_phone(sound: Sound) -> NDArray[np.int16]:
    """Return the sound as a telephone line carries it: 300 to 3400 Hz, 8 kHz, µ-law, one level."""
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    spectrum[(hertz < PHONE_BAND[0]) | (hertz > PHONE_BAND[1])] = 0
    narrow = soxr.resample(np.fft.irfft(spectrum, len(sound)), RATE, PHONE_RATE)
    loud = np.sqrt(np.mean(narrow**2))
    narrow = np.clip(narrow * (0.08 / loud), -1, 1)
    mu = np.sign(narrow) * np.round(np.log1p(255 * np.abs(narrow)) / math.log(256) * 127) / 127
    heard = np.sign(mu) * np.expm1(np.abs(mu) * math.log(256)) / 255
    edge = np.zeros(round(0.3 * PHONE_RATE))
    floor = np.random.default_rng(0).normal(size=len(heard) + 2 * len(edge)) * 3e-4
    return np.round((np.concatenate([edge, heard, edge]) + floor).clip(-1, 1) * 32767).astype("<i2")


def words_of(line: str) -> list[str]:
    """Return the words of a line as recognisers write them."""
    return re.sub(r"[^a-z' ]", " ", line.lower()).split()


def pocketsphinx(lines: Sequence[str], folder: Path) -> Callable[[NDArray[np.int16]], list[str]]:
    """Return a recogniser with pocketsphinx's English sounds and the lines' words."""
    import pocketsphinx as sphinx

    model = Path(sphinx.get_model_path("en-us"))
    known: dict[str, list[str]] = {}
    for entry in (model / "cmudict-en-us.dict").read_text("utf-8").splitlines():
        word, _, sounds = entry.partition(" ")
        known.setdefault(re.sub(r"\(\d+\)$", "", word), []).append(sounds)
    wanted = sorted({word for line in lines for word in words_of(line)} & known.keys())
    dictionary, language = folder / "words.dict", folder / "lines.arpa"
    dictionary.write_text(
        "".join(
            f"{word}{f'({number})' if number > 1 else ''} {sounds}\n"
            for word in wanted
            for number, sounds in enumerate(known[word], start=1)
        ),
        "utf-8",
    )
    language.write_text(_bigrams([words_of(line) for line in lines], set(wanted)), "utf-8")
    decoder = sphinx.Decoder(
        hmm=str(model / "en-us"), lm=str(language), dict=str(dictionary),
        samprate=RATE, loglevel="FATAL",
    )  # fmt: skip

    def hear(narrow: NDArray[np.int16]) -> list[str]:
        wide = soxr.resample(narrow.astype(np.float32), PHONE_RATE, RATE)
        decoder.start_utt()
        decoder.process_raw(np.round(wide).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr.split() if found else []

    return hear


def vosk(lines: Sequence[str], model: Path) -> Callable[[NDArray[np.int16]], list[str]]:
    """Return a Vosk model with the lines' words as its grammar (a bigram, made by Vosk)."""
    import vosk as engine

    engine.SetLogLevel(-1)
    loaded = engine.Model(str(model))
    known = [
        " ".join(word for word in words_of(line) if loaded.vosk_model_find_word(word) >= 0)
        for line in lines
    ]
    grammar = json.dumps(known)

    def hear(narrow: NDArray[np.int16]) -> list[str]:
        recogniser = engine.KaldiRecognizer(loaded, RATE, grammar)
        wide = soxr.resample(narrow.astype(np.float32), PHONE_RATE, RATE)
        recogniser.AcceptWaveform(np.round(wide).astype("<i2").tobytes())
        said = json.loads(recogniser.FinalResult())["text"].split()
        return [word for word in said if word != "[unk]"]

    return hear


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the least number of wrong, missing and extra words."""
    row = list(range(len(heard) + 1))
    for at, word in enumerate(said, start=1):
        corner, row[0] = row[0], at
        for to, other in enumerate(heard, start=1):
            corner, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, corner + (word != other))
    return row[-1]


def _bigrams(lines: Sequence[Sequence[str]], known: set[str]) -> str:
    """Return a bigram model in ARPA's format, absolute discounting by a half."""
    ones: Counter[str] = Counter()
    twos: Counter[tuple[str, str]] = Counter()
    for line in lines:
        words = ["<s>", *(word for word in line if word in known), "</s>"]
        ones.update(words)
        twos.update(itertools.pairwise(words))
    after: Counter[str] = Counter(first for first, _ in twos)
    total = sum(ones.values()) - ones["<s>"]
    rows = [f"\\data\\\nngram 1={len(ones)}\nngram 2={len(twos)}\n\n\\1-grams:"]
    for word in sorted(ones):
        chance = -99 if word == "<s>" else math.log10(ones[word] / total)
        left = math.log10(0.5 * after[word] / ones[word]) if after[word] else 0
        rows.append(f"{chance:.4f} {word} {left:.4f}")
    rows.append("\n\\2-grams:")
    for (first, second), count in sorted(twos.items()):
        rows.append(f"{math.log10((count - 0.5) / ones[first]):.4f} {first} {second}")
    return "\n".join([*rows, "\n\\end\\\n"])


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


def compare(voices: dict[str, Path], flite: Path, ear: Path) -> dict[str, dict[str, float]]:
    """Return all figures of the voices, of Flite and of espeak-ng; print them as they come.

    Args:
        voices: Piper voices by name.
        flite: The dumper.
        ear: A Vosk model.
    """
    lines = held_out()
    teacher, _ = by_flite(flite, lines)
    speakers = {"flite slt": teacher}
    report: dict[str, dict[str, float]] = {"flite slt": {}}
    for name, voice in voices.items():
        speakers[name], report[name] = by_piper(voice, lines)
    speakers["espeak-ng"], report["espeak-ng"] = by_espeak(lines), {}
    with tempfile.TemporaryDirectory() as folder:
        recognisers = {
            "wer pocketsphinx": pocketsphinx(lines, Path(folder)),
            "wer vosk": vosk(lines, ear),
        }
        for name, sounds in speakers.items():
            if sounds is not teacher:
                far = [distance(*pair) for pair in zip(teacher, sounds, strict=True)]
                for key in far[0]:
                    report[name][key] = float(np.mean([item[key] for item in far]))
            for recogniser, hear in recognisers.items():
                report[name] |= _word_errors(recogniser, hear, lines, sounds)
            figures = "  ".join(f"{key} {value:.3f}" for key, value in report[name].items())
            print(f"  {name}: {figures}", flush=True)
    return report


def _word_errors(
    name: str,
    hear: Callable[[NDArray[np.int16]], list[str]],
    lines: Sequence[str],
    sounds: Sequence[Sound],
) -> dict[str, float]:
    """Return the word error rate, and its standard error over lines (bootstrap)."""
    counts = np.array(
        [
            (errors(words_of(line), hear(through_the_phone(sound))), len(words_of(line)))
            for line, sound in zip(lines, sounds, strict=True)
        ]
    )
    picks = np.random.default_rng(0).integers(len(counts), size=(1000, len(counts)))
    some = counts[picks].sum(1)
    return {
        name: float(counts[:, 0].sum() / counts[:, 1].sum()),
        f"{name} error": float((some[:, 0] / some[:, 1]).std()),
    }
