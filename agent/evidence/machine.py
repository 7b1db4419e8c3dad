"""What ran: versions, hashes and settings, as they go into every bundle's ``call.json``."""

from __future__ import annotations

import hashlib
import platform
import tomllib
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, SecretStr

from agent import __version__
from agent.errors import EvidenceError
from agent.settings import CHECKOUT, Settings

ENGINES: Final = ("vosk", "onnxruntime", "llama-cpp-python", "piper-tts")
"""Packages whose version decides what is heard, understood and said."""

_CHUNK: Final = 1 << 20


def describe_machine(settings: Settings) -> dict[str, Any]:
    """Return versions, hashes and settings, secrets left out.

    The models are read once per process (0.1–0.3 s for 120 MB), the restaurant file each
    time: its owner edits it.

    Raises:
        EvidenceError: a model or the restaurant file can't be read.
    """
    return {
        "pickup": __version__,
        "python": platform.python_version(),
        "asterisk": _asterisk_version(),
        "engines": {name: _version(name) for name in ENGINES},
        "models": {
            name: {"path": str(path), "sha256": _model_fingerprint(path)}
            for name, path in _models(settings).items()
            if path.exists()
        },
        "restaurant": {
            "path": str(settings.restaurant),
            "sha256": fingerprint(settings.restaurant),
        },
        "settings": without_secrets(settings),
    }


def started_card(started: datetime, zone: str) -> dict[str, Any]:
    """Return what ``call.json`` begins with.

    Args:
        started: When the call began; aware.
        zone: The restaurant's time zone.
    """
    return {
        "started_utc": started.astimezone(UTC).isoformat(timespec="milliseconds"),
        "started_local": started.astimezone(ZoneInfo(zone)).isoformat(timespec="milliseconds"),
        "time_zone": zone,
    }


def fingerprint(path: Path) -> str:
    """Return the sha256 of a file, or of a folder's names and contents in name order.

    Raises:
        EvidenceError: it can't be read.
    """
    digest = hashlib.sha256()
    try:
        if path.is_file():
            _feed(digest, path)
        else:
            for part in sorted(p for p in path.rglob("*") if p.is_file()):
                digest.update(part.relative_to(path).as_posix().encode() + b"\0")
                _feed(digest, part)
    except OSError as error:
        raise EvidenceError(
            f"{path}: can't be read ({error.strerror}).", remedy="Run the set-up again."
        ) from error
    return digest.hexdigest()


def without_secrets(model: BaseModel) -> dict[str, Any]:
    """Return the fields of ``model`` as JSON values, without secrets and passwords in URLs."""
    kept: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            kept[name] = without_secrets(value)
        elif isinstance(value, Path):
            kept[name] = str(value)
        elif isinstance(value, str) and "@" in value and "://" in value:
            parts = urlsplit(value)
            kept[name] = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        elif not isinstance(value, SecretStr):
            kept[name] = value
    return kept


def _feed(digest: hashlib._Hash, path: Path) -> None:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)


def _models(settings: Settings) -> dict[str, Path]:
    named = {name: getattr(settings.models, name) for name in type(settings.models).model_fields}
    chosen = {name: path for name, path in named.items() if path is not None}
    return {**chosen, "vad": CHECKOUT / "stt_models" / "silero-vad"}


@cache
def _model_fingerprint(path: Path) -> str:
    return fingerprint(path)


def _asterisk_version() -> str:
    """Return the version that ``asterisk/install`` chose; empty if Asterisk runs elsewhere."""
    try:
        return str(tomllib.loads((CHECKOUT / "build" / "asterisk.toml").read_text())["version"])
    except FileNotFoundError:
        return ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
