"""Scripted callers: what they do follows from what they hear, and they always end."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import AriError, SettingsError
from agent.evaluate.caller import Act, CallResult, HangUp, Listening, Press, Say, loud, step
from agent.evaluate.calls import Outcome, run_calls, summarise
from agent.evaluate.line import Line
from agent.evaluate.line_sound import RATE, SLOT, SLOT_SECONDS, Clip, LineSound
from agent.evaluate.manners import CALLERS, background, load_manners, stretched
from agent.evaluate.script import (
    Plan,
    PlannedTurn,
    Script,
    Turn,
    load_script,
    plan,
    script_names,
    voice_names,
)
from agent.evidence.bundle import Bundle
from agent.evidence.measures import EarMeasures
from agent.settings import Carrier, Settings

REACTION = 0.3
CLIP = Clip("line", np.zeros(RATE // 2, np.int16), 0, RATE // 2 - 1)
CLIP_SLOTS = len(CLIP.samples) // SLOT


def planned(*turns: Turn, ends: str = "agent", limit: float = 60.0) -> Plan:
    script = Script.model_validate({"about": "-", "ends": ends, "limit": limit, "turns": turns})
    return Plan(
        "test",
        script,
        "slt",
        tuple(PlannedTurn(t, CLIP if t.say else None, REACTION, t.after) for t in turns),
    )


def say(**more: float) -> Turn:
    return Turn.model_validate({"say": ["line"], **more})


def live(
    chosen: Plan, agent: Iterable[tuple[float, float]], seconds: float
) -> list[tuple[float, Act]]:
    """Play ``chosen`` against an agent that speaks at these spans; return what the caller did."""
    spans = list(agent)
    state = Listening()
    done: list[tuple[float, Act]] = []
    speaking_until = 0
    for slot in range(1, round(seconds / SLOT_SECONDS) + 1):
        at = slot * SLOT_SECONDS
        agent_loud = any(start < at - SLOT_SECONDS / 2 < end for start, end in spans)
        state, act = step(
            state, chosen, at=at, agent_loud=agent_loud, speaking=slot <= speaking_until
        )
        if isinstance(act, Say):
            speaking_until = slot + CLIP_SLOTS
        if act is not None:
            done.append((round(at, 2), act))
        if isinstance(act, HangUp):
            break
    return done


def test_the_caller_waits_for_the_end_of_the_line_and_then_a_moment() -> None:
    assert live(planned(say()), [(1, 3)], 10) == [(4.0, Say(0))]


def test_a_pause_between_sentences_is_no_end() -> None:
    assert live(planned(say()), [(1, 2), (2.5, 3), (3.6, 4)], 10) == [(5.0, Say(0))]


def test_nothing_is_said_before_the_agent_spoke() -> None:
    assert live(planned(say()), [], 30) == []


def test_each_turn_waits_for_a_line_of_its_own() -> None:
    done = live(planned(say(), say()), [(1, 2), (5, 6)], 20)
    assert done == [(3.0, Say(0)), (7.0, Say(1))]


def test_an_answer_that_begins_under_the_callers_words_counts_once_they_are_over() -> None:
    done = live(planned(say(), say()), [(1, 2), (3.4, 4.5)], 20)
    assert done == [(3.0, Say(0)), (5.5, Say(1))]


def test_a_click_is_no_line() -> None:
    assert live(planned(say()), [(1, 1.02), (5, 6)], 20) == [(7.0, Say(0))]


def test_a_barge_in_comes_into_the_line() -> None:
    assert live(planned(say(barge_in=1.5)), [(1, 6)], 20) == [(2.5, Say(0))]


def test_silence_lets_a_line_pass() -> None:
    silent = Turn(stay_silent=True)
    assert live(planned(silent, say()), [(1, 2), (8, 9)], 20) == [(10.0, Say(1))]


def test_keys_are_pressed() -> None:
    assert live(planned(Turn(keys="12")), [(1, 2)], 20) == [(3.0, Press("12"))]


def test_a_caller_can_hang_up_in_the_middle_of_a_line() -> None:
    chosen = planned(Turn(hang_up=True, barge_in=0.5), ends="caller")
    assert live(chosen, [(1, 6)], 20) == [(1.5, HangUp("done"))]


def test_a_caller_who_is_to_hang_up_does_so_after_the_last_line() -> None:
    done = live(planned(say(), ends="caller"), [(1, 2), (4, 5)], 20)
    assert done == [(3.0, Say(0)), (6.0, HangUp("done"))]


def test_a_caller_who_is_to_be_hung_up_on_waits_until_the_limit() -> None:
    done = live(planned(say(), limit=9), [(1, 2), (4, 5)], 20)
    assert done == [(3.0, Say(0)), (9.0, HangUp("limit"))]


def test_leaving_after_a_time_is_what_a_script_may_want() -> None:
    assert live(planned(ends="caller", limit=8), [], 20) == [(8.0, HangUp("done"))]


turns = st.one_of(
    st.builds(lambda: Turn(say=("line",))),
    st.floats(0, 3).map(lambda s: Turn(say=("line",), barge_in=s)),
    st.builds(lambda: Turn(stay_silent=True)),
    st.builds(lambda: Turn(keys="1")),
)
spans = st.lists(st.tuples(st.floats(0, 20), st.floats(0, 5)).map(lambda s: (s[0], s[0] + s[1])))


@given(st.lists(turns, max_size=4), spans, st.sampled_from(["agent", "caller"]))
def test_every_caller_ends_whatever_it_hears(
    chosen: list[Turn], agent: list[tuple[float, float]], ends: str
) -> None:
    done = live(planned(*chosen, ends=ends, limit=25), agent, 26)
    assert isinstance(done[-1][1], HangUp)
    said = [act.turn for _, act in done if isinstance(act, Say)]
    assert said == sorted(set(said))


@pytest.mark.parametrize(
    ("level", "expected"), [(0, False), (30, False), (100, False), (1000, True), (8000, True)]
)
def test_a_voice_is_told_from_noise(level: float, expected: bool) -> None:
    noise = np.random.default_rng(1).normal(0, level, SLOT) if level else np.zeros(SLOT)
    assert loud(noise.astype(np.int16)) is expected


# ── scripts ─────────────────────────────────────────────────────────────────────────────


def test_every_script_can_be_played_in_every_voice() -> None:
    assert {"order", "order-other-number", "question", "transfer", "silent"} <= set(script_names())
    assert len(voice_names()) >= 4
    for name in script_names():
        for seed, voice in enumerate(voice_names()):
            chosen = plan(name, seed, voice)
            assert len(chosen.turns) == len(load_script(name).turns)
            assert all(
                (p.clip is not None) == bool(p.turn.say or p.turn.sound) for p in chosen.turns
            )


def test_a_seed_decides_everything() -> None:
    def facts(seed: int) -> tuple[str, list[tuple[str, float]]]:
        chosen = plan("order", seed)
        return chosen.voice, [(p.clip.name if p.clip else "", p.reaction) for p in chosen.turns]

    assert facts(3) == facts(3)
    assert len({str(facts(seed)) for seed in range(12)}) == 12
    assert {facts(seed)[0] for seed in range(12)} == set(voice_names())


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ends = 'agent'", "about"),
        ('about = "-"\nends = "nobody"', "ends"),
        ('about = "-"\n[[turns]]', "exactly one"),
        ('about = "-"\n[[turns]]\nsay = ["yes"]\nkeys = "1"', "exactly one"),
        ('about = "-"\n[[turns]]\nsya = ["yes"]', "sya"),
        ("about = ", "Invalid value"),
    ],
)
def test_a_wrong_script_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=complaint) as caught:
        load_script(str(path))
    assert "mine.toml" in str(caught.value)


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no script 'dance'"):
        load_script("dance")
    path = tmp_path / "mine.toml"
    path.write_text('about = "-"\n[[turns]]\nsay = ["dance"]')
    with pytest.raises(SettingsError, match="no line 'dance'"):
        plan(str(path), 0)
    with pytest.raises(SettingsError, match="Voice 'robot'"):
        plan("order", 0, "robot")


def test_the_clips_are_those_of_the_list() -> None:
    size = sum(path.stat().st_size for path in CALLERS.rglob("*") if path.is_file())
    assert size <= 8_000_000


# ── the line ────────────────────────────────────────────────────────────────────────────


def test_what_is_heard_lies_where_it_arrived() -> None:
    sound = LineSound()
    frame = np.full(SLOT, 7, "<i2").tobytes()
    # Two frames with jitter, a pause of the agent, a burst after a stall of this process.
    for at in (1.0, 1.025, 2.0, 2.0, 2.041):
        sound.hear(frame, at)
    heard = sound.recording().channel(1)
    begins = [int(start) for start in np.flatnonzero(np.diff(heard) > 0) + 1]
    assert begins == [RATE, 2 * RATE]
    assert len(heard) == 2 * RATE + 3 * SLOT
    assert not sound.slot(50).heard.any()
    assert sound.slot(51).heard.all()


def test_a_clip_is_noted_where_its_voice_went_out() -> None:
    sound = LineSound()
    sound.say(Clip("a", np.full(2 * SLOT + 50, 9000, np.int16), 40, 2 * SLOT + 9))
    frames = [sound.send(slot) for slot in (50, 51, 53, 54)]
    assert not sound.speaking
    (spoken,) = sound.spoken
    assert spoken.voiced.start == pytest.approx(1.0 + 40 / RATE)
    # The slot that this process missed is part of the line: the voice really ended later.
    assert spoken.voiced.end == pytest.approx(53 * SLOT_SECONDS + 10 / RATE)
    assert all(len(frame) == 2 * SLOT for frame in frames)
    said = sound.recording().channel(0)
    assert len(said) == 55 * SLOT
    assert not said[: 50 * SLOT].any()
    assert not said[52 * SLOT : 53 * SLOT].any()
    assert np.abs(said[54 * SLOT :]).max() < 100


async def test_a_missing_carrier_is_an_error_with_a_remedy(unused_tcp_port: int) -> None:
    settings = Settings(carrier=Carrier(host="127.0.0.1", http_port=unused_tcp_port))
    async with Line(settings, "+13165550142") as line:
        with pytest.raises(AriError, match="Start Pickup with its carrier"):
            await line.place("+13165550150")


def result(ended: str, *, answered: float | None = 2.5) -> CallResult:
    ear = EarMeasures((), None, ())
    wav = Path("a.wav")
    return CallResult("test", "slt", "+1", answered, ended, "agent", 16, 10.0, wav, ear)


def written(by: str) -> Bundle:
    return Bundle(Path("call"), {"ended": {"by": by, "reason": "why"}}, ())


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [
        (Outcome(0, result("agent"), written("agent")), ""),
        (Outcome(0, result("agent"), None, for_staff=True), ""),
        (Outcome(0, result("agent", answered=None), None), "nobody answered"),
        (Outcome(0, result("limit"), written("agent")), "ended by limit"),
        (Outcome(0, result("agent"), None), "did not reach Pickup"),
        (Outcome(0, result("agent"), written("fault")), "fault of Pickup's: why"),
        (Outcome(0, result("agent"), written("agent"), for_staff=True), "staff answered"),
        (Outcome(0, None, None, "no carrier"), "no carrier"),
    ],
)
def test_a_call_that_went_wrong_is_called_so(outcome: Outcome, failure: str) -> None:
    assert failure in outcome.failure
    assert outcome.ok is not bool(failure)


async def test_calls_that_could_not_be_placed_are_failures(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    settings = Settings(home=tmp_path, carrier=Carrier(host="127.0.0.1", http_port=unused_tcp_port))
    seen: list[Outcome] = []
    outcomes = await run_calls(settings, "order", count=2, on_done=seen.append)
    assert seen == outcomes
    assert not any(outcome.ok for outcome in outcomes)
    assert all("carrier" in outcome.failure for outcome in outcomes)
    summary = summarise(outcomes)
    assert (summary.calls, summary.failed, summary.turns) == (2, 2, 0)
    assert summary.as_json()["ear"] is None


# ── manners ─────────────────────────────────────────────────────────────────────────────


def test_every_manner_changes_what_it_says_it_changes() -> None:
    plain = plan("order-other-number", 0, "slt")
    for name, manner in load_manners().items():
        chosen = plan("order-other-number", 0, "slt", name)
        assert (chosen.background is not None) == bool(manner.background), name
        spoken = [p.clip for p in chosen.turns if p.clip is not None]
        before = [p.clip for p in plain.turns if p.clip is not None]
        if manner.halting:
            assert "number_0177_halting" in [clip.name for clip in spoken]
        elif manner.stretch != 1.0:
            ratio = len(spoken[0].samples) / len(before[0].samples)
            assert ratio == pytest.approx(manner.stretch, abs=0.02)
    with pytest.raises(SettingsError, match="no manner 'drunk'"):
        plan("order", 0, "slt", "drunk")


def test_a_background_is_as_far_under_the_speech_as_it_says() -> None:
    near, far = background("babble", 10), background("babble", 20)
    assert near is not None
    assert far is not None
    assert len(near) % SLOT == 0
    ratio = np.std(near.astype(np.float64)) / np.std(far.astype(np.float64))
    assert 20 * np.log10(ratio) == pytest.approx(10, abs=0.5)


def test_slow_speech_keeps_its_pitch() -> None:
    time = np.arange(2 * RATE) / RATE
    tone = (8_000 * np.sin(2 * np.pi * 200 * time)).astype(np.int16)
    slow = stretched(tone, 1.35)[RATE // 2 : RATE]
    pitch = np.abs(np.fft.rfft(slow)).argmax() * RATE / len(slow)
    assert pitch == pytest.approx(200, abs=4)


def test_an_aside_is_said_over_the_agents_line() -> None:
    with pytest.raises(ValueError, match="aside needs barge_in"):
        Turn(say=("uh_huh",), aside=True)
    chosen = plan("listening", 0, "slt")
    assert [p.turn.aside for p in chosen.turns] == [True, False, True, False, False]
