"""How fast the mouth speaks: ``make bench-mouth``, in the project's own environment.

Times are taken where the player takes them: from asking the mouth for a line to its first
chunk. "At their own pace" is what calls do: each speaks a line, lets it play out, and asks for
the next; an underrun is a next unit that came after the last one had ended. Nothing is
played: playing out is waiting.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from agent.audio import seconds
from agent.mouth import Mouth, Phrases
from agent.mouth.player import AHEAD_SECONDS
from agent.settings import CHECKOUT, load_settings

OUT = CHECKOUT / "build" / "bench" / "mouth.json"
RUNS = 3
LINES_EACH = 6
CALLS = (1, 4, 8)
_TICK = os.sysconf("SC_CLK_TCK")


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


async def main() -> None:
    """Run every measurement, print the table, write the JSON."""
    text = (Path(__file__).parent / "text" / "heldout.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    mouth = Mouth(load_settings())
    began = time.perf_counter()
    await mouth.start()
    start = time.perf_counter() - began
    dice = random.Random(1)
    runs = []
    try:
        kept = await cached(mouth, lines[:20])
        for number in range(1, RUNS + 1):
            for calls in CALLS:
                load = os.getloadavg()[0]
                cpu = _cpu(mouth)
                begun = time.perf_counter()
                each = [dice.sample(lines, LINES_EACH) for _ in range(calls)]
                said = Spoken()
                await asyncio.gather(
                    *(call(mouth, some, said, wait=0.3 * at) for at, some in enumerate(each))
                )
                runs.append(
                    {
                        "run": number,
                        "calls": calls,
                        "lines": len(said.first),
                        "first_ms": _spread(said.first),
                        "rtf_wall": round(said.busy / said.speech, 4),
                        "rtf_cpu": round((_cpu(mouth) - cpu) / said.speech, 4),
                        "late": said.late,
                        "megabytes": round(_memory(mouth), 1),
                        "seconds": round(time.perf_counter() - begun, 1),
                        "load": round(load, 2),
                    }
                )
                print(_row(runs[-1]), flush=True)
    finally:
        await mouth.stop()
    report = {
        "voice": mouth.voice_id[:12],
        "cores": os.cpu_count(),
        "start_seconds": round(start, 2),
        "cached_first_us": kept,
        "runs": runs,
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=2), "utf-8")
    print(f"start until ready {start:.2f} s; a kept line after {kept['p90']} µs (p90)")
    print(f"written: {OUT.relative_to(CHECKOUT)}")


async def call(mouth: Mouth, lines: list[str], said: Spoken, wait: float) -> None:
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


async def cached(mouth: Mouth, lines: list[str]) -> dict[str, float]:
    """Return microseconds from asking for a kept line to having it."""
    with tempfile.TemporaryDirectory() as folder:
        phrases = Phrases(Path(folder), mouth)
        await phrases.warm(lines)
        times = []
        for line in lines * 20:
            asked = time.perf_counter()
            if phrases.get(line) is None:
                raise RuntimeError(f"not kept: {line}")
            times.append(time.perf_counter() - asked)
    return {name: round(value * 1000, 1) for name, value in _spread(times).items()}


def _spread(times: list[float]) -> dict[str, float]:
    """Return median, p90 and the most, in milliseconds."""
    cuts = statistics.quantiles(times, n=10, method="inclusive")
    return {
        "p50": round(statistics.median(times) * 1000, 4),
        "p90": round(cuts[-1] * 1000, 4),
        "max": round(max(times) * 1000, 4),
    }


def _row(run: dict[str, object]) -> str:
    first = run["first_ms"]
    assert isinstance(first, dict)  # noqa: S101 - for the type checker
    return (
        f"run {run['run']}  {run['calls']} calls  {run['lines']:>3} lines  first sound "
        f"p50 {first['p50']:.0f} p90 {first['p90']:.0f} max {first['max']:.0f} ms  "
        f"RTF {run['rtf_wall']} wall, {run['rtf_cpu']} CPU  late {run['late']}  "
        f"{run['megabytes']} MB  load {run['load']}"
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
    asyncio.run(main())
