"""Joins the heads with those of an earlier training.

    git show 481b2fb:llm_models/house/heads.npz > earlier.npz
    python llm_models/recipe/join.py earlier.npz

The averaged outputs for moves and slots are steadier than either's. What compares facts stays the
later training's, the gates too.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from wordings import HOUSE

SHARED: Final = ("move", "slot")
"""Heads of two layers that are joined; their outputs must mean the same."""

EARLIER: Final = 0.8
"""Weight of the earlier training: with less, misheard turns were taken for needs (cases)."""


def joined(later: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``later`` with the hidden units of both and the weighted mean of both outputs.

    Raises:
        ValueError: They tell other moves apart.
    """
    if later["moves"].tolist() != earlier["moves"].tolist():
        raise ValueError("The two trainings know different moves.")
    both = dict(later)
    for name in SHARED:
        shares = ((earlier, EARLIER), (later, 1.0 - EARLIER))
        for part in ("0.w", "0.b"):
            both[f"{name}.{part}"] = np.concatenate(
                [one[f"{name}.{part}"] for one, _ in shares], -1
            )
        out = [np.float32(share) * one[f"{name}.1.w"] for one, share in shares]
        bias = sum(np.float32(share) * one[f"{name}.1.b"] for one, share in shares)
        both[f"{name}.1.w"] = np.concatenate(out).astype(np.float16)
        both[f"{name}.1.b"] = np.asarray(bias, np.float16)
    return both


def main() -> None:
    """Join and write the heads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("earlier", type=Path, help="heads of an earlier training")
    given = parser.parse_args()
    path = HOUSE / "heads.npz"
    with np.load(path) as later, np.load(given.earlier) as earlier:
        both = joined(dict(later.items()), dict(earlier.items()))
    np.savez_compressed(path, **both)
    print(f"{path.name}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
