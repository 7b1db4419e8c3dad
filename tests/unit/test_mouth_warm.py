"""``pickup warm`` on a restaurant file that changes, with the real Piper program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from agent.settings import CHECKOUT

HIKARI = CHECKOUT / "evals" / "worlds" / "hikari.toml"


def warm(home: Path, restaurant: Path) -> dict[str, object]:
    result = subprocess.run(
        [sys.executable, "-m", "agent.cli", "warm", "--json"],
        env=os.environ | {"PICKUP_HOME": str(home), "PICKUP_RESTAURANT": str(restaurant)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    report: dict[str, object] = json.loads(result.stdout)
    return report


def test_a_changed_restaurant_file_re_speaks_only_what_changed(tmp_path: Path) -> None:
    file = tmp_path / "restaurant.toml"
    file.write_text(HIKARI.read_text("utf-8"), "utf-8")
    first = warm(tmp_path, file)
    assert first["spoken"] == first["lines"]
    kept = set((tmp_path / "phrases").iterdir())
    assert warm(tmp_path, file)["spoken"] == 0

    before = "There's free parking behind the building."
    text = file.read_text("utf-8")
    assert text.count(before) == 1
    file.write_text(text.replace(before, "Parking is $2 behind the building."), "utf-8")
    changed = warm(tmp_path, file)
    assert (changed["lines"], changed["spoken"]) == (first["lines"], 1)
    assert kept < set((tmp_path / "phrases").iterdir())
