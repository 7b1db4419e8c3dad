"""The one audio format inside Pickup, and the arithmetic on it.

Everything between Asterisk and the engines is *slin16*: 16-bit signed little-endian
mono PCM at 16 kHz, in frames of 20 ms. The phone line itself is 8 kHz (G.711);
Asterisk resamples at the edge (measured cost: 10 ms of delay, once each way).
"""

from __future__ import annotations

from collections import deque
from typing import Final

SAMPLE_RATE: Final = 16_000
"""Samples per second of every PCM buffer in Pickup."""

SAMPLE_BYTES: Final = 2
"""Bytes per sample (signed 16-bit little-endian)."""

FRAME_SECONDS: Final = 0.02
"""Length of one media frame; Asterisk's native ptime."""

FRAME_BYTES: Final = 640
"""Bytes in one 20 ms frame. Messages to Asterisk that are no multiple lose audio (measured)."""

SILENT_FRAME: Final = bytes(FRAME_BYTES)


def seconds(pcm: bytes | bytearray | memoryview) -> float:
    """Return how long ``pcm`` (slin16) plays, in seconds."""
    return len(pcm) / (SAMPLE_RATE * SAMPLE_BYTES)


def byte_count(duration: float) -> int:
    """Return the bytes of slin16 in ``duration`` seconds, rounded to a whole sample."""
    return round(duration * SAMPLE_RATE) * SAMPLE_BYTES


def pad_to_frame(pcm: bytes) -> bytes:
    """Return ``pcm`` with silence appended so that it is a whole number of frames."""
    rest = len(pcm) % FRAME_BYTES
    return pcm if rest == 0 else pcm + bytes(FRAME_BYTES - rest)


class AudioTime:
    """Call time as the caller's audio tells it: every frame is 20 ms after the one before.

    Frames arrive late and in bursts on a busy machine; their number does not lie. Only when
    all frames of a second came late (frames were lost) or early (they were kept up at the
    start) is audio time set right, by the least of their delays.
    """

    WINDOW: Final = 50
    """Frames: one second."""

    TOLERANCE: Final = 0.03
    """Seconds; a jitter of one frame and a half is left alone."""

    def __init__(self, now: float) -> None:
        """Begin at call time ``now``, in seconds."""
        self._at = now
        self._delays: deque[float] = deque(maxlen=self.WINDOW)

    def next_frame(self, now: float) -> float:
        """Return the call time of the end of a frame that arrived at ``now`` on the clock."""
        self._at += FRAME_SECONDS
        self._delays.append(now - self._at)
        least = min(self._delays)
        if len(self._delays) == self.WINDOW and abs(least) > self.TOLERANCE:
            self._at += least
            self._delays.clear()
        return self._at
