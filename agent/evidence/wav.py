"""WAV files that survive a kill at any byte: a writer by position and a tolerant reader.

The RIFF header holds sizes that are only known at the end. The writer therefore writes
the header first, audio after it, and the header again every second; the reader believes
the file's real length where header and length differ.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.audio import SAMPLE_BYTES, SAMPLE_RATE
from agent.errors import EvidenceError

HEADER_BYTES: Final = 44
"""RIFF + fmt (16 bytes of PCM format) + data chunk header; the audio starts here."""

PCM: Final = 1
"""wFormatTag of plain PCM (RFC 2361)."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Audio in memory.

    Attributes:
        rate: Samples per second.
        samples: int16, shape (samples, channels).
    """

    rate: int
    samples: NDArray[np.int16]

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return len(self.samples) / self.rate

    def channel(self, index: int) -> NDArray[np.int16]:
        """Return one channel, shape (samples,)."""
        return self.samples[:, index]


def header(audio_bytes: int, *, rate: int = SAMPLE_RATE, channels: int = 1) -> bytes:
    """Return the 44-byte header of a 16-bit PCM file that holds ``audio_bytes`` of audio."""
    block = channels * SAMPLE_BYTES
    return b"".join(
        (
            struct.pack("<4sI4s", b"RIFF", HEADER_BYTES - 8 + audio_bytes, b"WAVE"),
            struct.pack("<4sIHHIIHH", b"fmt ", 16, PCM, channels, rate, rate * block, block, 16),
            struct.pack("<4sI", b"data", audio_bytes),
        )
    )


class WavWriter:
    """A mono 16 kHz 16-bit file written by position; gaps become silence.

    Every write goes straight to the operating system, so that what was written outlives
    this process. All methods raise OSError where the disk does not take it.
    """

    def __init__(self, path: Path) -> None:
        """Create ``path`` with the header of an empty file."""
        self._file = path.open("w+b", buffering=0)
        self._samples = 0
        self._noted = 0
        self._file.write(header(0))

    def write(self, position: int, pcm: bytes) -> None:
        """Put ``pcm`` (slin16) at sample ``position``; what was there is overwritten.

        The header is refreshed once per second of audio.
        """
        self._file.seek(HEADER_BYTES + position * SAMPLE_BYTES)
        if self._file.write(pcm) != len(pcm):
            raise OSError("the disk took only a part of the audio")
        self._samples = max(self._samples, position + len(pcm) // SAMPLE_BYTES)
        if self._samples - self._noted >= SAMPLE_RATE:
            self.refresh_header()

    def cut(self, position: int) -> None:
        """Forget everything from sample ``position`` on."""
        if position < self._samples:
            self._file.truncate(HEADER_BYTES + position * SAMPLE_BYTES)
            self._samples = position
            self.refresh_header()

    def refresh_header(self) -> None:
        """Write the sizes as they are now."""
        self._file.seek(0)
        self._file.write(header(self._samples * SAMPLE_BYTES))
        self._noted = self._samples

    def close(self, length: int = 0) -> None:
        """Finish the file, with silence up to ``length`` samples if it is shorter."""
        try:
            if length > self._samples:
                self._file.truncate(HEADER_BYTES + length * SAMPLE_BYTES)
                self._samples = length
            self.refresh_header()
        finally:
            self._file.close()


def write_wav(path: Path, sound: Sound) -> None:
    """Write ``sound`` as a 16-bit PCM file."""
    audio = sound.samples.astype("<i2").tobytes()
    path.write_bytes(header(len(audio), rate=sound.rate, channels=sound.samples.shape[1]) + audio)


def read_wav(path: Path) -> Sound:
    """Read a 16-bit PCM file, also one whose writer was killed.

    Sizes in the header that are too small, too big or zero are ignored where the data
    chunk is the file's last; a half sample at the end is dropped.

    Raises:
        EvidenceError: it can't be read, or is no 16-bit PCM WAV file.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EvidenceError(
            f"{path}: can't be read ({error.strerror}).", remedy="Check the path and its rights."
        ) from error
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise EvidenceError(f"{path}: is no WAV file.", remedy="Convert it to 16-bit PCM WAV.")
    rate = channels = 0
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"fmt " and at + 16 <= len(data):
            tag, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at)
            if tag != PCM or bits != 16 or not channels or not rate:
                raise EvidenceError(
                    f"{path}: format {tag}, {bits} bits, {channels} channels.",
                    remedy="Convert it to 16-bit PCM WAV.",
                )
        elif name == b"data" and channels:
            return Sound(rate, _samples(data, at, size, channels))
        at += size + size % 2
    raise EvidenceError(
        f"{path}: ends before any audio.", remedy="The call was cut off at its very start."
    )


def _samples(data: bytes, at: int, size: int, channels: int) -> NDArray[np.int16]:
    """Return the samples of the data chunk at ``at``; ``size`` is what its header says."""
    end = at + size + size % 2
    another_chunk = end + 8 <= len(data) and data[end : end + 4] in {b"LIST", b"fact", b"id3 "}
    available = size if another_chunk else len(data) - at
    block = channels * SAMPLE_BYTES
    whole = available // block * block
    return np.frombuffer(data, "<i2", whole // SAMPLE_BYTES, at).reshape(-1, channels)
