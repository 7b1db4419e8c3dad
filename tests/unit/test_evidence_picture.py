"""The picture of a call: well-formed, complete, and safe with whatever a caller says."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from agent.events import CallEnded, CallStarted, FinalHeard, LineFinished, LineStarted
from agent.evidence.bundle import read_bundle
from agent.evidence.picture import ROW_SECONDS, draw, draw_latencies
from agent.evidence.recorder import Recorder


def test_all_words_and_both_voices_are_in_the_picture(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "120000-test", {"time_zone": "UTC"})
    recorder.event(CallStarted(at=0.0, channel="x", caller="+13165550150"))
    tone = (np.sin(np.arange(16_000) / 5) * 8000).astype("<i2").tobytes()
    recorder.agent_audio(0.5, tone)
    recorder.event(LineStarted(at=0.5, line=1, text="Hello."))
    recorder.event(LineFinished(at=1.5, line=1, heard="Hello."))
    recorder.event(FinalHeard(at=14.0, text="<script> & more"))
    recorder.event(CallEnded(at=15.0, by="agent", reason="goodbye"))
    recorder.close()
    assert recorder.wait_closed(5)

    drawn = ElementTree.fromstring(draw(read_bundle(recorder.folder)))  # noqa: S314 - our own
    words = ["".join(text.itertext()) for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "Hello." in words
    assert "<script> & more" in words
    assert words.count("caller") == 15 // ROW_SECONDS + 1
    strokes = [path.get("d") for path in drawn.iter("{http://www.w3.org/2000/svg}path")]
    assert [bool(stroke) for stroke in strokes] == [False, True]


def test_each_run_is_a_curve_that_ends_at_all_turns() -> None:
    runs = {"alone": [0.3, 0.4, 0.5, 2.5], "<plain>": [1.0, 1.2], "nothing": []}
    drawn = ElementTree.fromstring(draw_latencies(runs))  # noqa: S314 - our own
    words = ["".join(text.itertext()) for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "alone: 4 turns" in words
    assert "<plain>: 2 turns" in words
    curves = [
        path.get("d", "")
        for path in drawn.iter("{http://www.w3.org/2000/svg}path")
        if path.get("fill") == "none"
    ]
    assert curves[0].count("V") == 4
    assert curves[0].endswith("V20.0")
