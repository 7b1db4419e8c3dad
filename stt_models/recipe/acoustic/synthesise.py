"""Lets the training voices read: ``synthesise.py OUT`` writes ``OUT/<voice>.npz``."""

from __future__ import annotations

import argparse
import json
import random
import subprocess
from multiprocessing import Pool
from pathlib import Path
from typing import Any, Final

import numpy as np
from sentences import answer, as_read, sentence
from voices import ANSWERS, RATE, SENTENCES, VOICES, Said

EDGE: Final = 0.1
"""Seconds of silence kept at each end; training puts its own there."""

QUIET: Final = 0.005
"""Sound below this share of the loudest is silence."""


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


def _read(job: tuple[str, str, int]) -> tuple[str, Said] | None:
    """Return what a voice reads as its sentence of that number, the same every time."""
    name, voice, number = job
    chance = random.Random(f"{name} {number}")
    text = sentence(chance) if name == voice else answer(chance)
    try:
        return text, trimmed(VOICES[voice](as_read(text, chance), chance))
    except (subprocess.CalledProcessError, RuntimeError) as problem:
        print(f"left out: {voice} {number}: {text}: {problem}")
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
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="of the sentences, to try it out")
    parser.add_argument("--voices", nargs="*", default=list(SENTENCES))
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sentence(random.Random(0))  # reads the word lists once, before the processes part
    packs = [(voice, voice, SENTENCES[voice]) for voice in options.voices]
    packs += [(f"answers_{voice}", voice, ANSWERS.get(voice, 0)) for voice in options.voices]
    for name, voice, all_of_it in packs:
        path: Path = options.out / f"{name}.npz"
        if path.exists() or not all_of_it:
            continue
        many = max(1, round(all_of_it * options.share))
        with Pool(options.processes) as pool:
            jobs = [(name, voice, number) for number in range(many)]
            spoken = [
                s for s in pool.imap(_read, jobs, chunksize=16) if s and len(s[1].sound) > RATE // 8
            ]
        save(path, spoken)
        seconds = sum(len(said.sound) for _, said in spoken) / RATE
        print(f"{name}: {len(spoken)} sentences, {seconds / 3600:.2f} h", flush=True)


if __name__ == "__main__":
    main()
