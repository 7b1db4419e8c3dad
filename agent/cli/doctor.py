"""``pickup doctor``: which link of the chain is broken?"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.console import Console

from agent.errors import SettingsError
from agent.service.doctor.finding import Finding, Patient, Verdict, worst
from agent.service.logs import configure_logs
from agent.settings import load_settings

EXIT: Final = {Verdict.WELL: 0, Verdict.WARN: 1, Verdict.BAD: 2}
SIGNS: Final = {
    Verdict.WELL: "[green]✓[/]",
    Verdict.WARN: "[yellow]![/]",
    Verdict.BAD: "[red]✗[/]",
}


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Look at every hop of the chain in order. Exit code: 0 all well, 1 look closer, 2 broken."""
    configure_logs(person=True, level=logging.CRITICAL)
    try:
        patient = Patient(load_settings())
    except SettingsError as error:
        _report([Finding("settings", Verdict.BAD, str(error), error.remedy)], as_json=as_json)
        raise typer.Exit(2) from error
    findings = asyncio.run(_examine(patient, quiet=as_json))
    if as_json:
        _report(findings, as_json=True)
    raise typer.Exit(EXIT[worst(findings)])


async def _examine(patient: Patient, *, quiet: bool) -> list[Finding]:
    from agent.service.doctor.chain import examine  # it loads every engine

    findings = []
    async for finding in examine(patient):
        findings.append(finding)
        if not quiet:
            _report([finding], as_json=False)
    if not quiet:
        first = next((f for f in findings if f.verdict is Verdict.BAD), None)
        said = f"Begin with: {first.hop}." if first else "Nothing is broken."
        Console(highlight=False).print(said)
    return findings


def _report(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        row = {"verdict": worst(findings), "findings": [asdict(finding) for finding in findings]}
        typer.echo(json.dumps(row, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        console.print(f"{SIGNS[finding.verdict]} {finding.hop:<11}", end=" ")
        console.print(finding.saw, markup=False)
        if finding.do:
            console.print(f"              → {finding.do}", markup=False)
