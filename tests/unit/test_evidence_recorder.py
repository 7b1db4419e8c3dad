"""The recorder: everything lands in the bundle, and a kill or a full disk loses little."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import numpy as np
import pytest
import structlog
from pydantic import SecretStr

from agent.events import CallAnswered, CallEnded, CallStarted, FaultSeen, LineStarted
from agent.evidence import Recorder, new_folder, read_bundle
from agent.evidence.machine import fingerprint, without_secrets
from agent.evidence.wav import read_wav
from agent.restaurant import load_restaurant
from agent.settings import Pbx, Redis, Settings

FRAME = np.full(320, 1000, "<i2").tobytes()
WAIT = 10.0


def started(at: float = 0.0) -> CallStarted:
    return CallStarted(at=at, channel="PJSIP/trunk-1", caller="+13165550150", called="13165550143")


def finished(recorder: Recorder) -> None:
    recorder.close()
    assert recorder.wait_closed(WAIT)


def drained(recorder: Recorder) -> None:
    """Wait until what was given so far is written, or has failed to be."""
    done = threading.Event()
    recorder._waiting.put(lambda files: done.set())
    assert done.wait(WAIT)


def test_a_call_is_kept_whole(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "call", {"pickup": "0"})
    events = (
        started(),
        CallAnswered(at=0.5),
        LineStarted(at=0.6, line=1, text="“Hikari”, hello"),
        CallEnded(at=2.0, by="agent", reason="goodbye"),
    )
    for event in events:
        recorder.event(event)
    finished(recorder)
    bundle = read_bundle(tmp_path / "call")
    assert bundle.events == events
    assert bundle.damaged == 0
    assert bundle.caller == "+13165550150"
    assert bundle.card["ended"] == {"at": 2.0, "by": "agent", "reason": "goodbye"}
    assert bundle.card["closed"] is True
    assert "caller" in bundle.card["personal"]


def test_both_recordings_lie_on_call_time(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "call", {})
    recorder.caller_frame(FRAME, at=0.12)  # its last sample arrives at 0.12
    recorder.agent_audio(0.25, FRAME)
    recorder.event(CallEnded(at=1.0, by="caller", reason="hung_up"))
    finished(recorder)
    caller = read_wav(tmp_path / "call" / "caller.wav").channel(0)
    agent = read_wav(tmp_path / "call" / "agent.wav").channel(0)
    assert np.flatnonzero(caller).tolist() == list(range(1600, 1920))
    assert np.flatnonzero(agent).tolist() == list(range(4000, 4320))
    assert len(caller) == len(agent) == 16_000


def test_jitter_makes_no_gaps_but_lost_frames_do(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "call", {})
    for at in (0.02, 0.045, 0.055, 0.09, 0.5):
        recorder.caller_frame(FRAME, at)
    finished(recorder)
    caller = read_wav(tmp_path / "call" / "caller.wav").channel(0)
    assert np.flatnonzero(caller).tolist() == [*range(1280), *range(7680, 8000)]


def test_pieces_of_one_line_are_joined(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "call", {})
    recorder.agent_audio(0.1, FRAME)
    recorder.agent_audio(0.131, FRAME)  # estimated 11 ms late
    recorder.agent_audio(0.3, FRAME)
    finished(recorder)
    agent = read_wav(tmp_path / "call" / "agent.wav").channel(0)
    assert np.flatnonzero(agent).tolist() == [*range(1600, 2240), *range(4800, 5120)]


@dataclass(frozen=True)
class Leg:
    channel: str = "PJSIP/trunk-1"
    channel_id: str = "1.2"


def test_open_names_what_ran_without_secrets(tmp_path: Path) -> None:
    restaurant = load_restaurant(Settings().restaurant)
    settings = Settings(home=tmp_path, pbx=Pbx(ari_password=SecretStr("hush-hush")))
    now = datetime(2026, 11, 23, 0, 30, 12, tzinfo=UTC)
    recorder = Recorder.open(settings, restaurant, Leg(), now, random=Random(1))  # noqa: S311
    finished(recorder)
    # 00:30 UTC is the evening before in Wichita.
    assert recorder.folder.parent.name == "2026-11-22"
    assert recorder.folder.name.startswith("183012-")
    text = (recorder.folder / "call.json").read_text()
    card = json.loads(text)
    assert card["started_utc"] == "2026-11-23T00:30:12.000+00:00"
    assert card["restaurant"]["sha256"] == fingerprint(settings.restaurant)
    assert card["engines"]["vosk"]
    assert card["settings"]["pbx"]["ari_user"] == "pickup"
    assert "hush-hush" not in text
    assert "password" not in text


def test_a_password_in_a_url_is_left_out() -> None:
    redis = Redis(url="redis://me:hush@127.0.0.1:6390/0")
    assert without_secrets(redis) == {"url": "redis://127.0.0.1:6390/0"}


def test_folders_of_one_second_differ(tmp_path: Path) -> None:
    now = datetime(2026, 11, 22, 18, 30, 12, tzinfo=UTC)
    first = new_folder(tmp_path, now, Random(3))  # noqa: S311
    first.mkdir(parents=True)
    second = new_folder(tmp_path, now, Random(3))  # noqa: S311
    assert first != second
    assert first.parent == second.parent


def test_a_folder_that_can_not_be_made_is_reported_once(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with structlog.testing.capture_logs() as logs:
        recorder = Recorder(blocked / "call", {})
        drained(recorder)
        for number in range(50):
            recorder.caller_frame(FRAME, at=number * 0.02)
        recorder.event(started())
        finished(recorder)
    assert [log["event"] for log in logs] == ["Evidence is incomplete."]
    assert blocked.read_text() == "in the way"


@pytest.fixture
def small_files() -> Iterator[int]:
    """Let no file of this process grow beyond 20 kB, as on a disk that is full."""
    limit = 20_000
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, old)


def test_a_full_disk_is_reported_once_and_the_events_go_on(
    tmp_path: Path, small_files: int
) -> None:
    recorder = Recorder(tmp_path / "call", {})
    recorder.event(started())
    for number in range(100):
        recorder.caller_frame(FRAME, at=number * 0.02)
    drained(recorder)
    recorder.event(CallAnswered(at=2.0))
    recorder.event(CallEnded(at=3.0, by="agent", reason="goodbye"))
    finished(recorder)
    bundle = read_bundle(tmp_path / "call")
    faults = [event for event in bundle.events if isinstance(event, FaultSeen)]
    assert [fault.code for fault in faults] == ["evidence"]
    assert CallEnded(at=3.0, by="agent", reason="goodbye") in bundle.events
    assert bundle.card["lost_writes"] > 0
    caller = tmp_path / "call" / "caller.wav"
    assert read_wav(caller).channel(0).any()


WRITER = """
import sys
from pathlib import Path
from agent.evidence import Recorder
from agent.events import KeyPressed

recorder = Recorder(Path(sys.argv[1]), {})
number = 0
while True:
    recorder.event(KeyPressed(at=number * 0.02, digit=str(number)))
    recorder.caller_frame(b"\\x01\\x02" * 320, at=number * 0.02)
    recorder.agent_audio(number * 0.02, b"\\x01\\x02" * 320)
    number += 1
    if number == 200:
        print("ready", flush=True)
    while recorder._waiting.qsize() > 100:
        pass
"""


def test_a_killed_process_leaves_a_readable_bundle(tmp_path: Path) -> None:
    folder = tmp_path / "call"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        writer.send_signal(signal.SIGKILL)
    bundle = read_bundle(folder)
    assert bundle.ended == "not closed"
    assert len(bundle.events) >= 90
    assert bundle.damaged <= 1
    assert [event.at for event in bundle.events] == sorted(event.at for event in bundle.events)
    for name in ("caller.wav", "agent.wav"):
        assert read_wav(folder / name).seconds > 1.0
