"""The review on labelled calls, and on evidence that is torn, missing or from the future."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.errors import EvidenceError, MindError, NewerBundle
from agent.evidence import read_bundle
from agent.evidence.bundle import Bundle
from agent.mind.embedder import plain
from agent.review import Flag, FlagKind, Review, review_bundle
from agent.review.job import review_pending, unreviewed
from agent.review.judge import Judge
from agent.review.judge_model import LlamaJudge
from agent.review.reviewer import read_review, review_call
from agent.review.schema import BusinessEventKind, CallType, JudgeStatus, Outcome
from agent.settings import CHECKOUT, Settings
from tests.unit.gguf_models import instruct_model

sys.path.insert(0, str(CHECKOUT / "evals" / "calls"))

from labelled import labelled_calls, later_calls

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
CALLS = {one.name: one for one in (*labelled_calls(), *later_calls())}
NEAR_SECONDS = 2.0
LEAST = 0.95


def bundle(name: str, folder: Path) -> Bundle:
    return read_bundle(CALLS[name].tape.write(folder / name, seed=7))


def review(name: str, folder: Path) -> Review:
    return review_bundle(bundle(name, folder), NOW)


def kinds(review: Review) -> list[FlagKind]:
    return [flag.kind for flag in review.flags]


# ── what is wrong is flagged, what only looks so is not ─────────────────────────────────


def test_the_labelled_calls_are_enough_and_of_every_kind() -> None:
    planted = Counter(kind for one in CALLS.values() for kind in one.plants)
    assert len(CALLS) >= 60
    assert all(planted[kind] >= 4 for kind in FlagKind), planted
    assert sum(name.startswith("near-") for name in CALLS) >= 50


def test_precision_and_recall_of_every_flag(tmp_path: Path) -> None:
    hits, planted, raised = Counter[FlagKind](), Counter[FlagKind](), Counter[FlagKind]()
    for name, one in CALLS.items():
        flags = review(name, tmp_path).flags
        planted.update(one.plants.keys())
        raised.update({flag.kind for flag in flags})
        hits.update(
            kind
            for kind, at in one.plants.items()
            if any(flag.kind is kind and abs(flag.at - at) <= NEAR_SECONDS for flag in flags)
        )
    for kind in FlagKind:
        assert hits[kind] / planted[kind] >= LEAST, f"recall of {kind}"
        assert hits[kind] / raised[kind] >= LEAST, f"precision of {kind}"


def test_a_flag_quotes_the_transcript(tmp_path: Path) -> None:
    for name in ("invented-band", "spam-served-0", "dead-air-four", "missed-goodbye-bye"):
        found = bundle(name, tmp_path)
        said = " | ".join(plain(one.text) for one in found.transcript())
        flags = review_bundle(found, NOW).flags
        assert flags
        assert all(flag.quote and plain(flag.quote) in said for flag in flags), flags


@pytest.mark.parametrize(
    ("name", "type_", "outcome", "met"),
    [
        ("order", CallType.ORDER, Outcome.LINK_SENT, True),
        ("reservation", CallType.RESERVATION, Outcome.MESSAGE_PASSED, True),
        ("question-parking", CallType.QUESTION, Outcome.ANSWERED, True),
        ("question-unknown", CallType.QUESTION, Outcome.UNANSWERED, False),
        ("spam-told-no", CallType.SPAM, Outcome.TURNED_AWAY, None),
        ("silent", CallType.SILENT, Outcome.NOTHING, None),
        ("gave-up-order", CallType.ORDER, Outcome.GAVE_UP, False),
        ("dropped-fault", CallType.ORDER, Outcome.FAULT, False),
        ("promise-undelivered", CallType.ORDER, Outcome.LINK_FAILED, False),
        ("near-promise-kept-afterwards", CallType.ORDER, Outcome.LINK_SENT, True),
        ("promise-message-refused", CallType.RESERVATION, Outcome.MESSAGE_FAILED, False),
    ],
)
def test_type_and_outcome(
    name: str, type_: CallType, outcome: Outcome, met: bool | None, tmp_path: Path
) -> None:
    found = review(name, tmp_path)
    assert (found.type, found.outcome, found.need_met) == (type_, outcome, met), found.reason


def test_business_events_and_figures(tmp_path: Path) -> None:
    order = review("order", tmp_path)
    assert [event.kind for event in order.events] == [
        BusinessEventKind.LINK_SENT,
        BusinessEventKind.LINK_DELIVERED,
    ]
    unknown = review("question-unknown", tmp_path)
    assert unknown.events[0].what == "who's playing live music tonight"
    assert unknown.measures.goodbyes == 1
    late = review("dead-air-four", tmp_path).measures
    assert 3.9 < late.dead_air < 4.3
    over = review("talked-over-half-way", tmp_path).measures
    assert 1.4 < over.talk_over < 1.8


# ── kept, and reviewed again ────────────────────────────────────────────────────────────


def test_a_kept_review_stands_until_evidence_changes(tmp_path: Path) -> None:
    folder = bundle("promise-pending", tmp_path).folder
    first = review_call(folder, NOW)
    later = review_call(folder, NOW + timedelta(hours=1))
    assert first == later == read_review(folder)
    with (folder / "promises.jsonl").open("a") as file:
        file.write(json.dumps({"promise": "p0000001", "news": "accepted", "time": 9.0}) + "\n")
    again = review_call(folder, NOW + timedelta(hours=2))
    assert kinds(first) == [FlagKind.PROMISE_FAILED]
    assert kinds(again) == []
    assert len((folder / "reviews.jsonl").read_text().splitlines()) == 2


def test_reviewing_again_says_the_same(tmp_path: Path) -> None:
    folder = bundle("broken-booked", tmp_path).folder
    first = review_call(folder, NOW)
    again = review_call(folder, NOW + timedelta(days=1), again=True)
    assert again.model_copy(update={"reviewed": first.reviewed}) == first
    assert len((folder / "reviews.jsonl").read_text().splitlines()) == 1


def test_the_facts_are_those_of_the_call(tmp_path: Path) -> None:
    folder = bundle("question-parking", tmp_path).folder
    card = json.loads((folder / "call.json").read_text())
    card["restaurant"]["sha256"] = "0" * 64  # the file at its place is another one now
    (folder / "call.json").write_text(json.dumps(card))
    assert kinds(review_bundle(read_bundle(folder), NOW)) == []
    (folder / "restaurant.toml").unlink()
    without = review_bundle(read_bundle(folder), NOW)
    assert kinds(without) == []
    assert any("restaurant file" in note for note in without.notes)


# ── evidence that is not whole ──────────────────────────────────────────────────────────


def test_torn_events_and_missing_sound_are_noted_and_the_rest_stands(tmp_path: Path) -> None:
    folder = bundle("invented-band", tmp_path).folder
    events = (folder / "events.jsonl").read_bytes()
    (folder / "events.jsonl").write_bytes(events[:-40])
    (folder / "agent.wav").unlink()
    (folder / "caller.wav").write_bytes(b"RIFF")
    found = review_bundle(read_bundle(folder), NOW)
    assert FlagKind.INVENTED_FACT in kinds(found)
    assert FlagKind.DROPPED in kinds(found)  # its end is torn off
    assert len(found.notes) == 3, found.notes


def test_events_cut_anywhere_never_break_the_review(tmp_path: Path) -> None:
    folder = bundle("asked-twice-name", tmp_path).folder
    lines = (folder / "events.jsonl").read_bytes().splitlines(keepends=True)
    for count in range(0, len(lines), 3):
        (folder / "events.jsonl").write_bytes(b"".join(lines[:count]) + lines[count][:9])
        assert review_bundle(read_bundle(folder), NOW).call == folder.name


def test_what_a_newer_pickup_wrote_is_refused(tmp_path: Path) -> None:
    folder = bundle("order", tmp_path).folder
    review_call(folder, NOW)
    kept = json.loads((folder / "review.json").read_text())
    (folder / "review.json").write_text(json.dumps({**kept, "review": 99}))
    with pytest.raises(NewerBundle, match="form 99"):
        read_review(folder)
    (folder / "review.json").write_text("{")
    with pytest.raises(EvidenceError, match="Delete it"):
        read_review(folder)
    card = json.loads((folder / "call.json").read_text())
    (folder / "call.json").write_text(json.dumps({**card, "bundle": 99}))
    (folder / "review.json").unlink()
    with pytest.raises(NewerBundle, match="layout 99"):
        review_call(folder, NOW)


# ── the judge ───────────────────────────────────────────────────────────────────────────


class Written:
    """A model whose answer is written down: what the judge makes of it is what counts."""

    name = "written"
    sha256 = "0"

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked = ""

    def complete(self, task: str, call: str, schema: Mapping[str, Any]) -> str:
        self.asked = call
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if isinstance(self.answer, str) else json.dumps(self.answer)


def judged(name: str, answer: object, folder: Path) -> Review:
    return review_bundle(bundle(name, folder), NOW, Judge(Written(answer)))


def test_the_judge_adds_what_it_can_quote_and_nothing_else(tmp_path: Path) -> None:
    true = {"kind": "misheard", "line": 2, "quote": "place an order", "why": "a try"}
    made_up = {**true, "quote": "a table for two"}
    elsewhere = {**true, "line": 1}
    no_line = {**true, "line": 99}
    found = judged("order", {"add": [true, made_up, elsewhere, no_line], "veto": []}, tmp_path)
    assert [(flag.kind, flag.by, flag.who) for flag in found.flags] == [
        (FlagKind.MISHEARD, "judge", "caller")
    ]
    assert len(found.judge.dropped) == 3
    assert found.judge.status is JudgeStatus.DONE


def test_the_judge_vetoes_with_a_quote_and_not_what_was_measured(tmp_path: Path) -> None:
    veto = {"flag": 1, "line": 3, "quote": "Blue Notes are playing", "why": "they do"}
    found = judged("invented-band", {"veto": [veto]}, tmp_path)
    assert [flag.vetoed for flag in found.flags] == ["they do"]
    assert found.standing == ()
    silence = {"flag": 1, "line": 2, "quote": "is there parking"}
    kept = judged("dead-air-four", {"veto": [silence]}, tmp_path)
    assert kept.standing == kept.flags
    assert "measured" in kept.judge.dropped[0]


@pytest.mark.parametrize(
    "answer",
    [MindError("gone"), "no JSON", {"add": [{"kind": "too_loud", "line": 1, "quote": "x"}]}],
    ids=["failed", "no JSON", "another form"],
)
def test_a_judge_that_failed_is_errored_and_the_checks_stand(
    answer: object, tmp_path: Path
) -> None:
    found = judged("invented-band", answer, tmp_path)
    assert found.judge.status is JudgeStatus.ERRORED
    assert found.judge.error
    assert kinds(found) == [FlagKind.INVENTED_FACT]


def test_a_review_without_its_judge_is_made_again_with_it(tmp_path: Path) -> None:
    folder = bundle("order", tmp_path).folder
    assert review_call(folder, NOW).judge.status is JudgeStatus.NONE
    judge = Judge(Written(MindError("busy")))
    assert review_call(folder, NOW, judge).judge.status is JudgeStatus.ERRORED
    cured = Judge(Written({"add": [], "veto": []}))
    assert review_call(folder, NOW, cured).judge.status is JudgeStatus.DONE


def test_llama_cpp_answers_in_the_form_and_its_guesses_are_dropped(tmp_path: Path) -> None:
    """A model with random weights: its answer has the form, and proves nothing."""
    path = instruct_model(tmp_path / "random.gguf")
    with LlamaJudge(path, seconds=120) as model:
        found = review_bundle(bundle("invented-band", tmp_path), NOW, Judge(model))
    assert found.judge.model == "random"
    assert len(found.judge.model_sha256) == 64
    assert not any(flag.by == "judge" for flag in found.flags)
    assert kinds(found) == [FlagKind.INVENTED_FACT]


def test_a_judge_whose_process_dies_or_hangs_is_errored(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(64))
    with LlamaJudge(broken, seconds=60) as model:
        found = review_bundle(bundle("order", tmp_path), NOW, Judge(model))
    assert found.judge.status is JudgeStatus.ERRORED
    assert "ended" in found.judge.error
    slow = instruct_model(tmp_path / "slow.gguf", width=512, layers=8)
    with LlamaJudge(slow, seconds=0.05) as model:
        late = review_bundle(bundle("order", tmp_path), NOW, Judge(model))
    assert late.judge.status is JudgeStatus.ERRORED
    assert "did not answer" in late.judge.error
    with pytest.raises(MindError, match="is no file"):
        LlamaJudge(tmp_path / "missing.gguf", seconds=1)


# ── the job ─────────────────────────────────────────────────────────────────────────────


def test_calls_are_reviewed_once_when_no_call_is_on(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    day = settings.calls / "2026-11-24"
    one = CALLS["order"].tape.write(day / "170000-aaaa", seed=1)
    broken = CALLS["order"].tape.write(day / "170100-bbbb", seed=1)
    card = json.loads((broken / "call.json").read_text())
    (broken / "call.json").write_text(json.dumps({**card, "bundle": 99}))
    written = (one / "events.jsonl").stat().st_mtime
    assert unreviewed(settings.calls, written + 1) == []  # its texts may still be under way
    later = written + 600
    failed: set[Path] = set()
    live = CALLS["dropped-killed"].tape.write(day / "170200-cccc", seed=1)
    live_now = (live / "events.jsonl").stat().st_mtime + 1
    assert review_pending(settings, None, lambda: live_now) == 0
    assert review_pending(settings, None, lambda: later, failed) == 2
    assert failed == {broken}
    assert review_pending(settings, None, lambda: later, failed) == 0
    assert read_review(one) is not None


def test_flags_read_back_as_they_were_written(tmp_path: Path) -> None:
    found = review("spam-served-1", tmp_path)
    assert Review.model_validate_json(found.model_dump_json()) == found
    assert all(isinstance(flag, Flag) for flag in found.flags)
