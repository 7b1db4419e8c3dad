"""A real Redis, the restaurant's PBX and the phone company, once per test session.

They live in a temporary home with passwords and ports of their own, so a running Pickup,
or another test run, is never in the way.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.restaurant import Restaurant, load_restaurant
from agent.service.asterisk import AsteriskServer
from agent.service.ports import loopback_settings
from agent.service.redis_server import RedisServer
from agent.service.secrets import ensure_secrets
from agent.settings import Settings

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.pbx)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    """A home with a short path: Asterisk's control socket must fit into 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="pickup-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def settings(home: Path) -> Settings:
    """Settings with free ports and generated passwords."""
    ensure_secrets(home)
    return loopback_settings(home)


@pytest.fixture(scope="session")
def restaurant(settings: Settings) -> Restaurant:
    """The example restaurant."""
    return load_restaurant(settings.restaurant)


@pytest.fixture(scope="session")
def redis_server(settings: Settings) -> Iterator[RedisServer]:
    """Redis, running."""
    with RedisServer(settings) as server:
        yield server


@pytest.fixture(scope="session")
def pbx(settings: Settings) -> Iterator[AsteriskServer]:
    """The restaurant's PBX, running."""
    with AsteriskServer("pbx", settings) as server:
        yield server


@pytest.fixture(scope="session")
def carrier(settings: Settings) -> Iterator[AsteriskServer]:
    """The phone company, running."""
    with AsteriskServer("carrier", settings) as server:
        yield server
