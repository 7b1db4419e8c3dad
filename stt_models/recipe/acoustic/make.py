"""Makes the house ear's acoustic model: speech, alignment, frames, sequences, Kaldi's files.

``python stt_models/recipe/acoustic/make.py build/ear`` does all of it and can be stopped: what is
there is not made again. ``--only STEP`` does one step. README.md tells what it needs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import corpus
import frames
import kaldi
import learning
import sequences
import torch
from align import aligned
from corpus import Sentence
from split import fingerprint

SEED: Final = 20261127
"""Of everything that is left to chance."""

TELLING: Final = ["slt", "rms", "awb", "kal16", "kal"]
"""Voices whose synthesiser tells where its sounds are: the first net is trained on them."""

HERE: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Options:
    """What to make.

    Attributes:
        share: Of the sentences.
        begin: Folder ``am`` of a model to go on with; none: a new net.
        passes: Over the speech: first net, frames, sequences, sequences again.
        rates: Of learning at their most.
    """

    share: float
    begin: Path | None
    passes: tuple[float, ...]
    rates: tuple[float, ...]


NEW: Final = (3.0, 8.0, 4.0, 2.0)
"""Passes for a net that begins with nothing."""

GOING_ON: Final = (1.0, 0.0, 2.0, 5.0)
"""Passes for one that begins with a model of this shape, as wide or narrower."""

RATES_NEW: Final = (2.5e-3, 2.5e-3, 8e-4, 4e-4)
RATES_GOING_ON: Final = (1.2e-3, 1.2e-3, 1e-3, 1e-3)


def speech(work: Path, options: Options) -> None:
    """Let the voices read, make what is not speech, and write down what was read."""
    share = ["--share", str(options.share)]
    subprocess.run([sys.executable, HERE / "synthesise.py", work / "speech", *share], check=True)
    subprocess.run([sys.executable, HERE / "notspeech.py", work / "speech"], check=True)
    written(work)


def written(work: Path) -> None:
    """Write ``speech.json`` (sentences, hours, a hash of the text by voice) and ``read.sha256``."""
    told = {}
    read: set[str] = set()
    for path in sorted((work / "speech").glob("*.npz")):
        sentences = corpus.load(work / "speech", [path.stem])
        text = "\n".join(s.text for s in sentences)
        hours = sum(len(s.sound) for s in sentences) / 8_000 / 3_600
        told[path.stem] = {
            "sentences": len(sentences),
            "hours": round(hours, 2),
            "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
        read |= {fingerprint(s.text) for s in sentences if s.text}
    (HERE / "read.sha256").write_text("\n".join(sorted(read)) + "\n", encoding="ascii")
    (work / "speech.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def start(work: Path, options: Options) -> None:
    """Train a first net on the voices that tell their sounds."""
    sentences = corpus.load(work / "speech", [*TELLING, "notspeech"])
    state = kaldi.read(options.begin) if options.begin else learning.State.fresh()
    frames.train(state, sentences, options.passes[0], SEED, work / "start.pt", options.rates[0])


def align(work: Path, _: Options) -> None:
    """Find the sounds of the voices that don't tell them, with the first net."""
    _align(work, "start", "aligned")


def align_again(work: Path, _: Options) -> None:
    """Find them again with a better one."""
    _align(work, "sequences", "aligned_again")


def _align(work: Path, net: str, name: str) -> None:
    state = learning.State.load(work / f"{net}.pt")
    sentences = corpus.load(work / "speech")
    told = [s for s in sentences if s.sounds is not None]
    found = list(aligned(state, [s for s in sentences if s.sounds is None]))
    with (work / f"{name}.pickle").open("wb") as file:
        pickle.dump([*told, *found], file, protocol=5)


def _aligned(work: Path, name: str = "aligned") -> list[Sentence]:
    with (work / f"{name}.pickle").open("rb") as file:
        sentences: list[Sentence] = pickle.load(file)  # noqa: S301 - our own file, just made
    return sentences


def by_frames(work: Path, options: Options) -> None:
    """Train the net frame by frame; it goes on from the first one."""
    if not options.passes[1]:
        shutil.copy(work / "start.pt", work / "frames.pt")
        return
    state = learning.State.load(work / "start.pt")
    frames.train(
        state, _aligned(work), options.passes[1], SEED + 1, work / "frames.pt", options.rates[1]
    )


def by_sequences(work: Path, options: Options) -> None:
    """Train it on whole sequences."""
    state = learning.State.load(work / "frames.pt")
    keep, passes, rate = work / "sequences.pt", options.passes[2], options.rates[2]
    sequences.train(state, _aligned(work), passes, SEED + 2, keep, rate)


def finish(work: Path, options: Options) -> None:
    """Train it on sequences again, with the better alignments."""
    state = learning.State.load(work / "sequences.pt")
    keep, passes, rate = work / "finished.pt", options.passes[3], options.rates[3]
    sequences.train(state, _aligned(work, "aligned_again"), passes, SEED + 3, keep, rate)


def export(work: Path, _: Options) -> None:
    """Write the folder ``am``."""
    shutil.rmtree(work / "am", ignore_errors=True)
    kaldi.write(learning.State.load(work / "finished.pt"), work / "am")


STEPS: Final[dict[str, tuple[Callable[[Path, Options], None], str]]] = {
    "speech": (speech, "speech.json"),
    "start": (start, "start.pt"),
    "align": (align, "aligned.pickle"),
    "frames": (by_frames, "frames.pt"),
    "sequences": (by_sequences, "sequences.pt"),
    "align_again": (align_again, "aligned_again.pickle"),
    "finish": (finish, "finished.pt"),
    "export": (export, "am"),
}
"""Each step with what it leaves in the work folder."""


def main() -> None:
    """Make the model, or one step of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="folder for everything on the way")
    parser.add_argument("--only", choices=STEPS, help="do this step, made already or not")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the sentences: 0.01 tries it out"
    )
    parser.add_argument("--begin", type=Path, help="folder am of a model to go on with")
    parser.add_argument(
        "--passes", type=float, nargs=4, help="over the speech, in the four trainings"
    )
    asked = parser.parse_args()
    options = Options(
        asked.share,
        asked.begin,
        tuple(asked.passes or (GOING_ON if asked.begin else NEW)),
        RATES_GOING_ON if asked.begin else RATES_NEW,
    )
    torch.set_num_threads(1)  # a second one makes the batches
    asked.work.mkdir(parents=True, exist_ok=True)
    for name, (step, left) in STEPS.items():
        if asked.only == name or (not asked.only and not (asked.work / left).exists()):
            print(f"{name} …", flush=True)
            step(asked.work, options)


if __name__ == "__main__":
    main()
