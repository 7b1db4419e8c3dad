"""Which sockets of a process can be reached, and from where."""

from __future__ import annotations

import contextlib
import ipaddress
from pathlib import Path

from agent.service.asterisk import AsteriskServer

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def listening(pid: int) -> set[tuple[str, str, int]]:
    """Return (tcp or udp, address, port) of every TCP listener and UDP socket of a process."""
    sockets = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            sockets.add(str(fd.readlink()))
    found = set()
    for table, state in (("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")):
        file = Path(f"/proc/{pid}/net/{table}")
        lines = file.read_text().splitlines()[1:] if file.exists() else []
        for line in lines:
            fields = line.split()
            if f"socket:[{fields[9]}]" not in sockets or fields[3] != state:
                continue
            address, port = fields[1].split(":")
            words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
            found.add((table[:3], str(ipaddress.ip_address(b"".join(words))), int(port, 16)))
    return found


def assert_keeps_to_loopback(server: AsteriskServer) -> None:
    """Fail if the server can be reached from outside.

    Asterisk's SIP library asks DNS servers from two UDP sockets (IPv4, IPv6) on ports that
    the kernel picks; nothing can be configured there. They take answers to questions only.
    """
    assert server.pid is not None
    first, last = (int(n) for n in EPHEMERAL.read_text().split())
    outside = {s for s in listening(server.pid) if not ipaddress.ip_address(s[1]).is_loopback}
    assert len(outside) <= 2, outside
    for protocol, address, port in outside:
        assert protocol == "udp"
        assert ipaddress.ip_address(address).is_unspecified
        assert first <= port <= last
