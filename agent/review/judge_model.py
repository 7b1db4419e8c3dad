"""The judge's model in llama.cpp, in a process of its own: a crash or a stall ends only itself.

``python -m agent.review.judge_model MODEL.gguf`` is that process: one JSON request a line on
its input, one JSON answer a line on its output.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from agent.errors import EvidenceError, MindError
from agent.evidence.machine import fingerprint

CONTEXT: Final = 4096
"""Tokens of task, call and answer; a call of 24 turns has about 1,500."""
ANSWER_TOKENS: Final = 600
NICE: Final = 19
"""The judge never takes a cycle that a call wants."""
REMEDY: Final = "Name a chat model's .gguf in PICKUP_REVIEW__JUDGE, or unset it."


class LlamaJudge:
    """A :class:`~agent.review.judge.JudgeModel`: use it as a context manager."""

    def __init__(self, path: Path, seconds: float) -> None:
        """Remember the model; ``seconds`` is how long one answer may take.

        Raises:
            MindError: There is no such file.
        """
        self._path = path
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        if not path.is_file():
            raise MindError(f"{path}: is no file.", remedy=REMEDY)
        try:
            self.sha256 = fingerprint(path)
        except EvidenceError as error:
            raise MindError(f"{path}: can't be read.", remedy=REMEDY) from error
        self.name = path.stem

    def __enter__(self) -> Self:
        """Nothing is started before the first question."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._stop()

    def complete(self, task: str, call: str, schema: Mapping[str, Any]) -> str:
        """See the protocol."""
        process = self._running()
        request = json.dumps({"task": task, "call": call, "schema": schema}).encode() + b"\n"
        assert process.stdin is not None  # noqa: S101 - it was opened with pipes
        try:
            process.stdin.write(request)
            process.stdin.flush()
            answer = json.loads(self._line(process))
        except (OSError, ValueError) as error:
            self._stop()
            raise MindError(f"The judge's process failed ({error}).", remedy=REMEDY) from error
        if "error" in answer:
            raise MindError(f"The judge's model failed: {answer['error']}.", remedy=REMEDY)
        return str(answer["text"])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._rest = b""
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agent.review.judge_model", str(self._path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None  # noqa: S101 - it was opened with pipes
        while b"\n" not in self._rest:
            ready, _, _ = select.select([process.stdout], [], [], self._seconds)
            if not ready:
                self._stop()
                raise MindError(
                    f"The judge did not answer within {self._seconds:.0f} s.", remedy=REMEDY
                )
            piece = os.read(process.stdout.fileno(), 1 << 16)
            if not piece:
                raise MindError(f"The judge's process ended ({process.wait()}).", remedy=REMEDY)
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()


def main(path: str) -> None:
    """Answer requests until the input ends."""
    from llama_cpp import Llama

    os.nice(NICE)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the library prints is no answer
    model = Llama(path, n_ctx=CONTEXT, n_threads=1, seed=0, verbose=False)
    for line in sys.stdin:
        answers.write(json.dumps(_answer(model, json.loads(line))) + "\n")
        answers.flush()


def _answer(model: Any, request: Mapping[str, Any]) -> dict[str, str]:
    try:
        reply = model.create_chat_completion(
            messages=[
                {"role": "system", "content": request["task"]},
                {"role": "user", "content": request["call"]},
            ],
            response_format={"type": "json_object", "schema": request["schema"]},
            temperature=0.0,
            max_tokens=ANSWER_TOKENS,
        )
    except (ValueError, RuntimeError) as error:  # too long a call, a broken model
        return {"error": str(error)}
    return {"text": str(reply["choices"][0]["message"]["content"])}


if __name__ == "__main__":
    main(sys.argv[1])
