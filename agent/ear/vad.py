"""Who is speaking, when: Silero VAD turned into speech starts and stops.

All durations are *audio* seconds, counted in samples, so that the same recording gives the
same decisions on any machine, however late its frames arrive.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.audio import SAMPLE_BYTES, SAMPLE_RATE
from agent.ear.silero import CHUNK_SAMPLES, Silero

CHUNK_BYTES: Final = CHUNK_SAMPLES * SAMPLE_BYTES

SPEECH: Final = 0.5
"""Probability from which a chunk counts as speech; Silero's own default."""

QUIET: Final = 0.35
"""Probability below which it counts as quiet; Silero's own hysteresis is 0.15 lower."""

ONSET_CHUNKS: Final = 2
"""Speech chunks among the last ``ONSET_WINDOW`` that make a start. On 180 clips of six voices it is
noticed after 92 ms (median, 124 at p90), with three after 124 (156); hiss, clicks, keys and
music reached a probability of 0.12 at most (measured)."""

ONSET_WINDOW: Final = 5

OFFSET_CHUNKS: Final = 2
"""Quiet chunks in a row that make a stop: 64 ms, on top of Silero's own 64 ms delay."""

GOES_ON: Final = 0.6
"""Seconds after a stop in which one chunk of speech is a start: who goes on must be noticed before
the pause counts as the end."""

REFRESH_CHUNKS: Final = 31
"""After 1 s of plain quiet a network without memory takes over. What Silero remembers of an earlier
sentence makes it deaf: 8 s after one, 7 of 24 short answers of six voices never reached
``SPEECH`` and others were noticed 0.2 s late; with this all start in time (measured)."""

WARM_CHUNKS: Final = 16
"""The new one hears the last 0.5 s of the quiet first: with no or 0.1 s of it, it is as deaf
(measured on 18 answers; from 0.25 s on it is not)."""

PLAIN_QUIET: Final = 0.1
"""Probability below which a chunk is plain quiet."""

NEAR_START: Final = 0.126
"""A voice begins only if it is within this share (−18 dB) of the caller's loudest lately. A
television or a child across the room is a voice too, but 20 dB under one at the receiver."""

NEAR_STAY: Final = 0.1
"""Under this share (−20 dB) for ``NEAR_WINDOW`` it is over."""

NEAR_ONSET: Final = 0.3
"""A chunk of speech as loud as this share (−10 dB) of the caller's loudest starts alone."""

NEAR_BEHIND: Final = 0.25
"""Under this share (−12 dB) a voice is the room's where the room is loud (``OVER_ROOM``)."""

OVER_ROOM: Final = 2.5
"""So many times (8 dB) the room's usual level is still the room."""

ROOM_RISE: Final = 0.05
ROOM_FALL: Final = 0.003
"""How fast the room's level follows, per chunk of 32 ms in which the caller does not speak: up in
0.6 s, down in 10 s, for people pause."""

NEAR_UNKNOWN: Final = 2_800.0
"""RMS (−21 dB of full scale) that a caller who has not spoken yet is taken to reach: telephone
speech is levelled to about −26 dB on average (ITU-T P.56), loud syllables 5 dB over that."""

NEAR_ATTACK: Final = 0.5
"""How fast the caller's loudest follows, per chunk: a knock on the receiver is not their voice."""

NEAR_WINDOW: Final = 5
"""Chunks, 160 ms: longer than a stop consonant's silence and most gaps between words."""

NEAR_RELEASE: Final = 0.5 ** (CHUNK_SAMPLES / SAMPLE_RATE / 20.0)
"""The loudest is forgotten by half (6 dB) every 20 s: who lowers the receiver is heard again. In
8 s a line of ours made six people 20 dB under a caller the caller (seen in the bench)."""

LOUD_SPEECH: Final = 0.2
"""Probability from which a chunk counts as speech if it is as loud as ``NEAR_ONSET`` says and rises
``OVER_FLOOR`` over the line's noise: of one voice Silero was nearly deaf to whole words."""

OVER_FLOOR: Final = 10.0
"""20 dB."""

STILL: Final = 0.02
"""Under this share (−34 dB) of the caller's loudest a chunk is quiet whatever Silero says, which
goes on hearing a voice for 130 ms after its end (measured)."""

STILL_CHUNKS: Final = 3
"""Such chunks in a row make a stop: 96 ms, longer than a stop consonant's silence."""

FAR: Final = 0.2
"""What a voice from afar counts as: quiet, but no plain quiet."""

HOP_SAMPLES: Final = 64
"""Energy is measured every 4 ms to place the last voiced sample within Silero's chunks."""

LOOK_BACK: Final = 0.30
"""Seconds before a stop's last speech chunk in which the energy may end the speech earlier."""

ABOVE_FLOOR: Final = 2.5
"""A hop is voiced if its RMS is this many times the noise floor's (8 dB) …"""

BELOW_PEAK: Final = 0.03
"""… and this share (−30 dB) of the loudest hop of the spurt."""

GAP: Final = 0.2
"""Seconds by which a frame may be late before it counts as a gap in the line."""


class AudioClock:
    """Maps samples to call time although frames arrive late and in bunches.

    A frame can be late, never early, so the earliest arrival seen is the true one. A gap in
    the line (nothing sent) would look like lateness for ever; beyond ``GAP`` it moves the clock.
    """

    def __init__(self) -> None:
        self.samples = 0
        self._offset: float | None = None

    def advance(self, count: int, at: float) -> float:
        """Count ``count`` samples whose last one arrived ``at``; return their end in call time."""
        self.samples += count
        offset = at - self.samples / SAMPLE_RATE
        if self._offset is None or offset < self._offset or offset > self._offset + GAP:
            self._offset = offset
        return self.time_of(self.samples)

    def time_of(self, sample: int) -> float:
        """Return the call time of sample number ``sample``."""
        return sample / SAMPLE_RATE + (self._offset or 0.0)


@dataclass(frozen=True, slots=True)
class Started:
    """Speech began. ``sample`` is the first sample of the first speech chunk."""

    sample: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """Speech stopped. ``sample`` is just after the last voiced sample."""

    sample: int


class SpeechDetector:
    """One call's voice activity detector: PCM in, starts and stops out.

    Costs about 0.5 ms of CPU per 32 ms of audio (measured), little enough to run in-line.
    """

    def __init__(self) -> None:
        self._silero = Silero()
        self._fresh: Silero | None = None
        self._pending = bytearray()
        self._sample = 0
        self.speaking = False
        self._onset: deque[tuple[bool, int]] = deque(maxlen=ONSET_WINDOW)
        self._quiet = 0
        self._plain_quiet = 0
        self._near = NEAR_UNKNOWN
        self._room = 0.0
        self._still = 0
        self._levels: deque[float] = deque(maxlen=NEAR_WINDOW)
        self._speech_end = 0
        self._peak = 0.0
        hops = round(LOOK_BACK * SAMPLE_RATE / HOP_SAMPLES) + OFFSET_CHUNKS * 8
        self._hops: deque[tuple[int, float]] = deque(maxlen=hops)
        self.floor = 0.0
        """RMS of what is heard while nobody speaks."""

    def feed(self, pcm: bytes) -> list[Started | Stopped]:
        """Judge ``pcm`` (slin16, any length) and return what changed, in order."""
        self._pending += pcm
        changes: list[Started | Stopped] = []
        while len(self._pending) >= CHUNK_BYTES:
            chunk = bytes(self._pending[:CHUNK_BYTES])
            del self._pending[:CHUNK_BYTES]
            change = self._judge(chunk)
            if change is not None:
                changes.append(change)
        return changes

    def _judge(self, chunk: bytes) -> Started | Stopped | None:
        start = self._sample
        self._sample += CHUNK_SAMPLES
        samples = np.frombuffer(chunk, "<i2")
        probability = self._silero.probability(samples)
        if self._fresh is not None:
            self._fresh.probability(samples)
        self._refresh(probability)
        probability = self._judged_by_level(samples, probability)
        self._measure(chunk, start, probability)
        return (
            self._while_speaking(probability)
            if self.speaking
            else self._while_quiet(probability, start)
        )

    def _judged_by_level(self, samples: NDArray[np.int16], probability: float) -> float:
        """Return ``probability``, unless the level tells better who or what is heard."""
        level = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))
        self._near *= NEAR_RELEASE
        if probability >= SPEECH and level > self._near:
            self._near += NEAR_ATTACK * (level - self._near)
        self._levels.append(level)
        self._still = self._still + 1 if level < STILL * self._near else 0
        loud = level >= NEAR_ONSET * self._near and level >= OVER_FLOOR * self.floor
        if loud and probability >= LOUD_SPEECH:
            return max(probability, SPEECH)
        highest = max(self._levels) if self.speaking else level
        if not self.speaking and level < NEAR_BEHIND * self._near:
            step = ROOM_RISE if level > self._room else ROOM_FALL
            self._room += step * (level - self._room)
        share = NEAR_STAY if self.speaking else NEAR_START
        of_room = highest < min(NEAR_BEHIND * self._near, OVER_ROOM * self._room)
        far = highest < share * self._near or of_room
        return min(probability, FAR) if far else probability

    def _refresh(self, probability: float) -> None:
        """Let a network without memory take over when it has been quiet for long enough."""
        if probability >= PLAIN_QUIET:
            self._plain_quiet, self._fresh = 0, None
            return
        self._plain_quiet += 1
        if self._plain_quiet == REFRESH_CHUNKS - WARM_CHUNKS:
            self._fresh = Silero()
        elif self._plain_quiet >= REFRESH_CHUNKS and self._fresh is not None:
            self._silero, self._fresh, self._plain_quiet = self._fresh, None, 0

    def _measure(self, chunk: bytes, start: int, probability: float) -> None:
        """Keep the energy of each hop and follow the noise floor while nobody speaks."""
        samples = np.frombuffer(chunk, "<i2").astype(np.float64)
        levels = np.sqrt(np.mean(samples.reshape(-1, HOP_SAMPLES) ** 2, axis=1))
        for index, rms in enumerate(levels.tolist(), start=1):
            self._hops.append((start + index * HOP_SAMPLES, rms))
        if self.speaking:
            self._peak = max(self._peak, float(levels.max()))
        if probability < QUIET and not self.speaking:
            level = float(np.sqrt(np.mean(samples**2)))
            # Down at once, up slowly (about 1 s): a breath must not raise the floor.
            self.floor = level if level < self.floor else 0.97 * self.floor + 0.03 * level

    def _while_quiet(self, probability: float, start: int) -> Started | None:
        self._onset.append((probability >= SPEECH, start))
        voiced = [begin for is_speech, begin in self._onset if is_speech]
        goes_on = 0 < self._speech_end > start - GOES_ON * SAMPLE_RATE
        plain = goes_on or self._levels[-1] >= NEAR_ONSET * self._near
        if len(voiced) < ONSET_CHUNKS and not (plain and probability >= SPEECH):
            return None
        self.speaking = True
        self._quiet = 0
        self._speech_end = self._sample
        self._peak = max(rms for _, rms in self._hops)
        self._onset.clear()
        return Started(voiced[0])

    def _while_speaking(self, probability: float) -> Stopped | None:
        if probability >= QUIET:
            self._quiet = 0
            self._speech_end = self._sample
        else:
            self._quiet += 1
        if self._quiet < OFFSET_CHUNKS and self._still < STILL_CHUNKS:
            return None
        self.speaking = False
        return Stopped(self._last_voiced())

    def _last_voiced(self) -> int:
        """Place the end of speech by energy, no later than where Silero saw it."""
        threshold = max(ABOVE_FLOOR * self.floor, BELOW_PEAK * self._peak)
        earliest = self._speech_end - round(LOOK_BACK * SAMPLE_RATE)
        for end, rms in reversed(self._hops):
            if end <= earliest:
                break
            if end <= self._speech_end and rms > threshold:
                return end
        return self._speech_end
