"""A call as a picture: both voices over time, the words, and how long each answer took."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.audio import SAMPLE_RATE
from agent.evidence.bundle import Bundle, Said
from agent.evidence.measures import stages
from agent.evidence.recorder import AGENT_AUDIO, CALLER_AUDIO
from agent.evidence.wav import read_wav

ROW_SECONDS: Final = 12.0
SECOND: Final = 90
"""Pixels per second."""
LEFT: Final = 70
LANE: Final = 26
"""Half the height of a voice's lane, in pixels."""
TEXT: Final = 15
"""Pixels from one line of words to the next."""
ROW: Final = 4 * LANE + 8 * TEXT
BUCKETS: Final = 50
"""Bars of the waveform per second."""
LETTER: Final = 6.4
"""Width of a letter at 12 px, on average."""

CALLER: Final = "#0b7285"
AGENT: Final = "#2b8a3e"


@dataclass(frozen=True, slots=True)
class _Lane:
    name: str
    colour: str
    middle: float
    words: float
    """Where the first line of words stands, relative to the row's top."""


LANES: Final = (
    _Lane("caller", CALLER, 3.5 * TEXT + LANE, TEXT),
    _Lane("agent", AGENT, 4 * TEXT + 3 * LANE, 5.2 * TEXT + 4 * LANE),
)


def draw(bundle: Bundle) -> str:
    """Return the call as an SVG document; a missing recording leaves its lane empty."""
    rows = max(1, int(np.ceil(bundle.seconds / ROW_SECONDS)))
    width, height = LEFT + ROW_SECONDS * SECOND + 20, rows * ROW + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        'font-family="DejaVu Sans, Verdana, sans-serif" font-size="12">',
        f'<rect width="{width:.0f}" height="{height}" fill="white"/>',
    ]
    for lane, file in zip(LANES, (CALLER_AUDIO, AGENT_AUDIO), strict=True):
        parts += _waveform(lane, _levels(bundle.folder / file), rows)
    said = list(bundle.transcript())
    for index, words in enumerate(said):
        lane = LANES[0] if words.who == "caller" else LANES[1]
        following = next((other.at for other in said[index + 1 :] if other.who == words.who), None)
        parts += _words(lane, words, following)
    for stage in stages(bundle.events):
        parts += _answer(stage.at, stage.total)
    parts.append("</svg>")
    return "\n".join(parts)


def _x(at: float) -> tuple[int, float]:
    row = int(at // ROW_SECONDS)
    return row, LEFT + (at - row * ROW_SECONDS) * SECOND


def _levels(path: Path) -> NDArray[np.float64]:
    if not path.is_file():
        return np.zeros(0)
    samples = read_wav(path).channel(0).astype(np.float64) / 32768
    size = SAMPLE_RATE // BUCKETS
    whole = samples[: len(samples) // size * size].reshape(-1, size)
    return np.asarray(np.abs(whole).max(axis=1, initial=0.0))


def _waveform(lane: _Lane, levels: NDArray[np.float64], rows: int) -> list[str]:
    parts = []
    for row in range(rows):
        middle = row * ROW + lane.middle
        parts.append(
            f'<text x="8" y="{middle + 4:.0f}" fill="{lane.colour}" font-weight="bold">'
            f"{lane.name}</text>"
            f'<line x1="{LEFT}" x2="{LEFT + ROW_SECONDS * SECOND:.0f}" y1="{middle:.0f}" '
            f'y2="{middle:.0f}" stroke="#ced4da"/>'
        )
    top = max(float(levels.max(initial=0.0)), 0.05)
    strokes = []
    for number, level in enumerate(levels):
        if level < 0.01:
            continue
        row, x = _x(number / BUCKETS)
        middle, reach = row * ROW + lane.middle, LANE * level / top
        strokes.append(f"M{x:.1f} {middle - reach:.1f}V{middle + reach:.1f}")
    parts.append(f'<path d="{"".join(strokes)}" stroke="{lane.colour}" stroke-width="1.4"/>')
    return parts


def _words(lane: _Lane, said: Said, following: float | None) -> list[str]:
    row, x = _x(said.at)
    end_row, end = _x(following) if following is not None else (row + 1, 0.0)
    room = (end if end_row == row else LEFT + ROW_SECONDS * SECOND) - x
    lines = textwrap.wrap(said.text, max(14, int(room / LETTER)), max_lines=3, placeholder=" …")
    top = row * ROW + lane.words
    return [
        f'<text x="{x:.0f}" y="{top + number * TEXT:.0f}" fill="{lane.colour}">'
        f"{escape(line)}</text>"
        for number, line in enumerate(lines)
    ]


def _answer(at: float, total: float) -> list[str]:
    """Mark the time from the caller's last voiced sample to the agent's first."""
    row, x = _x(at)
    y = row * ROW + (LANES[0].middle + LANES[1].middle) / 2
    return [
        f'<rect x="{x:.1f}" y="{y - 4:.0f}" width="{total * SECOND:.1f}" height="8" '
        'fill="#f08c00" opacity="0.85"/>'
        f'<text x="{x + total * SECOND + 4:.0f}" y="{y + 4:.0f}" fill="#a65200" '
        f'font-size="11">{total * 1000:.0f} ms</text>'
    ]


# ── latencies of many calls ─────────────────────────────────────────────────────────────

SHADES: Final = ("#f08c00", "#0b7285", "#2b8a3e", "#862e9c", "#868e96", "#c92a2a")
CHART: Final = (640, 300)
"""Width and height of the chart's own area, in pixels."""
CHART_SECONDS: Final = 2.0


def draw_latencies(runs: Mapping[str, Sequence[float]]) -> str:
    """Return the share of turns answered within a time, one curve a run, as an SVG document.

    Args:
        runs: Latencies in seconds, by the run's name.
    """
    width, height = CHART
    left, top = 50, 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 240}" height="{height + 70}" '
        'font-family="DejaVu Sans, Verdana, sans-serif" font-size="12">',
        f'<rect width="{width + 240}" height="{height + 70}" fill="white"/>',
    ]
    for step in range(int(CHART_SECONDS * 4) + 1):
        x = left + step / 4 / CHART_SECONDS * width
        parts.append(
            f'<path d="M{x:.0f} {top}V{top + height}" stroke="#dee2e6"/>'
            f'<text x="{x:.0f}" y="{top + height + 18}" text-anchor="middle">{step * 250}</text>'
        )
    for share in (0, 50, 90, 100):
        y = top + height * (1 - share / 100)
        parts.append(
            f'<path d="M{left} {y:.0f}H{left + width}" stroke="#dee2e6"/>'
            f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{share} %</text>'
        )
    parts.append(
        f'<text x="{left + width / 2}" y="{top + height + 40}" text-anchor="middle">'
        "ms from the caller's last sound to the agent's first, at the caller's ear</text>"
    )
    for number, (name, latencies) in enumerate(runs.items()):
        colour = SHADES[number % len(SHADES)]
        values = sorted(latencies)
        path = f"M{left} {top + height}"
        for rank, value in enumerate(values, start=1):
            x = left + min(value / CHART_SECONDS, 1.0) * width
            path += f"H{x:.1f}V{top + height * (1 - rank / len(values)):.1f}"
        label = f"{name}: {len(values)} turns"
        parts.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{left + width + 16}" y="{top + 20 + 20 * number}" fill="{colour}">'
            f"{escape(label)}</text>"
        )
    parts.append("</svg>")
    return "\n".join(parts)
