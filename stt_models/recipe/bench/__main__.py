"""How well and how fast the ear hears, beside pocketsphinx: ``make bench-ear``.

Everything goes through the product's own ear (``agent.ear``), frame by frame, with its own
endpoints. The other recogniser gets the same clips and the same language model.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import time
import wave
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr
from arpa import write_arpa
from line import AFTER, BEFORE, end_of, through
from material import Clip, clips
from score import confidences, error_rate, spread, table

from agent.audio import FRAME_BYTES, FRAME_SECONDS, SAMPLE_RATE, pad_to_frame, seconds
from agent.ear import Ear, EarEngine, listen
from agent.events import Expect, FinalHeard, PartialHeard
from agent.settings import CHECKOUT, Models

WORK: Final = CHECKOUT / "build" / "bench" / "ear"
OUT: Final = CHECKOUT / "build" / "bench" / "ear.json"
AT_ONCE: Final = 8


@dataclass(slots=True)
class Recorded:
    """A clip as it comes out of the phone line.

    Attributes:
        file: The wav, 8 kHz.
        end: Second at which the speech ends.
    """

    kind: str
    noise: str
    name: str
    text: str
    grammar: str
    file: str
    end: float


@dataclass(slots=True)
class Heard:
    """What the ear made of a clip.

    Attributes:
        text: The finals' words.
        finish: Wall seconds from the endpoint to the final words, a turn each.
        partial: Seconds of audio from the end of speech until the last words stood in a partial.
        endpoint: Seconds of audio from the end of speech to the endpoint.
        cpu: Seconds of CPU, VAD included.
    """

    text: str
    finish: list[float]
    partial: float | None
    endpoint: float | None
    cpu: float
    words: list[tuple[str, float]]
    """Words with their confidences."""


def record(debian: Path, every: int) -> list[Recorded]:
    """Make the clips, clean and noisy."""
    (WORK / "clips").mkdir(parents=True, exist_ok=True)
    return [
        _record(clip, noise, number)
        for number, clip in enumerate(clips(debian, every))
        for noise in ("clean", "noisy")
    ]


def _record(clip: Clip, noise: str, number: int) -> Recorded:
    path = WORK / "clips" / f"{clip.kind}-{clip.name}-{noise}.wav".replace(" ", "-")
    line = through(clip.sound, noise == "noisy", seed=number)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8_000, 0, "NONE", ""))
        sound.writeframes(line.astype("<i2").tobytes())
    end = end_of(clip.sound)
    return Recorded(clip.kind, noise, clip.name, clip.text, clip.grammar, str(path), end)


def slin16(recorded: Recorded) -> bytes:
    """Return the clip as Asterisk hands it over."""
    with wave.open(recorded.file, "rb") as sound:
        line = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    wide: bytes = soxr.resample(line, 8_000, SAMPLE_RATE).astype("<i2").tobytes()
    return wide


class TimedEar:
    """An ear whose ``finish`` is timed on the wall clock."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self.took: list[float] = []
        self.hear = ear.hear
        self.expect = ear.expect

    async def finish(self, at: float) -> FinalHeard:
        """End the turn."""
        began = time.perf_counter()
        final = await self._ear.finish(at)
        if final.text:
            self.took.append(time.perf_counter() - began)
        return final


async def hear(engine: EarEngine, recorded: Recorded, expect: Expect) -> Heard:
    """Let the ear hear a clip."""
    pcm = slin16(recorded)
    ear = engine.open()
    timed = TimedEar(ear)
    began = time.process_time()
    events = await listen(timed, pcm, expect)  # type: ignore[arg-type]
    cpu = time.process_time() - began
    ear.close()
    finals = [event for event in events if isinstance(event, FinalHeard) and event.text]
    text = " ".join(final.text for final in finals)
    partial = endpoint = None
    if len(finals) == 1:
        endpoint = finals[0].at - recorded.end
        whole = [e for e in events if isinstance(e, PartialHeard) and e.text == text]
        partial = whole[0].at - recorded.end if whole else endpoint
    words = [(word.text, word.confidence) for final in finals for word in final.words]
    return Heard(text, timed.took, partial, endpoint, cpu, words)


async def at_once(engine: EarEngine, material: list[Recorded]) -> dict[str, Any]:
    """Let eight callers speak at the same time, at the speed of speech."""
    resident = _resident()
    ears = [engine.open() for _ in range(AT_ONCE)]
    late: list[float] = []
    ended: list[float] = []

    async def call(number: int, ear: Ear) -> None:
        await asyncio.sleep(0.13 * number)
        started = time.perf_counter()
        frames = 0
        for recorded in material[number::AT_ONCE][:4]:
            pcm = pad_to_frame(slin16(recorded))
            for at in range(0, len(pcm), FRAME_BYTES):
                frames += 1
                due = frames * FRAME_SECONDS
                await asyncio.sleep(max(0.0, started + due - time.perf_counter()))
                await ear.hear(pcm[at : at + FRAME_BYTES], due)
                late.append(time.perf_counter() - started - due)
            begun = time.perf_counter()
            await ear.finish(frames * FRAME_SECONDS)
            ended.append(time.perf_counter() - begun)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(call(number, ear) for number, ear in enumerate(ears)))
    report = {
        "calls": AT_ONCE,
        "seconds": round(time.perf_counter() - wall, 1),
        "cores_used": round((time.process_time() - cpu) / (time.perf_counter() - wall), 2),
        "late_ms": spread(late),
        "finish_ms": spread(ended),
        "megabytes_a_call": round((_resident() - resident) / AT_ONCE, 1),
    }
    for ear in ears:
        ear.close()
    return report


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def sphinx(python: Path, material: list[Recorded], graph: Path) -> dict[str, Any]:
    """Return what pocketsphinx hears with the house model's own language model."""
    words = set(write_arpa(graph, WORK / "house.arpa"))
    listed = WORK / "clips.json"
    listed.write_text(json.dumps([{"file": recorded.file} for recorded in material]))
    where = "import pocketsphinx; print(pocketsphinx.get_model_path('en-us/cmudict-en-us.dict'))"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True)
    theirs = Path(found.stdout.strip()).read_text(encoding="utf-8").splitlines()
    entries = [line for line in theirs if line.split("(")[0].split()[0] in words]
    known = {line.split("(")[0].split()[0] for line in entries}
    ours = (graph.parent / "lexicon.txt").read_text(encoding="utf-8").splitlines()
    seen: dict[str, int] = {}
    for line in ours:
        word, sounds = line.split(" ", 1)
        if word not in known and word in words and word != "[unk]":
            seen[word] = seen.get(word, 0) + 1
            entries.append(f"{word}({seen[word]}) {sounds}" if seen[word] > 1 else line)
    (WORK / "house.dict").write_text("\n".join(entries) + "\n", encoding="utf-8")
    out = WORK / "sphinx.json"
    script = Path(__file__).with_name("sphinx.py")
    subprocess.run(
        [python, script, listed, WORK / "house.arpa", WORK / "house.dict", out], check=True
    )
    result: dict[str, Any] = json.loads(out.read_text())
    return result


async def main() -> None:
    """Run everything, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--debian", type=Path, default=WORK / "debian")
    parser.add_argument("--sphinx", type=Path, help="Python with pocketsphinx; none: left out")
    parser.add_argument("--model", type=Path, default=Models().ear)
    parser.add_argument("--every", type=int, default=1, help="only each so many-th clip")
    parser.add_argument("--quick", action="store_true", help="without eight calls at once")
    parser.add_argument("--show", action="store_true", help="print what was misheard")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    material = record(asked.debian, asked.every)
    engine = EarEngine(asked.model)
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    heard: dict[str, dict[str, Any]] = {}
    free: list[Heard] = []
    bound: list[Heard] = []
    audio = bound_audio = 0.0
    for recorded in material:
        report = await hear(engine, recorded, Expect.OPEN)
        free.append(report)
        audio += seconds(slin16(recorded))
        entry = {**asdict(recorded), "free": report.text}
        if recorded.grammar in set(Expect):
            other = await hear(engine, recorded, Expect(recorded.grammar))
            bound.append(other)
            bound_audio += seconds(slin16(recorded))
            entry["grammar_text"] = other.text
        heard[recorded.file] = entry
        if asked.show and report.text != recorded.text:
            print(f"{recorded.name} {recorded.noise}\n  - {recorded.text}\n  + {report.text}")
            if "grammar_text" in entry and entry["grammar_text"] != recorded.text:
                print(f"  g {entry['grammar_text']}")
    rival = sphinx(asked.sphinx, material, asked.model / "graph") if asked.sphinx else None
    for key in dict.fromkeys((recorded.kind, recorded.noise) for recorded in material):
        entries = [e for e in heard.values() if (e["kind"], e["noise"]) == key]
        row: dict[str, Any] = {
            "clips": len(entries),
            "words": sum(len(entry["text"].split()) for entry in entries),
            "free": error_rate([(entry["text"], entry["free"]) for entry in entries]),
            "whole": sum(entry["text"] == entry["free"] for entry in entries),
        }
        if all("grammar_text" in entry for entry in entries):
            pairs = [(entry["text"], entry["grammar_text"]) for entry in entries]
            row["grammar"] = error_rate(pairs)
            row["whole_grammar"] = sum(said == got for said, got in pairs)
        if rival:
            row["sphinx"] = error_rate([(e["text"], rival["heard"][e["file"]]) for e in entries])
        rows[key] = row
    speed = {
        "rtf": round(sum(h.cpu for h in free) / audio, 4),
        "rtf_grammar": round(sum(h.cpu for h in bound) / bound_audio, 4) if bound else None,
        "rtf_sphinx": round(rival["rtf"], 4) if rival else None,
        "finish_ms": spread([took for h in free for took in h.finish]),
        "finish_grammar_ms": spread([took for h in bound for took in h.finish]),
        "partial_after_speech_ms": spread([h.partial for h in free if h.partial is not None]),
        "endpoint_after_speech_ms": spread([h.endpoint for h in free if h.endpoint is not None]),
        "confidence": confidences([(r.text, h.words) for r, h in zip(material, free, strict=True)]),
        "one_turn": sum(h.endpoint is not None for h in free),
        "clips": len(free),
    }
    together = {} if asked.quick else await at_once(engine, material)
    engine.close()
    print(table(rows))
    for name, value in {**speed, "eight at once": together}.items():
        print(f"{name:<26}{value}")
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "table": [{"kind": kind, "noise": noise, **row} for (kind, noise), row in rows.items()],
        "speed": speed,
        "at_once": together,
        "load": os.getloadavg(),
        "model": str(asked.model),
        "line": {"before": BEFORE, "after": AFTER},
        "clips": list(heard.values()),
    }
    asked.out.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    asyncio.run(main())
