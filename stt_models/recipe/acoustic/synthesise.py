"""Lets the training voices read: ``synthesise.py TEXTS OUT`` writes ``OUT/<pack>.npz``."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
from multiprocessing import Pool
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from voices import ANSWERS, RATE, SENTENCES, VOICES, Said

EDGE: Final = 0.1
"""Seconds of silence kept at each end; training puts its own there."""

QUIET: Final = 0.005
"""Sound below this share of the loudest is silence."""


class Read(NamedTuple):
    """A sentence to read."""

    pack: str
    voice: str
    number: int
    text: str
    aloud: str
    """The text with punctuation."""


def trimmed(said: Said) -> Said:
    """Return what was said without the silence around it."""
    loud = np.flatnonzero(
        np.abs(said.sound.astype(np.int32))
        > QUIET * np.abs(said.sound.astype(np.int32)).max(initial=1)
    )
    if not len(loud):
        return said
    first = max(0, int(loud[0]) - round(EDGE * RATE))
    last = int(loud[-1]) + round(EDGE * RATE)
    segments = said.segments and [(p, max(0.0, end - first / RATE)) for p, end in said.segments]
    return Said(said.sound[first:last], segments)


def texts(share: float) -> list[Read]:
    """Return what is to be read, voice by voice: the same every time."""
    from sentences import answer, as_read, sentence  # needs word lists that reading does not

    packs = [(voice, voice, SENTENCES[voice], sentence) for voice in SENTENCES]
    packs += [(f"answers_{voice}", voice, ANSWERS[voice], answer) for voice in ANSWERS]
    jobs = []
    for name, voice, all_of_it, make in packs:
        for number in range(max(1, round(all_of_it * share))):
            chance = random.Random(f"{name} {number}")
            text = make(chance)
            jobs.append(Read(name, voice, number, text, as_read(text, chance)))
    return jobs


def _said(job: Read) -> tuple[str, Said] | None:
    chance = random.Random(f"how {job.pack} {job.number}")
    try:
        return job.text, trimmed(VOICES[job.voice](job.aloud, chance))
    except (subprocess.CalledProcessError, RuntimeError) as problem:
        print(f"left out: {job.voice} {job.number}: {job.text}: {problem}")
        return None


def save(path: Path, spoken: list[tuple[str, Said]]) -> None:
    """Write sentences as one flat sound and a list of where each begins."""
    about: list[dict[str, Any]] = []
    at = 0
    for text, said in spoken:
        about.append({"text": text, "at": at, "long": len(said.sound), "segments": said.segments})
        at += len(said.sound)
    np.savez(
        path, sound=np.concatenate([said.sound for _, said in spoken]), about=json.dumps(about)
    )


def main() -> None:
    """Let every voice read its sentences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path, help="what make.py wrote")
    parser.add_argument("out", type=Path)
    parser.add_argument("--packs", nargs="*", help="only these")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    jobs: dict[str, list[Read]] = {}
    for line in options.texts.read_text(encoding="utf-8").splitlines():
        job = Read(*json.loads(line))
        jobs.setdefault(job.pack, []).append(job)
    with Pool(options.processes) as pool:
        for pack in options.packs or jobs:
            path: Path = options.out / f"{pack}.npz"
            if path.exists():
                continue
            heard = pool.imap(_said, jobs[pack], chunksize=8)
            spoken = [said for said in heard if said and len(said[1].sound) > RATE // 8]
            save(path, spoken)
            hours = sum(len(said.sound) for _, said in spoken) / RATE / 3_600
            print(f"{pack}: {len(spoken)} sentences, {hours:.2f} h", flush=True)


if __name__ == "__main__":
    main()
