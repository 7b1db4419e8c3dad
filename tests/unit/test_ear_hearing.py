"""The whole ear, with the real Vosk and the real Silero, on small recordings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from agent.audio import FRAME_BYTES, pad_to_frame, seconds
from agent.ear import Ear, EarEngine
from agent.errors import EarError
from agent.events import Event, Expect, FinalHeard, PartialHeard, SpeechStarted, SpeechStopped
from agent.settings import Models
from tests.unit.ear_sounds import Line, clicks, hiss, keys, music, silence, slin16, speech

NUMBER = "three one six five five five zero one two three"


@pytest.fixture(scope="module")
def engine() -> Iterator[EarEngine]:
    engine = EarEngine(Models().ear)
    yield engine
    engine.close()


async def listen(ear: Ear, pcm: bytes, begin: float = 0.0) -> list[Event]:
    events: list[Event] = []
    padded = pad_to_frame(pcm)
    for start in range(0, len(padded), FRAME_BYTES):
        at = begin + seconds(padded[: start + FRAME_BYTES])
        events += await ear.hear(padded[start : start + FRAME_BYTES], at)
    return events


async def hearing(
    engine: EarEngine, *parts: Line, expect: Expect = Expect.OPEN
) -> tuple[list[Event], FinalHeard]:
    ear = engine.open()
    ear.expect(expect)
    pcm = slin16(*parts)
    events = await listen(ear, pcm)
    final = await ear.finish(seconds(pcm))
    ear.close()
    return events, final


def waits(events: list[Event]) -> tuple[float, str]:
    """Return the wait and rule that held at the end."""
    wait, rule = 0.0, ""
    for event in events:
        if isinstance(event, SpeechStopped) or (isinstance(event, PartialHeard) and event.wait):
            wait, rule = event.wait or 0.0, event.rule
    return wait, rule


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("yes_rms", "yes"),
        ("yes_ked", "yes"),
        ("yes_espeak", "yes"),
        ("thats_all_espeak", "no that's all thanks"),
        ("order_rms", "hi i'd like to place an order"),
        ("hours_ked", "what are your hours"),
    ],
)
async def test_words(engine: EarEngine, name: str, text: str) -> None:
    events, final = await hearing(engine, hiss(1), speech(name), hiss(1))
    assert final.text == text
    kinds = [type(event) for event in events if not isinstance(event, PartialHeard)]
    assert kinds == [SpeechStarted, SpeechStopped]
    assert 0.5 < final.confidence <= 1


async def test_a_lone_yes_to_a_question_is_a_bare_answer(engine: EarEngine) -> None:
    events, final = await hearing(
        engine, hiss(1), speech("yes_ked"), hiss(0.5), expect=Expect.YES_NO
    )
    assert final.text == "yes"
    assert waits(events)[1] == "bare_answer"


@pytest.mark.parametrize("name", ["number_rms", "number_espeak", "number_groups_rms"])
async def test_phone_number(engine: EarEngine, name: str) -> None:
    events, final = await hearing(
        engine, hiss(1), speech(name), hiss(1), expect=Expect.PHONE_NUMBER
    )
    assert final.text == NUMBER
    assert waits(events)[1] == "whole_number"


async def test_pauses_between_groups_are_waited_out(engine: EarEngine) -> None:
    events, _ = await hearing(
        engine, hiss(1), speech("number_groups_rms"), hiss(1), expect=Expect.PHONE_NUMBER
    )
    rules = [event.rule for event in events if isinstance(event, SpeechStopped)]
    assert rules[:2] == ["mid_number", "mid_number"]


async def test_other_words_survive_where_a_number_was_asked_for(engine: EarEngine) -> None:
    _, final = await hearing(
        engine, hiss(1), speech("order_rms"), hiss(1), expect=Expect.PHONE_NUMBER
    )
    assert final.text == "hi i'd like to place an order"


@pytest.mark.parametrize(
    "sound", [silence(4), hiss(4), hiss(4, 3_000), clicks(4), keys(4), music(4)]
)
async def test_no_words_where_nobody_speaks(engine: EarEngine, sound: Line) -> None:
    events, final = await hearing(engine, sound)
    assert events == []
    assert final.text == ""
    assert final.words == ()


async def test_clipped_speech_does_no_harm(engine: EarEngine) -> None:
    _, final = await hearing(engine, hiss(1), speech("order_rms") * 20, hiss(1))
    assert "like to place" in final.text


async def test_the_same_sound_gives_the_same_events(engine: EarEngine) -> None:
    parts = (hiss(1), speech("order_rms"), hiss(1), speech("yes_rms"), hiss(1))
    assert await hearing(engine, *parts) == await hearing(engine, *parts)


@pytest.mark.parametrize("name", ["thats_all_espeak", "order_rms", "hours_ked"])
async def test_the_same_sound_at_another_moment_gives_the_same_words(
    engine: EarEngine, name: str
) -> None:
    heard = set()
    for packets in range(8):  # after eight the detector's chunks lie on it as at first
        later = 0.02 * packets
        _, final = await hearing(engine, silence(later), hiss(1), speech(name), hiss(1))
        heard.add(tuple((w.text, round(w.start - later, 2), w.confidence) for w in final.words))
    assert len(heard) == 1


async def test_two_calls_at_once_hear_as_each_alone(engine: EarEngine) -> None:
    one = (hiss(1), speech("order_rms"), hiss(1))
    two = (hiss(1), speech("hours_ked"), hiss(1))
    alone = [await hearing(engine, *one), await hearing(engine, *two)]
    together = await asyncio.gather(hearing(engine, *one), hearing(engine, *two))
    assert list(together) == alone


async def test_word_times_are_call_times(engine: EarEngine) -> None:
    ear = engine.open()
    begin = 100.0
    pcm = slin16(hiss(1), speech("order_rms"), hiss(2), speech("hours_ked"), hiss(1))
    await listen(ear, pcm, begin)
    final = await ear.finish(begin + seconds(pcm))
    order = next(word for word in final.words if word.text == "order")
    hours = final.words[-1]
    assert hours.text == "hours"
    assert order.end == pytest.approx(begin + 1 + 2.34, abs=0.15)
    # Most of the two seconds between them was not decoded, but it did pass: the last word
    # ends 1.28 s into its file, 0.2 s and the last second of hiss before the sound's end.
    assert hours.end == pytest.approx(begin + seconds(pcm) - 1.2, abs=0.15)


async def test_stable_words_only_grow_from_agreeing_partials(engine: EarEngine) -> None:
    events, final = await hearing(engine, hiss(1), speech("order_rms"), hiss(1))
    partials = [event for event in events if isinstance(event, PartialHeard)]
    assert partials[0].stable == 0
    assert partials[-1].text == final.text
    assert partials[-1].stable == len(final.text.split())


async def test_turns_do_not_run_into_each_other(engine: EarEngine) -> None:
    ear = engine.open()
    first = slin16(hiss(1), speech("order_rms"), hiss(0.7))
    second = slin16(hiss(1), speech("yes_rms"), hiss(0.7))
    await listen(ear, first)
    assert (await ear.finish(seconds(first))).text == "hi i'd like to place an order"
    await listen(ear, second, seconds(first))
    assert (await ear.finish(seconds(first + second))).text == "yes"


async def test_what_is_forgotten_is_gone(engine: EarEngine) -> None:
    ear = engine.open()
    pcm = slin16(hiss(1), speech("order_rms"), hiss(0.7))
    await listen(ear, pcm)
    await ear.forget()
    assert (await ear.finish(seconds(pcm))).text == ""


async def test_finishing_in_mid_speech_keeps_the_rest_for_the_next_turn(engine: EarEngine) -> None:
    ear = engine.open()
    pcm = slin16(hiss(1), speech("order_rms"), hiss(1))
    half = FRAME_BYTES * 110
    await listen(ear, pcm[:half])
    first = await ear.finish(seconds(pcm[:half]))
    events = await listen(ear, pcm[half:], seconds(pcm[:half]))
    second = await ear.finish(seconds(pcm))
    assert first.text.startswith("hi i'd")  # the cut falls into "like"
    assert second.text.endswith("order")
    assert isinstance(events[0], SpeechStarted)
    assert isinstance(events[-1], SpeechStopped | PartialHeard)


async def test_forty_seconds_of_speech(engine: EarEngine) -> None:
    _, final = await hearing(engine, *[speech("order_rms")] * 15, hiss(1))
    assert final.text.count("place an order") >= 14
    assert final.words[-1].end > 37


async def test_nothing_at_all(engine: EarEngine) -> None:
    ear = engine.open()
    assert list(await ear.hear(b"", 0.0)) == []
    assert (await ear.finish(0.0)).text == ""


async def test_half_a_sample_is_refused(engine: EarEngine) -> None:
    with pytest.raises(EarError, match="no 16-bit audio"):
        await engine.open().hear(b"\0" * 641, 0.02)


async def test_a_closed_ear_says_so(engine: EarEngine) -> None:
    ear = engine.open()
    ear.close()
    ear.close()
    with pytest.raises(EarError, match="closed"):
        await ear.hear(bytes(FRAME_BYTES), 0.02)
    with pytest.raises(EarError, match="closed"):
        await ear.finish(0.02)


async def test_a_recogniser_that_fails_is_an_error_not_silence() -> None:
    engine = EarEngine(Models().ear)
    ear = engine.open()
    engine.close()
    with pytest.raises(EarError, match="recogniser failed"):
        await listen(ear, slin16(hiss(1), speech("order_rms")))
