"""The phones of ``agent/ear/phones.py`` for scripts whose environment has no Pickup in it."""

from __future__ import annotations

import runpy
from pathlib import Path

_FILE = Path(__file__).resolve().parents[2] / "agent" / "ear" / "phones.py"

globals().update(
    {name: value for name, value in runpy.run_path(str(_FILE)).items() if name[:2] != "__"}
)
