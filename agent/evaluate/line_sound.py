"""The sound of one caller's line, without the line: what goes out when, what came in when.

Everything lies on the line's own clock, in slots of 20 ms. Nothing here waits or reads a
clock; the line (``agent.evaluate.line``) says which slot it is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.evidence.measures import Span
from agent.evidence.wav import Sound

RATE: Final = 8_000
"""Samples per second: the telephone line's own (G.711); nothing here resamples."""

SLOT_SECONDS: Final = 0.02
SLOT: Final = 160
"""Samples in one slot."""

JITTER_SECONDS: Final = 0.03
"""Frames that arrive within this of where the one before ended were sent without a gap. A
larger value would draw sound after a pause towards the pause and flatter the latency."""

NOISE: Final = 9.0
"""Standard deviation of the noise a caller's phone always sends: −71 dBFS, as in a quiet
room. A line of digital zeros does not exist outside of tests."""

_BYTES: Final = 2 * SLOT


@dataclass(frozen=True, slots=True)
class Clip:
    """Something to say.

    Attributes:
        name: What it is called in results.
        samples: int16 at 8 kHz.
        first_voiced: Index of the first voiced sample.
        last_voiced: Index of the last voiced sample.
    """

    name: str
    samples: NDArray[np.int16]
    first_voiced: int
    last_voiced: int


@dataclass(frozen=True, slots=True)
class SpokenClip:
    """A clip that went out; ``voiced`` is first to last voiced sample in line time."""

    name: str
    voiced: Span


@dataclass(frozen=True, slots=True)
class Slot:
    """20 ms of the line.

    Attributes:
        at: Line time at its end, seconds.
        heard: What came in, int16, 160 samples; zeros where nothing came.
    """

    at: float
    heard: NDArray[np.int16]


class LineSound:
    """Both sides of one call, growing.

    Attributes:
        spoken: The clips that went out.
    """

    def __init__(self, background: NDArray[np.int16] | None = None) -> None:
        """Begin with nothing said and nothing heard; ``background`` goes out all the time."""
        self.spoken: list[SpokenClip] = []
        self._said = bytearray()
        self._heard = bytearray()
        self._waiting: deque[tuple[Clip, int]] = deque()
        noise = np.random.default_rng(7).normal(0, NOISE, RATE).round()
        if background is not None:
            noise = np.resize(noise, len(background)) + background
        self._noise = np.clip(noise, -32768, 32767).astype(np.int16)
        self._voice_began = 0.0

    @property
    def speaking(self) -> bool:
        """Whether a clip is going out."""
        return bool(self._waiting)

    def say(self, clip: Clip) -> None:
        """Let ``clip`` go out from the next slot on, or after what is going out."""
        self._waiting.append((clip, 0))

    def send(self, slot: int) -> bytes:
        """Return the frame that goes out in ``slot`` (s16le, 320 bytes) and note it as said.

        Slots only grow; one that is left out was missed and stays silent.
        """
        turn = slot * SLOT % len(self._noise)
        samples = self._noise[turn : turn + SLOT].astype(np.int32)
        if self._waiting:
            clip, done = self._waiting.popleft()
            piece = clip.samples[done : done + SLOT]
            samples[: len(piece)] += piece
            self._note(clip, done, slot * SLOT_SECONDS)
            if done + SLOT < len(clip.samples):
                self._waiting.appendleft((clip, done + SLOT))
        frame = np.clip(samples, -32768, 32767).astype("<i2").tobytes()
        self._said.extend(bytes(max(0, slot * _BYTES - len(self._said))) + frame)
        return frame

    def hear(self, frame: bytes, at: float) -> None:
        """Keep what arrived (s16le) at line time ``at``: its first sample is heard then."""
        position = max(0, round(at * RATE)) * 2
        gap = position - len(self._heard)
        if gap > JITTER_SECONDS * RATE * 2:
            self._heard.extend(bytes(gap))
        self._heard.extend(frame)

    def slot(self, slot: int) -> Slot:
        """Return the slot that ended when ``slot`` began."""
        heard = bytes(self._heard[(slot - 1) * _BYTES : slot * _BYTES])
        return Slot(slot * SLOT_SECONDS, np.frombuffer(heard.ljust(_BYTES, b"\0"), "<i2"))

    def recording(self) -> Sound:
        """Return both sides so far: int16, shape (samples, 2); left said, right heard."""
        sides = [np.frombuffer(bytes(side), "<i2") for side in (self._said, self._heard)]
        both = np.zeros((max(map(len, sides)), 2), np.int16)
        for index, side in enumerate(sides):
            both[: len(side), index] = side
        return Sound(RATE, both)

    def _note(self, clip: Clip, done: int, begin: float) -> None:
        """Note where a clip's voice lies, if it begins or ends in the frame from ``done`` on."""
        if done <= clip.first_voiced < done + SLOT:
            self._voice_began = begin + (clip.first_voiced - done) / RATE
        if done <= clip.last_voiced < done + SLOT:
            end = begin + (clip.last_voiced + 1 - done) / RATE
            self.spoken.append(SpokenClip(clip.name, Span(self._voice_began, end)))
