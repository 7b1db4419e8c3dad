# SPDX-License-Identifier: GPL-3.0-or-later
#
# The Piper program: text in, 16 kHz speech out, over stdin and stdout.
#
# It links piper-tts and espeak-ng, which are GPL-3, so this file is GPL-3-or-later too and
# stands apart from the rest of Pickup (Apache-2.0): it imports nothing of the package
# `agent`, nothing there imports it, and the two only exchange bytes through pipes. Anybody
# may replace either side: the bytes are described in agent/mouth/protocol.py, the licence's
# text is in COPYING.
"""Speak the texts that come in on stdin with one Piper voice.

Usage: ``python tts_models/piper_program VOICE.onnx``, with the configuration in
``VOICE.onnx.json``. Ends when stdin ends.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

SPEAK, CANCEL = 0x01, 0x02
READY, AUDIO, DONE, FAILED, TIMES = 0x81, 0x82, 0x83, 0x84, 0x85
HEADER = struct.Struct("<IBI")

LINE_RATE = 16_000
AUDIO_BYTES = 32_000
"""Largest audio payload: one second, so that no reader waits long for a whole frame."""

WARM_UP = "Thanks for calling. How can I help you?"
"""espeak-ng's first use costs 148 ms (measured) and onnxruntime's first run more than its
second; both are paid before READY."""


class Output:
    """Frames out, whole, from any thread."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def send(self, kind: int, unit: int, payload: bytes = b"") -> None:
        """Write one frame."""
        try:
            with self._lock:
                self._pipe.write(HEADER.pack(len(payload) + 5, kind, unit) + payload)
                self._pipe.flush()
        except BrokenPipeError:
            # Pickup is gone: nobody is left to speak to, and nobody to tell.
            os._exit(0)


class Work:
    """Texts waiting to be spoken, first come first served, and which are cancelled."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
        self._open: set[int] = set()

    def add(self, unit: int, text: str) -> None:
        """Queue a text."""
        self._open.add(unit)
        self._waiting.put((unit, text))

    def cancel(self, unit: int) -> None:
        """Let nobody spend more time on ``unit``."""
        self._open.discard(unit)

    def wanted(self, unit: int) -> bool:
        """Tell whether ``unit`` is neither done nor cancelled."""
        return unit in self._open

    def next(self) -> tuple[int, str] | None:
        """Wait for the next text; None when the work is over."""
        return self._waiting.get()

    def end(self) -> None:
        """Cancel everything; no text will come any more."""
        self._open.clear()
        self._waiting.put(None)


def load_voice(model: Path) -> Any:
    """Return the Piper voice, with onnxruntime held to one thread a run.

    More threads gain nothing on sentences this short, and take the cores of other calls.
    """
    import onnxruntime
    from piper import PiperVoice
    from piper.config import PiperConfig

    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    config = json.loads(Path(f"{model}.json").read_text(encoding="utf-8"))
    return PiperVoice(
        session=onnxruntime.InferenceSession(
            str(model), sess_options=options, providers=["CPUExecutionProvider"]
        ),
        config=PiperConfig.from_dict(config),
    )


def synthesizer(voice: Any) -> Callable[[str], tuple[list[bytes], list[tuple[str, float]]]]:
    """Return a function that turns text into speech.

    It returns 16 kHz s16le PCM, one item per sentence, and Piper's phonemes with the second at
    which each ends; no phonemes from a voice that doesn't tell how long they last.
    """
    import numpy as np
    import soxr
    from piper import SynthesisConfig

    # Piper would scale every sentence to full scale by itself; the level is Pickup's matter.
    settings = SynthesisConfig(normalize_audio=False)

    def speak(text: str) -> tuple[list[bytes], list[tuple[str, float]]]:
        sentences: list[bytes] = []
        times: list[tuple[str, float]] = []
        timed = True
        at = 0.0
        for chunk in voice.synthesize(text, settings, include_alignments=True):
            timed = timed and chunk.phoneme_alignments is not None
            end = at
            for phoneme in chunk.phoneme_alignments or ():
                end += int(phoneme.num_samples) / chunk.sample_rate
                times.append((phoneme.phoneme, round(end, 4)))
            at += len(chunk.audio_float_array) / chunk.sample_rate
            samples = np.nan_to_num(chunk.audio_float_array)
            if chunk.sample_rate != LINE_RATE:
                samples = soxr.resample(samples, chunk.sample_rate, LINE_RATE)
            samples = np.clip(samples * 32767.0, -32768, 32767)
            sentences.append(samples.astype("<i2").tobytes())
        return sentences, times if timed else []

    return speak


def work_off(
    work: Work,
    output: Output,
    speak: Callable[[str], tuple[list[bytes], list[tuple[str, float]]]],
) -> None:
    """Synthesise until the work ends; a text that fails is reported, the next one tried."""
    while (job := work.next()) is not None:
        unit, text = job
        if not work.wanted(unit):
            continue
        started = time.perf_counter()
        try:
            sentences, times = speak(text)
        except Exception as error:  # noqa: BLE001 - whatever a voice trips over is its caller's to hear of
            output.send(FAILED, unit, f"{type(error).__name__}: {error}".encode())
            work.cancel(unit)
            continue
        took = time.perf_counter() - started
        if times and work.wanted(unit):
            output.send(TIMES, unit, json.dumps(times).encode())
        for pcm in sentences:
            for at in range(0, len(pcm), AUDIO_BYTES):
                if work.wanted(unit):
                    output.send(AUDIO, unit, pcm[at : at + AUDIO_BYTES])
        if work.wanted(unit):
            work.cancel(unit)
            output.send(DONE, unit, struct.pack("<f", took))


def read_requests(pipe: BinaryIO, work: Work) -> None:
    """Take requests until the other side closes the pipe."""
    while len(header := pipe.read(HEADER.size)) == HEADER.size:
        length, kind, unit = HEADER.unpack(header)
        payload = pipe.read(length - 5)
        if kind == SPEAK:
            work.add(unit, payload.decode("utf-8", "replace"))
        elif kind == CANCEL:
            work.cancel(unit)
    work.end()


def main(arguments: list[str]) -> int:
    """Run the program; return its exit status."""
    # Ctrl-C reaches the whole foreground group; Pickup ends us by closing our stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a library prints must not get between the frames: stdout becomes stderr.
    output = Output(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)

    try:
        voice = load_voice(Path(arguments[0]))
        speak = synthesizer(voice)
        speak(WARM_UP)
    except Exception as error:  # noqa: BLE001 - a voice that doesn't fit fails in many ways; all are told
        output.send(FAILED, 0, f"{type(error).__name__}: {error}".encode())
        return 1

    work = Work()
    threading.Thread(target=read_requests, args=(sys.stdin.buffer, work), daemon=True).start()
    output.send(READY, 0, json.dumps({"sample_rate": voice.config.sample_rate}).encode())
    # One worker: a second one made eight lines at once no faster, and four slower, on a
    # 2-core machine that had Asterisk and the recogniser to serve as well (measured).
    work_off(work, output, speak)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
