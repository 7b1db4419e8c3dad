"""One turn's words: which audio is decoded, by which recognisers, and whose words count."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Final

from agent.audio import SAMPLE_BYTES, SAMPLE_RATE
from agent.ear.grammar import grammar_for, prefers_bound
from agent.ear.stt import Recogniser, Recognition
from agent.ear.vad import AudioClock
from agent.events import Expect, Word

NOT_WORDS: Final = frozenset({"[unk]", "<unk>", "[noise]", "<eps>"})
"""What models write where they heard no word."""

LONGEST_ANSWER: Final = 16
"""Words: who says more is telling, not answering; the grammar need not be listened for."""


class Utterance:
    """The recognisers of one turn and the part of the audio they were given.

    A silence in the middle is left out (the model dislikes it), so the decoder's time is not
    the call's; ``in_call_time`` puts words back to where they were said.

    Args:
        recogniser: The process's model.
        expect: What was asked; its grammar is listened for beside free listening.
        cursor: Number of the first sample to decode.
        only: Phrases of a grammar to listen for and nothing else.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        expect: Expect,
        cursor: int,
        only: tuple[str, ...] | None = None,
    ) -> None:
        self._recogniser = recogniser
        self._expect = expect
        self._only = only
        self._free: Recognition | None = None
        self._bound: Recognition | None = None
        self.cursor = cursor
        self._fed = 0
        self._segments = [(0, cursor)]
        self._busy = threading.Lock()
        """A cancelled ``hear`` leaves its worker decoding; Kaldi must not be entered twice."""
        self.until: int | None = None
        """In a pause: the sample at which decoding stops; None while speech goes on."""

    def jump(self, sample: int) -> None:
        """Leave out the silence up to ``sample``, unless it was decoded already."""
        if sample > self.cursor:
            self.cursor = sample
            self._segments.append((self._fed, sample))

    def due(self, now: int) -> int:
        """Return how many samples wait to be decoded when ``now`` is the newest."""
        return max(0, (now if self.until is None else min(now, self.until)) - self.cursor)

    def decode(self, pcm: bytes) -> None:
        """Decode ``pcm``, the audio at ``cursor``; runs on a worker thread."""
        if not pcm:
            return
        with self._busy:
            self.cursor += len(pcm) // SAMPLE_BYTES
            self._fed += len(pcm) // SAMPLE_BYTES
            free = self._begun()
            free.feed(pcm)
            if self._bound and len(free.words) > LONGEST_ANSWER:
                self._bound = None
            if self._bound:
                self._bound.feed(pcm)

    def finish(self, pcm: bytes) -> list[Word]:
        """Decode the rest and return the final words; runs on a worker thread."""
        self.decode(pcm)
        with self._busy:
            free = self._begun().finish()
            bound = self._bound.finish() if self._bound else []
        if self._prefers([word.text for word in free], [word.text for word in bound]):
            return bound
        return [word for word in free if word.text not in NOT_WORDS]

    def hypothesis(self) -> tuple[str, int]:
        """Return the words so far and how many at their front are stable."""
        best = self._free
        if best is None:
            return "", 0
        if self._bound and self._prefers(best.words, self._bound.words):
            best = self._bound
        words = [word for word in best.words if word not in NOT_WORDS]
        return " ".join(words), min(best.stable, len(words))

    def in_call_time(self, word: Word, clock: AudioClock) -> Word:
        """Return ``word`` with its times in seconds of call time."""
        return replace(
            word,
            start=round(clock.time_of(self._sample(word.start)), 3),
            end=round(clock.time_of(self._sample(word.end)), 3),
        )

    def _sample(self, seconds: float) -> int:
        fed = round(seconds * SAMPLE_RATE)
        begun, sample = next(
            segment for segment in reversed(self._segments) if segment[0] <= max(fed, 0)
        )
        return sample + fed - begun

    def _prefers(self, free: list[str], bound: list[str]) -> bool:
        plain = [word for word in free if word not in NOT_WORDS]
        if plain == bound or not bound:
            return False
        likeness = self._recogniser.likeness
        alike = likeness.of(plain, bound) if likeness else 0.0
        return prefers_bound(plain, bound, alike)

    def _begun(self) -> Recognition:
        """Return the free recogniser. Made only here, on the worker: it takes Vosk 28 ms."""
        if self._free is None:
            self._free = self._recogniser.start(self._only)
            grammar = grammar_for(self._expect)
            if grammar and self._recogniser.takes_grammars and not self._only:
                self._bound = self._recogniser.start(grammar)
        return self._free
