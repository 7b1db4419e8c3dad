"""An instruct model in llama.cpp, owned by one worker thread: prompt in, constrained text out.

Decoding is greedy under a grammar, so the same prompt gives the same text. The prompt's
front stays in the context from one request to the next; what all requests share (the
system part, byte for byte the same) is read once. A request has a deadline: a pass under
way is aborted, a hung worker is not waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import jinja2
import llama_cpp
from llama_cpp.llama_chat_format import Jinja2ChatFormatter
from llama_cpp.llama_grammar import LlamaGrammar

from agent.errors import MindError
from agent.mind.embedder import LOG_LINE

CONTEXT: Final = 4096
"""Tokens of the context: the labels and facts of an ordinary file take about 600, a large
file four times that."""

BATCH: Final = 128
"""Tokens read at once; small, so that an abort is heeded soon."""

MOST_TOKENS: Final = 160
"""An answer is never longer: three moves, and every word of a long turn once."""

GRACE: Final = 0.05
"""Seconds after a deadline for the abort to take effect, before the worker counts as hung."""

REMEDY: Final = "Name a GGUF instruct model in PICKUP_MODELS__DECIDE, or leave it empty."


class LanguageModel:
    """The loaded model. `start` it once per process; any number of calls may await it."""

    def __init__(self, model: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember which GGUF ``model`` to load; ``clock`` (seconds) measures the deadlines."""
        self._path = model
        self._clock = clock
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="language-model")
        self._model: Any = None
        self._template: Jinja2ChatFormatter | None = None
        self._deadline = float("inf")
        # llama.cpp keeps a bare pointer to it: it must live as long as the model.
        self._abort = llama_cpp.ggml_abort_callback(lambda _: self._clock() > self._deadline)
        self._hung: Future[str] | None = None
        self._stopped = False

    async def start(self) -> None:
        """Load the model.

        Raises:
            MindError: The file is missing, llama.cpp can't use it, or it is no instruct model.
        """
        if not self._path.is_file():
            raise MindError(f"The language model {self._path} is missing.", remedy=REMEDY)
        await asyncio.wrap_future(self._worker.submit(self._load))

    @property
    def metadata(self) -> dict[str, str]:
        """The GGUF's own key-value pairs; empty before `start`."""
        return dict(self._model.metadata) if self._model is not None else {}

    async def complete(self, system: str, user: str, grammar: str, *, within: float) -> str:
        """Return the likeliest text that ``grammar`` allows as the answer to ``user``.

        Args:
            system: What is the same for many requests.
            user: What is asked now.
            grammar: GBNF with a ``root``.
            within: Deadline in seconds, waiting for other calls' requests included.

        Raises:
            MindError: The model isn't loaded, failed, is late, or hangs since an earlier request.
        """
        if self._hung is not None and not self._hung.done():
            raise MindError("The language model hangs.", remedy="Restart the agent.")
        deadline = self._clock() + within
        try:
            queued = self._worker.submit(self._complete, system, user, grammar, deadline)
        except RuntimeError as error:
            raise MindError("The language model is stopped.", remedy="Start it again.") from error
        try:
            return await asyncio.wait_for(
                asyncio.shield(asyncio.wrap_future(queued)), within + GRACE
            )
        except TimeoutError as error:
            if not queued.cancel():
                self._hung = queued
            raise _late(within) from error

    async def stop(self) -> None:
        """Free the model, once. A request under way is aborted."""
        if not self._stopped:
            self._stopped = True
            self._deadline = 0.0
            self._worker.submit(self._free)
            self._worker.shutdown(wait=False)

    # ── on the worker ───────────────────────────────────────────────────────────────────

    def _load(self) -> None:
        llama_cpp.llama_log_set(LOG_LINE, None)
        try:
            model = llama_cpp.Llama(
                str(self._path),
                n_ctx=CONTEXT,
                n_batch=BATCH,
                n_ubatch=BATCH,
                n_threads=1,
                n_threads_batch=1,
                flash_attn=False,
                seed=0,
                verbose=False,
            )
        except (ValueError, RuntimeError, OSError, AssertionError) as error:
            raise MindError(f"llama.cpp can't use {self._path}: {error}.", remedy=REMEDY) from error
        source = model.metadata.get("tokenizer.chat_template")
        if source is None:
            model.close()
            raise MindError(f"{self._path} has no chat template.", remedy=REMEDY)
        self._template = Jinja2ChatFormatter(
            source, eos_token=_token(model, "eos"), bos_token=_token(model, "bos")
        )
        llama_cpp.llama_set_abort_callback(model.ctx, self._abort, None)
        self._model = model

    def _complete(self, system: str, user: str, grammar: str, deadline: float) -> str:
        if self._model is None:
            raise MindError("The language model is not loaded.", remedy=REMEDY)
        if self._clock() > deadline:
            raise _late(0.0)
        self._deadline = deadline
        prompt = self._model.tokenize(
            self._render(system, user).encode(), add_bos=False, special=True
        )
        if len(prompt) > CONTEXT - MOST_TOKENS:
            raise MindError(
                f"The restaurant's facts are too many for the language model: {len(prompt)} "
                f"tokens, {CONTEXT - MOST_TOKENS} fit.",
                remedy="Shorten the ways in which facts are asked for.",
            )
        try:
            return self._generate(prompt, grammar)
        except (RuntimeError, ValueError) as error:
            # What the context holds after an abort or a failure is not certain.
            self._model.reset()
            if self._clock() > deadline:
                raise _late(0.0) from error
            raise MindError(f"llama.cpp failed: {error}.", remedy=REMEDY) from error
        finally:
            self._deadline = float("inf")

    def _generate(self, prompt: list[int], grammar: str) -> str:
        vocabulary = llama_cpp.llama_model_get_vocab(self._model.model)
        rules = LlamaGrammar.from_string(grammar, verbose=False)
        answer: list[int] = []
        for token in self._model.generate(prompt, temp=0.0, grammar=rules):
            if llama_cpp.llama_vocab_is_eog(vocabulary, token) or len(answer) >= MOST_TOKENS:
                break
            answer.append(token)
        text: bytes = self._model.detokenize(answer)
        return text.decode("utf-8", "replace").strip()

    def _render(self, system: str, user: str) -> str:
        """Return the prompt in the model's own chat format; some formats know no system part."""
        if self._template is None:
            raise MindError("The language model is not loaded.", remedy=REMEDY)
        asked: Any = [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ]
        try:
            return self._template(messages=asked).prompt
        except (ValueError, jinja2.TemplateError):
            merged: Any = [{"role": "user", "content": f"{system}\n\n{user}"}]
            return self._template(messages=merged).prompt

    def _free(self) -> None:
        if self._model is not None:
            self._model.close()
            self._model = None


def _token(model: Any, which: str) -> str:
    """Return the text of the ``bos`` or ``eos`` token; empty if the model has none."""
    number = model.token_bos() if which == "bos" else model.token_eos()
    if number < 0:
        return ""
    text: bytes = llama_cpp.llama_vocab_get_text(
        llama_cpp.llama_model_get_vocab(model.model), number
    )
    return text.decode("utf-8", "replace")


def _late(within: float) -> MindError:
    late = f" within {within:g} s" if within else " in time"
    return MindError(
        f"The language model did not answer{late}.",
        remedy="Use a smaller model, or give it more time: PICKUP_MIND__DECIDE_SECONDS.",
    )
