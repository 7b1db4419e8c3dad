"""Vosk: one model for the process, a recogniser for each utterance, off the event loop.

Vosk's C++ calls release the GIL, so a small thread pool really runs beside the event loop.
Audio is handed over at 16 kHz; a model trained at 8 kHz makes Vosk down-sample it itself
(measured: the same word error rate as down-sampling with soxr first, docs/ear.md).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import vosk

from agent.audio import SAMPLE_BYTES, SAMPLE_RATE
from agent.ear.layout import REMEDY, check_model
from agent.ear.lexicon import read
from agent.ear.likeness import Likeness
from agent.errors import EarError
from agent.events import Word

STABLE_AFTER: Final = 0.1
"""Audio seconds between the two hypotheses that must agree on a word for it to be stable;
the decoder advances 0.09 s at a time (``frames-per-chunk`` 9)."""

VOSK_ERRORS_ONLY: Final = -2
"""Kaldi's severities: 0 information, −1 warnings, −2 errors. Only real faults reach stderr."""

Result = TypeVar("Result")


class Recognition:
    """The hypothesis of one utterance; use it from one thread at a time.

    Args:
        model: The process's Vosk model.
        words: Words of a runtime grammar; None listens freely.
    """

    def __init__(self, model: vosk.Model, words: tuple[str, ...] | None = None) -> None:
        grammar = () if words is None else (json.dumps(words),)
        self._kaldi = vosk.KaldiRecognizer(model, SAMPLE_RATE, *grammar)
        self._kaldi.SetWords(True)
        self._done: list[Word] = []
        self._seconds = 0.0
        self._history: deque[tuple[float, list[str]]] = deque()
        self.words: list[str] = []
        self.stable = 0

    def feed(self, pcm: bytes) -> None:
        """Decode ``pcm`` (slin16) and update ``words`` and ``stable``."""
        # Vosk decodes at most 0.2 s in one go; longer blocks would hide an endpoint within.
        step = SAMPLE_RATE * SAMPLE_BYTES // 10
        for start in range(0, len(pcm), step):
            block = pcm[start : start + step]
            self._seconds += len(block) / (SAMPLE_RATE * SAMPLE_BYTES)
            partial: list[str] = []
            if self._kaldi.AcceptWaveform(block):
                self._collect(self._kaldi.Result())
            else:
                partial = str(json.loads(self._kaldi.PartialResult())["partial"]).split()
            self._hypothesis([word.text for word in self._done] + partial)

    def finish(self) -> list[Word]:
        """Return all words, times in seconds of the audio fed. No more may be fed after it."""
        self._collect(self._kaldi.FinalResult())
        return self._done

    def _collect(self, result: str) -> None:
        for word in json.loads(result).get("result", []):
            self._done.append(
                Word(
                    text=word["word"],
                    start=word["start"],
                    end=word["end"],
                    confidence=min(1.0, word.get("conf", 1.0)),
                )
            )

    def _hypothesis(self, words: list[str]) -> None:
        """Compare with the hypothesis of ``STABLE_AFTER`` ago: the common front is stable."""
        self.words = words
        self._history.append((self._seconds, words))
        while len(self._history) > 1 and self._history[1][0] <= self._seconds - STABLE_AFTER + 1e-6:
            self._history.popleft()
        before, earlier = self._history[0]
        self.stable = 0
        if before > self._seconds - STABLE_AFTER + 1e-6:
            return
        for mine, theirs in zip(words, earlier, strict=False):
            if mine != theirs:
                break
            self.stable += 1


class Recogniser:
    """The process's Vosk model and the threads that use it.

    Args:
        folder: A Vosk model folder.

    Raises:
        EarError: the model is missing, cut short or of another kind.
    """

    def __init__(self, folder: Path) -> None:
        check_model(folder)
        vosk.SetLogLevel(VOSK_ERRORS_ONLY)
        try:
            self._model = vosk.Model(str(folder))
            # Graphs are read here, not with the model: a bad one shows only now.
            Recognition(self._model).finish()
        except Exception as error:  # vosk raises nothing narrower
            raise EarError(f"Vosk can't load {folder}: {error}.", remedy=REMEDY) from error
        self.takes_grammars = (folder / "graph" / "HCLr.fst").is_file()
        """Whether the graph is one for lookahead; a static one takes no grammar."""
        words = folder / "lexicon.txt"
        self.likeness = Likeness(read(words)) if words.is_file() else None
        """Compares hearings by sound; None if the model doesn't tell how its words sound."""
        self._pool = ThreadPoolExecutor(
            max_workers=min(4, os.cpu_count() or 1), thread_name_prefix="ear"
        )

    def start(self, words: tuple[str, ...] | None = None) -> Recognition:
        """Begin an utterance."""
        return Recognition(self._model, words)

    def known(self, word: str) -> bool:
        """Return whether ``word`` is in the model's vocabulary."""
        return int(self._model.vosk_model_find_word(word)) >= 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run ``work`` on the pool.

        Raises:
            EarError: Vosk failed.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, work)
        except Exception as error:  # vosk raises nothing narrower
            raise EarError(
                f"The recogniser failed: {error}.", remedy="The call goes to voicemail."
            ) from error

    def close(self) -> None:
        """Let the threads go; recognisers still open keep the model alive until they end."""
        self._pool.shutdown(wait=True)
