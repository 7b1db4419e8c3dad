"""Small matrices are multiplied on one thread: twice as fast, and nobody's core is taken."""

from __future__ import annotations

import os
import subprocess
import sys


def test_whoever_imports_pickup_first_has_numpy_on_one_thread() -> None:
    code = "import agent.mind.heads, os; print(os.environ['OPENBLAS_NUM_THREADS'])"
    without = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=without, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "1"
