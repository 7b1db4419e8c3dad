"""Pre-spoken lines: synthesised once, kept on disk, played at once.

Each line is one slin16 WAV, named by what it was made from (voice, spoken words, version
of `lines` and `level`) and by the checksum of its sound. So a changed restaurant file
re-speaks only the lines whose words changed, and a damaged file is seen and made again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import wave
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from agent.audio import FRAME_BYTES, SAMPLE_BYTES, SAMPLE_RATE
from agent.mouth.lines import VERSION
from agent.mouth.timing import Spoken
from agent.mouth.tts import Mouth

log = structlog.get_logger()

_AT_ONCE: Final = 2
"""Lines spoken at the same time while warming; the Piper program is the bottleneck."""


class Phrases:
    """The lines that are always the same: phrases, facts, greeting.

    Args:
        folder: Where the WAV files are kept; made if missing.
        mouth: A started mouth, to speak what isn't there yet.
    """

    def __init__(self, folder: Path, mouth: Mouth) -> None:
        self._folder = folder
        self._mouth = mouth
        self._lines: dict[str, Spoken] = {}

    async def warm(self, texts: Iterable[str]) -> int:
        """Have these lines ready, from disk or newly spoken; return how many are new.

        Raises:
            MouthError: a line can't be spoken.
        """
        wanted = [text for text in dict.fromkeys(texts) if text not in self._lines]
        kept = await asyncio.to_thread(self._load, {text: self._key(text) for text in wanted})
        self._lines |= {text: Spoken(pcm, text) for text, pcm in kept.items()}
        gate = asyncio.Semaphore(_AT_ONCE)

        async def speak(text: str) -> None:
            async with gate:
                pcm = b"".join([chunk async for chunk in self._mouth.speak(text)])
            await asyncio.to_thread(self._keep, self._key(text), pcm)
            self._lines[text] = Spoken(pcm, text)

        missing = [text for text in wanted if text not in kept]
        tasks = [asyncio.create_task(speak(text)) for text in missing]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        log.info("The phrases are ready.", kept=len(kept), spoken=len(missing))
        return len(missing)

    def get(self, text: str) -> Spoken | None:
        """Return the line as slin16 in whole frames, or None if it was not warmed."""
        return self._lines.get(text)

    def _key(self, text: str) -> str:
        made_from = "\x1f".join((self._mouth.voice_id, str(VERSION), *self._mouth.units(text)))
        return hashlib.sha256(made_from.encode()).hexdigest()[:32]

    def _load(self, keys: dict[str, str]) -> dict[str, bytes]:
        files: dict[str, list[Path]] = {}
        for path in self._folder.glob("*.wav"):
            files.setdefault(path.name.partition(".")[0], []).append(path)
        found: dict[str, bytes] = {}
        for text, key in keys.items():
            for path in files.get(key, []):
                pcm = _read(path)
                if pcm is None:
                    log.warning("A kept phrase is damaged and is spoken again.", file=path.name)
                    path.unlink(missing_ok=True)
                else:
                    found[text] = pcm
        return found

    def _keep(self, key: str, pcm: bytes) -> None:
        """Write the line so that a crash leaves the whole file or none.

        A full disk costs the next start some seconds; it is no reason not to answer calls.
        """
        final = self._folder / f"{key}.{zlib.crc32(pcm):08x}.wav"
        part = final.with_name(f"{final.name}.{os.getpid()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                with wave.open(file, "wb") as sound:
                    sound.setparams((1, SAMPLE_BYTES, SAMPLE_RATE, 0, "NONE", ""))
                    sound.writeframes(pcm)
                file.flush()
                os.fsync(file.fileno())
            part.replace(final)
        except OSError as error:
            log.error("A phrase can't be kept; it will be spoken again.", reason=str(error))
            with suppress(OSError):
                part.unlink()


def _read(path: Path) -> bytes | None:
    """Return the sound of a kept line, None if the file is damaged."""
    try:
        with wave.open(str(path), "rb") as sound:
            shape = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
            pcm = sound.readframes(sound.getnframes())
    except (OSError, EOFError, wave.Error):
        return None
    whole = shape == (1, SAMPLE_BYTES, SAMPLE_RATE) and len(pcm) % FRAME_BYTES == 0
    checksum = path.name.split(".")[1]
    return pcm if whole and f"{zlib.crc32(pcm):08x}" == checksum else None
