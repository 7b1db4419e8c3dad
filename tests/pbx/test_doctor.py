"""The doctor's table of faults: each is planted in a real house, and the right hop is named first.

The table is in ``tests/pbx/faults``, in the order of the chain; ``make doctor-faults`` prints it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from agent.service.doctor.chain import examine
from agent.service.doctor.finding import Finding, Patient, Verdict
from agent.service.ports import loopback_settings
from agent.service.stack import Stack
from tests.pbx.faults import agent, machine, pbx, texts_and_calls
from tests.pbx.faults.planting import patient, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAULTS = {**machine.FAULTS, **pbx.FAULTS, **agent.FAULTS, **texts_and_calls.FAULTS}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    home = tmp_path_factory.mktemp("x")
    settings = loopback_settings(home, dial_out={"numbers": ["+13165550142"]})
    async with Stack(settings, carrier=True) as running:
        yield running


async def test_the_table_is_long_enough() -> None:
    assert len(FAULTS) >= 25


async def first_named(house: Patient) -> Finding:
    """Return the doctor's first finding that is not well."""
    findings = [finding async for finding in examine(house, until_bad=True)]
    return findings[-1]


async def test_a_healthy_house_is_all_green(stack: Stack) -> None:
    await until(lambda: (stack.settings.home / "watch.json").exists())
    findings = [finding async for finding in examine(patient(stack))]
    slow = [f for f in findings if f.hop == "speed" and f.verdict is Verdict.WARN]
    ill = [f for f in findings if f.verdict is not Verdict.WELL and f not in slow]
    assert ill == []
    assert len(findings) > 25


@pytest.mark.parametrize("what", FAULTS)
async def test_the_broken_hop_is_named_first(
    stack: Stack, what: str, record_property: Callable[[str, object], None]
) -> None:
    hop, plant = FAULTS[what]
    async with plant(stack) as house:
        found = await first_named(house)
    record_property("saw", found.saw)
    print(f"{'ok' if found.hop == hop else 'WRONG':<6} {what:<55} {found.hop:<11} {found.saw}")  # noqa: T201
    assert found.hop == hop, found
    assert found.verdict is not Verdict.WELL
    assert found.do
