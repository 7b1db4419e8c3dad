"""How runs went as JUnit XML, which CI servers show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from agent.evaluate.results import Played, Status

_TAGS = {Status.FAILED: "failure", Status.ERRORED: "error", Status.NOT_RUN: "skipped"}


def write_junit(played: Sequence[Played], path: Path, driver: str) -> None:
    """Write one test case a run; a pending run that fails is skipped, with its reason."""
    suite = ET.Element("testsuite", name=f"pickup eval, {driver}", tests=str(len(played)))
    counts = dict.fromkeys(_TAGS.values(), 0)
    for one in played:
        item = ET.SubElement(
            suite, "testcase", classname=one.case, name=one.name, time=f"{one.seconds:.3f}"
        )
        skipped = one.pending and one.status is Status.FAILED
        tag = "skipped" if skipped else _TAGS.get(one.status)
        if tag is None and not one.steady:
            tag = "failure"
        if tag is None:
            continue
        counts[tag] += 1
        faults = one.faults or ("its repeats decided differently",)
        said = one.why if skipped else faults[0]
        ET.SubElement(item, tag, message=_clean(said)).text = _clean("\n".join(faults))
    suite.set("failures", str(counts["failure"]))
    suite.set("errors", str(counts["error"]))
    suite.set("skipped", str(counts["skipped"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _clean(text: str) -> str:
    """Return ``text`` without the control characters that XML can't hold."""
    return "".join(char for char in text if char in "\t\n" or ord(char) >= 0x20)
