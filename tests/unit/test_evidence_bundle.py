"""Bundles: found by the beginning of an id, read whatever state they are in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.errors import EvidenceError, NewerBundle
from agent.events import (
    CallEnded,
    CallerHungUp,
    CallStarted,
    Event,
    Expect,
    FinalHeard,
    KeyPressed,
    LineFinished,
    LineStarted,
    Move,
    Outcome,
    PromiseKind,
    PromiseMade,
    PromiseUpdated,
    Replied,
    Sentence,
    SentenceKind,
    TurnEnded,
    Understood,
    Word,
    event_types,
)
from agent.evidence.bundle import (
    Follower,
    Said,
    bundle_folders,
    find_bundle,
    read_bundle,
    to_event,
    transcript,
)

EVENTS: tuple[Event, ...] = (
    CallStarted(at=0.0, channel="PJSIP/trunk-1", caller="+13165550150"),
    LineStarted(at=0.5, line=1, text="How can I help?"),
    LineFinished(at=2.0, line=1, heard="How can I help?"),
    FinalHeard(
        at=4.5,
        text="an order please",
        words=(Word("an", 3.0, 3.1), Word("order", 3.1, 3.5), Word("please", 3.5, 4.0)),
    ),
    TurnEnded(at=4.5, last_voiced=4.0, waited=0.5, rule="complete"),
    Understood(at=4.6, text="an order please", moves=(Move("order"),), slots={"when": "now"}),
    Replied(
        at=4.6,
        step="confirm_number",
        sentences=(Sentence(SentenceKind.PHRASE, "confirm", "To this number?"),),
        expect=Expect.YES_NO,
    ),
    LineStarted(at=4.7, line=2, text="To this number? It ends in 0150."),
    KeyPressed(at=5.2, digit="1"),
    LineFinished(at=5.3, line=2, heard="To this number?", complete=False),
    PromiseMade(at=5.5, promise="p1", promise_kind=PromiseKind.ORDER_LINK, to="+13165550150"),
    PromiseUpdated(at=5.9, promise="p1", outcome=Outcome.ACCEPTED, receipt="SM1"),
    CallerHungUp(at=6.0, cause=16),
    CallEnded(at=6.0, by="caller", reason="hung_up"),
)


def lines(*events: Event) -> str:
    return "".join(json.dumps(event.as_json()) + "\n" for event in events)


def make(folder: Path, *events: Event, **card: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "call.json").write_text(json.dumps({"bundle": 1, "id": folder.name, **card}))
    (folder / "events.jsonl").write_text(lines(*events))
    return folder


def test_events_come_back_as_they_were(tmp_path: Path) -> None:
    bundle = read_bundle(make(tmp_path / "call", *EVENTS))
    assert bundle.events == EVENTS
    assert [type(event) for event in bundle.events] == [type(event) for event in EVENTS]
    assert bundle.damaged == 0
    assert bundle.seconds == 6.0


def test_every_event_of_the_vocabulary_can_be_named() -> None:
    for kind, cls in event_types().items():
        assert cls.kind() == kind
        assert isinstance(cls.__dict__.get("__slots__", None), tuple), kind


def test_the_transcript_holds_what_was_really_heard() -> None:
    assert list(transcript(EVENTS)) == [
        Said(0.5, "agent", "How can I help?"),
        Said(3.0, "caller", "an order please"),
        Said(4.7, "agent", "To this number?", cut=True),
        Said(5.2, "caller", "[key 1]"),
    ]


def test_a_line_under_way_at_the_kill_is_shown_as_cut() -> None:
    assert list(transcript(EVENTS[:2])) == [Said(0.5, "agent", "How can I help?", cut=True)]


def test_events_cut_at_any_byte_lose_one_line_at_most(tmp_path: Path) -> None:
    folder = make(tmp_path / "call", *EVENTS)
    path = folder / "events.jsonl"
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        bundle = read_bundle(folder)
        complete = whole[:length].count(b"\n")
        assert bundle.events[:complete] == EVENTS[:complete]
        assert len(bundle.events) - complete + bundle.damaged <= 1


def test_a_torn_line_in_the_middle_costs_only_itself(tmp_path: Path) -> None:
    folder = make(tmp_path / "call")
    torn = lines(EVENTS[1])[:20] + "\n"
    (folder / "events.jsonl").write_text(lines(EVENTS[0]) + torn + "[1]\n" + lines(EVENTS[2]))
    bundle = read_bundle(folder)
    assert bundle.events == (EVENTS[0], EVENTS[2])
    assert bundle.damaged == 2


def test_unknown_events_and_fields_are_passed_over(tmp_path: Path) -> None:
    folder = make(tmp_path / "call")
    known = {**CallEnded(at=1.0, by="agent", reason="goodbye").as_json(), "mood": "good"}
    rows = [{"event": "danced", "at": 1.0}, {"event": "call_ended", "at": "soon"}, known]
    (folder / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    bundle = read_bundle(folder)
    assert bundle.events == (CallEnded(at=1.0, by="agent", reason="goodbye"),)
    assert bundle.damaged == 2
    assert to_event({"event": "danced"}) is None


def test_a_bundle_without_events_or_promises_is_one(tmp_path: Path) -> None:
    folder = make(tmp_path / "call")
    (folder / "events.jsonl").unlink()
    bundle = read_bundle(folder)
    assert bundle.events == ()
    assert bundle.promises == ()
    assert bundle.ended == "not closed"


def test_promises_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = make(tmp_path / "call", ended={"at": 6.0, "by": "agent", "reason": "goodbye"})
    (folder / "promises.jsonl").write_text('{"promise": "p1", "news": "made"}\n{"promise": "p')
    bundle = read_bundle(folder)
    assert bundle.promises == ({"promise": "p1", "news": "made"},)
    assert bundle.damaged == 1
    assert bundle.ended == "agent: goodbye"


def test_a_newer_bundle_is_refused_with_a_remedy(tmp_path: Path) -> None:
    folder = make(tmp_path / "call", bundle=2)
    with pytest.raises(NewerBundle, match="layout 2") as caught:
        read_bundle(folder)
    assert caught.value.code == "evidence.newer"
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", "\udcff"])
def test_a_broken_card_is_named(tmp_path: Path, text: str) -> None:
    folder = make(tmp_path / "call")
    (folder / "call.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(EvidenceError, match=r"call\.json"):
        read_bundle(folder)


def test_bundles_are_found_by_the_beginning_of_their_id(tmp_path: Path) -> None:
    first = make(tmp_path / "2026-11-21" / "183012-aaaa")
    second = make(tmp_path / "2026-11-22" / "090000-bbbb")
    third = make(tmp_path / "2026-11-22" / "183012-cccc")
    (tmp_path / "2026-11-22" / "no-bundle").mkdir()
    assert bundle_folders(tmp_path) == [first, second, third]
    assert find_bundle(tmp_path, "0900") == second
    assert find_bundle(tmp_path, "183012-c") == third
    assert find_bundle(tmp_path, "2026-11-21/18") == first
    assert find_bundle(tmp_path, "last") == third
    assert find_bundle(tmp_path, str(first)) == first
    with pytest.raises(EvidenceError, match="2 calls begin with '18'"):
        find_bundle(tmp_path, "18")
    with pytest.raises(EvidenceError, match="No call"):
        find_bundle(tmp_path, "77")
    with pytest.raises(EvidenceError, match="No call"):
        find_bundle(tmp_path / "absent", "last")


def test_events_are_followed_as_they_are_written(tmp_path: Path) -> None:
    folder = make(tmp_path / "call", *EVENTS[:2])
    follower = Follower(folder)
    assert tuple(follower.new_events()) == EVENTS[:2]
    assert not follower.new_events()
    more = lines(*EVENTS[2:4])
    with (folder / "events.jsonl").open("a") as file:
        file.write(more[:-5])
        file.flush()
        assert tuple(follower.new_events()) == EVENTS[2:3]
        file.write(more[-5:])
    assert tuple(follower.new_events()) == EVENTS[3:4]


def test_following_may_begin_before_the_first_event(tmp_path: Path) -> None:
    assert not Follower(tmp_path / "absent").new_events()
