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


class Utterance:
    """The recognisers of one turn and the part of the audio they were given.

    A silence in the middle is left out (the model dislikes it), so the decoder's time is not
    the call's; ``in_call_time`` puts words back to where they were said.

    Args:
        recogniser: The process's model.
        expect: What was asked; a phone number gets a digit grammar beside free listening.
        cursor: Number of the first sample to decode.
    """

    def __init__(self, recogniser: Recogniser, expect: Expect, cursor: int) -> None:
        self._free = recogniser.start()
        grammar = grammar_for(expect)
        self._bound = recogniser.start(grammar) if grammar else None
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
            for recognition in self._recognitions():
                recognition.feed(pcm)

    def finish(self, pcm: bytes) -> list[Word]:
        """Decode the rest and return the final words; runs on a worker thread."""
        self.decode(pcm)
        with self._busy:
            heard = [_words_only(recognition.finish()) for recognition in self._recognitions()]
        texts = [[word.text for word in words] for words in heard]
        return heard[1] if len(heard) > 1 and prefers_bound(*texts) else heard[0]

    def hypothesis(self) -> tuple[str, int]:
        """Return the words so far and how many at their front are stable."""
        best = self._free
        if self._bound and prefers_bound(self._free.words, self._bound.words):
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

    def _recognitions(self) -> list[Recognition]:
        return [self._free, self._bound] if self._bound else [self._free]


def _words_only(words: list[Word]) -> list[Word]:
    return [word for word in words if word.text not in NOT_WORDS]
