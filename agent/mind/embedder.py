"""Sentences as vectors: a GGUF embedder in llama.cpp, owned by one worker thread.

One pass gives a vector per token and, as their mean, the sentence's own; what compares
sentences and what finds words in them share it. Measured for all-MiniLM-L6-v2 on one
thread: 3 ms for "hi", 5.5 ms for nine tokens, 14 ms for thirty.

``python -m agent.mind.embedder --build`` makes the shipped model (see `embedder_setup`).
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import llama_cpp
import numpy as np
import numpy.typing as npt
import structlog

from agent.errors import MindError, PickupError
from agent.mind.embedder_setup import build_embedder
from agent.settings import load_settings

Vector = npt.NDArray[np.float32]

MAX_WORDS: Final = 120
"""Longer turns are cut: nobody's request needs more, and the pass grows with its length."""

CONTEXT: Final = 256
"""Tokens of llama.cpp's context; `MAX_WORDS` common words fit (about 1.2 tokens a word)."""

LOAD_SECONDS: Final = 60.0
"""Deadline for loading the model and for start-up batches; loading took 0.05 s measured."""

HANGS: Final = 1.0
"""Seconds over its deadline from which a pass is taken to hang; busy boxes are late, not dead."""

GGML_LOG_ERROR: Final = 4
"""ggml.h's level for real failures; its warnings and notes are of no use to anybody here."""

REMEDY: Final = "Run `make setup`, or point PICKUP_MODELS__EMBEDDER at a GGUF embedder."

ADAPTER_REMEDY: Final = "Restore llm_models/house/adapter.gguf or make it with the recipe."

log = structlog.get_logger(__name__)


def plain(text: str) -> str:
    """Return ``text`` as the mind reads it: lower case, ``[a-z0-9']`` words, single spaces.

    Whatever a caller says can thus form no special token and no markup.
    """
    lowered = text.lower().replace("\u2019", "'")
    words = re.sub(r"[^a-z0-9']+", " ", lowered).split()
    return " ".join(words[:MAX_WORDS])


@dataclass(frozen=True, slots=True)
class Embedding:
    """One text's vectors.

    Attributes:
        vector: The sentence, shape (dims,), length 1 (all zeros for empty text).
        words: One vector per word of `plain` text, shape (words, dims), each of length 1.
    """

    vector: Vector
    words: Vector

    @property
    def peak(self) -> Vector:
        """The largest value of each dimension over the words: keeps what a mean blurs."""
        return self.words.max(axis=0) if len(self.words) else np.zeros_like(self.vector)


class Embedder:
    """The loaded model. `start` it once per process; any number of calls may await it."""

    def __init__(self, model: Path, adapter: Path | None = None) -> None:
        """Remember which GGUF ``model`` to load, and which ``adapter`` (LoRA GGUF) over it."""
        self._path = model
        self._adapter = adapter
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedder")
        self._model: Any = None
        self._stopped = False
        self._late: tuple[Future[Any], float] | None = None
        self._pieces: dict[str, int] = {}

    async def start(self) -> None:
        """Load the model.

        Raises:
            MindError: The file is missing, or llama.cpp can't use it.
        """
        if not self._path.is_file():
            raise MindError(f"The embedder {self._path} is missing.", remedy=REMEDY)
        if self._adapter is not None and not self._adapter.is_file():
            raise MindError(f"The adapter {self._adapter} is missing.", remedy=ADAPTER_REMEDY)
        await self._on_worker(self._load, within=LOAD_SECONDS)

    async def embed(self, texts: Sequence[str], *, within: float) -> list[Embedding]:
        """Return the vectors of each text, in order.

        Args:
            texts: Any strings; read as `plain` makes them.
            within: Deadline in seconds, waiting for other calls' turns included.

        Raises:
            MindError: The model isn't loaded, failed, or is late.
        """
        if self._model is None:
            raise MindError("The embedder is not loaded.", remedy=REMEDY)
        done: list[Embedding] = await self._on_worker(
            lambda: [self._embed(plain(text)) for text in texts], within=within
        )
        return done

    async def stop(self) -> None:
        """Free the model, once. A pass under way is not waited for."""
        if not self._stopped:
            self._stopped = True
            self._worker.submit(self._free)
            self._worker.shutdown(wait=False)

    async def _on_worker(self, job: Any, *, within: float) -> Any:
        now = asyncio.get_running_loop().time()
        if self._late is not None and not self._late[0].done() and now > self._late[1] + HANGS:
            # No other caller waits for a worker that is known to hang.
            raise MindError("The embedder hangs.", remedy="Restart the agent if it goes on.")
        try:
            queued = self._worker.submit(job)
        except RuntimeError as error:
            raise MindError("The embedder is stopped.", remedy="Start it again.") from error
        try:
            return await asyncio.wait_for(asyncio.wrap_future(queued), within)
        except TimeoutError as error:
            if queued.running() and (self._late is None or self._late[0] is not queued):
                self._late = (queued, now + within)
            raise MindError(
                f"The embedder did not answer within {within:g} s.",
                remedy="The box is overloaded or the model hangs; restart the agent.",
            ) from error

    def _load(self) -> None:
        llama_cpp.llama_log_set(LOG_LINE, None)
        try:
            self._model = llama_cpp.Llama(
                str(self._path),
                lora_path=None if self._adapter is None else str(self._adapter),
                # In memory of our own: a file damaged while calls are served changes nothing.
                use_mmap=False,
                embedding=True,
                pooling_type=llama_cpp.LLAMA_POOLING_TYPE_NONE,
                n_ctx=CONTEXT,
                n_batch=CONTEXT,
                n_ubatch=CONTEXT,
                n_threads=1,
                n_threads_batch=1,
                flash_attn=False,
                verbose=False,
            )
            self._embed("hello")
        except (ValueError, RuntimeError, OSError, AssertionError) as error:
            self._model = None
            over = "" if self._adapter is None else f" with {self._adapter}"
            raise MindError(
                f"llama.cpp can't use {self._path}{over}: {error}.", remedy=REMEDY
            ) from error

    def _free(self) -> None:
        if self._model is not None:
            self._model.close()
            self._model = None

    def _embed(self, text: str) -> Embedding:
        if self._model is None:
            raise MindError("The embedder is not loaded.", remedy=REMEDY)
        if not text:
            size = int(self._model.n_embd())
            return Embedding(np.zeros(size, np.float32), np.zeros((0, size), np.float32))
        tokens = np.asarray(self._model.embed(text), dtype=np.float32)
        if not np.isfinite(tokens).all():
            raise MindError("The embedder gives no numbers.", remedy=REMEDY)
        return Embedding(_unit(tokens.mean(axis=0)), self._per_word(text.split(), tokens))

    def _per_word(self, words: Sequence[str], tokens: Vector) -> Vector:
        """Return each word's mean token vector; row 0 of ``tokens`` is [CLS]."""
        rows = []
        at = 1
        for word in words:
            end = at + self._piece_count(word)
            own = tokens[at:end] if at < len(tokens) - 1 else tokens[-1:]
            rows.append(_unit(own.mean(axis=0)))
            at = end
        return np.array(rows, dtype=np.float32)

    def _piece_count(self, word: str) -> int:
        """Return how many tokens ``word`` makes, whatever its neighbours are."""
        if word not in self._pieces:
            if len(self._pieces) > 20_000:
                self._pieces.clear()
            tokens = self._model.tokenize(word.encode(), add_bos=True, special=False)
            self._pieces[word] = max(1, len(tokens) - 2)
        return self._pieces[word]


def _unit(vector: Vector) -> Vector:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _log_line(level: int, text: bytes, _user_data: object) -> None:
    if level == GGML_LOG_ERROR:
        log.error("llama.cpp failed", line=text.decode("utf-8", "replace").strip())


LOG_LINE: Final = llama_cpp.llama_log_callback(_log_line)
"""llama.cpp keeps a bare pointer to it, so it must live as long as the process."""


async def _check(path: Path) -> float:
    """Return the likeness (cosine) of two ways to ask for parking, by the model at ``path``."""
    embedder = Embedder(path)
    await embedder.start()
    try:
        one, other = await embedder.embed(
            ["where can i park", "is there parking"], within=LOAD_SECONDS
        )
    finally:
        await embedder.stop()
    return float(one.vector @ other.vector)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make and check the configured embedder; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m agent.mind.embedder", description=main.__doc__)
    parser.add_argument("--build", action="store_true", required=True)
    parser.parse_args(arguments)
    try:
        path = load_settings().models.embedder
        made = build_embedder(path)
        likeness = asyncio.run(_check(path))
        if likeness < 0.6:
            raise MindError(
                f"{path} loads, but finds two questions about parking unlike ({likeness:.2f}).",
                remedy=f"Remove {path} and repeat.",
            )
    except PickupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"embedder {'made' if made else 'already there'}: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
