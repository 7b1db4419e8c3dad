"""Ports on loopback for a Pickup beside others: the demo, the tests, the benches."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from agent.service.secrets import ensure_secrets
from agent.settings import Settings, load_settings

RTP_PORTS: Final = 200
"""Two a call leg (RTP and RTCP); enough for 50 calls with both legs."""


STAND_IN_TWILIO: Final = {
    "account_sid": "AC" + "0" * 31 + "1",
    "from_number": "+13165550100",
    "api_base": "http://127.0.0.1:8768",
    "public_webhook_url": "http://127.0.0.1:8766",
}
"""How to reach the local stand-in of Twilio's API instead of Twilio. Its number is fictional."""


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a loopback port nobody listens on right now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def loopback_settings(home: Path, **overrides: Any) -> Settings:
    """Return settings with ports of their own, so that nothing else on the box is in the way.

    Secrets are made if the home has none. Text messages go to the local stand-in of Twilio's
    API (``agent.evaluate.standin``). ``overrides`` are sections as mappings, merged in.

    Raises:
        SettingsError: an override does not fit.
    """
    ensure_secrets(home)
    password = urlsplit(load_settings(home=home).redis.url).password or ""
    rtp = random.SystemRandom().randrange(22000, 30000, 2 * RTP_PORTS)
    webhook = free_port()
    return load_settings(
        home=home,
        agent={"port": free_port(), "gate_port": free_port()} | overrides.pop("agent", {}),
        pbx={
            "http_port": free_port(),
            "sip_port": free_port(socket.SOCK_DGRAM),
            "ami_port": free_port(),
            "rtp_first": rtp,
            "rtp_last": rtp + RTP_PORTS - 1,
        },
        trunk={"peer_port": (carrier_sip := free_port(socket.SOCK_DGRAM))},
        carrier={
            "http_port": free_port(),
            "sip_port": carrier_sip,
            "rtp_first": rtp + RTP_PORTS,
            "rtp_last": rtp + 2 * RTP_PORTS - 1,
        },
        redis={"url": f"redis://:{password}@127.0.0.1:{free_port()}/0"},
        twilio={
            **STAND_IN_TWILIO,
            "api_base": f"http://127.0.0.1:{free_port()}",
            "webhook_port": webhook,
            "public_webhook_url": f"http://127.0.0.1:{webhook}",
        },
        metrics={"port": free_port()},
        **overrides,
    )
