"""Asterisk: there, running, with its modules, with the configuration that was deployed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from agent.errors import SetupError
from agent.service.asterisk_config import configuration
from agent.service.dialplan import files
from agent.service.doctor.finding import Finding, Patient, bad, warn, well

TESTED: Final = (22, 10)
"""Asterisk's version that the tests run on; other 22s are taken, other majors told."""


async def installed(patient: Patient) -> Finding:
    """Set-up found or made an Asterisk, and it is still there."""
    try:
        found = patient.asterisk
    except SetupError as error:
        return bad("asterisk", str(error), "make setup")
    if int(found.version.split(".")[0]) != TESTED[0]:
        return warn("asterisk", f"Version {found.version}.", f"Tested is {TESTED[0]}.{TESTED[1]}.")
    return well("asterisk", f"{found.version} at {found.binary}.")


async def running(patient: Patient) -> Finding:
    """It answers on its control socket."""
    said = patient.console("core show uptime")
    if "uptime" not in said.lower():
        log = patient.settings.home / "pbx" / "log" / "messages"
        return bad("running", "Asterisk does not answer its console.", f"Start it; see {log}.")
    return well("running", said.splitlines()[0])


async def modules(patient: Patient) -> Finding:
    """Every module that modules.conf names runs."""
    wanted = set(re.findall(r"^load = (\S+)", _text(patient, "modules.conf"), re.MULTILINE))
    shown = patient.console("module show")
    missing = sorted(wanted - set(re.findall(r"^(\S+\.so) .* Running ", shown, re.MULTILINE)))
    if missing:
        names = ", ".join(missing)
        do = f"module load {missing[0]} on the console says why; then restart Asterisk."
        return bad("modules", f"Not running: {names}.", do)
    return well("modules", f"All {len(wanted)} run.")


async def config(patient: Patient) -> Finding:
    """What Asterisk reads is what these settings make."""
    try:
        texts = configuration("pbx", patient.settings, patient.asterisk)
    except SetupError as error:
        return bad("config", str(error), "Correct the settings.")
    differs = [name for name, text in sorted(texts.items()) if _text(patient, name) != text]
    if differs:
        return bad(
            "config",
            f"In {patient.etc}, {', '.join(differs)} is not what the settings make: edited by"
            " hand, or the settings changed since Asterisk started.",
            "Restart Pickup; put your own lines into local/, which nothing overwrites.",
        )
    return well("config", f"{len(texts)} files as deployed.")


async def dialplan(patient: Patient) -> Finding:
    """The dialplan is right, in use, and cannot dial out unless allowed."""
    wrong = files.problems(patient.settings)
    if wrong:
        more = f" ({len(wrong) - 1} more)" if len(wrong) > 1 else ""
        return bad("dialplan", f"{wrong[0]}{more}", "pickup dialplan check")
    if waiting := files.changed(patient.settings):
        saw = f"Edited, and not in use yet: {', '.join(waiting)}."
        return warn("dialplan", saw, "pickup dialplan apply")
    loaded = patient.console("dialplan show")
    if "[ Context 'from-trunk'" not in loaded:
        saw = "Asterisk has no [from-trunk]: every call is refused."
        return bad("dialplan", saw, "pickup dialplan apply; see Asterisk's log.")
    settings = patient.settings.dial_out
    opened = ", ".join((*settings.numbers, *settings.phones))
    return well("dialplan", f"Right and in use; may call: {opened or 'nobody'}.")


async def prompts(patient: Patient) -> Finding:
    """The apology is there: it is the floor under every caller."""
    shown = patient.console("dialplan show globals")
    missing = []
    for name in ("APOLOGY", "NOT_KEPT"):
        path = re.search(rf"{name}=(\S+)", shown)
        if path is None or not list(Path(path[1]).parent.glob(Path(path[1]).name + ".*")):
            missing.append(f"{name} ({path[1] if path else 'not set'})")
    if missing:
        saw = f"No sound file for {', '.join(missing)}: callers would hear nothing."
        return bad("prompts", saw, "Put the file back, or correct local/globals.conf.")
    return well("prompts", "Apology and notice are there.")


def _text(patient: Patient, name: str) -> str:
    path = patient.etc / name
    return path.read_text("utf-8", errors="replace") if path.exists() else ""
