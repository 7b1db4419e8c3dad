"""Who listens where: that it is us, and that nobody outside can reach what is not for them."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from agent.service.doctor.finding import Finding, Patient, bad, warn, well

_TABLES: Final = (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07"))
"""/proc/net tables and the state of a socket that takes what comes (proc(5))."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that takes connections or datagrams."""

    protocol: str
    address: str
    port: int
    program: str
    pid: int


def listeners() -> list[Listener]:
    """Return every listener of this machine; programs of other users have no name."""
    owners: dict[str, tuple[int, str]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            name = " ".join(Path(word.decode(errors="replace")).name for word in words[:5] if word)
            for fd in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    owners.setdefault(str(fd.readlink()), (int(process.name), name))
    return list(_read(owners))


def _read(owners: dict[str, tuple[int, str]]) -> Iterator[Listener]:
    for table, state in _TABLES:
        file = Path("/proc/net") / table
        for line in file.read_text().splitlines()[1:] if file.exists() else ():
            fields = line.split()
            if fields[3] != state:
                continue
            raw, port = fields[1].split(":")
            words = [bytes.fromhex(raw[i : i + 8])[::-1] for i in range(0, len(raw), 8)]
            pid, name = owners.get(f"socket:[{fields[9]}]", (0, ""))
            address = str(ipaddress.ip_address(b"".join(words)))
            yield Listener(table[:3], address, int(port, 16), name, pid)


async def ports(patient: Patient) -> Finding:
    """Every port of ours is held by the program that it is for."""
    settings = patient.settings
    pbx, agent = settings.pbx, settings.agent
    redis = urlsplit(settings.redis.url)
    wanted = [
        ("pbx.sip_port", "udp", pbx.sip_port, "asterisk"),
        ("pbx.http_port", "tcp", pbx.http_port, "asterisk"),
        ("pbx.ami_port", "tcp", pbx.ami_port, "asterisk"),
        ("redis.url", "tcp", redis.port or 6379, "redis"),
        ("agent.port", "tcp", agent.port, "agent"),
        ("agent.gate_port", "tcp", agent.gate_port, "agent"),
        ("twilio.webhook_port", "tcp", settings.twilio.webhook_port, "agent"),
        ("metrics.port", "tcp", settings.metrics.port, "agent"),
    ]
    here = listeners()
    for name, protocol, port, program in wanted:
        for found in (f for f in here if (f.protocol, f.port) == (protocol, port)):
            if found.program and not _is(found.program, program):
                saw = f"{name} {port}/{protocol} is held by {found.program!r} (pid {found.pid})."
                return bad("ports", saw, f"Stop that program, or give {name} another port.")
    own = {port for _, _, port, _ in wanted if port != pbx.sip_port}
    outside = [f for f in here if f.port in own and not ipaddress.ip_address(f.address).is_loopback]
    if outside:
        first = outside[0]
        saw = f"{first.program or 'A program'} listens on {first.address}:{first.port}."
        return warn("ports", saw, "Set its host to 127.0.0.1 unless a firewall guards it.")
    least = 4 * agent.max_calls
    if pbx.rtp_last - pbx.rtp_first + 1 < least:
        saw = f"RTP ports {pbx.rtp_first}–{pbx.rtp_last} are too few for {agent.max_calls} calls."
        return bad("ports", saw, f"Widen pbx.rtp_first … rtp_last to {least} ports at least.")
    return well("ports", f"{len(wanted)} ports held by our own programs or free.")


def _is(command: str, program: str) -> bool:
    names = {"asterisk": ("asterisk",), "redis": ("redis",), "agent": ("agent.cli", "pickup")}
    return any(name in command for name in names[program])
