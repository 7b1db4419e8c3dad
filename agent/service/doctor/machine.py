"""Settings, restaurant file, secrets, disk, evidence: what has to be there before anything runs."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.errors import RestaurantError
from agent.service.doctor.finding import Finding, Patient, bad, warn, well
from agent.service.secrets import FILE_NAME


async def restaurant(patient: Patient) -> Finding:
    """The restaurant file can be read and is right."""
    try:
        found = patient.restaurant
    except RestaurantError as error:
        return bad("restaurant", str(error), "Correct that line; docs/restaurant-file.md.")
    return well("restaurant", f"{found.name}, {len(found.facts)} facts.")


async def secrets(patient: Patient) -> Finding:
    """Passwords are there and nobody else can read them."""
    path = patient.settings.home / FILE_NAME
    if not path.exists():
        return bad("secrets", f"{path} is missing.", "Start Pickup once: it makes the file.")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return bad("secrets", f"{path} can be read by others ({mode:o}).", f"chmod 600 {path}")
    return well("secrets", f"{path.name}, readable by its owner only.")


async def disk(patient: Patient) -> Finding:
    """There is room for evidence and voicemail."""
    home = patient.settings.home
    if not home.is_dir():
        return bad("disk", f"There is no home folder {home}.", "Start Pickup, or set PICKUP_HOME.")
    usage = shutil.disk_usage(home)
    saw = f"{usage.free // 2**20} MiB free of {usage.total // 2**20} at {home}."
    if usage.free < patient.least_disk:
        return bad("disk", saw, "Free space: `pickup calls` names the oldest evidence.")
    return well("disk", saw)


async def evidence(patient: Patient) -> Finding:
    """A call's folder could be made."""
    folder = patient.settings.calls
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as probe:
            probe.write(b"x" * 65_536)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return bad(
            "evidence",
            f"{folder} can't be written ({error.strerror}).",
            "It must be a folder that Pickup's user may write to, on a disk with space.",
        )
    return well("evidence", f"{folder} takes files.")


async def pause(patient: Patient) -> Finding:
    """The owner has not switched the agent off."""
    from agent.pause import PauseStore

    store = PauseStore(patient.settings)
    state = await store.read()
    await store.close()
    if not state.holds(patient.clock()):
        return well("pause", "The agent is switched on.")
    zone = ZoneInfo(patient.restaurant.time_zone)
    until = f"{datetime.fromtimestamp(state.until, zone):%F %H:%M}" if state.until else "told to"
    saw = f"Switched off by {state.by} until {until}: callers reach the mailbox."
    return warn("pause", saw, "pickup resume, or the owner texts: on")
