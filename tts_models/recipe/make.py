"""Make the house voice again: ``python tts_models/recipe/make.py``. See README.md beside this.

This file needs Python alone. It prepares what the recipe needs under ``build/voice`` (a virtual
environment, Flite's voice, a small C program) and hands over to ``steps.py`` there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

RECIPE = Path(__file__).resolve().parent
WORK = RECIPE.parent.parent / "build" / "voice"
PACKAGES = ("libflite1", "flite1-dev")
LIBRARIES = ("flite_cmu_us_slt", "flite_usenglish", "flite_cmulex", "flite")


def main(arguments: Sequence[str]) -> int:
    """Prepare, then run the steps; return the exit status."""
    WORK.mkdir(parents=True, exist_ok=True)
    python = prepare_python(WORK / "venv")
    prepare_flite(WORK)
    # One core: matrix products of this size gain nothing from a second one.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [python, RECIPE / "steps.py", "--work", WORK, *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


def prepare_python(folder: Path) -> Path:
    """Return the interpreter of a virtual environment with what requirements.txt names."""
    python, stamp = folder / "bin" / "python", folder / "ready"
    wanted = (RECIPE / "requirements.txt").read_text("utf-8")
    if not (stamp.exists() and stamp.read_text("utf-8") == wanted):
        print("Preparing a virtual environment (torch is large) …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        command = [python, "-m", "pip", "install", "-q", "-r", RECIPE / "requirements.txt"]
        subprocess.run(command, check=True)
        stamp.write_text(wanted, "utf-8")
    return python


def prepare_flite(work: Path) -> Path:
    """Return the program that dumps Flite's parameters, built against Debian's Flite.

    Debian's packages are unpacked, not installed: no root is needed.
    """
    program, source = work / "flite_dump", RECIPE / "flite_dump.c"
    if program.exists() and program.stat().st_mtime >= source.stat().st_mtime:
        return program
    print("Fetching Flite and building the dumper …", flush=True)
    packages, root = work / "packages", work / "root"
    packages.mkdir(exist_ok=True)
    subprocess.run(["apt-get", "download", *PACKAGES], cwd=packages, check=True)
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    libraries = next(root.glob("usr/lib/*-linux-gnu"))
    # The libraries call one another without naming it; the old kind of run path finds them.
    linker = f"-Wl,--allow-shlib-undefined,--disable-new-dtags,-rpath,{libraries}"
    command = ["gcc", "-O2", "-Wall", "-o", program, source, f"-I{root}/usr/include"]
    command += [f"-L{libraries}", *(f"-l:lib{name}.so.1" for name in LIBRARIES), "-lm", linker]
    subprocess.run(command, check=True)
    return program


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
