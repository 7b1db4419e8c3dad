"""Recorded callers on the line again, from ear to mouth; by phone in ``tests/pbx``."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from agent.errors import EvidenceError, NewerBundle
from agent.evaluate.engines import Engines
from agent.evaluate.imported import import_recording, read_transcript
from agent.evaluate.recorded import recorded
from agent.evaluate.replay import Replayed, replay, replay_all
from agent.evaluate.standin import TwilioStandIn
from agent.evaluate.talker import Deed
from agent.events import BargedIn, FinalHeard, LineFinished, PromiseKind, Replied
from agent.evidence import Bundle, read_bundle
from agent.evidence.wav import Sound, read_wav, write_wav
from agent.settings import CHECKOUT, load_settings
from tests.unit.replayed import call, deeds

pytestmark = pytest.mark.asyncio(loop_scope="module")

HIKARI = CHECKOUT / "evals" / "worlds" / "hikari.toml"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replays")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engines(home: Path) -> AsyncIterator[Engines]:
    async with Engines(load_settings(home=home), HIKARI, home / "phrases") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def order(engines: Engines, home: Path) -> Bundle:
    bundle: Bundle = (await call(engines, home / "calls", deeds("order")))[0]
    return bundle


def steps(bundle: Bundle) -> list[str]:
    return [event.step for event in bundle.events if isinstance(event, Replied)]


def copy_of(bundle: Bundle, folder: Path) -> Path:
    return Path(shutil.copytree(bundle.folder, folder / "2026-11-24" / "copy"))


# ── a line without a phone ──────────────────────────────────────────────────────────────


async def test_the_same_caller_gets_the_same_call_to_the_sample(
    engines: Engines, home: Path, order: Bundle
) -> None:
    again, talked = await call(engines, home / "calls", deeds("order"))
    assert [event.as_json() for event in again.events] == [e.as_json() for e in order.events]
    before = read_wav(order.folder / "heard.wav")
    assert np.array_equal(before.samples, talked.sound.samples)


async def test_an_order_ends_with_the_link_and_one_goodbye(order: Bundle) -> None:
    assert order.ended == "agent: goodbye"
    assert "order_link" in steps(order)
    assert steps(order).count("goodbye") == 1


# ── replay ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("driver", ["audio", "text"])
async def test_a_replay_decides_as_then(
    engines: Engines, home: Path, order: Bundle, driver: str
) -> None:
    done = await replay(order, engines, home / "again", driver=driver)  # type: ignore[arg-type]
    assert done.same, done
    assert done.rows[0].deed == "(the greeting)"
    assert any("order_link accepted" in one.tools for row in done.rows for one in row.now)


async def test_what_became_of_a_promise_then_becomes_of_it_again(
    engines: Engines, home: Path, order: Bundle, tmp_path: Path
) -> None:
    folder = copy_of(order, tmp_path)
    events = folder / "events.jsonl"
    events.write_text(events.read_text().replace('"accepted"', '"pending"'))
    bundle = read_bundle(folder)
    assert recorded(bundle).tools == {PromiseKind.ORDER_LINK: ("pending",)}
    done = await replay(bundle, engines, home / "again", driver="audio")
    said = " ".join(line for row in done.rows for one in row.now for line in one.lines)
    assert "couldn't send it just now" in said
    assert "just texted" not in said


async def test_another_wording_does_not_derail_the_caller(
    engines: Engines, home: Path, tmp_path: Path
) -> None:
    bundle, _ = await call(engines, home / "calls", deeds("question"))
    wordy = tmp_path / "wordy.toml"
    text = HIKARI.read_text().replace(
        "There's free parking behind the building.",
        "Oh yes, there is. You can park behind the building, where it's free of charge. In the "
        "evening the lot across the street is open to our guests as well, and that is free too.",
    )
    old = next(line for line in text.splitlines() if line.startswith("greeting"))
    new = f'{old[:-1]} We are glad that you call. Take your time, and tell me what I can do."'
    wordy.write_text(text.replace(old, new))
    async with Engines(engines.settings, wordy, home / "phrases") as todays:
        done = await replay(bundle, todays, home / "again", driver="audio")
    assert done.same, done
    then = [line for row in done.rows for one in row.then for line in one.lines]
    now = [line for row in done.rows for one in row.now for line in one.lines]
    assert then != now
    assert done.left == 0


async def test_a_barge_in_comes_at_its_moment(engines: Engines, home: Path) -> None:
    first, *rest = deeds("order")
    early = Deed(clip=first.clip, barge_in=1.5)
    bundle, _ = await call(engines, home / "calls", [early, *rest])
    assert any(isinstance(event, BargedIn) for event in bundle.events)
    done = await replay(bundle, engines, home / "again", driver="audio")
    assert done.folder is not None
    now = read_bundle(done.folder)
    assert done.same, done

    def cut(one: Bundle) -> LineFinished:
        return next(e for e in one.events if isinstance(e, LineFinished) and not e.complete)

    assert abs(cut(now).at - cut(bundle).at) < 0.4


async def test_silence_keys_and_hanging_up_are_replayed(engines: Engines, home: Path) -> None:
    order_then = [Deed(), deeds("order")[0], Deed(keys="1"), Deed(hangs_up=True, reaction=1.0)]
    bundle, _ = await call(engines, home / "calls", order_then)
    assert bundle.ended == "caller: hung_up"
    kinds = [(bool(d.clip), d.keys, d.hangs_up) for d in recorded(bundle).deeds]
    assert kinds == [(False, "", False), (True, "", False), (False, "1", False), (False, "", True)]
    done = await replay(bundle, engines, home / "again", driver="audio")
    assert done.same, done
    assert done.now == "caller: hung_up"


async def test_the_clock_stands_where_it_stood_unless_asked(
    engines: Engines, home: Path, order: Bundle
) -> None:
    then = await replay(order, engines, home / "again", driver="text")
    assert then.clock.startswith("2026-11-24T17:00")
    started = order.started
    assert started is not None
    later = await replay(
        order, engines, home / "again", driver="text", clock=started.replace(year=2027)
    )
    assert later.clock.startswith("2027-11-24T17:00")


# ── nothing is ever sent ────────────────────────────────────────────────────────────────


async def test_what_replays_has_no_way_to_the_carrier() -> None:
    code = (
        "import sys, agent.evaluate.replay, agent.evaluate.phone_line, agent.service.exchange\n"
        "print(sorted(m for m in sys.modules if 'twilio' in m or m.startswith('agent.promises')))"
    )
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    loaded = (await run.communicate())[0].decode()
    assert "agent.promises.ledger" in loaded
    for way in ("twilio", "keeper", "worker"):
        assert way not in loaded, loaded


async def test_a_replay_texts_nobody_though_an_account_is_set_up(
    home: Path, order: Bundle, tmp_path: Path
) -> None:
    account, token = "AC" + "7" * 32, "a-token"
    standin = TwilioStandIn(account, token, tmp_path / "inbox.jsonl")
    await standin.start()
    try:
        environment = os.environ | {
            "PICKUP_HOME": str(home),
            "PICKUP_TWILIO__ACCOUNT_SID": account,
            "PICKUP_TWILIO__AUTH_TOKEN": token,
            "PICKUP_TWILIO__FROM_NUMBER": "+13165550199",
            "PICKUP_TWILIO__API_BASE": standin.address,
        }
        run = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agent.cli", "replay", order.id),
            *("--driver", "audio", "--json"),
            env=environment,
            stdout=subprocess.PIPE,
        )
        told, _ = await run.communicate()
    finally:
        await standin.stop()
    assert run.returncode == 0
    rows = json.loads(told.splitlines()[-1])["rows"]
    tools = [tool for row in rows for one in row["now"] for tool in one["tools"]]
    assert tools == ["order_link accepted"]
    assert standin.messages == []
    assert not (home / "promises").exists()
    assert not (home / "owner").exists()


# ── what can't be replayed ──────────────────────────────────────────────────────────────


async def test_a_bundle_that_is_broken_is_told_and_the_others_are_replayed(
    engines: Engines, home: Path, order: Bundle, tmp_path: Path
) -> None:
    deaf = copy_of(order, tmp_path / "deaf")
    (deaf / "caller.wav").unlink()
    torn = copy_of(order, tmp_path / "torn")
    events = (torn / "events.jsonl").read_bytes()
    (torn / "events.jsonl").write_bytes(events[: events.index(b'"step": "order_link"')])
    bundles = [read_bundle(folder) for folder in (deaf, torn)]
    first, second = await replay_all(bundles, engines, home / "again", driver="audio")
    assert "no recording of the caller" in first.fault
    assert not second.fault
    assert second.rows[1].same


async def test_a_bundle_of_a_newer_version_is_refused(order: Bundle, tmp_path: Path) -> None:
    folder = copy_of(order, tmp_path)
    card = json.loads((folder / "call.json").read_text())
    (folder / "call.json").write_text(json.dumps(card | {"bundle": 99}))
    with pytest.raises(NewerBundle):
        read_bundle(folder)


# ── recordings from elsewhere ───────────────────────────────────────────────────────────


def imported(wav: Path, calls: Path, order: Bundle, **how: object) -> Bundle:
    started = order.started
    assert started is not None
    folder = import_recording(
        wav,
        calls,
        started=started,
        zone="America/Chicago",
        caller="+13165550150",
        **how,  # type: ignore[arg-type]
    )
    return read_bundle(folder)


def moves(done: Replayed) -> list[tuple[str, ...]]:
    return [one.moves for row in done.rows for one in row.now]


async def test_a_two_channel_recording_is_imported_and_replayed(
    engines: Engines, home: Path, order: Bundle, tmp_path: Path
) -> None:
    wav = order.folder / "heard.wav"
    assert read_wav(wav).rate == 8000
    bundle = imported(wav, tmp_path, order)
    done = await replay(bundle, engines, home / "again", driver="audio")
    by_words = await replay(order, engines, home / "again", driver="audio")
    assert moves(done) == moves(by_words)


async def test_one_channel_with_both_voices_needs_a_transcript_with_times(
    engines: Engines, home: Path, order: Bundle, tmp_path: Path
) -> None:
    both = read_wav(order.folder / "heard.wav")
    mixed = tmp_path / "mixed.wav"
    total = both.samples.astype(np.int32).sum(axis=1).clip(-32768, 32767)
    write_wav(mixed, Sound(both.rate, total.astype(np.int16).reshape(-1, 1)))
    script = tmp_path / "call.txt"
    spoke = [(said.start, "caller", said.text) for said in recorded(order).said]
    spoke += [(said.at, said.who, said.text) for said in order.transcript() if said.who == "agent"]
    script.write_text("".join(f"[{at:.1f}] {who}: {text}\n" for at, who, text in sorted(spoke)))
    bundle = imported(mixed, tmp_path, order, transcript=read_transcript(script))
    heard = [event.text for event in bundle.events if isinstance(event, FinalHeard)]
    assert heard == [said.text for said in order.transcript() if said.who == "caller"]
    done = await replay(bundle, engines, home / "again", driver="audio")
    assert [one.steps for row in done.rows for one in row.now] == [
        one.steps
        for row in (await replay(order, engines, home / "again", driver="audio")).rows
        for one in row.now
    ]
    script.write_text("agent: hello\ncaller: hi\n")
    with pytest.raises(EvidenceError, match="no times"):
        imported(mixed, tmp_path, order, transcript=read_transcript(script))


@pytest.mark.parametrize(
    ("rate", "channels", "seconds", "said"),
    [
        (44100, 2, 1.0, "44100 Hz"),
        (8000, 3, 1.0, "3 channels"),
        (8000, 1, 0.0, "0 s long"),
        (8000, 1, 2.0, "no voice"),
    ],
)
async def test_a_recording_that_does_not_fit_is_refused(
    order: Bundle, tmp_path: Path, rate: int, channels: int, seconds: float, said: str
) -> None:
    wav = tmp_path / "strange.wav"
    write_wav(wav, Sound(rate, np.zeros((round(rate * seconds), channels), np.int16)))
    with pytest.raises(EvidenceError, match=said):
        imported(wav, tmp_path, order)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["caller: hello", "what?"], ":2: is no line"),
        (["[0:09] caller: a", "[0:03] agent: b"], ":2: its time runs backwards"),
        (["agent: hello"], "says nothing"),
    ],
)
async def test_a_transcript_that_is_wrong_is_told_with_its_line(
    tmp_path: Path, lines: Sequence[str], said: str
) -> None:
    path = tmp_path / "call.txt"
    path.write_text("\n".join(lines))
    with pytest.raises(EvidenceError, match=said):
        read_transcript(path)
