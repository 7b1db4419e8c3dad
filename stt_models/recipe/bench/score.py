"""Figures of what was said and what was heard."""

from __future__ import annotations

import bisect
import difflib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

BANDS: Final = (0.0, 0.5, 0.7, 0.9, 0.99, 1.01)
"""Limits of the confidences that are told apart."""


def confidences(pairs: list[tuple[str, list[tuple[str, float]]]]) -> list[dict[str, Any]]:
    """Return, per band of confidence, how many words were heard in it and how many were right."""
    counts: list[list[int]] = [[0, 0] for _ in BANDS[1:]]
    for said, words in pairs:
        heard = [word for word, _ in words]
        matched = difflib.SequenceMatcher(None, said.split(), heard, autojunk=False)
        right = {
            block.b + offset
            for block in matched.get_matching_blocks()
            for offset in range(block.size)
        }
        for position, (_, confidence) in enumerate(words):
            band = bisect.bisect_right(BANDS, confidence) - 1
            counts[band][0] += 1
            counts[band][1] += position in right
    return [
        {"from": low, "words": heard, "right": round(100 * right / heard) if heard else None}
        for low, (heard, right) in zip(BANDS, counts, strict=False)
    ]


def wrong(said: str, heard: str) -> int:
    """Return the least number of words to change, add or remove."""
    wanted, got = said.split(), heard.split()
    row = list(range(len(got) + 1))
    for i, word in enumerate(wanted, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(got, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


def error_rate(pairs: list[tuple[str, str]]) -> float:
    """Return the word error rate of (said, heard), in percent."""
    return 100 * sum(wrong(*pair) for pair in pairs) / sum(len(said.split()) for said, _ in pairs)


def spread(values: list[float]) -> dict[str, float]:
    """Return milliseconds at 50, 90, 95 and 100 of a hundred."""
    if not values:
        return {}
    points = np.percentile(np.array(values) * 1_000, (50, 90, 95, 100))
    return dict(zip(("p50", "p90", "p95", "max"), points.round(1).tolist(), strict=True))


def table(rows: Mapping[tuple[str, str], dict[str, Any]]) -> str:
    """Return the word error rates as text."""
    head = f"{'WER, %':<16}{'':<7}{'clips':>6}{'words':>7}{'free':>8}{'grammar':>9}{'sphinx':>8}"
    lines = [head]
    for (kind, noise), row in rows.items():
        cells = [row.get(name) for name in ("free", "grammar", "sphinx")]
        shown = [f"{cell:.1f}" if cell is not None else "–" for cell in cells]
        lines.append(
            f"{kind:<16}{noise:<7}{row['clips']:>6}{row['words']:>7}"
            f"{shown[0]:>8}{shown[1]:>9}{shown[2]:>8}"
        )
    return "\n".join(lines)
