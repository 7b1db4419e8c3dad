"""Faults of the machine and its files."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import replace

from agent.service.doctor.finding import Patient
from agent.service.stack import Stack
from tests.pbx.faults.planting import Faults, patient

FAULTS = Faults()


@FAULTS.plant("the restaurant file has a slip", "restaurant")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    copy = stack.settings.home / "restaurant.toml"
    copy.write_text(stack.settings.restaurant.read_text().replace("public_number", "publik"))
    yield Patient(stack.settings.model_copy(update={"restaurant": copy}))


@FAULTS.plant("the passwords can be read by others", "secrets")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    path = stack.settings.home / "secrets.toml"
    path.chmod(0o644)
    yield patient(stack)
    path.chmod(0o600)


@FAULTS.plant("the disk is full", "disk")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield replace(patient(stack), least_disk=shutil.disk_usage(stack.settings.home).free + 2**30)


@FAULTS.plant("the evidence folder can't be written", "evidence")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    calls = stack.settings.calls
    aside = calls.with_name("calls.aside")
    calls.mkdir(exist_ok=True)
    calls.rename(aside)
    calls.write_text("a file")
    yield patient(stack)
    calls.unlink()
    aside.rename(calls)


@FAULTS.plant("the clock is an hour off", "clock")
async def _(stack: Stack) -> AsyncIterator[Patient]:
    yield replace(patient(stack), clock=lambda: time.time() + 3600)
