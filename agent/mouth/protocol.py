"""What is said over the pipes between Pickup and the Piper program.

Piper is GPL-3, Pickup is not, so Piper runs as a program of its own
(``tts_models/piper_program``) that shares no code with this package. They speak through
the program's stdin and stdout, in frames::

    length   uint32   bytes that follow: kind, id and payload
    kind     uint8
    id       uint32   which unit of speech this is about; 0: the program itself
    payload  length - 5 bytes

All integers are little-endian. To the program:

========  =====  ==========================================================
SPEAK     0x01   UTF-8 text of one unit: a sentence or clause, at most 4,096 bytes
CANCEL    0x02   empty; nobody wants the unit any more
========  =====  ==========================================================

From the program:

========  =====  ==========================================================
READY     0x81   JSON: ``{"sample_rate": 22050}`` of the voice before resampling; sent once,
                 after the voice is loaded and warmed up
AUDIO     0x82   16 kHz mono s16le PCM, at most 32,000 bytes (one second)
DONE      0x83   float32: seconds the synthesis took; the unit has no more audio
FAILED    0x84   UTF-8 reason. With id 0 the program can't run and ends
TIMES     0x85   JSON: ``[["h", 0.08], …]``, Piper's phonemes (" " between words, "^" and "$" at
                 the edges) and the second of the unit at which each ends
========  =====  ==========================================================

Units are synthesised first come, first served. Every SPEAK is answered by TIMES (if the voice
tells them), AUDIO frames (none if the text has no sound) and one DONE or FAILED; after CANCEL
these may be missing.
End of file on stdin ends the program.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_HEADER: Final = struct.Struct("<IBI")

MAX_TEXT_BYTES: Final = 4_096
"""Longest text in one SPEAK."""

_MAX_LENGTH: Final = 1 << 20
"""Longer frames than this mean that the stream is out of step."""


class Kind(IntEnum):
    """Kinds of frame; see the module's text."""

    SPEAK = 0x01
    CANCEL = 0x02
    READY = 0x81
    AUDIO = 0x82
    DONE = 0x83
    FAILED = 0x84
    TIMES = 0x85


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: what it is, which unit it is about, and its payload."""

    kind: Kind
    unit: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """Return the frame as it goes over the pipe."""
        return _HEADER.pack(len(self.payload) + 5, self.kind, self.unit) + self.payload


async def read_frame(reader: asyncio.StreamReader) -> Frame | None:
    """Read the next frame; None when the other side is gone, even in mid-frame.

    Raises:
        ValueError: the bytes are no frame (unknown kind, impossible length).
    """
    try:
        length, kind, unit = _HEADER.unpack(await reader.readexactly(_HEADER.size))
        if not 5 <= length <= _MAX_LENGTH:
            raise ValueError(f"impossible frame length {length}")
        return Frame(Kind(kind), unit, await reader.readexactly(length - 5))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
