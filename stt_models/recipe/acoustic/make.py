"""Makes the house ear's acoustic model: texts, speech, alignment, frames, sequences, Kaldi's files.

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
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import align
import corpus
import frames
import kaldi
import numpy as np
import sequences
import synthesise
from corpus import Sentence
from learning import How, State
from noises import everything
from split import fingerprint

SEED: Final = 20261127
"""Of everything that is left to chance."""

TELLING: Final = ["slt", "rms", "awb", "kal16", "kal"]
"""Voices whose synthesiser tells where its sounds are: the first net is trained on them."""

WEATHERS: Final = 8
"""Times all kinds of noise are made."""

HERE: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Options:
    """What to make.

    Attributes:
        share: Of the sentences.
        begin: Folder ``am`` of a model to go on with; none: a new net.
        steps: Batches in each training; an hour of speech has 3 of them on a card, 50 without.
        seconds: Or so long.
    """

    share: float
    begin: Path | None
    steps: dict[str, int]
    seconds: dict[str, float]

    def how(self, training: str) -> How:
        """Return how long and fast one of the trainings is."""
        seed = SEED + list(RATES).index(training)
        return How(self.steps[training], self.seconds[training], RATES[training], seed)


RATES: Final = {"start": 3e-3, "sequences": 2e-3, "finish": 2e-3}
"""Trainings with their highest rates of learning."""

STEPS_OF: Final = {"start": 2_000, "sequences": 4_000, "finish": 12_000}


def texts(work: Path, options: Options) -> None:
    """Write down what is read, and how its words may be said."""
    jobs = synthesise.texts(options.share)
    lines = "".join(json.dumps(job) + "\n" for job in jobs)
    read = sorted({fingerprint(job.text) for job in jobs})
    (HERE / "read.sha256").write_text("\n".join(read) + "\n", encoding="ascii")
    said = align.pronunciations({job.text for job in jobs})
    (work / "said.json").write_text(json.dumps(said), encoding="utf-8")
    (work / "texts.jsonl").write_text(lines, encoding="utf-8")


def speech(work: Path, _: Options) -> None:
    """Let the voices read, make what is not speech, and write down what there is."""
    command = [sys.executable, HERE / "synthesise.py", work / "texts.jsonl", work / "speech"]
    subprocess.run(command, check=True)
    subprocess.run([sys.executable, HERE / "notspeech.py", work / "speech"], check=True)
    told = {}
    for path in sorted((work / "speech").glob("*.npz")):
        sentences = corpus.load(work / "speech", [path.stem])
        text = "\n".join(s.text for s in sentences)
        hours = sum(len(s.sound) for s in sentences) / 8_000 / 3_600
        told[path.stem] = {
            "sentences": len(sentences),
            "hours": round(hours, 2),
            "text_sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
    (work / "speech.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def noises(work: Path, _: Options) -> None:
    """Make all the noises there are behind callers."""
    sentences = corpus.load(work / "speech", ["slt", "rms", "awb", "kal16"])
    chance = np.random.default_rng(SEED)
    talkers = [
        [sentences[k].sound for k in chance.choice(len(sentences), min(200, len(sentences)))]
        for _ in range(WEATHERS)
    ]
    with ProcessPoolExecutor() as workers:
        rows = list(workers.map(everything, range(WEATHERS), talkers))
    np.save(work / "noises.npy", np.concatenate(rows).astype(np.float16))


def start(work: Path, options: Options) -> None:
    """Train a first net on the voices that tell their sounds."""
    sentences = corpus.load(work / "speech", [*TELLING, "notspeech"])
    state = kaldi.read(options.begin) if options.begin else State.fresh()
    frames.train(state, sentences, options.how("start"), work / "start.pt")


def first_alignment(work: Path, _: Options) -> None:
    """Find the sounds of the voices that don't tell them, with the first net."""
    _align(work, "start", "aligned")


def align_again(work: Path, _: Options) -> None:
    """Find them again with a better one."""
    _align(work, "sequences", "aligned_again")


def _align(work: Path, net: str, name: str) -> None:
    sentences = corpus.load(work / "speech")
    said = json.loads((work / "said.json").read_text(encoding="utf-8"))
    told = [s for s in sentences if s.sounds is not None]
    to_find = [s for s in sentences if s.sounds is None]
    found = list(align.aligned(State.load(work / f"{net}.pt"), to_find, said))
    with (work / f"{name}.pickle").open("wb") as file:
        pickle.dump([*told, *found], file, protocol=5)


def _aligned(work: Path, name: str) -> list[Sentence]:
    with (work / f"{name}.pickle").open("rb") as file:
        sentences: list[Sentence] = pickle.load(file)  # noqa: S301 - our own file, just made
    return sentences


def by_sequences(work: Path, options: Options) -> None:
    """Train it on whole sequences."""
    state, sentences = State.load(work / "start.pt"), _aligned(work, "aligned")
    sequences.train(state, sentences, options.how("sequences"), work / "sequences.pt")


def finish(work: Path, options: Options) -> None:
    """Train it on sequences again, with the better alignments."""
    state, sentences = State.load(work / "sequences.pt"), _aligned(work, "aligned_again")
    sequences.train(state, sentences, options.how("finish"), work / "finished.pt")


def export(work: Path, _: Options) -> None:
    """Write the folder ``am``."""
    shutil.rmtree(work / "am", ignore_errors=True)
    kaldi.write(State.load(work / "finished.pt"), work / "am")


STEPS: Final[dict[str, tuple[Callable[[Path, Options], None], str]]] = {
    "texts": (texts, "texts.jsonl"),
    "speech": (speech, "speech.json"),
    "noises": (noises, "noises.npy"),
    "start": (start, "start.pt"),
    "align": (first_alignment, "aligned.pickle"),
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
    parser.add_argument("--steps", type=int, nargs=3, help="batches in the three trainings")
    parser.add_argument("--seconds", type=float, nargs=3, help="at most, of the three trainings")
    asked = parser.parse_args()
    options = Options(
        asked.share,
        asked.begin,
        dict(zip(RATES, asked.steps or STEPS_OF.values(), strict=True)),
        dict(zip(RATES, asked.seconds or [float("inf")] * 3, strict=True)),
    )
    asked.work.mkdir(parents=True, exist_ok=True)
    for name, (step, left) in STEPS.items():
        if asked.only == name or (not asked.only and not (asked.work / left).exists()):
            print(f"{name} …", flush=True)
            step(asked.work, options)


if __name__ == "__main__":
    main()
