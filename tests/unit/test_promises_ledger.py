"""The ledger on disk: fsynced, crash-safe, repeatable. No Redis here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import PromiseError, QueueDown
from agent.events import Outcome, PromiseKind
from agent.promises.files import append_line, read_lines
from agent.promises.ledger import HISTORY, Ledger, new_id
from agent.promises.owner import OwnersList
from agent.promises.state import ID_PATTERN, Act, Line, News
from agent.promises.texts import LONGEST, carries, order_link, owner_message, with_token
from agent.settings import Redis, Settings
from tests.redis_fixture import free_port

CALLER = "+13165550123"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, redis=Redis(url=f"redis://127.0.0.1:{free_port()}/0"))


@pytest.fixture
async def ledger(settings: Settings) -> Ledger:
    ids: Iterator[str] = iter(f"abcd{n:04}" for n in range(10_000))
    return Ledger(settings, clock=lambda: 1000.0, fresh_id=lambda: next(ids))


@pytest.fixture
def bundle(settings: Settings) -> Path:
    return settings.calls / "2026-11-22" / "call-1"


async def test_a_promise_is_on_disk_twice_before_make_returns(
    ledger: Ledger, bundle: Path, settings: Settings
) -> None:
    promise = ledger.make(PromiseKind.ORDER_LINK, CALLER, "https://x.example/?t={token}", bundle)
    assert promise.body == "https://x.example/?t=abcd0000"
    marker = json.loads((settings.open_promises / "abcd0000.json").read_text())
    line = json.loads((bundle / HISTORY).read_text())
    assert marker == line
    assert marker["bundle"] == "calls/2026-11-22/call-1"
    assert Ledger(settings).find("abcd0000") == promise


async def test_nothing_is_promised_if_the_disk_does_not_take_it(
    ledger: Ledger, bundle: Path, settings: Settings
) -> None:
    settings.open_promises.write_text("a file where the folder should be")
    with pytest.raises(PromiseError, match="disk"):
        ledger.make(PromiseKind.ORDER_LINK, CALLER, "x", bundle)


async def test_a_message_for_the_owner_is_in_the_list_at_once(
    ledger: Ledger, bundle: Path, settings: Settings
) -> None:
    ledger.make(PromiseKind.OWNER_MESSAGE, "+13165550199", "Table for six. {token}", bundle)
    assert [n.text for n in OwnersList(settings.home).read()] == ["Table for six. abcd0000"]


async def test_a_notice_is_made_once(ledger: Ledger, bundle: Path, settings: Settings) -> None:
    first = ledger.make(PromiseKind.OWNER_MESSAGE, "+1316", "sorry", bundle, about="abcd9999")
    ledger.settle(first)
    again = Ledger(settings).make(
        PromiseKind.OWNER_MESSAGE, "+1316", "sorry", bundle, about="abcd9999"
    )
    assert again == first
    assert ledger.open_ids() == []


async def test_torn_and_strange_lines_are_passed_over(ledger: Ledger, bundle: Path) -> None:
    promise = ledger.make(PromiseKind.ORDER_LINK, CALLER, "x", bundle)
    ledger.note(promise, Line(News.ATTEMPT, 1001.0))
    history = bundle / HISTORY
    with history.open("ab") as out:
        out.write(b'{"promise": "abcd0000", "news": "acc')
    ledger.note(promise, Line(News.UNKNOWN, 1002.0))
    append_line(history, {"promise": "abcd0000", "news": "sung", "time": 1})
    assert [line.news for line in ledger.history(promise)] == [
        News.MADE,
        News.ATTEMPT,
        News.UNKNOWN,
    ]


async def test_every_prefix_of_the_history_is_readable_and_never_sends_twice(
    ledger: Ledger, bundle: Path
) -> None:
    promise = ledger.make(PromiseKind.ORDER_LINK, CALLER, "x", bundle)
    made = len((bundle / HISTORY).read_bytes())
    ledger.note(promise, Line(News.ATTEMPT, 1001.0))
    attempted = len((bundle / HISTORY).read_bytes())
    ledger.note(promise, Line(News.ACCEPTED, 1002.0, receipt="SM1"))
    whole = (bundle / HISTORY).read_bytes()
    for end in range(made, len(whole) + 1):
        (bundle / HISTORY).write_bytes(whole[:end])
        act = ledger.step(promise, ledger.standing(promise)).act
        # the request only leaves once the whole attempt line is on the disk
        assert act is (Act.SEND if end < attempted - 1 else act)
        assert end < attempted - 1 or act in {Act.ASK, Act.CHECK}


async def test_a_lost_history_is_uncertain_not_fresh(ledger: Ledger, bundle: Path) -> None:
    promise = ledger.make(PromiseKind.ORDER_LINK, CALLER, "x", bundle)
    (bundle / HISTORY).unlink()
    assert ledger.step(promise, ledger.standing(promise)).act is Act.ASK


async def test_only_one_holds_a_promise_and_nobody_a_settled_one(
    ledger: Ledger, bundle: Path, settings: Settings
) -> None:
    promise = ledger.make(PromiseKind.ORDER_LINK, CALLER, "x", bundle)
    with ledger.hold(promise.id) as mine, Ledger(settings).hold(promise.id) as theirs:
        assert mine == promise
        assert theirs is None
        ledger.settle(promise)
    with ledger.hold(promise.id) as gone:
        assert gone is None
    assert ledger.find(promise.id) == promise


async def test_a_damaged_marker_is_reported_and_rebuilt(
    ledger: Ledger, bundle: Path, settings: Settings
) -> None:
    promise = ledger.make(PromiseKind.ORDER_LINK, CALLER, "x", bundle)
    (settings.open_promises / f"{promise.id}.json").write_text("{")
    fresh = Ledger(settings)
    assert fresh.find(promise.id) is None
    with fresh.hold(promise.id) as held:
        assert held is None
    assert fresh.rebuild() == 1
    assert fresh.find(promise.id) == promise
    assert fresh.rebuild() == 0


async def test_without_redis_keep_says_so_and_the_outcome_is_pending(
    ledger: Ledger, bundle: Path
) -> None:
    promise = ledger.make(PromiseKind.ORDER_LINK, CALLER, "x", bundle)
    with pytest.raises(QueueDown, match="stays on disk"):
        await ledger.keep(promise)
    assert (await ledger.outcome(promise.id, 5.0)).outcome is Outcome.PENDING
    assert ledger.open_ids() == [promise.id]
    await ledger.close()


async def test_an_unknown_id_is_an_error_and_a_strange_one_no_path(ledger: Ledger) -> None:
    assert ledger.find("../../etc") is None
    with pytest.raises(PromiseError):
        await ledger.outcome("zzzzzzzz", 1.0)
    await ledger.close()


def test_ids_are_ids() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(ID_PATTERN.fullmatch(i) for i in ids)


def test_lines_of_a_missing_file_are_none(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none.jsonl") == []


def test_links_keep_their_query_and_fragment() -> None:
    assert order_link("Hikari", "https://o.example/") == (
        "Hikari: order here https://o.example/?t={token}"
    )
    assert order_link("H", "https://o.example/?a=1#menu").endswith("?a=1&t={token}#menu")


def test_bodies_carry_their_id_and_no_other() -> None:
    body = with_token("Order here", "abcd1234")
    assert body == "Order here #abcd1234"
    assert carries(body, "abcd1234")
    assert not carries(with_token("x", "abcd1234n"), "abcd1234")
    assert not carries("xabcd1234", "abcd1234")


@pytest.mark.parametrize("length", [1500, 1590, 1591, 1600, 5000])
def test_long_bodies_are_cut_but_keep_their_id(length: int) -> None:
    body = with_token("a" * length, "abcd1234")
    assert len(body) <= LONGEST
    assert carries(body, "abcd1234")
    link = with_token("a" * length + " https://o.example/?t={token}", "abcd1234")
    assert len(link) <= LONGEST
    assert carries(link, "abcd1234")


def test_a_callers_words_are_data() -> None:
    text = owner_message("reservation", "for {token}six people.", "Ann", "+13165550123")
    assert text == "Reservation: for six people. From Ann (316) 555-0123. #{token}"
    assert owner_message("other", "hi", "", "") == "Other: hi. From an unknown number. #{token}"
