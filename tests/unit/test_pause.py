"""The owner's switch: texts that turn the agent off and on, and where that is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import SettingsError
from agent.pause import Pause, PauseStore, read_duration
from agent.promises.inbound import HELP, OwnersSwitch
from agent.restaurant import load_restaurant
from agent.settings import Redis, Settings
from tests.redis_fixture import RedisServer

NOW = 1_795_802_400.0
OWNER = "+13165550199"


@pytest.fixture
def store(tmp_path: Path) -> PauseStore:
    return PauseStore(Settings(home=tmp_path, redis=Redis(url="redis://127.0.0.1:1/0")))


@pytest.fixture
def switch(store: PauseStore) -> OwnersSwitch:
    return OwnersSwitch(load_restaurant(Settings().restaurant), store, lambda: NOW)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("2 hours", 7200), ("45", 2700), ("1d", 86400), ("9s", 9)]
)
def test_durations(text: str, seconds: int) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "0m", "8d", "-5m", "1h30"])
def test_what_is_no_duration_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match="30m"):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "off_for"),
    [
        ("off", float("inf")),
        ("Off 2h", 7200),
        ("pickup pause for 30 minutes.", 1800),
        ("on", None),
        ("Resume", None),
    ],
)
def test_the_owner_switches_it_off_and_on(
    store: PauseStore, switch: OwnersSwitch, text: str, off_for: float | None
) -> None:
    store.write(Pause(since=NOW - 9, until=NOW + 9 if off_for is None else 0.0))
    assert "Pickup takes" in switch.obey(OWNER, text)
    state = store.on_disk()
    assert state.holds(NOW) is (off_for is not None)
    assert state.holds(NOW + 1e6) is (off_for == float("inf"))
    if off_for not in (None, float("inf")):
        assert state.until == NOW + off_for


@pytest.mark.parametrize("text", ["hello", "offside", "off tomorrow", ""])
def test_what_the_owner_can_t_have_meant_changes_nothing(
    store: PauseStore, switch: OwnersSwitch, text: str
) -> None:
    assert HELP in switch.obey(OWNER, text)
    assert store.on_disk() == Pause()


def test_nobody_else_is_obeyed_nor_answered(store: PauseStore, switch: OwnersSwitch) -> None:
    assert switch.obey("+13165550111", "off") == ""
    assert store.on_disk() == Pause()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


async def test_the_newer_word_of_disk_and_redis_counts(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    here, there = (
        PauseStore(Settings(home=tmp_path / name, redis=Redis(url=redis_server.url)))
        for name in ("here", "there")
    )
    assert here.write(Pause(since=NOW, until=None, by="owner"))
    assert (await there.read()).holds(NOW)  # another machine's disk knows nothing
    redis_server.kill()
    assert not there.write(Pause(since=NOW + 1, until=NOW + 1, by="owner"))
    assert not (await there.read()).holds(NOW + 2)
    redis_server.start()  # it forgot; the disk has not
    assert (await here.read()).holds(NOW)
    (tmp_path / "here" / "pause.json").write_text("{")
    assert not (await here.read()).holds(NOW)
    for store in (here, there):
        await store.close()
