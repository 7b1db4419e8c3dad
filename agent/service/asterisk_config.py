"""An Asterisk's configuration: the files in ``asterisk/<role>/``, filled in for this machine."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import phonenumbers

from agent.errors import SetupError
from agent.restaurant import Restaurant, load_restaurant
from agent.settings import CHECKOUT, Settings

Role = Literal["pbx", "carrier"]

_EMPTY_FILES: Final = (
    "acl",
    "ccss",
    "cdr",
    "cel",
    "features",
    "indications",
    "manager",
    "pjproject",
    "stasis",
    "udptl",
    "websocket_client",
)
"""Files whose absence Asterisk 22 reports as an error though it needs nothing from them."""

_PLACEHOLDER: Final = re.compile(r"@([a-z_]+)@")


@dataclass(frozen=True, slots=True)
class Installation:
    """An Asterisk that fits: its program, its modules, its sounds (``data/sounds/en``)."""

    binary: Path
    modules: Path
    data: Path
    version: str


def find_asterisk(build: Path = CHECKOUT / "build") -> Installation:
    """Return the Asterisk that ``asterisk/install`` chose.

    Raises:
        SetupError: it never ran, or what it found is gone.
    """
    remedy = "Run make setup."
    try:
        found = tomllib.loads((build / "asterisk.toml").read_text())
    except FileNotFoundError as error:
        raise SetupError("Asterisk is not set up.", remedy=remedy) from error
    installation = Installation(
        binary=Path(found["binary"]),
        modules=Path(found["modules"]),
        data=Path(found["data"]),
        version=found["version"],
    )
    for path in (installation.binary, installation.modules, installation.data):
        if not path.exists():
            raise SetupError(f"Asterisk's {path} is gone.", remedy=remedy)
    return installation


def render(template: str, values: Mapping[str, str]) -> str:
    """Return ``template`` with every ``@name@`` replaced.

    Raises:
        SetupError: a name has no value, or a value would break the file's syntax.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise SetupError(
                f"Asterisk's configuration asks for @{name}@, which does not exist.",
                remedy="Correct the name in asterisk/.",
            )
        if re.search(r"[;\r\n]", values[name]):
            raise SetupError(
                f"{values[name]!r} can't stand in Asterisk's configuration as {name}.",
                remedy="Use a value without semicolons and line breaks.",
            )
        return values[name]

    return _PLACEHOLDER.sub(value, template)


def ways_to_dial(number: str) -> tuple[str, ...]:
    """Return the digits by which a trunk may name ``number`` (E.164): with and without country."""
    parsed = phonenumbers.parse(number)
    national = phonenumbers.national_significant_number(parsed)
    return (f"{parsed.country_code}{national}", national)


def configuration(
    role: Role,
    settings: Settings,
    found: Installation,
    *,
    dialplan: Path | None = None,
    local: Path | None = None,
) -> dict[str, str]:
    """Return every configuration file of ``role``: file name to text.

    ``dialplan`` and ``local`` are the folders whose dialplan files are included; by default
    the copies that Asterisk reads (see ``agent.service.dialplan.files``).

    Raises:
        SetupError: a placeholder has no value, or a value would break a file's syntax.
        RestaurantError: the restaurant file is wrong.
    """
    values = _values(role, settings, found, load_restaurant(settings.restaurant))
    copy = settings.home.resolve() / role / "dialplan"
    values["dialplan"] = str(dialplan or copy)
    values["dialplan_local"] = str(local or copy / "local")
    outside = settings.dial_out.numbers
    values["dial_out"] = f"#include {values['dialplan']}/dial-out.conf" if outside else ""
    values["dial_out_numbers"] = "-".join(way for n in outside for way in ways_to_dial(n))
    dials = outside or settings.dial_out.phones
    values["dial_module"] = "load = app_dial.so" if dials else ""
    files = {f"{name}.conf": "; Empty on purpose.\n" for name in _EMPTY_FILES}
    for template in (CHECKOUT / "asterisk" / role).glob("*.conf"):
        files[template.name] = render(template.read_text(encoding="utf-8"), values)
    return files


def _values(
    role: Role, settings: Settings, found: Installation, restaurant: Restaurant
) -> dict[str, str]:
    home = settings.home.resolve() / role
    values = {
        "etc": str(home / "etc"),
        "var": str(home),
        "modules": str(found.modules),
        "data": str(found.data),
        "public_number": restaurant.public_number,
        "trunk_number": settings.trunk.number,
    }
    if role == "carrier":
        carrier = settings.carrier
        return values | {
            "carrier_host": carrier.host,
            "http_port": str(carrier.http_port),
            "sip_port": str(carrier.sip_port),
            "ari_user": carrier.ari_user,
            "ari_password": carrier.ari_password.get_secret_value(),
            "rtp_first": str(carrier.rtp_first),
            "rtp_last": str(carrier.rtp_last),
            "ring_seconds": str(carrier.ring_seconds),
            "pbx_sip_host": settings.pbx.sip_host,
            "pbx_sip_port": str(settings.pbx.sip_port),
        }
    pbx = settings.pbx
    numbers = dict.fromkeys(
        way
        for number in (settings.trunk.number, restaurant.public_number)
        for way in ways_to_dial(number)
    )
    return values | {
        "local": str(settings.home / "local"),
        "sounds": str(CHECKOUT / "asterisk" / "sounds"),
        "restaurant": re.sub(r"[^\w .&'-]", " ", restaurant.name),
        "numbers": "-".join(numbers),
        "http_host": pbx.host,
        "http_port": str(pbx.http_port),
        "sip_host": pbx.sip_host,
        "sip_port": str(pbx.sip_port),
        "ami_port": str(pbx.ami_port),
        "ami_user": pbx.ami_user,
        "ami_password": pbx.ami_password.get_secret_value(),
        "ari_user": pbx.ari_user,
        "ari_password": pbx.ari_password.get_secret_value(),
        "app": pbx.app,
        "rtp_first": str(pbx.rtp_first),
        "rtp_last": str(pbx.rtp_last),
        "agent_host": settings.agent.host,
        "agent_port": str(settings.agent.port),
        "gate_port": str(settings.agent.gate_port),
        "peer": settings.trunk.peer,
        "peer_port": str(settings.trunk.peer_port),
    }
