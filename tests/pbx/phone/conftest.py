"""A PBX of its own for the phone's tests: they count its channels and bridges."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from agent.service.asterisk import AsteriskServer
from agent.service.ports import loopback_settings
from agent.settings import Settings
from tests.pbx.phone.house import House, opened


@pytest.fixture(scope="package")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return loopback_settings(tmp_path_factory.mktemp("phone"), agent={"max_calls": 3})


@pytest.fixture(scope="package")
def pbx(settings: Settings) -> Iterator[AsteriskServer]:
    with AsteriskServer("pbx", settings) as server:
        yield server


@pytest.fixture
async def house(settings: Settings, pbx: AsteriskServer) -> AsyncIterator[House]:
    async with opened(settings, pbx) as house:
        yield house
