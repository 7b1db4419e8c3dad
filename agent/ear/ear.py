"""One call's ear: frames in; speech starts, stops, partials and finals out.

Every decision is a function of the audio alone: ``hear`` waits for the decoder before it
returns (a few milliseconds, off the event loop), so the same recording gives the same
events on any machine.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from agent.audio import SAMPLE_BYTES, SAMPLE_RATE
from agent.ear.endpoint import Endpointing, FixedSilence
from agent.ear.layout import check_model
from agent.ear.own_words import with_words
from agent.ear.stt import Recogniser
from agent.ear.utterance import Utterance
from agent.ear.vad import AudioClock, SpeechDetector, Started, Stopped
from agent.errors import EarError
from agent.events import (
    Event,
    Expect,
    FinalHeard,
    PartialHeard,
    SpeechStarted,
    SpeechStopped,
)

PRE_ROLL: Final = round(0.3 * SAMPLE_RATE)
"""Samples decoded before the voice rises (`Ear._rise`): soft first sounds lie there.
Two seconds instead cost a point of word error rate (docs/ear.md)."""

PAUSE_DECODED: Final = round(0.6 * SAMPLE_RATE)
"""Samples of a pause that are decoded. Values from 0.25 to 1 s were not told apart by word
error rate (docs/ear.md); 0.6 leaves Vosk room for its own endpoint at 0.5 s."""

RISE_BEFORE: Final = round(0.2 * SAMPLE_RATE)
RISE_AFTER: Final = round(0.032 * SAMPLE_RATE)
"""Samples before and after the start of the first speech chunk in which its sound may rise."""

RISEN: Final = 400
"""Size of a sample that is no quiet line's hiss (−38 dB of full scale) …"""

ABOVE_NOISE: Final = 4
"""… and so many times the noise's RMS, on lines that are not quiet."""

BLOCK: Final = round(0.04 * SAMPLE_RATE)
"""Samples decoded in one go while a turn is under way."""

KEPT_BYTES: Final = SAMPLE_RATE * SAMPLE_BYTES
"""The last second of audio is kept: pre-roll plus what the detector needs to be sure."""


class EarEngine:
    """One Vosk model, shared by all calls of the process.

    Args:
        folder: The Vosk model's folder.
        words: This restaurant's words with respellings (``own_words.words_of``). A model that
            can't learn them is used as it is; the log names what goes unheard.
        cache: Where models with added words are kept; needed with ``words``.
        fixed_silence: End every turn after this many seconds of quiet, whatever was said; None
            lets words and the caller's own pauses decide.

    Raises:
        EarError: the model is missing, cut short or of another kind.
    """

    def __init__(
        self,
        folder: Path,
        words: Mapping[str, str] | None = None,
        cache: Path | None = None,
        *,
        fixed_silence: float | None = None,
    ) -> None:
        if words and cache:
            check_model(folder)
            folder = with_words(folder, words, cache)
        self._recogniser = Recogniser(folder)
        self._fixed_silence = fixed_silence

    def open(self, only: tuple[str, ...] | None = None) -> Ear:
        """Return a new call's ear.

        Args:
            only: Phrases to listen for and nothing else; None listens freely.

        Raises:
            EarError: the model takes no grammar, or does not know a word of ``only``.
        """
        if only is not None:
            self._check_grammar(only)
        fixed = self._fixed_silence
        endpoint = Endpointing() if fixed is None else FixedSilence(fixed)
        return Ear(self._recogniser, endpoint, only)

    def _check_grammar(self, phrases: tuple[str, ...]) -> None:
        if not self._recogniser.takes_grammars:
            raise EarError(
                "This model has one static graph and takes no grammar.",
                remedy="Use a model with a lookahead graph (HCLr.fst and Gr.fst).",
            )
        words = {word for phrase in phrases for word in phrase.split()}
        unknown = sorted(word for word in words if not self.knows(word))
        if unknown or not words:
            raise EarError(
                f"The model doesn't know {', '.join(unknown)}." if unknown else "No words given.",
                remedy="Write a grammar's words in small letters, numbers as words.",
            )

    def knows(self, word: str) -> bool:
        """Return whether ``word`` can be heard."""
        return self._recogniser.known(word)

    def close(self) -> None:
        """Release the model's threads; ears still open can hear no more."""
        self._recogniser.close()


class Ear:
    """What one caller says. Methods may be called from several tasks; they take turns."""

    def __init__(
        self,
        recogniser: Recogniser,
        endpoint: Endpointing | FixedSilence,
        only: tuple[str, ...] | None = None,
    ) -> None:
        self._recogniser = recogniser
        self._only = only
        self._endpoint = endpoint
        self._stopped: int | None = None
        self._gap = 0
        """Samples of the pause before the present voice, until words show that it was one."""
        self._detector = SpeechDetector()
        self._clock = AudioClock()
        self._lock = asyncio.Lock()
        self._expect = Expect.OPEN
        self._said = ""
        self._closed = False
        self._kept = bytearray()
        self._turn: Utterance | None = None
        self._unannounced = False
        self._shown: tuple[str, int, float | None] = ("", 0, None)

    async def hear(self, frame: bytes, at: float) -> Sequence[Event]:
        """Take the caller's next audio and return what it brought.

        Args:
            frame: slin16, normally one frame of 20 ms; any whole number of samples.
            at: Call time in seconds at which the frame's last sample arrived.

        Returns:
            SpeechStarted, SpeechStopped and PartialHeard events, in order, all stamped ``at``.

        Raises:
            EarError: the ear is closed, the frame is no slin16, or the recogniser failed.
        """
        async with self._lock:
            self._check(frame)
            if not frame:
                return ()
            self._clock.advance(len(frame) // SAMPLE_BYTES, at)
            self._keep(frame)
            events: list[Event] = []
            for change in self._detector.feed(frame):
                match change:
                    case Started(sample):
                        self._gap = sample - self._stopped if self._stopped is not None else 0
                        self._listen(sample)
                        events.append(SpeechStarted(at=at))
                    case Stopped(sample):
                        self._stopped = sample
                        events += await self._pause(sample, at)
            if self._turn is None and self._detector.speaking:
                # The turn was finished or forgotten in mid-speech. What follows is announced
                # only if there are words in it: it may be the noise that was forgotten.
                self._listen(self._clock.samples - len(frame) // SAMPLE_BYTES, pre_roll=0)
                self._unannounced = True
            if self._turn and self._turn.due(self._clock.samples) >= BLOCK:
                events += await self._decode(at)
            return events

    def expect(self, expect: Expect, said: str = "") -> None:
        """Say what the agent's last line asked for, and its words.

        Patience follows at once, a runtime grammar with the next turn: Vosk can't change it
        in mid-utterance. A turn in which no word was heard yet begins anew.
        """
        self._expect, self._said = expect, said
        if self._turn and not self._detector.speaking and not self._turn.hypothesis()[0]:
            self._turn = None

    async def finish(self, at: float) -> FinalHeard:
        """End the turn and return its words; what is said next begins a new turn.

        Args:
            at: Call time in seconds, for the event's stamp.

        Raises:
            EarError: the ear is closed or the recogniser failed.
        """
        async with self._lock:
            self._check()
            turn, self._turn = self._turn, None
            self._unannounced = False
            if turn is None:
                return FinalHeard(at=at, text="", confidence=0.0)
            rest = self._waiting(turn)
            heard = await self._recogniser.run(lambda: turn.finish(rest))
            words = tuple(turn.in_call_time(word, self._clock) for word in heard)
            self._endpoint.spoke(words)
            return FinalHeard(
                at=at,
                text=" ".join(word.text for word in words),
                confidence=round(sum(w.confidence for w in words) / len(words), 4)
                if words
                else 0.0,
                words=words,
            )

    async def forget(self) -> None:
        """Drop what was heard in this turn: it was none."""
        async with self._lock:
            self._turn = None
            self._unannounced = False

    def close(self) -> None:
        """Free the recogniser; nothing can be heard any more. Safe to call twice."""
        self._closed = True
        self._turn = None
        self._kept.clear()

    # ── inside ──────────────────────────────────────────────────────────────────────────

    def _check(self, frame: bytes = b"") -> None:
        if self._closed:
            raise EarError("The ear is closed.", remedy="Open a new one for each call.")
        if len(frame) % SAMPLE_BYTES:
            raise EarError(
                f"A frame of {len(frame)} bytes is no 16-bit audio.",
                remedy="Send slin16: whole samples of two bytes.",
            )

    def _keep(self, frame: bytes) -> None:
        self._kept += frame
        surplus = len(self._kept) - max(KEPT_BYTES, len(frame))
        if surplus > 0:
            del self._kept[:surplus]

    def _waiting(self, turn: Utterance) -> bytes:
        """Return the audio that ``turn`` has not decoded yet."""
        first = self._clock.samples - len(self._kept) // SAMPLE_BYTES
        turn.jump(first)
        begin = (turn.cursor - first) * SAMPLE_BYTES
        return bytes(self._kept[begin : begin + turn.due(self._clock.samples) * SAMPLE_BYTES])

    def _listen(self, sample: int, pre_roll: int = PRE_ROLL) -> None:
        """Decode from ``sample`` on, in the turn under way or in a new one."""
        begin = max(0, (self._rise(sample) if pre_roll else sample) - pre_roll)
        if self._turn is None:
            self._turn = Utterance(self._recogniser, self._expect, begin, self._only)
            self._endpoint.turn()
            self._shown = ("", 0, None)
        self._turn.jump(begin)
        self._turn.until = None

    def _rise(self, sample: int) -> int:
        """Return where the sound of the voice around ``sample`` rises, or ``sample``.

        The detector's chunks lie anywhere on the sound. Decoding from a point of the sound itself
        gives the same frames, and so the same words, whenever the same sound comes.
        """
        first = self._clock.samples - len(self._kept) // SAMPLE_BYTES
        begin = max(0, sample - RISE_BEFORE - first)
        near = np.frombuffer(self._kept, "<i2")[begin : max(0, sample + RISE_AFTER - first)]
        # in steps of two: the noise measured differs a little from one time to the next
        loud = max(RISEN, 2 ** math.ceil(math.log2(ABOVE_NOISE * self._detector.floor + 1)))
        risen = np.flatnonzero(np.abs(near.astype(np.int32)) >= loud)
        return first + begin + int(risen[0]) if len(risen) else sample

    async def _pause(self, last_voiced: int, at: float) -> list[Event]:
        """The caller stopped: say how long to wait, with the newest words in mind."""
        turn = self._turn
        if turn is None:
            return []
        events = await self._decode(at)
        turn.until = last_voiced + PAUSE_DECODED
        if self._unannounced:
            return events
        text, _ = turn.hypothesis()
        wait, rule = self._endpoint.patience(text, self._expect, self._said)
        self._shown = (*self._shown[:2], wait)
        voiced = min(at, self._clock.time_of(last_voiced))
        events.append(SpeechStopped(at=at, last_voiced=voiced, wait=wait, rule=rule))
        return events

    async def _decode(self, at: float) -> list[Event]:
        """Decode what is waiting; report the words if they, or the wait, have changed."""
        turn = self._turn
        if turn is None:
            return []
        waiting = self._waiting(turn)
        await self._recogniser.run(lambda: turn.decode(waiting))
        text, stable = turn.hypothesis()
        events: list[Event] = []
        if self._unannounced and text:
            self._unannounced = False
            events.append(SpeechStarted(at=at))
        wait: float | None = None
        rule = ""
        if turn.until is not None:
            wait, rule = self._endpoint.patience(text, self._expect, self._said)
        if self._gap and len(text.split()) > len(self._shown[0].split()):
            self._endpoint.paused(self._gap / SAMPLE_RATE)
            self._gap = 0
        if (text or self._shown[0]) and (text, stable, wait) != self._shown:
            self._shown = (text, stable, wait)
            events.append(PartialHeard(at=at, text=text, stable=stable, wait=wait, rule=rule))
        return events
