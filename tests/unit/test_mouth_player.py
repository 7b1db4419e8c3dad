"""The player against a line that plays 20 ms in 20 ms, under virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.audio import FRAME_BYTES, FRAME_SECONDS, seconds
from agent.errors import CallGone, MouthError
from agent.events import Event, LineFinished, LineStarted
from agent.mouth import Player
from agent.mouth.player import AHEAD_SECONDS
from agent.mouth.timing import Spoken, pieces

TEXT = "Our ramen bowls are fresh every day, and we have Japanese beer and sake."


def sound(duration: float) -> bytes:
    """Return ``duration`` seconds in which no two frames are alike."""
    frames = round(duration / FRAME_SECONDS)
    return b"".join((number + 1).to_bytes(2, "little") * 320 for number in range(frames))


class SimulatedLine:
    """Asterisk's media channel: queue, marks, pause and flush, in virtual time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.heard = b""
        self.paused = False
        self.gone = False
        self.most_queued = 0.0
        self.on_mark: Callable[[str], None] = lambda name: None
        self._queue: list[bytes | str] = []

    async def play(self, pcm: bytes) -> None:
        if self.gone:
            raise CallGone("The caller hung up.")
        assert pcm
        assert len(pcm) % FRAME_BYTES == 0
        self._queue += [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]
        queued = sum(isinstance(item, bytes) for item in self._queue) * FRAME_SECONDS
        self.most_queued = max(self.most_queued, queued)

    async def mark(self, name: str) -> None:
        self._queue.append(name)

    async def pause(self) -> None:
        self.paused = True

    async def resume(self) -> None:
        self.paused = False

    async def flush(self) -> None:
        if self.gone:
            raise CallGone("The caller hung up.")
        self._queue.clear()
        self.paused = False

    async def advance(self, duration: float) -> None:
        """Let ``duration`` seconds pass, frame by frame."""
        for _ in range(round(duration / FRAME_SECONDS)):
            self.now += FRAME_SECONDS
            if not self.paused:
                self._play_frame()
            await settle()

    def _play_frame(self) -> None:
        if self._queue and isinstance(item := self._queue[0], bytes):
            self.heard += item
            self._queue.pop(0)
        while self._queue and isinstance(name := self._queue[0], str):
            self._queue.pop(0)
            self.on_mark(name)


async def settle() -> None:
    """Let tasks that can run, run."""
    for _ in range(10):
        await asyncio.sleep(0)


class Scene:
    """A line, a player on it, and all that the player told."""

    def __init__(self) -> None:
        self.line = SimulatedLine()
        self.events: list[Event] = []
        self.audio: list[tuple[float, bytes]] = []
        self.player = Player(
            self.line,
            lambda: self.line.now,
            self.events.append,
            lambda at, pcm: self.audio.append((at, pcm)),
        )

    @property
    def told(self) -> list[str]:
        """The events in a form that reads."""
        return [
            f"{event.line} began"
            if isinstance(event, LineStarted)
            else f"{event.line} {'complete' if event.complete else 'cut'}: {event.heard}"
            for event in self.events
            if isinstance(event, LineStarted | LineFinished)
        ]


async def test_a_line_finishes_once_when_its_last_sound_was_heard() -> None:
    scene = Scene()
    await scene.player.play(1, TEXT, sound(4.0), cached=True)
    await scene.line.advance(3.98)
    assert scene.told == ["1 began"]
    await scene.line.advance(1)
    assert scene.told == ["1 began", f"1 complete: {TEXT}"]
    assert scene.events[-1].at == pytest.approx(4.0)
    assert b"".join(pcm for _, pcm in scene.audio) == scene.line.heard == sound(4.0)
    assert scene.audio[0][0] == pytest.approx(0.0)
    assert not scene.player.playing


async def test_a_dropped_line_tells_what_was_heard() -> None:
    scene = Scene()
    await scene.player.play(1, TEXT, sound(4.0), cached=True)
    await scene.line.advance(2.0)
    finished = await scene.player.drop()
    assert scene.told == ["1 began", "1 cut: Our ramen bowls are fresh every day,"]
    assert finished == scene.events[-1]
    await scene.line.advance(3)
    assert len(scene.told) == 2
    assert seconds(scene.line.heard) == pytest.approx(2.0)


async def test_what_was_heard_in_a_pause_is_not_counted() -> None:
    scene = Scene()
    await scene.player.play(1, TEXT, sound(4.0), cached=True)
    await scene.line.advance(1.0)
    await scene.player.pause()
    await scene.line.advance(5.0)
    await scene.player.drop()
    assert scene.told[-1] == "1 cut: Our ramen bowls"
    assert not scene.line.paused, "the next line must be heard"


async def test_a_false_alarm_goes_on_where_it_was() -> None:
    scene = Scene()
    await scene.player.play(1, TEXT, sound(4.0), cached=True)
    await scene.line.advance(1.0)
    await scene.player.pause()
    await scene.line.advance(0.5)
    await scene.player.resume()
    await scene.line.advance(4.0)
    assert scene.told == ["1 began", f"1 complete: {TEXT}"]
    assert b"".join(pcm for _, pcm in scene.audio) == sound(4.0)
    resumed = [at for at, _ in scene.audio if at > 1.2]
    assert resumed[0] == pytest.approx(1.5, abs=0.05)


async def test_a_drop_with_nothing_playing_is_nothing() -> None:
    scene = Scene()
    assert await scene.player.drop() is None
    await scene.player.play(1, "Hello.", sound(0.4), cached=True)
    await scene.line.advance(1)
    assert await scene.player.drop() is None
    assert scene.told == ["1 began", "1 complete: Hello."]


async def test_two_lines_follow_each_other_and_are_dropped_together() -> None:
    scene = Scene()
    await scene.player.play(1, "One two.", sound(1.0), cached=True)
    await scene.player.play(2, "Three four.", sound(1.0), cached=True)
    await scene.player.play(3, "Five six.", sound(1.0), cached=True)
    await scene.line.advance(1.1)
    finished = await scene.player.drop()
    assert finished is not None
    assert finished.line == 2
    assert scene.told[3:] == ["1 complete: One two.", "2 cut: ", "3 cut: "]


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_fresh_speech_is_sent_as_it_comes_and_knows_its_words() -> None:
    scene = Scene()
    gap = bytes(FRAME_BYTES * 5)
    speech = chunks(
        Spoken(sound(1.0), "Sure, no problem."), gap, Spoken(sound(2.0), "Anything else today?")
    )
    await scene.player.play(1, "Sure, no problem. Anything else today?", speech, cached=False)
    await scene.line.advance(1.06)
    await scene.player.drop()
    assert scene.told[-1] == "1 cut: Sure, no problem."


async def test_chunks_that_know_no_words_are_taken_in_order() -> None:
    scene = Scene()
    speech = chunks(sound(1.0), bytes(FRAME_BYTES), sound(1.0))
    await scene.player.play(1, "Sure. Anything else?", speech, cached=False)
    await scene.line.advance(1.0)
    await scene.player.drop()
    assert scene.told[-1] == "1 cut: Sure."


async def test_speech_that_comes_late_is_counted_from_when_it_came() -> None:
    scene = Scene()
    more = asyncio.Event()

    async def late() -> AsyncIterator[bytes]:
        yield Spoken(sound(0.6), "Sure.")
        await more.wait()
        yield Spoken(sound(2.0), "Anything else for you today?")

    playing = asyncio.create_task(
        scene.player.play(1, "Sure. Anything else for you today?", late(), cached=False)
    )
    await settle()
    await scene.line.advance(5.0)
    more.set()
    await settle()
    await playing
    await scene.line.advance(1.0)
    await scene.player.drop()
    assert scene.told[-1] == "1 cut: Sure. Anything else"
    assert scene.audio[1][0] == pytest.approx(5.0, abs=0.05)


async def test_a_drop_stops_speech_that_is_still_being_made() -> None:
    scene = Scene()
    closed = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            yield sound(0.5)
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    playing = asyncio.create_task(scene.player.play(1, "Hello there.", endless(), cached=False))
    await settle()
    await scene.line.advance(0.2)
    await scene.player.drop()
    await playing
    assert closed == [True]
    await scene.player.play(2, "Yes?", sound(0.4), cached=True)
    await scene.line.advance(1)
    assert scene.told == ["1 began", "1 cut: ", "2 began", "2 complete: Yes?"]


async def test_a_line_that_waits_behind_a_dropped_one_is_never_begun() -> None:
    scene = Scene()
    long = sound(AHEAD_SECONDS + 5)
    first = asyncio.create_task(scene.player.play(1, TEXT, long, cached=True))
    second = asyncio.create_task(scene.player.play(2, "Two.", sound(1), cached=True))
    await settle()
    await scene.player.drop()
    await asyncio.gather(first, second)
    assert scene.told == ["1 began", "1 cut: "]


async def test_a_long_line_is_not_queued_whole() -> None:
    scene = Scene()
    text = " ".join(f"word{number}" for number in range(60))
    playing = asyncio.create_task(scene.player.play(1, text, sound(30), cached=True))
    await scene.line.advance(31)
    await playing
    assert scene.told == ["1 began", f"1 complete: {text}"]
    assert AHEAD_SECONDS - 2 < scene.line.most_queued <= AHEAD_SECONDS


async def test_a_failing_voice_finishes_the_line_as_cut_and_is_told() -> None:
    scene = Scene()

    async def broken() -> AsyncIterator[bytes]:
        yield Spoken(sound(0.6), "Sure.")
        raise MouthError("The Piper program ended twice.")

    with pytest.raises(MouthError):
        await scene.player.play(1, "Sure. Bye.", broken(), cached=False)
    assert scene.told == ["1 began"]
    await scene.line.advance(1)
    assert scene.told == ["1 began", "1 cut: Sure."]


async def test_a_voice_that_fails_at_once_leaves_no_line() -> None:
    scene = Scene()

    async def broken() -> AsyncIterator[bytes]:
        for reason in ("The Piper program can't be started.",):
            raise MouthError(reason)
        yield b""

    with pytest.raises(MouthError):
        await scene.player.play(1, "Sure.", broken(), cached=False)
    assert scene.told == []
    assert not scene.player.playing


async def test_a_line_without_sound_begins_and_ends_at_once() -> None:
    scene = Scene()
    await scene.player.play(1, "🍣", b"", cached=True)
    await scene.player.play(2, "🍣", chunks(), cached=False)
    assert scene.told == ["1 began", "1 complete: 🍣", "2 began", "2 complete: 🍣"]


async def test_when_the_caller_is_gone_what_was_heard_is_still_told() -> None:
    scene = Scene()
    await scene.player.play(1, TEXT, sound(4.0), cached=True)
    await scene.line.advance(2.0)
    scene.line.gone = True
    with pytest.raises(CallGone):
        await scene.player.play(2, "More.", sound(1.0), cached=True)
    await scene.player.drop()
    assert scene.told == ["1 began", "1 cut: Our ramen bowls are fresh every day,"]


async def test_a_cancelled_play_ends_its_line() -> None:
    scene = Scene()

    async def endless() -> AsyncIterator[bytes]:
        yield sound(0.5)
        await asyncio.Event().wait()

    playing = asyncio.create_task(scene.player.play(1, "Hello.", endless(), cached=False))
    await settle()
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    await scene.line.advance(1)
    assert scene.told == ["1 began", "1 cut: Hello."]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("play"), st.floats(0.02, 12)),
        st.tuples(st.just("advance"), st.floats(0.02, 6)),
        st.tuples(st.sampled_from(["pause", "resume", "drop"]), st.just(0.0)),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=60)
@given(steps)
def test_whatever_happens_each_line_ends_once_and_no_more_is_told_than_was_heard(
    steps: list[tuple[str, float]],
) -> None:
    async def run() -> None:
        scene = Scene()
        playing = []
        lines = count(1)
        for step, value in steps:
            if step == "play":
                line = next(lines)
                pcm = sound(max(0.02, value))
                playing.append(asyncio.create_task(scene.player.play(line, TEXT, pcm, cached=True)))
                await settle()
            elif step == "advance":
                await scene.line.advance(value)
            else:
                await getattr(scene.player, step)()
        await scene.player.drop()
        await asyncio.gather(*playing)
        began = Counter(event.line for event in scene.events if isinstance(event, LineStarted))
        ended = Counter(event.line for event in scene.events if isinstance(event, LineFinished))
        assert began == ended
        assert all(times == 1 for times in ended.values())
        told = sum(seconds(pcm) for _, pcm in scene.audio)
        heard = seconds(scene.line.heard)
        # A drop or pause between two frames may miss the first sound's 20 ms and one frame.
        interruptions = sum(step in {"pause", "drop"} for step, _ in steps) + 1
        assert heard - 0.05 * interruptions <= told <= heard + 1e-6
        times = [at for at, _ in scene.audio]
        assert times == sorted(times)
        for event in scene.events:
            if isinstance(event, LineFinished):
                assert TEXT.startswith(event.heard)

    asyncio.run(run())


@given(
    st.lists(st.sampled_from(["one,", "two.", "three", "$4.50", "-"]), max_size=30),
    st.integers(0, 600),
)
def test_pieces_are_the_whole_sound_and_all_its_words(words: list[str], frames: int) -> None:
    text, pcm = " ".join(words), sound(frames * FRAME_SECONDS)
    found = pieces(text, pcm)
    assert b"".join(piece.pcm for piece in found) == pcm
    assert all(len(piece.pcm) % FRAME_BYTES == 0 and piece.pcm for piece in found)
    for piece in found:
        assert list(piece.ends) == sorted(piece.ends)
        assert piece.heard(seconds(piece.pcm) + FRAME_SECONDS) == piece.words
