"""Fetch one file over HTTP: goes on where it was cut off, and proves what it got.

The unfinished file is ``NAME.part``; beside it ``NAME.part.etag`` remembers which version
of the file it is a part of, so that a file that changed meanwhile is begun anew (RFC 9110,
If-Range). Only a whole file that fits its size and checksum gets its name.
"""

from __future__ import annotations

import hashlib
import http
import http.client
import ipaddress
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from agent.errors import SetupError

_CHUNK: Final = 1 << 18
_QUIET_SECONDS: Final = 30.0
"""A server that says nothing for this long is given up; the part stays."""
_TRIES: Final = 4
"""Cut connections are taken up again this often, as long as each try brought something."""

Progress = Callable[[int, int | None], None]
"""Called with the bytes there are and the bytes there will be, None if unknown."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that arrived whole.

    Attributes:
        path: Where it lies.
        sha256: What it is, in hex.
        verified: True if somebody had said beforehand what it must be.
        resumed: Bytes that were there from an earlier try.
    """

    path: Path
    sha256: str
    verified: bool
    resumed: int


class _CutOff(Exception):
    """The connection ended early, or brought what doesn't continue the part."""


def fetch(
    url: str,
    out: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    on_progress: Progress = lambda _there, _all: None,
) -> Fetched:
    """Fetch ``url`` into ``out``.

    Args:
        url: https, or http on the loopback interface.
        out: The file to be; its folder must exist.
        sha256: What it must be, in hex; None: nobody knows.
        size: Its bytes, if known.
        on_progress: Told after every piece.

    Raises:
        SetupError: the server can't be reached, refuses, or sends something else than was
            expected. What arrived stays for the next try unless it is wrong.
    """
    _check_scheme(url)
    if out.exists() and (found := _sha256(out)) == (sha256 or found):
        return Fetched(out, found, bool(sha256), out.stat().st_size)
    part = _Part(out)
    resumed = part.size
    for attempt in range(1, _TRIES + 1):
        before = part.size
        try:
            _take(url, part, size, on_progress)
            break
        except (_CutOff, OSError, http.client.HTTPException) as error:
            if attempt == _TRIES or part.size <= before:
                raise SetupError(
                    f"{url} can't be fetched ({error}).",
                    remedy=f"Try again: it goes on after {part.size:,} bytes.",
                ) from error
    found = _sha256(part.path)
    if sha256 and found != sha256:
        part.drop()
        raise SetupError(
            f"{url} isn't the file the catalogue means: its sha256 is {found}, not {sha256}.",
            remedy="Nothing of it was kept. If the publisher made a new version, check it and "
            "change the catalogue.",
        )
    part.finish(out)
    return Fetched(out, found, bool(sha256), resumed)


class _Part:
    """The unfinished file, and of which version of the whole it is a part."""

    def __init__(self, out: Path) -> None:
        self.path = out.with_name(f"{out.name}.part")
        self._tag = out.with_name(f"{out.name}.part.etag")
        if not self._tag.exists():
            # Without knowing what it is a part of, two versions could be glued together.
            self.drop()

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def etag(self) -> str:
        return self._tag.read_text("utf-8") if self._tag.exists() else ""

    def remember(self, etag: str) -> None:
        if etag and not etag.startswith("W/"):  # a weak one doesn't promise the same bytes
            self._tag.write_text(etag, "utf-8")

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def finish(self, out: Path) -> None:
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(out)
        self._tag.unlink(missing_ok=True)


def _take(url: str, part: _Part, size: int | None, on_progress: Progress) -> None:
    """Bring the rest of the file into ``part``."""
    there = part.size if part.etag else 0
    headers = {"Range": f"bytes={there}-", "If-Range": part.etag} if there else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - `fetch` checked it
    try:
        answer = urllib.request.urlopen(request, timeout=_QUIET_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and there:
                part.drop()
                raise _CutOff("what was there didn't fit and was dropped") from error
            raise SetupError(
                f"{url} can't be fetched: the server answers {error.code} {error.reason}.",
                remedy="Look at the address in the catalogue; the file may have moved.",
            ) from error
    with answer:
        if answer.status == http.HTTPStatus.OK:
            there = 0
        elif _first_byte(answer) != there:
            raise _CutOff("the server sent another part than was asked for")
        length = answer.headers.get("Content-Length")
        whole = size if length is None else there + int(length)
        if size not in {None, whole}:
            raise SetupError(
                f"{url} has {whole:,} bytes, the catalogue says {size:,}.",
                remedy="The publisher changed it; check the new one and change the catalogue.",
            )
        part.remember(answer.headers.get("ETag", ""))
        with part.path.open("ab" if there else "wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                there += len(chunk)
                on_progress(there, whole)
    if whole not in {None, there}:
        raise _CutOff(f"the connection ended after {there:,} of {whole:,} bytes")


def _first_byte(answer: Any) -> int | None:
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _check_scheme(url: str) -> None:
    """Refuse what anybody on the way could change, except on this machine itself."""
    address = urlsplit(url)
    host = address.hostname or ""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if address.scheme != "https" and not (address.scheme == "http" and local):
        raise SetupError(f"{url} is no https address.", remedy="Correct it in the catalogue.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
