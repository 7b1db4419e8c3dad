"""How fast the mouth speaks: ``make bench-mouth``, in the project's own environment.

Times are taken where the player takes them: from asking the mouth for a line to its first
chunk. "On one core" holds this process and the Piper program to one core and asks for each
held-out line once, one after another. "At their own pace" is what calls do: each speaks a line,
lets it play out, and asks for the next; an underrun is a next unit that came after the last one
had ended. "At one instant" is the worst that calls can do. Nothing is played: playing out is
waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from agent.audio import seconds
from agent.mouth import Mouth, Phrases
from agent.mouth.player import AHEAD_SECONDS
from agent.service.logs import configure_logs
from agent.settings import CHECKOUT, load_settings

OUT = CHECKOUT / "build" / "bench" / "mouth.json"
RUNS = 3
LINES_EACH = 4
CALLS = (1, 4, 8)
_TICK = os.sysconf("SC_CLK_TCK")

Times = dict[str, float]
Run = dict[str, float | Times]


@dataclass(slots=True)
class Spoken:
    """What some lines cost.

    Attributes:
        first: Seconds to the first chunk, a line each.
        speech: Seconds of speech made.
        busy: Seconds from asking for a chunk to having it, in all.
        late: Chunks that came after the one before had ended.
    """

    first: list[float] = field(default_factory=list)
    speech: float = 0.0
    busy: float = 0.0
    late: int = 0


async def main(runs: int) -> None:
    """Run every measurement, print the table, write the JSON."""
    text = (Path(__file__).parent / "text" / "heldout.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    report: dict[str, object] = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
    }
    one_core = await on_one_core(lines, runs)
    print(f"new text, one core, {len(lines)} lines:")
    for run in one_core:
        print(f"  first sound {_told(run['first_ms'])}, after {run['first_seconds']} s of speech")
    mouth = Mouth(load_settings())
    began = time.perf_counter()
    await mouth.start()
    start = time.perf_counter() - began
    try:
        kept = await cached(mouth, lines[:20])
        print(f"kept line: {kept['p90'] * 1000:.1f} µs (p90); start until ready {start:.2f} s")
        print(f"every core, {LINES_EACH} lines a call, at their own pace:")
        dice = random.Random(1)
        paced = []
        for calls in CALLS:
            for _ in range(runs):
                each = [dice.sample(lines, LINES_EACH) for _ in range(calls)]
                paced.append(await at_their_own_pace(mouth, each))
                print(_row(paced[-1]), flush=True)
        instant = [await at_one_instant(mouth, dice.sample(lines, max(CALLS))) for _ in range(10)]
        together = _spread([wait for waits in instant for wait in waits])
        print(f"{max(CALLS)} calls at one instant, ten times: first sound {_told(together)}")
    finally:
        await mouth.stop()
    report |= {
        "voice": mouth.voice_id[:12],
        "start_seconds": round(start, 2),
        "kept_line_ms": kept,
        "one_core": one_core,
        "own_pace": paced,
        "one_instant_first_ms": together,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2), "utf-8")
    print(f"written: {OUT.relative_to(CHECKOUT)}")


async def on_one_core(lines: list[str], runs: int) -> list[Run]:
    """Ask for the first sound of every line, this process and the program on one core."""
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(every)})
    mouth = Mouth(load_settings())
    await mouth.start()
    found: list[Run] = []
    try:
        for _ in range(runs):
            first, speech = [], []
            for line in lines:
                words = mouth.speak(line)
                asked = time.perf_counter()
                chunk = await anext(words)
                first.append(time.perf_counter() - asked)
                speech.append(seconds(chunk))
                await words.aclose()
            found.append(
                {
                    "first_ms": _spread(first),
                    "first_seconds": round(statistics.mean(speech), 2),
                }
            )
    finally:
        await mouth.stop()
        os.sched_setaffinity(0, every)
    return found


async def at_their_own_pace(mouth: Mouth, each: list[list[str]]) -> Run:
    """Let calls speak their lines as calls do."""
    cpu, begun = _cpu(mouth), time.perf_counter()
    said = Spoken()
    await asyncio.gather(*(_call(mouth, some, said, wait=0.3 * at) for at, some in enumerate(each)))
    return {
        "calls": len(each),
        "lines": len(said.first),
        "first_ms": _spread(said.first),
        "rtf_wall": round(said.busy / said.speech, 4),
        "rtf_cpu": round((_cpu(mouth) - cpu) / said.speech, 4),
        "late": said.late,
        "megabytes": round(_memory(mouth), 1),
        "seconds": round(time.perf_counter() - begun, 1),
    }


async def _call(mouth: Mouth, lines: list[str], said: Spoken, wait: float) -> None:
    """Speak lines one after the other, each played out before the next."""
    await asyncio.sleep(wait)
    for line in lines:
        ends = 0.0
        asked = time.perf_counter()
        async for chunk in mouth.speak(line):
            now = time.perf_counter()
            said.busy += now - asked
            if ends:
                said.late += now > ends
            else:
                said.first.append(now - asked)
            said.speech += seconds(chunk)
            ends = max(ends, now) + seconds(chunk)
            # As the player does: the next unit is asked for at once, but not too far ahead.
            await asyncio.sleep(max(0.0, ends - time.perf_counter() - AHEAD_SECONDS))
            asked = time.perf_counter()
        await asyncio.sleep(max(0.0, ends - time.perf_counter()))


async def at_one_instant(mouth: Mouth, lines: list[str]) -> list[float]:
    """Return the seconds to the first sound of lines that are all asked for at once."""

    async def first(line: str) -> float:
        words = mouth.speak(line)
        asked = time.perf_counter()
        await anext(words)
        waited = time.perf_counter() - asked
        await words.aclose()
        return waited

    return await asyncio.gather(*map(first, lines))


async def cached(mouth: Mouth, lines: list[str]) -> Times:
    """Return milliseconds from asking for a kept line to having it."""
    with tempfile.TemporaryDirectory() as folder:
        phrases = Phrases(Path(folder), mouth)
        await phrases.warm(lines)
        times = []
        for line in lines * 20:
            asked = time.perf_counter()
            if phrases.get(line) is None:
                raise RuntimeError(f"not kept: {line}")
            times.append(time.perf_counter() - asked)
    return _spread(times)


def _spread(times: list[float]) -> Times:
    """Return median, p90, p95 and the most, in milliseconds."""
    cuts = statistics.quantiles(times, n=20, method="inclusive")
    parts = {"p50": statistics.median(times), "p90": cuts[17], "p95": cuts[18], "max": max(times)}
    return {name: round(value * 1000, 4) for name, value in parts.items()}


def _told(times: float | Times) -> str:
    assert isinstance(times, dict)  # noqa: S101 - for the type checker
    return " ".join(f"{name} {value:.0f}" for name, value in times.items()) + " ms"


def _row(run: Run) -> str:
    return (
        f"  {run['calls']} calls  {run['lines']:>3} lines  first sound {_told(run['first_ms'])}  "
        f"RTF {run['rtf_wall']} wall, {run['rtf_cpu']} CPU  late {run['late']}  "
        f"{run['megabytes']} MB"
    )


def _cpu(mouth: Mouth) -> float:
    """Return the CPU seconds of the Piper program so far."""
    fields = Path(f"/proc/{mouth.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _memory(mouth: Mouth) -> float:
    """Return the Piper program's resident memory in megabytes."""
    for line in Path(f"/proc/{mouth.pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1000
    return 0.0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    configure_logs(person=True)
    asyncio.run(main(parser.parse_args().runs))
