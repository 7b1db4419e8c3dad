"""Fetch one file over HTTP: goes on where it was cut off, and proves what it got.

The unfinished file is ``NAME.part``; beside it ``NAME.part.etag`` remembers which version
of the file it is a part of, so that a file that changed meanwhile is begun anew (RFC 9110,
If-Range). Only a whole file that fits its size and checksum gets its name.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

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


async def fetch(
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
    if out.exists() and (found := await asyncio.to_thread(_sha256, out)) == (sha256 or found):
        return Fetched(out, found, bool(sha256), out.stat().st_size)
    part, tag = out.with_name(f"{out.name}.part"), out.with_name(f"{out.name}.part.etag")
    resumed = part.stat().st_size if part.exists() else 0
    timeout = aiohttp.ClientTimeout(sock_connect=_QUIET_SECONDS, sock_read=_QUIET_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        for attempt in range(1, _TRIES + 1):
            before = part.stat().st_size if part.exists() else 0
            try:
                await _take(session, url, part, tag, size, on_progress)
                break
            except (aiohttp.ClientError, TimeoutError) as error:
                there = part.stat().st_size if part.exists() else 0
                if attempt == _TRIES or there <= before:
                    raise SetupError(
                        f"{url} can't be fetched ({type(error).__name__}: {error}).",
                        remedy=f"Try again: it goes on after {there:,} bytes.",
                    ) from error
    found = await asyncio.to_thread(_sha256, part)
    if sha256 and found != sha256.lower():
        part.unlink()
        tag.unlink(missing_ok=True)
        raise SetupError(
            f"{url} isn't the file the catalogue means: its sha256 is {found}, not {sha256}.",
            remedy="Nothing of it was kept. If the publisher made a new version, check it and "
            "change the catalogue.",
        )
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(out)
    tag.unlink(missing_ok=True)
    return Fetched(out, found, bool(sha256), resumed)


async def _take(
    session: aiohttp.ClientSession,
    url: str,
    part: Path,
    tag: Path,
    size: int | None,
    on_progress: Progress,
) -> None:
    there = part.stat().st_size if part.exists() else 0
    etag = tag.read_text("utf-8") if tag.exists() else ""
    if there and not etag:
        # Without knowing what it is a part of, two versions could be glued together.
        part.unlink()
        there = 0
    headers = {"Range": f"bytes={there}-", "If-Range": etag} if there else {}
    async with session.get(url, headers=headers) as answer:
        if answer.status == 416 and there:
            part.unlink()
            raise aiohttp.ClientPayloadError("the part was longer than the file; it is begun anew")
        if answer.status not in {200, 206}:
            raise SetupError(
                f"{url} can't be fetched: the server answers {answer.status} {answer.reason}.",
                remedy="Look at the address in the catalogue; the file may have moved.",
            )
        if answer.status == 206 and _first_byte(answer) != there:
            raise aiohttp.ClientPayloadError("the server sent another part than was asked for")
        if answer.status == 200:
            there = 0
        strong = answer.headers.get("ETag", "")
        if strong and not strong.startswith("W/"):
            tag.write_text(strong, "utf-8")
        whole = None if answer.content_length is None else there + answer.content_length
        if size is not None and whole is not None and whole != size:
            raise SetupError(
                f"{url} has {whole:,} bytes, the catalogue says {size:,}.",
                remedy="The publisher changed it; check the new one and change the catalogue.",
            )
        with part.open("ab" if there else "wb") as file:
            async for chunk in answer.content.iter_chunked(_CHUNK):
                file.write(chunk)
                there += len(chunk)
                on_progress(there, whole or size)
    if (whole or size) not in {None, there}:
        raise aiohttp.ClientPayloadError(f"the connection ended after {there:,} bytes")


def _first_byte(answer: aiohttp.ClientResponse) -> int | None:
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
