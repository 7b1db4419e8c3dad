"""Spectrograms of one line, by the house voice, its teacher and espeak-ng, for the docs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from evaluate import by_espeak, by_flite, by_piper
from PIL import Image, ImageDraw
from recognise import Sound
from teacher import RATE

LINE = "Our ramen bowls are between thirteen and sixteen dollars, and the kitchen closes at nine."
_HOP, _WINDOW, _FFT = 64, 400, 1024
_HEIGHT, _LEFT, _BOTTOM = 256, 44, 24
_RANGE = 70.0
"""dB from white to black."""


def draw(sound: Sound, title: str, out: Path) -> None:
    """Write the spectrogram of a sound, 0 to 8 kHz, as a PNG."""
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    sound = np.pad(sound[loud[0] : loud[-1]], _WINDOW)
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[::_HOP]
    levels = 20 * np.log10(np.abs(np.fft.rfft(frames * np.hanning(_WINDOW), _FFT)) + 1e-6)
    levels = levels[:, : _HEIGHT * 2].reshape(len(levels), _HEIGHT, 2).max(2).T[::-1]
    grey = 255 * (1 - np.clip((levels - levels.max() + _RANGE) / _RANGE, 0, 1))
    plot = Image.fromarray(grey.astype(np.uint8))
    picture = Image.new("L", (plot.width + _LEFT + 8, _HEIGHT + _BOTTOM + 20), 255)
    picture.paste(plot, (_LEFT, 20))
    pen = ImageDraw.Draw(picture)
    pen.text((_LEFT, 4), title, fill=0)
    for kilohertz in range(0, 9, 2):
        y = 20 + _HEIGHT - round(kilohertz * 1000 / (RATE / 2) * _HEIGHT)
        pen.line([(_LEFT - 4, y), (_LEFT, y)], fill=0)
        pen.text((6, y - 6), f"{kilohertz} kHz", fill=0)
    for second in range(int(len(sound) / RATE) + 1):
        x = _LEFT + round(second * RATE / _HOP)
        pen.line([(x, 20 + _HEIGHT), (x, 24 + _HEIGHT)], fill=0)
        pen.text((x - 4, 26 + _HEIGHT), f"{second} s", fill=0)
    picture.quantize(16).save(out, optimize=True)


def draw_all(voice: Path, flite: Path, folder: Path) -> None:
    """Write ``voice-house.png``, ``voice-flite.png`` and ``voice-espeak.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    draw(by_piper(voice, [LINE])[0][0], "house-en", folder / "voice-house.png")
    draw(by_flite(flite, [LINE])[0], "flite slt (teacher)", folder / "voice-flite.png")
    draw(by_espeak([LINE])[0], "espeak-ng", folder / "voice-espeak.png")
