"""Prometheus's text, and that alert rules and dashboard ask only for what is in it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from agent.errors import SetupError
from agent.service.exporter import Exporter
from agent.service.metrics import FILE, render, write
from agent.service.ports import loopback_settings
from agent.service.watcher import Watcher
from agent.settings import CHECKOUT, Metrics

STATE: dict[str, Any] = {
    "time": 1764271035.25,
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
    assert "pickup_watch_timestamp_seconds 1764271035.25" in lines
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


async def read(port: int) -> aiohttp.ClientResponse:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as a:
        await a.read()
        return a


async def test_the_watch_serves_what_it_knows(tmp_path: Path) -> None:
    settings = loopback_settings(tmp_path)
    watching = asyncio.create_task(Watcher(settings, lambda: 1000.0).run())
    text = ""
    async with asyncio.timeout(20):
        while not re.search(r"free_bytes [1-9]", text) or "timestamp_seconds 1000" not in text:
            with contextlib.suppress(aiohttp.ClientError):
                answer = await read(settings.metrics.port)
                text = await answer.text()
            await asyncio.sleep(0.02)
    watching.cancel()
    await asyncio.wait([watching])
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    with pytest.raises(aiohttp.ClientError):
        await read(settings.metrics.port)


async def test_a_port_that_is_taken_is_told_and_port_0_is_none(tmp_path: Path) -> None:
    port = loopback_settings(tmp_path).metrics.port
    first, second = (Exporter(Metrics(port=port), lambda: STATE) for _ in range(2))
    await first.start()
    with pytest.raises(SetupError, match=r"metrics\.port"):
        await second.start()
    assert "pickup_calls_total 7" in await (await read(port)).text()
    await first.stop()
    none = Exporter(Metrics(port=0), lambda: STATE)
    await none.start()
    await none.stop()
