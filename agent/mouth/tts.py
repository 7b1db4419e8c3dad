"""The voice: starts, watches and uses the Piper program.

`Mouth.speak` turns a written line into slin16, unit by unit (`agent.mouth.units.clauses`),
so that the first sound doesn't wait for the last word. Piper's output noise has no seed:
the same text spoken twice has the same words, timing within a few milliseconds and level, but
not the same samples.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from agent.audio import FRAME_BYTES, seconds
from agent.errors import MouthError
from agent.mouth import level
from agent.mouth.lines import spoken
from agent.mouth.protocol import MAX_TEXT_BYTES, Frame, Kind, read_frame
from agent.mouth.timing import Phones, Spoken, word_ends
from agent.mouth.units import clauses, pause_after
from agent.settings import CHECKOUT, Settings

PROGRAM: Final = CHECKOUT / "tts_models" / "piper_program"
"""The Piper program; GPL-3, so it is started, never imported."""

START_SECONDS: Final = 20.0
"""The program is ready after 0.6 s (measured); 20 s without a word is a fault."""

RESTART_SECONDS: Final = 5.0
"""A caller waits at most this long for a program that is being started again; it takes 0.3 to
1.3 s (measured, idle and busy machine)."""

UNIT_SECONDS: Final = 5.0
"""One unit takes at most 0.1 s (measured); with 8 calls' units before it 1.6 s. A program
that needs longer hangs, and is killed."""

_END_SECONDS: Final = 2.0
"""The program ends within a unit's time (0.1 s) after its stdin is closed."""

_RESTART_PAUSES: Final = (0.0, 0.2, 1.0, 5.0)
"""Seconds to wait before the first, second, … start in a row that failed."""

_LEVEL_TEXT: Final = (
    "Thanks for calling. How can I help you today?",
    "We're open Tuesday to Saturday, and the table is yours.",
)
"""Spoken at start to learn how loud the voice is."""

log = structlog.get_logger()


class _ProgramEnded(Exception):
    """The Piper program ended while a unit was with it."""


@dataclass(slots=True)
class _Sound:
    """One unit as it comes from the program: raw slin16, and when each phoneme ends."""

    pcm: bytearray = field(default_factory=bytearray)
    phones: Phones = ()


class Mouth:
    """One voice, for all calls.

    Args:
        settings: ``models.mouth`` is the voice's ``.onnx``, its configuration beside it.
        pronounce: Written word to respelling, from the restaurant file.
    """

    def __init__(self, settings: Settings, pronounce: Mapping[str, str] | None = None) -> None:
        self._model = settings.models.mouth
        self._pronounce = dict(pronounce or {})
        self._process: Process | None = None
        self._ready = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[_Sound]] = {}
        self._sound: dict[int, _Sound] = {}
        self._last_unit = 0
        self._gain = 1.0
        self._voice_id = ""

    @property
    def voice_id(self) -> str:
        """Name of the voice, as a hash of its two files; known once started."""
        return self._voice_id

    @property
    def pid(self) -> int | None:
        """Process id of the Piper program, None if it isn't running."""
        return self._process.pid if self._process and self._ready.is_set() else None

    async def start(self) -> None:
        """Start the program, wait until it is warm, learn the voice's level.

        Raises:
            MouthError: the voice is missing, doesn't load, or makes no sound.
        """
        self._voice_id = await asyncio.to_thread(_fingerprint, self._model)
        await self._launch()
        self._watching = asyncio.create_task(self._watch(), name="piper program")
        try:
            said = b"".join([bytes((await self._unit(text)).pcm) for text in _LEVEL_TEXT])
            if level.speech_level(said) < -60:
                raise MouthError(
                    f"The voice {self._model} makes no sound.", remedy="Choose another voice."
                )
        except BaseException:
            await self.stop()
            raise
        self._gain = level.gain_for(said)
        log.info("The mouth is ready.", voice=self._model.parent.name, gain=round(self._gain, 2))

    def units(self, text: str) -> list[str]:
        """Return the spoken words of ``text``, unit by unit, as Piper gets them."""
        return [spoken(clause, self._pronounce) for clause in clauses(text)]

    async def speak(self, text: str) -> AsyncGenerator[Spoken, None]:
        """Speak one written line.

        Yields one chunk of slin16 for each of ``clauses(text)``, whole 20 ms frames, level
        and edges settled, with the pause to the next one; nothing for an empty text. Stop
        iterating (or close the generator) and the rest is not synthesised.

        Raises:
            MouthError: the program failed twice on the same unit, or can't be started.
        """
        # The next unit is asked for only when this one is taken: it is synthesised while this
        # one plays, and with several calls at once every line's next unit gets its turn.
        parts = clauses(text)
        for at, part in enumerate(parts, start=1):
            sound = await self._unit(spoken(part, self._pronounce))
            pause = pause_after(part) if at < len(parts) else 0.0
            raw = bytes(sound.pcm)
            shaped = level.shape(raw, self._gain, pause) or bytes(FRAME_BYTES)
            lead_in = level.lead_in(raw, self._gain)
            words = [w if w.isalpha() else spoken(w, self._pronounce) for w in part.split()]
            yield Spoken(shaped, part, word_ends(words, sound.phones, lead_in, seconds(shaped)))

    async def stop(self) -> None:
        """End the program; lines in flight fail with `MouthError`."""
        if self._watching:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None
        self._ready.clear()
        process, self._process = self._process, None
        if process:
            await _end(process)
        self._give_up(MouthError("The mouth was stopped while it spoke."))

    # ── one unit ────────────────────────────────────────────────────────────────────────

    async def _unit(self, text: str) -> _Sound:
        """Return the raw sound of one unit; a program that ends or hangs is tried again once."""
        payload = text.encode()[:MAX_TEXT_BYTES]
        for _ in range(2):
            try:
                return await self._ask(payload)
            except _ProgramEnded:
                log.warning("A unit was lost with the Piper program.", characters=len(text))
            except TimeoutError:
                log.warning("The Piper program hangs and is killed.", waited=UNIT_SECONDS)
                self._kill()
        raise MouthError(
            "The Piper program ended twice over the same words.",
            remedy="Look for its own last words in the log, and try another voice.",
        )

    async def _ask(self, payload: bytes) -> _Sound:
        try:
            async with asyncio.timeout(RESTART_SECONDS):
                await self._ready.wait()
        except TimeoutError:
            raise MouthError(
                "The Piper program can't be started.", remedy="Its reason is in the log."
            ) from None
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            raise _ProgramEnded
        self._last_unit += 1
        unit = self._last_unit
        answer: asyncio.Future[_Sound] = asyncio.get_running_loop().create_future()
        self._waiting[unit] = answer
        self._sound[unit] = _Sound()
        try:
            process.stdin.write(Frame(Kind.SPEAK, unit, payload).encode())
            async with asyncio.timeout(UNIT_SECONDS):
                return await answer
        finally:
            del self._sound[unit]
            if self._waiting.pop(unit, None) and not answer.done() | process.stdin.is_closing():
                process.stdin.write(Frame(Kind.CANCEL, unit).encode())

    def _take(self, frame: Frame) -> None:
        """Take one frame from the program; those of cancelled units are late and dropped."""
        answer = self._waiting.get(frame.unit)
        if answer is None or answer.done():
            return
        if frame.kind is Kind.AUDIO:
            self._sound[frame.unit].pcm += frame.payload
        elif frame.kind is Kind.TIMES:
            self._sound[frame.unit].phones = json.loads(frame.payload)
        elif frame.kind is Kind.DONE:
            answer.set_result(self._sound[frame.unit])
        elif frame.kind is Kind.FAILED:
            reason = frame.payload.decode("utf-8", "replace")
            answer.set_exception(
                MouthError(f"Piper could not speak: {reason}.", remedy="Try another voice.")
            )

    def _give_up(self, error: Exception) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)

    # ── the program ─────────────────────────────────────────────────────────────────────

    async def _launch(self) -> None:
        """Start the program and wait until it is ready.

        Raises:
            MouthError: it didn't become ready; the message has its reason.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable, PROGRAM, self._model, stdin=PIPE, stdout=PIPE
        )
        assert process.stdout is not None  # noqa: S101 - for the type checker: stdout=PIPE
        first: Frame | None = None
        try:
            async with asyncio.timeout(START_SECONDS):
                first = await read_frame(process.stdout)
        except TimeoutError:
            reason = f"it was not ready after {START_SECONDS:.0f} s"
        except ValueError as error:
            reason = f"it said something else than frames ({error})"
        else:
            reason = first.payload.decode("utf-8", "replace") if first else "it ended at once"
        finally:
            if first is None or first.kind is not Kind.READY:
                await _end(process)
        if first is None or first.kind is not Kind.READY:
            raise MouthError(
                f"Piper can't use the voice {self._model}: {reason}.",
                remedy="A voice is NAME.onnx with NAME.onnx.json beside it; see docs/mouth.md.",
            )
        self._process = process
        self._ready.set()

    async def _watch(self) -> None:
        """Read what the program says; when it ends, start it again."""
        while True:
            await self._read()
            self._ready.clear()
            ended, self._process = self._process, None
            if ended:
                await _end(ended)
                log.error("The Piper program ended and is started again.", status=ended.returncode)
            self._give_up(_ProgramEnded())
            await self._launch_again()

    async def _read(self) -> None:
        process = self._process
        if process is None or process.stdout is None:
            return
        try:
            while (frame := await read_frame(process.stdout)) is not None:
                self._take(frame)
        except ValueError as error:
            log.error("The Piper program is out of step.", reason=str(error))

    async def _launch_again(self) -> None:
        failures = 0
        while True:
            await asyncio.sleep(_RESTART_PAUSES[min(failures, len(_RESTART_PAUSES) - 1)])
            try:
                return await self._launch()
            except (MouthError, OSError) as error:
                failures += 1
                log.error("The Piper program can't be started.", reason=str(error))

    def _kill(self) -> None:
        self._ready.clear()
        if self._process and self._process.returncode is None:
            self._process.kill()


async def _end(process: Process) -> None:
    """End the program by closing its stdin, by force if it hangs; leave no pipe open."""
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.communicate(b"")
    except TimeoutError:
        process.kill()
        await process.communicate(b"")


def _fingerprint(model: Path) -> str:
    try:
        files = [model.read_bytes(), Path(f"{model}.json").read_bytes()]
    except OSError as error:
        raise MouthError(
            f"The voice {error.filename} can't be read ({error.strerror}).",
            remedy="Set PICKUP_MODELS__MOUTH to a Piper voice with its .onnx.json beside it.",
        ) from error
    return hashlib.sha256(b"".join(hashlib.sha256(data).digest() for data in files)).hexdigest()
