"""Speech as a telephone needs it: one level, no clipping, no dead air at the edges.

Works on whole synthesised units. Levels are in dB relative to a full-scale sine's peak
amplitude (dBFS of the sample value), speech level is RMS over the parts that are speech.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.audio import SAMPLE_RATE, byte_count, pad_to_frame

TARGET_LEVEL: Final = -22.0
"""Speech level of everything we say within the telephone's band, dBFS: ordinary telephone speech
(ITU-T P.56 levels of -26 to -20 dBov), so that the caller turns nothing up or down between us
and the prompts. Counted in the band because a handset gives no more: the house voice has two
thirds of its power below 300 Hz and would be 7 dB softer at the ear (measured)."""

PHONE_BAND: Final = (300.0, 3400.0)
"""What a telephone carries, Hz (ITU-T G.712)."""

PEAK_LIMIT: Final = -3.0
"""No sample is louder, dBFS; leaves room for G.711 and the resampler's overshoot."""

_SPEECH_RANGE: Final = 30.0
"""Frames this far below the loudest one, dB, are pauses and count for no level."""

_SOUND_RANGE: Final = 30.0
"""Edge sound this far below `TARGET_LEVEL`, dB, is silence. The house voice's own noise floor
lies 38 dB below it, its weakest first consonants (f, h) 23 to 26 dB (measured)."""

LEAD_SECONDS: Final = 0.01
"""Silence kept before the first sound."""

_TAIL_SECONDS: Final = 0.03
"""Silence kept after the last sound, for the voice to die away in."""

_FADE_SECONDS: Final = 0.005
_BLOCK: Final = SAMPLE_RATE // 200
"""Samples in the 5 ms over which an edge is judged."""

Samples = NDArray[np.float32]


def samples(pcm: bytes) -> Samples:
    """Return slin16 as floats from -1 to 1."""
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)


def speech_level(pcm: bytes) -> float:
    """Return the speech level of slin16 in dBFS; minus infinity if there is no sound."""
    size = SAMPLE_RATE // 50
    sound = samples(pcm)
    if not sound.size:
        return -np.inf
    frames = np.pad(sound, (0, -sound.size % size)).reshape(-1, size)
    power = np.mean(frames.astype(np.float64) ** 2, axis=1)
    if power.max() < 1e-9:
        return -np.inf
    active = power[power >= power.max() * 10 ** (-_SPEECH_RANGE / 10)]
    return float(10 * np.log10(active.mean()))


def heard_level(pcm: bytes) -> float:
    """Return the speech level of slin16 within the telephone's band, in dBFS."""
    sound = samples(pcm)
    if not sound.size:
        return -np.inf
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(sound.size, 1 / SAMPLE_RATE)
    spectrum[(hertz < PHONE_BAND[0]) | (hertz > PHONE_BAND[1])] = 0
    narrow = np.fft.irfft(spectrum, sound.size)
    return speech_level(np.round(narrow.clip(-1, 1) * 32767).astype("<i2").tobytes())


def gain_for(pcm: bytes) -> float:
    """Return the factor that brings the speech in ``pcm`` to `TARGET_LEVEL`."""
    return float(10 ** ((TARGET_LEVEL - heard_level(pcm)) / 20))


def shape(pcm: bytes, gain: float, pause: float) -> bytes:
    """Return one unit ready for the line: scaled, limited, trimmed, faded, whole frames.

    Args:
        pcm: One synthesised unit, slin16.
        gain: Factor from `gain_for`, one for the whole voice: every unit keeps its own
            emphasis, and cached and fresh speech sound alike.
        pause: Seconds of silence to follow the last sound (0 at the end of a line).
    """
    sound = _limited(_trimmed(samples(pcm) * np.float32(gain)))
    fade = min(round(_FADE_SECONDS * SAMPLE_RATE), sound.size // 2)
    if fade:
        ramp = (0.5 - 0.5 * np.cos(np.pi * np.arange(fade) / fade)).astype(np.float32)
        sound[:fade] *= ramp
        sound[-fade:] *= ramp[::-1]
    body = np.round(sound * 32767).astype("<i2").tobytes()
    after = max(0.0, pause - _TAIL_SECONDS)
    return pad_to_frame(body + bytes(byte_count(after)))


def lead_in(pcm: bytes, gain: float) -> float:
    """Return the seconds that `shape` cuts off before the first sound."""
    return _edges(samples(pcm) * np.float32(gain))[0] / SAMPLE_RATE


def _trimmed(sound: Samples) -> Samples:
    """Return ``sound`` from just before its first sound to just after its last."""
    start, end = _edges(sound)
    return sound[start:end].copy()


def _edges(sound: Samples) -> tuple[int, int]:
    """Return the samples between which there is sound, with what is kept around it."""
    floor = 10 ** ((TARGET_LEVEL - _SOUND_RANGE) / 10)
    blocks = sound[: sound.size // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    loud = np.flatnonzero(np.mean(blocks**2, axis=1) > floor)
    if not loud.size:
        return 0, 0
    start = int(loud[0]) * _BLOCK - round(LEAD_SECONDS * SAMPLE_RATE)
    end = int(loud[-1] + 1) * _BLOCK + round(_TAIL_SECONDS * SAMPLE_RATE)
    return max(0, start), end


def _limited(sound: Samples) -> Samples:
    """Return ``sound`` with its peaks held at `PEAK_LIMIT`, turned down smoothly around them."""
    limit = np.float32(10 ** (PEAK_LIMIT / 20))
    if not sound.size or np.abs(sound).max() <= limit:
        return sound
    size = _BLOCK
    peaks = np.abs(np.pad(sound, (0, -sound.size % size))).reshape(-1, size).max(axis=1)
    # A block's factor must serve its neighbours too: the ramp between two block centres then
    # never rises above what either block allows.
    factor = np.minimum(1, limit / np.maximum(peaks, limit))
    padded = np.pad(factor, 1, mode="edge")
    factor = np.minimum(np.minimum(padded[:-2], padded[1:-1]), padded[2:])
    centres = (np.arange(factor.size) + 0.5) * size
    smooth = np.interp(np.arange(sound.size), centres, factor).astype(np.float32)
    held: Samples = np.clip(sound * smooth, -limit, limit)
    return held
