"""A real HTTP server on the loopback interface, with the faults of real ones."""

from __future__ import annotations

import hashlib
import http.server
import re
from pathlib import Path

BODY = bytes(range(256)) * 4096
SUM = hashlib.sha256(BODY).hexdigest()


class Shop(http.server.ThreadingHTTPServer):
    """Serves files from memory, with ranges; can cut answers off and change files."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Clerk)
        self.files: dict[str, bytes] = {}
        self.etag = '"one"'
        self.cut_after: list[int] = []
        self.asked: list[str | None] = []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Clerk(http.server.BaseHTTPRequestHandler):
    server: Shop
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        shop = self.server
        shop.asked.append(self.headers.get("Range"))
        body = shop.files.get(self.path.lstrip("/"))
        if body is None:
            self.send_error(404)
            return
        start = 0
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and self.headers.get("If-Range") == shop.etag:
            start = int(wanted[1])
            if start >= len(body):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        if shop.etag:
            self.send_header("ETag", shop.etag)
        self.end_headers()
        end = start + shop.cut_after.pop(0) if shop.cut_after else len(body)
        self.wfile.write(body[start:end])
        if end < len(body):
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
