"""Who listens: one fixed recogniser that had no part in training, and how its errors are counted.

pocketsphinx with its own acoustic model of people's speech. Its language model is a trigram of the
very lines that are read: what is measured is sound, and the model is the same for all speakers.
Its sounds were learned in wide band; through the telephone it misses the high bands, so
it errs more than a person would, for all speakers alike.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from teacher import RATE

Sound = NDArray[np.float32]
Pcm = NDArray[np.int16]

PHONE_BAND = (300.0, 3400.0)
PHONE_RATE = 8_000
_LEVEL = 0.08
"""RMS at which everybody is heard, of full scale."""
_EDGE_SECONDS = 0.3
_FLOOR = 3e-4
"""RMS of the line's own noise, of full scale."""
_ORDER = 3
_DISCOUNT = 0.5


def through_the_phone(sound: Sound) -> Pcm:
    """Return 16 kHz ``sound`` as a telephone line carries it: 300 to 3400 Hz, µ-law; at 16 kHz."""
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    spectrum[(hertz < PHONE_BAND[0]) | (hertz > PHONE_BAND[1])] = 0
    narrow = soxr.resample(np.fft.irfft(spectrum, len(sound)), RATE, PHONE_RATE)
    narrow = _levelled(narrow)
    mu = np.sign(narrow) * np.round(np.log1p(255 * np.abs(narrow)) / math.log(256) * 127) / 127
    heard = np.sign(mu) * np.expm1(np.abs(mu) * math.log(256)) / 255
    return _pcm(soxr.resample(_framed(heard, PHONE_RATE), PHONE_RATE, RATE))


def in_the_room(sound: Sound) -> Pcm:
    """Return 16 kHz ``sound`` in its whole band, at the same level and with the same edges."""
    return _pcm(_framed(_levelled(sound.astype(np.float64)), RATE))


def _levelled(sound: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(sound * (_LEVEL / np.sqrt(np.mean(sound**2))), -1, 1)


def _framed(sound: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    edge = np.zeros(round(_EDGE_SECONDS * rate))
    floor = np.random.default_rng(0).normal(size=len(sound) + 2 * len(edge)) * _FLOOR
    return np.concatenate([edge, sound, edge]) + floor


def _pcm(sound: NDArray[np.float64]) -> Pcm:
    return np.round(sound.clip(-1, 1) * 32767).astype("<i2")


def words_of(line: str) -> list[str]:
    """Return the words of a line as the recogniser writes them."""
    return re.sub(r"[^a-z' ]", " ", line.lower()).split()


def recogniser(lines: Sequence[str], folder: Path) -> Callable[[Pcm], list[str]]:
    """Return pocketsphinx with the words and the language of ``lines``.

    Args:
        lines: What will be read.
        folder: For its dictionary and its language model.
    """
    import pocketsphinx as sphinx

    model = Path(sphinx.get_model_path("en-us"))
    known: dict[str, list[str]] = {}
    for entry in (model / "cmudict-en-us.dict").read_text("utf-8").splitlines():
        word, _, sounds = entry.partition(" ")
        known.setdefault(re.sub(r"\(\d+\)$", "", word), []).append(sounds)
    wanted = sorted({word for line in lines for word in words_of(line)} & known.keys())
    dictionary, language = folder / "words.dict", folder / "lines.arpa"
    dictionary.write_text(
        "".join(
            f"{word}{f'({number})' if number > 1 else ''} {sounds}\n"
            for word in wanted
            for number, sounds in enumerate(known[word], start=1)
        ),
        "utf-8",
    )
    language.write_text(language_model([words_of(line) for line in lines], set(wanted)), "utf-8")
    decoder = sphinx.Decoder(
        hmm=str(model / "en-us"), lm=str(language), dict=str(dictionary),
        samprate=RATE, loglevel="FATAL",
    )  # fmt: skip

    def hear(pcm: Pcm) -> list[str]:
        decoder.start_utt()
        decoder.process_raw(pcm.tobytes(), full_utt=True)
        decoder.end_utt()
        found = decoder.hyp()
        return found.hypstr.split() if found else []

    return hear


def language_model(lines: Sequence[Sequence[str]], known: set[str]) -> str:
    """Return a trigram model in ARPA's format, absolute discounting."""
    counts: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(_ORDER)]
    for line in lines:
        words = ["<s>", *(word for word in line if word in known), "</s>"]
        for order, counter in enumerate(counts, start=1):
            counter.update(tuple(words[at : at + order]) for at in range(len(words) - order + 1))
    followed = [Counter(gram[:-1] for gram in longer) for longer in counts[1:]]
    total = sum(counts[0].values()) - counts[0]["<s>",]
    rows = ["\\data\\"]
    rows += [f"ngram {order}={len(counter)}" for order, counter in enumerate(counts, start=1)]
    for at, counter in enumerate(counts):
        rows.append(f"\n\\{at + 1}-grams:")
        for gram, count in sorted(counter.items()):
            if at:
                chance = math.log10((count - _DISCOUNT) / counts[at - 1][gram[:-1]])
            else:
                chance = -99 if gram == ("<s>",) else math.log10(count / total)
            left = followed[at][gram] if at < len(followed) else 0
            back_off = f" {math.log10(_DISCOUNT * left / count):.4f}" if left else ""
            rows.append(f"{chance:.4f} {' '.join(gram)}{back_off}")
    return "\n".join([*rows, "\n\\end\\\n"])


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return the least number of wrong, missing and extra words."""
    row = list(range(len(heard) + 1))
    for at, word in enumerate(said, start=1):
        corner, row[0] = row[0], at
        for to, other in enumerate(heard, start=1):
            corner, row[to] = row[to], min(row[to] + 1, row[to - 1] + 1, corner + (word != other))
    return row[-1]
