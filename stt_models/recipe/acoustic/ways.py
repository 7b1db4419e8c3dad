"""The sum over all ways through a sound, by the forward recursion, and each score's part in it.

41 sounds times 12 classes of the sound before; compiled, because a frame is too little work for
a tensor library.
"""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from corpus import CONTEXTS, PDFS
from numpy.typing import NDArray
from phones import BASES, CLASS_OF, LOOP

LONE: Final = 2
"""Silence and noise come first among the pdfs and have no contexts."""

SOUNDS: Final = len(BASES)
CLASSES: Final = np.array([CLASS_OF[name] for name in BASES])

FLOOR: Final = np.float32(1e-25)
LEAST: Final = np.float32(-60)


@numba.njit(fastmath=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _chances(
    scores: NDArray[np.float32], may: NDArray[np.bool_], chances: NDArray[np.float32]
) -> float:
    """Turn a frame's scores into chances; return the log of what they were divided by."""
    top = scores[0]
    for pdf in range(1, PDFS):
        top = max(top, scores[pdf])
    for pdf in range(PDFS):
        chances[pdf] = np.exp(max(scores[pdf] - top, LEAST))
    if may.size:
        for pdf in range(PDFS):
            chances[pdf] = chances[pdf] if may[pdf] else np.float32(0)
    return float(top)


@numba.njit(fastmath=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _by_sound(
    chances: NDArray[np.float32], entering: NDArray[np.float32], staying: NDArray[np.float32]
) -> None:
    for sound in range(LONE):
        for context in range(CONTEXTS):
            entering[sound, context] = (1 - LOOP) * chances[2 * sound]
            staying[sound, context] = LOOP * chances[2 * sound + 1]
    for sound in range(LONE, SOUNDS):
        at = 2 * LONE + (sound - LONE) * 2 * CONTEXTS
        for context in range(CONTEXTS):
            entering[sound, context] = (1 - LOOP) * chances[at + 2 * context]
            staying[sound, context] = LOOP * chances[at + 2 * context + 1]


@numba.njit(fastmath=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def weights(
    scores: NDArray[np.float32],
    lengths: NDArray[np.int64],
    may: NDArray[np.bool_],
    first: NDArray[np.float32],
    follows: NDArray[np.float32],
    parts: NDArray[np.float32],
) -> Any:
    """Return the log of the sum over all ways, one per sound.

    Args:
        scores: (sounds, frames, pdfs).
        lengths: Frames of each sound that count.
        may: Which pdfs each frame may have, of the same shape; or empty: all.
        first: Chance of each sound to be the first.
        follows: Chance of each sound (column) after each (row).
        parts: Zeros of the shape of ``scores``; gets the derivatives: each pdf's share.
    """
    many, longest, _ = scores.shape
    out = np.zeros(many)
    shape = (longest, SOUNDS, CONTEXTS)
    entering, staying = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    here, coming = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    total = np.zeros(longest, np.float32)
    left = np.zeros((CONTEXTS, SOUNDS), np.float32)
    behind = np.zeros((SOUNDS, CONTEXTS), np.float32)
    chances = np.zeros(PDFS, np.float32)
    everything = np.zeros(0, np.bool_)
    for row in range(many):
        frames = lengths[row]
        for frame in range(frames):
            allowed = may[row, frame] if may.size else everything
            out[row] += _chances(scores[row, frame], allowed, chances)
            _by_sound(chances, entering[frame], staying[frame])
            summed = FLOOR
            if frame == 0:
                for sound in range(SOUNDS):
                    for context in range(CONTEXTS):
                        coming[0, sound, context] = first[sound]
                        here[0, sound, context] = first[sound] * (
                            entering[0, sound, context] + staying[0, sound, context]
                        )
                        summed += here[0, sound, context]
            else:
                left[:] = 0
                for sound in range(SOUNDS):
                    weight = np.float32(0)
                    for context in range(CONTEXTS):
                        weight += here[frame - 1, sound, context]
                    for after in range(SOUNDS):
                        left[CLASSES[sound], after] += weight * follows[sound, after]
                for sound in range(SOUNDS):
                    for context in range(CONTEXTS):
                        coming[frame, sound, context] = left[context, sound]
                        here[frame, sound, context] = (
                            here[frame - 1, sound, context] * staying[frame, sound, context]
                            + left[context, sound] * entering[frame, sound, context]
                        )
                        summed += here[frame, sound, context]
            total[frame] = summed
            out[row] += np.log(summed)
            for sound in range(SOUNDS):
                for context in range(CONTEXTS):
                    here[frame, sound, context] /= summed
        behind[:] = 1
        for frame in range(frames - 1, -1, -1):
            for sound in range(SOUNDS):
                at = 2 * LONE + (sound - LONE) * 2 * CONTEXTS
                for context in range(CONTEXTS):
                    weight = behind[sound, context] / total[frame]
                    enter = entering[frame, sound, context] * weight
                    stay = staying[frame, sound, context] * weight
                    before = here[frame - 1, sound, context] if frame else first[sound]
                    pdf = 2 * sound if sound < LONE else at + 2 * context
                    parts[row, frame, pdf] += coming[frame, sound, context] * enter
                    parts[row, frame, pdf + 1] += before * stay
                    left[context, sound] = enter
                    behind[sound, context] = stay
            for sound in range(SOUNDS):
                weight = np.float32(0)
                for after in range(SOUNDS):
                    weight += follows[sound, after] * left[CLASSES[sound], after]
                for context in range(CONTEXTS):
                    behind[sound, context] += weight
    return out
