"""The steps of the recipe, run by ``make.py`` in its own environment."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import warnings
from pathlib import Path

import dataset
import evaluate
import export
import picture
import start
import teacher
import torch
import train
from acoustic import Acoustic

HOUSE = Path(__file__).resolve().parent.parent / "house-en"
STEPS = ("data", "train", "export", "evaluate", "pictures", "install")
BENCH = HOUSE.parent.parent / "build" / "bench" / "voice.json"
_FOR_STRETCHES = 400
"""Sentences from which the durations' factors are learned."""


def main() -> None:
    """Run the steps that were asked for."""
    options = _options()
    torch.set_num_threads(1)
    work: Path = options.work
    data, weights, voice = work / "data", work / "weights.pt", work / "voice.onnx"
    flite = work / "flite_dump"
    if "data" in options.steps:
        print(f"data: {options.sentences} sentences", flush=True)
        dataset.build(flite, options.sentences, options.seed, data)
    if "train" in options.steps:
        print(f"train: {options.minutes:g} minutes of one core", flush=True)
        state = None
        if options.start:
            state = start.weights_of(options.start)
        wall = options.wall_minutes or 10 * options.minutes
        train.train(
            data,
            weights,
            train.Budget(options.minutes, wall),
            seed=options.seed,
            start=state,
        )
    if "export" in options.steps:
        net = Acoustic()
        net.load_state_dict(torch.load(weights))
        shard = min(data.glob("[0-9]*[0-9].npz"))
        sentences = list(itertools.islice(dataset.load(shard), _FOR_STRETCHES))
        warnings.filterwarnings("ignore", module="torch.onnx|export|acoustic|vocoder")
        export.export(net, teacher.constants(flite), sentences, voice)
        print(f"export: {voice}, {voice.stat().st_size / 1e6:.1f} MB", flush=True)
    if "evaluate" in options.steps:
        report = evaluate.compare({"house-en": options.voice or voice}, flite)
        BENCH.parent.mkdir(parents=True, exist_ok=True)
        BENCH.write_text(json.dumps(report, indent=2), "utf-8")
        print(f"evaluate: {BENCH}", flush=True)
    if "pictures" in options.steps:
        picture.draw_all(options.voice or voice, flite, HOUSE.parent.parent / "docs" / "pictures")
    if "install" in options.steps:
        install(voice)


def install(voice: Path) -> None:
    """Put the voice where Pickup looks for it, each of its two files in one step."""
    for name in ("voice.onnx.json", "voice.onnx"):
        new = HOUSE / f".{name}.new"
        shutil.copyfile(voice.with_name(name), new)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(HOUSE / name)
    print(f"install: {HOUSE}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make.py", description=__doc__)
    parser.add_argument("steps", nargs="*", help=f"of {', '.join(STEPS)}; the first three")
    parser.add_argument("--work", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--sentences", type=int, default=12_000)
    parser.add_argument("--minutes", type=float, default=50, help="of processor time")
    parser.add_argument("--wall-minutes", type=float, help="of time; default: ten times that")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="a house voice (.onnx) to go on from")
    parser.add_argument(
        "--voice", type=Path, help="the .onnx to evaluate and draw; else the one just made"
    )
    options = parser.parse_args()
    options.steps = options.steps or list(STEPS[:3])
    if unknown := set(options.steps) - set(STEPS):
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
