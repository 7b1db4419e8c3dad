"""Machines' tones on the line: fax and busy. Pure arithmetic on 20 ms frames."""

from __future__ import annotations

from typing import Final

import numpy as np

from agent.audio import SAMPLE_RATE

TONES: Final = {
    "fax": (((1_100.0,), 0.4), ((2_100.0,), 0.8)),
    "busy": (((480.0, 620.0), 4.0),),
}
"""Per tone: frequencies in Hz that sound together, and for how many seconds in all.

CNG, the calling fax, is 1,100 Hz for 0.5 s every 3.5 s; CED, the answering one, 2,100 Hz for
2.6 to 4 s (ITU-T T.30). Busy and reorder are 480 + 620 Hz, in beats of 0.25 or 0.5 s (North
American precise tone plan): 4 s of it is no chance."""

SHARE: Final = 0.85
"""Of the frame's energy so much must lie in the tone; in speech and music no steady frequency
holds as much for so long."""

QUIETEST: Final = 200.0
"""RMS (int16) under which nothing is a tone: −44 dBFS."""

REST_SECONDS: Final = 1.0
"""A tone's time adds up over pauses no longer than this; busy beats pause for 0.5 s at most."""


class ToneDetector:
    """Listens to one call; costs about 0.02 ms a frame."""

    def __init__(self) -> None:
        self._length = 0
        self._waves: dict[float, np.ndarray[tuple[int], np.dtype[np.complex128]]] = {}
        self._lasted: dict[tuple[float, ...], float] = {}
        self._rested: dict[tuple[float, ...], float] = {}

    def feed(self, frame: bytes) -> str:
        """Take one frame (slin16) and return the tone that was heard for long enough, or empty."""
        samples = np.frombuffer(frame, "<i2").astype(np.float64)
        if len(samples) != self._length:
            self._length = len(samples)
            time = np.arange(len(samples)) / SAMPLE_RATE
            self._waves = {
                hertz: np.exp(-2j * np.pi * hertz * time)
                for kinds in TONES.values()
                for together, _ in kinds
                for hertz in together
            }
        power = float(np.mean(samples**2)) if len(samples) else 0.0
        loud = power > QUIETEST**2
        seconds = len(samples) / SAMPLE_RATE
        for name, kinds in TONES.items():
            for together, needed in kinds:
                if self._heard(together, samples, power if loud else 0.0, seconds) >= needed:
                    self._lasted[together] = 0.0
                    return name
        return ""

    def _heard(
        self,
        together: tuple[float, ...],
        samples: np.ndarray[tuple[int], np.dtype[np.float64]],
        power: float,
        seconds: float,
    ) -> float:
        """Return for how long this tone has been heard, this frame included."""
        within = 0.0
        if power:
            parts = [
                2 * float(abs(np.mean(samples * self._waves[hertz]))) ** 2 for hertz in together
            ]
            # Both of a pair must be there, neither alone.
            within = sum(parts) / power if min(parts) > 0.1 * max(parts) else 0.0
        if within >= SHARE:
            self._lasted[together] = self._lasted.get(together, 0.0) + seconds
            self._rested[together] = 0.0
        else:
            self._rested[together] = self._rested.get(together, 0.0) + seconds
            if self._rested[together] > REST_SECONDS:
                self._lasted[together] = 0.0
        return self._lasted.get(together, 0.0)
