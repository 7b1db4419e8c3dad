"""Prometheus's text, and that alert rules and dashboard ask only for what is in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from agent.service.metrics import FILE, render, write
from agent.settings import CHECKOUT

STATE: dict[str, Any] = {
    "time": 1000.5,
    "trunk": "reachable",
    "round_trip_seconds": 0.0021,
    "calls": 7,
    "causes": {"16": 6, "38": 1},
    "security": {'Invalid"Password': 3},
    "rtp_stalls": 1,
    "asterisk_restarts": 0,
    "faults": {"agent.answers": {}},
}
SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="(?:[^"\\]|\\.)*"\})? [-+0-9.e]+')


def names(text: str) -> set[str]:
    return set(re.findall(r"pickup_\w+", text))


def test_every_line_is_of_the_format() -> None:
    text = render(STATE)
    lines = text.splitlines()
    assert all(line.startswith("# ") or SAMPLE.fullmatch(line) for line in lines), text
    assert 'pickup_calls_by_cause_total{cause="38"} 1' in lines
    assert "pickup_trunk_reachable 1" in lines
    assert 'pickup_fault{name="agent.answers"} 1' in lines
    typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    assert {line.split()[0].split("{")[0] for line in lines if line[0] != "#"} <= typed


def test_a_watch_that_knows_nothing_yet_is_no_error(tmp_path: Path) -> None:
    write(tmp_path, {})
    assert "pickup_trunk_reachable 0" in (tmp_path / FILE).read_text()


def test_rules_and_dashboard_ask_for_what_there_is() -> None:
    there = names(render(STATE))
    folder = CHECKOUT / "deploy" / "monitoring"
    rules = yaml.safe_load((folder / "alerts.yml").read_text())["groups"][0]["rules"]
    assert len(rules) >= 5
    assert all(names(rule["expr"]) <= there and names(rule["expr"]) for rule in rules)
    panels = json.loads((folder / "grafana.json").read_text())["panels"]
    asked = {t["expr"] for panel in panels for t in panel["targets"]}
    assert all(names(expr) <= there for expr in asked)
