"""How long evidence stays: a while with the person in it, longer without, held if need be."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.events import (
    CallEnded,
    CallStarted,
    FinalHeard,
    LineFinished,
    LineStarted,
    Move,
    PartialHeard,
    PromiseKind,
    Understood,
)
from agent.evidence import Recorder, read_bundle
from agent.evidence.forget import forget_person
from agent.evidence.machine import started_card
from agent.promises.ledger import Ledger
from agent.promises.owner import FORGOTTEN, OwnersList
from agent.review.reviewer import read_review, review_call
from agent.service.retention import OTHERS, Fate, carry_out, due, looked_at
from agent.settings import CHECKOUT, Settings, load_settings

NOW = datetime(2027, 6, 1, 3, 0, tzinfo=UTC)
CALLER = "+13162684477"
SPOKEN = "three one six two six eight four four seven seven"
PERSONAL = ("3162684477", "268-4477", SPOKEN, "wanda", "Wanda", "kowalski", "Kowalski")
FLAGGED = CHECKOUT / "evals" / "calls" / "stories" / "spam"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PICKUP_HOME", str(tmp_path))
    return load_settings()


def call(settings: Settings, days: int) -> Path:
    """A call of so many days ago, with all that is personal in every file."""
    began = NOW - timedelta(days=days, hours=1)
    folder = settings.calls / f"{began:%Y-%m-%d}" / f"{began:%H%M%S}-abcd"
    recorder = Recorder(folder, started_card(began, "America/Chicago"))
    said = f"this is wanda kowalski my number is {SPOKEN}"
    read_back = "Thank you, Wanda. I have 316-268-4477. Right?"
    slots = {"name": "wanda kowalski", "phone": CALLER}
    for event in (
        CallStarted(at=0.0, channel="PJSIP/trunk-1", caller=CALLER, called="13165550143"),
        PartialHeard(at=2.0, text=said),
        FinalHeard(at=3.0, text=said),
        Understood(at=3.1, text=said, moves=(Move("gives", "name"),), slots=slots),
        LineStarted(at=3.2, line=1, text=read_back),
        LineFinished(at=6.0, line=1, heard=read_back),
        CallEnded(at=7.0, by="caller", reason="hung_up"),
    ):
        recorder.event(event)
    recorder.caller_frame(np.full(320, 1000, "<i2").tobytes(), 0.5)
    recorder.restaurant(settings.restaurant)
    recorder.close()
    assert recorder.wait_closed(10.0)
    (folder / "notes.txt").write_text("Wanda again")
    return folder


def flagged_call(settings: Settings, days: int) -> Path:
    began = NOW - timedelta(days=days, hours=2)
    folder = settings.calls / f"{began:%Y-%m-%d}" / "010000-flag"
    shutil.copytree(FLAGGED, folder)
    card = json.loads((folder / "call.json").read_text())
    (folder / "call.json").write_text(json.dumps({**card, "started_utc": began.isoformat()}))
    review_call(folder, began)
    return folder


def everything(folder: Path) -> str:
    return "\n".join(path.read_text("utf-8", errors="replace") for path in folder.iterdir())


def fates(settings: Settings) -> dict[str, Fate]:
    return {one.folder.name: one.fate for one in due(settings, NOW)}


async def test_after_a_while_the_person_is_gone_and_the_call_is_still_there(
    settings: Settings,
) -> None:
    folder = call(settings, days=91)
    ledger = Ledger(settings, lambda: 0.0)
    body = "For Wanda Kowalski, 316-268-4477: a table for four."
    promise = ledger.make(PromiseKind.OWNER_MESSAGE, CALLER, body, folder)
    ledger.settle(promise)
    await ledger.close()
    review_call(folder, NOW)
    looked_at(folder, NOW)
    before = read_bundle(folder)
    assert all(word in everything(folder) for word in PERSONAL if word != "Kowalski's")
    done = [one.folder.name for one in carry_out(settings, NOW) if one.fate is Fate.REDACT]
    assert done == [folder.name, "messages.jsonl"]
    left = everything(folder)
    assert not [word for word in PERSONAL if word in left]
    assert not list(folder.glob("*.wav"))
    after = read_bundle(folder)
    assert [type(event) for event in after.events] == [type(event) for event in before.events]
    assert after.card["redacted"] == "2027-06-01T03:00:00+00:00"
    assert after.promises[0]["promise"] == promise.id
    assert "a table for four" in str(after.promises[0]["body"])
    assert read_review(folder) is not None
    assert after.damaged == 0
    assert fates(settings) == {}, "once is enough"


def test_a_crash_in_the_middle_comes_to_the_same_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = call(settings, days=91)
    whole = folder.with_name("whole")
    shutil.copytree(folder, whole)
    forget_person(whole, NOW, OTHERS)

    def crash(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(Path, "chmod", crash)
        assert [one.fate for one in carry_out(settings, NOW)] == [Fate.HOLD]
    assert "Wanda" in everything(folder)
    assert [one.fate for one in carry_out(settings, NOW)] == [Fate.REDACT]
    for path in whole.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_later_the_folder_goes_and_the_day_with_it(settings: Settings) -> None:
    old, young = call(settings, days=366), call(settings, days=89)
    assert [one.fate for one in carry_out(settings, NOW)] == [Fate.DELETE]
    assert not old.parent.exists()
    assert "Wanda" in everything(young)


def test_a_flagged_call_stays_until_somebody_has_looked(settings: Settings) -> None:
    folder = flagged_call(settings, days=400)
    before = everything(folder)
    [held] = carry_out(settings, NOW)
    assert held.fate is Fate.HOLD
    assert "spam_served" in held.why
    assert everything(folder) == before
    assert CliRunner().invoke(app, ["looked", "0100"]).exit_code == 0
    assert [one.fate for one in carry_out(settings, NOW)] == [Fate.DELETE]
    assert not folder.exists()


async def test_a_promise_still_open_keeps_its_call(settings: Settings) -> None:
    folder = call(settings, days=100)
    ledger = Ledger(settings, lambda: 0.0)
    promise = ledger.make(PromiseKind.ORDER_LINK, CALLER, "The link", folder)
    assert fates(settings) == {folder.name: Fate.HOLD}
    ledger.settle(promise)
    await ledger.close()
    assert fates(settings) == {folder.name: Fate.REDACT}


def test_a_card_that_can_t_be_read_is_told_and_nothing_is_lost(settings: Settings) -> None:
    folder = call(settings, days=400)
    (folder / "call.json").write_text("{")
    [held] = carry_out(settings, NOW)
    assert held.fate is Fate.HOLD
    assert "is no JSON" in held.why
    assert (folder / "caller.wav").exists()


def test_0_days_is_never(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    call(settings, days=4000)
    monkeypatch.setenv("PICKUP_RETENTION__REDACT_AFTER_DAYS", "0")
    monkeypatch.setenv("PICKUP_RETENTION__DELETE_AFTER_DAYS", "0")
    assert due(load_settings(), NOW) == []


def test_a_dry_run_tells_and_changes_nothing(settings: Settings) -> None:
    folder = call(settings, days=4000)
    before = everything(folder)
    result = CliRunner().invoke(app, ["retention", "--dry-run", "--json"])
    row = json.loads(result.stdout)
    assert (row["call"], row["fate"]) == (f"{folder.parent.name}/{folder.name}", "delete")
    assert everything(folder) == before
    assert "delete" in CliRunner().invoke(app, ["retention"]).stdout
    assert not folder.exists()
    assert "No call is past its time" in CliRunner().invoke(app, ["retention"]).stdout


def test_the_owners_list_forgets_words_then_lines(settings: Settings) -> None:
    notes = OwnersList(settings.home)
    for days in (400, 100, 3):
        notes.add(f"p{days}", (NOW - timedelta(days=days)).timestamp(), f"Wanda, {days} days ago")
    done = list(carry_out(settings, NOW))
    assert [(note.promise, note.text) for note in notes.read()] == [
        ("p100", FORGOTTEN),
        ("p3", "Wanda, 3 days ago"),
    ]
    assert [(one.folder.name, one.fate) for one in done] == [("messages.jsonl", Fate.REDACT)]
    assert list(carry_out(settings, NOW)) == []


def test_a_note_added_after_the_list_was_changed_is_not_lost(settings: Settings) -> None:
    notes = OwnersList(settings.home)
    notes.add("old", (NOW - timedelta(days=400)).timestamp(), "gone")
    notes.forget(0.0, NOW.timestamp(), {"kept"})
    notes.add("new", NOW.timestamp(), "here")
    assert [note.promise for note in notes.read()] == ["new"]
