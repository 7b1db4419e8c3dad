"""Every recipe passes the check as its README says it is put to use."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from agent.service.dialplan import files
from agent.service.dialplan.graph import Graph
from agent.service.secrets import ensure_secrets
from agent.settings import CHECKOUT, Settings, load_settings

RECIPES = CHECKOUT / "dialplan" / "recipes"
NAMES = sorted(path.name for path in RECIPES.iterdir() if path.is_dir())


def filled(path: Path) -> str:
    """Return a recipe's file with the example values put in."""
    return re.sub(r"<([^>\n]+)>", r"\1", path.read_text())


def cooked(name: str, home: Path) -> Settings:
    """Put a recipe to use in ``home`` and return the settings."""
    ensure_secrets(home)
    (home / "local").mkdir()
    for file in (RECIPES / name).glob("*.conf"):
        (home / "local" / file.name).write_text(filled(file))
    toml = RECIPES / name / "pickup.toml"
    settings: dict[str, Any] = tomllib.loads(filled(toml)) if toml.exists() else {}
    settings.pop("restaurant", None)
    settings.get("redis", {}).pop("url", None)
    return load_settings(home=home, **settings)


def test_all_that_were_promised_are_there() -> None:
    assert len(NAMES) >= 7
    readme = (RECIPES / "README.md").read_text()
    assert all(f"`{name}`" in readme for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_right(name: str, tmp_path: Path) -> None:
    assert files.problems(cooked(name, tmp_path)) == []


@pytest.mark.parametrize("name", ["ring-staff", "after-hours", "vip"])
def test_the_counter_is_rung_and_the_agent_is_behind_it(name: str, tmp_path: Path) -> None:
    plan, around = files.read(cooked(name, tmp_path))
    graph = Graph(plan)
    reached = graph.reachable([step for e in around.entries for step in graph.entries(e)])
    rings = [step for step in reached.values() if step.app == "Dial"]
    assert [step.arguments for step in rings] == ["PJSIP/counter,20"]
    behind = graph.reachable(rings)
    assert any(step.app == "Stasis" for step in behind.values())


def test_two_restaurants_share_no_port(tmp_path: Path) -> None:
    first, second = load_settings(home=tmp_path / "1"), cooked("two-restaurants", tmp_path)

    def ports(settings: Settings) -> set[int]:
        pbx, agent = settings.pbx, settings.agent
        rtp = range(pbx.rtp_first, pbx.rtp_last + 1)
        own = {pbx.sip_port, pbx.http_port, pbx.ami_port, agent.port, agent.gate_port}
        return own | set(rtp) | {settings.twilio.webhook_port}

    assert not ports(first) & ports(second)
