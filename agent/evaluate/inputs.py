"""What decides how a run goes, as hashes: code, models, settings, restaurant files, cases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from agent.evaluate.case import Run
from agent.evidence.machine import fingerprint, without_secrets
from agent.settings import CHECKOUT, Settings

SHORT: Final = 16
"""Hex digits kept of a hash: enough to tell two versions apart."""

MINDS: Final = frozenset({"embedder", "mind", "decide"})
"""The models that decide in a typed conversation; the others are of sound."""


def inputs_of(
    settings: Settings, worlds: Path, runs: Sequence[Run] = (), driver: str = "text"
) -> dict[str, str]:
    """Return a hash for each thing that decides how ``runs`` go.

    Raises:
        EvidenceError: one of them can't be read.
    """
    models = {
        name: fingerprint(path)[:SHORT]
        for name, path in (
            (name, getattr(settings.models, name)) for name in type(settings.models).model_fields
        )
        if path is not None and path.exists() and (driver != "text" or name in MINDS)
    }
    return {
        "code": _code_hash(CHECKOUT / "agent"),
        **{f"model {name}": digest for name, digest in models.items()},
        "mind": _hash(without_secrets(settings.mind)),
        "worlds": fingerprint(worlds)[:SHORT],
        "cases": _hash([run.case.model_dump(mode="json") for run in runs]),
    }


def inputs_hash(inputs: Mapping[str, str], **how: object) -> str:
    """Return one hash over all of ``inputs`` and ``how`` they are played."""
    return _hash([sorted(inputs.items()), sorted(how.items())])


def _code_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:SHORT]


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT]
