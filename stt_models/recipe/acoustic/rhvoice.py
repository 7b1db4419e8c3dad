"""RHVoice's voices, through its C library (`README.md` tells how to build it)."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LIBRARY: Final = "RHVOICE_LIBRARY"
"""Environment variable: path of ``libRHVoice.so``."""

DATA: Final = "RHVOICE_DATA"
"""Environment variable: folder with ``languages`` and ``voices``."""

_SET_RATE: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
_PLAY: Final = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_uint, ctypes.c_void_p
)


class _Callbacks(ctypes.Structure):
    _fields_ = (
        ("set_sample_rate", _SET_RATE),
        ("play_speech", _PLAY),
        *((f"unused_{number}", ctypes.c_void_p) for number in range(7)),
    )


class _Engine(ctypes.Structure):
    _fields_ = (
        ("data_path", ctypes.c_char_p),
        ("config_path", ctypes.c_char_p),
        ("resource_paths", ctypes.c_void_p),
        ("callbacks", _Callbacks),
        ("options", ctypes.c_uint),
    )


class _Manner(ctypes.Structure):
    _fields_ = (
        ("voice_profile", ctypes.c_char_p),
        *((f"absolute_{what}", ctypes.c_double) for what in ("rate", "pitch", "volume")),
        *((f"relative_{what}", ctypes.c_double) for what in ("rate", "pitch", "volume")),
        ("punctuation_mode", ctypes.c_int),
        ("punctuation_list", ctypes.c_char_p),
        ("capitals_mode", ctypes.c_int),
        ("flags", ctypes.c_int),
    )


class _Synthesiser:
    """One engine, one sentence at a time."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(os.environ[LIBRARY])
        self._rate = 0
        self._pieces: list[NDArray[np.int16]] = []
        self._heard = (_SET_RATE(self._set_rate), _PLAY(self._play))
        data = os.environ[DATA].encode()
        asked = _Engine(data, data, None, _Callbacks(*self._heard), 0)
        self._library.RHVoice_new_tts_engine.restype = ctypes.c_void_p
        self._library.RHVoice_new_message.restype = ctypes.c_void_p
        self._engine = ctypes.c_void_p(self._library.RHVoice_new_tts_engine(ctypes.byref(asked)))
        if not self._engine:
            raise RuntimeError(f"RHVoice finds no voices in {os.environ[DATA]}")

    def _set_rate(self, rate: int, _: Any) -> int:
        self._rate = rate
        return 1

    def _play(self, samples: Any, count: int, _: Any) -> int:
        self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 1

    def say(self, voice: str, text: str, rate: float, pitch: float) -> tuple[int, NDArray[Any]]:
        self._pieces = []
        manner = _Manner(voice.encode(), 0, 0, 0, rate, pitch, 1, 0, None, 0, 0)
        said = text.encode()
        message = ctypes.c_void_p(
            self._library.RHVoice_new_message(
                self._engine, said, len(said), 0, ctypes.byref(manner), None
            )
        )
        if not message:
            raise RuntimeError(f"RHVoice does not take: {text}")
        self._library.RHVoice_speak(message)
        self._library.RHVoice_delete_message(message)
        if not self._pieces:
            raise RuntimeError(f"RHVoice says nothing: {text}")
        return self._rate, np.concatenate(self._pieces)


@cache
def _synthesiser() -> _Synthesiser:
    return _Synthesiser()


def say(voice: str, text: str, rate: float, pitch: float) -> tuple[int, NDArray[Any]]:
    """Return the sample rate and the sound (int16) of ``text``.

    Args:
        voice: ``Bdl`` or ``Clb``.
        text: Ordinary English.
        rate: 1 is the voice's own speed; more is faster.
        pitch: 1 is its own pitch.

    Raises:
        RuntimeError: RHVoice has no such voice or says nothing.
    """
    return _synthesiser().say(voice, text, rate, pitch)
