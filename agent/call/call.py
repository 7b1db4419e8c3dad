"""One call: reads events, carries out actions.

Every event passes one inbox, is recorded, and goes through ``turns.step``; the actions
that come back are carried out here. What takes time (understanding, tools, speech) runs
beside the inbox and comes back to it as an event, so a pause is never late.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import structlog

from agent import turns
from agent.audio import AudioTime, byte_count
from agent.call.ahead import Ahead, Asked
from agent.call.keeping import Keeping
from agent.call.needs import Leg, Media
from agent.call.parts import Parts
from agent.ear.tones import ToneDetector
from agent.errors import CallGone, EngineError, PickupError, UnbackedClaim
from agent.events import (
    CallAnswered,
    CallEnded,
    CallerHungUp,
    Event,
    FaultSeen,
    FinalHeard,
    LineFinished,
    Replied,
    Sentence,
    SentenceKind,
    ToneHeard,
    Understood,
)
from agent.evidence import Recorder
from agent.mind import claims
from agent.mind.dialogue import (
    Dialogue,
    DialogueState,
    Heard,
    Input,
    Keys,
    Reply,
    Silence,
    TimeUp,
)
from agent.mind.wording import Phrase
from agent.mouth import Player
from agent.mouth.units import SENTENCE_PAUSE

log = structlog.get_logger()

ONE_MOMENT: Final = Sentence(SentenceKind.PHRASE, Phrase.ONE_MOMENT.ref, Phrase.ONE_MOMENT.value)
MEDIA_SILENT_SECONDS: Final = 1.0
"""Without a frame for this long, time is taken from the clock so that nothing stands still."""


BEHIND_SECONDS: Final = 0.08
"""A box this late with the caller's sound has no time for guesses."""


@dataclass(frozen=True, slots=True)
class Words:
    """The caller's words for the mind; ``goes_on`` as in `turns.Understand`."""

    text: str
    goes_on: bool


class Call:
    """One call from answer to release."""

    def __init__(self, leg: Leg, parts: Parts, dialogue: Dialogue, recorder: Recorder) -> None:
        """Take the parts; nothing happens before ``run``."""
        self._leg = leg
        self._parts = parts
        self._dialogue = dialogue
        self._recorder = recorder
        self._inbox: asyncio.Queue[Event | turns.Tick] = asyncio.Queue()
        self._inputs: asyncio.Queue[Input | Words | None] = asyncio.Queue()
        self._lines: asyncio.Queue[tuple[int, tuple[Sentence, ...]]] = asyncio.Queue()
        self._state = turns.State(longest_call=parts.longest_call)
        self._talk: DialogueState | None = None
        self._asked = Asked()
        self._before: tuple[DialogueState | None, Asked] = (None, Asked())
        """How the dialogue stood before the caller's last words, to take them back to."""
        self._keeping = Keeping(parts, recorder.folder, self._post, leg.clock)
        self._ahead = Ahead(parts, dialogue, self._record, leg.clock)
        self._ear = parts.ears.open()
        self._player: Player | None = None
        self._line = 0
        self._ear_lock = asyncio.Lock()
        self._frames: asyncio.Queue[tuple[bytes, float] | None] = asyncio.Queue()
        self._arrived = 0.0
        """When the last frame came, by the clock."""
        self._heard_until = 0.0
        """The end of the sound that the ear has heard, in audio time."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: tuple[str, str] | None = None

    async def run(self) -> None:
        """Serve the call until it is over; always leaves a closed bundle.

        A fault of ours hands the caller to the dialplan's fallback (apology, voicemail).
        """
        try:
            self._post(self._leg.info.started(self._leg.clock()))
            for lame in self._parts.mind.faults:
                self._post(FaultSeen(at=self._leg.clock(), code=lame.code, message=str(lame)))
            async with asyncio.TaskGroup() as group:
                conversation = group.create_task(self._converse())
                conversation.add_done_callback(lambda _: self._cancel_tasks())
                self._spawn(group, self._follow_leg())
                self._spawn(group, self._prepare(group))
        except* CallGone:
            self._ended = self._ended or ("caller", "hung_up")
        except* PickupError as group_error:
            fault = group_error.exceptions[0]
            code = fault.code if isinstance(fault, PickupError) else "pickup"
            log.error("The call met a fault of ours.", code=code, exc_info=group_error)
            self._record(FaultSeen(at=self._leg.clock(), code=code, message=str(fault)))
            self._ended = ("fault", code)
            with contextlib.suppress(CallGone):
                await self._leg.to_voicemail(code)
        finally:
            self._ear.close()
            await self._ahead.close()
            await self._pass_on_left_over()
            by, reason = self._ended or ("fault", "unexpected")
            self._record(CallEnded(at=self._leg.clock(), by=by, reason=reason))
            self._recorder.close()

    async def _pass_on_left_over(self) -> None:
        """Keep what a caller told for the owner before they hung up in the middle."""
        tool = self._dialogue.left_over(self._talk) if self._talk else None
        if tool is None:
            return
        try:
            await self._keeping.use(tool, wait=False)
        except PickupError as error:
            log.error("An unfinished message is lost but for the recording.", code=error.code)
        self._record_rest()

    # ── the inbox ───────────────────────────────────────────────────────────────────────

    def _post(self, event: Event | turns.Tick) -> None:
        self._inbox.put_nowait(event)

    def _record(self, event: Event) -> None:
        self._recorder.event(event)

    def _record_rest(self) -> None:
        while not self._inbox.empty():
            event = self._inbox.get_nowait()
            if isinstance(event, Event):
                self._record(event)

    def _spawn(self, group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
        task = group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _cancel_tasks(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()

    async def _converse(self) -> None:
        while not self._state.over:
            event = await self._inbox.get()
            if isinstance(event, Event):
                self._record(event)
            self._state, actions = turns.step(self._state, event)
            for action in actions:
                await self._do(action)
            if isinstance(event, CallerHungUp):
                self._ended = ("caller", "hung_up")
        if self._player is not None:
            await self._player.drop()
        self._record_rest()

    async def _do(self, action: turns.Action) -> None:
        match action:
            case turns.Open():
                self._inputs.put_nowait(None)
            case turns.EndTurn():
                self._post(await self._final_words())
            case turns.Guess(text=text, goes_on=goes_on):
                self._guess(text, goes_on=goes_on)
            case turns.Understand(text=text, goes_on=goes_on):
                self._inputs.put_nowait(Words(text, goes_on))
            case turns.AskSilence(count=count):
                self._inputs.put_nowait(Silence(count))
            case turns.WindUp():
                self._inputs.put_nowait(TimeUp())
            case turns.ReadKeys(digits=digits):
                self._inputs.put_nowait(Keys(digits))
            case turns.Speak(sentences=sentences):
                self._queue_line(sentences)
            case turns.Bridge():
                self._queue_line((ONE_MOMENT,))
            case turns.Pause() if self._player:
                await self._player.pause()
            case turns.Resume() if self._player:
                await self._player.resume()
            case turns.Drop():
                await self._drop_lines()
            case turns.Forget():
                async with self._ear_lock:
                    await self._ear.forget()
            case turns.Note(event=event):
                self._record(event)
            case turns.GiveUp(waited_for=what):
                raise EngineError(
                    f"The call waited in vain for {what}.",
                    remedy="See the agent's log for what hangs; the caller went to voicemail.",
                )
            case turns.HangUp(reason=reason):
                self._ended = ("agent", reason)
                await self._leg.hang_up()
            case _:
                log.debug("There was nothing to act on yet.", action=type(action).__name__)

    # ── phone and ear ───────────────────────────────────────────────────────────────────

    async def _follow_leg(self) -> None:
        async for event in self._leg.events():
            self._post(event)

    async def _prepare(self, group: asyncio.TaskGroup) -> None:
        await self._leg.answer()
        media = await self._leg.open_media()
        self._player = Player(
            media,
            clock=self._leg.clock,
            emit=self._post,
            on_audio=self._recorder.agent_audio,
        )
        self._spawn(group, self._receive(media))
        self._spawn(group, self._hear())
        self._spawn(group, self._keep_time())
        self._spawn(group, self._think())
        self._spawn(group, self._say_lines(self._player))
        self._post(CallAnswered(at=self._leg.clock()))

    async def _receive(self, media: Media) -> None:
        """Take the caller's frames as they come: how late the ear is must not move their time."""
        audio_clock = AudioTime(self._leg.clock())
        async for frame in media.frames():
            self._arrived = self._leg.clock()
            at = audio_clock.next_frame(self._arrived)
            self._recorder.caller_frame(frame, at)
            self._frames.put_nowait((frame, at))
        self._frames.put_nowait(None)

    async def _hear(self) -> None:
        tones = ToneDetector()
        while (received := await self._frames.get()) is not None:
            frame, at = received
            async with self._ear_lock:
                heard = await self._ear.hear(frame, at)
            self._heard_until = at
            for event in heard:
                self._post(event)
            if tone := tones.feed(frame):
                self._post(ToneHeard(at=at, tone=tone))
            self._post(turns.Tick(at))

    async def _keep_time(self) -> None:
        """Let time pass even when no audio comes, so that a one-way line still ends."""
        while True:
            await asyncio.sleep(MEDIA_SILENT_SECONDS / 4)
            now = self._leg.clock()
            if now - self._arrived > MEDIA_SILENT_SECONDS and self._frames.empty():
                self._post(turns.Tick(now))

    async def _final_words(self) -> FinalHeard:
        async with self._ear_lock:
            return await self._ear.finish(self._leg.clock())

    # ── mind and promises ───────────────────────────────────────────────────────────────

    def _guess(self, text: str, *, goes_on: bool) -> None:
        if self._leg.clock() - self._heard_until > BEHIND_SECONDS:
            return
        talk, asked = self._before if goes_on else (self._talk, self._asked)
        self._ahead.guess(text, asked, talk)

    async def _think(self) -> None:
        while True:
            reply = await self._reply(await self._inputs.get())
            while True:
                said = " ".join(sentence.text for sentence in reply.sentences)
                self._asked = Asked(reply.expect, said)
                self._ear.expect(reply.expect, said)
                self._post(_replied(self._leg.clock(), reply))
                if reply.tool is None:
                    break
                reply = self._step(await self._keeping.use(reply.tool))

    async def _reply(self, item: Input | Words | None) -> Reply:
        if item is None:
            self._talk, reply = self._dialogue.open()
            return reply
        if isinstance(item, Words):
            item = await self._understand(item)
        return self._step(item)

    async def _understand(self, words: Words) -> Heard:
        if words.goes_on:
            self._talk, self._asked = self._before
        self._before = (self._talk, self._asked)
        text, asked = words.text, self._asked
        understood = await self._ahead.understood(text, asked)
        if understood is None:
            understood = await self._parts.mind.understand(text, asked.expect, asked.said)
        self._post(
            Understood(
                at=self._leg.clock(),
                text=text,
                moves=understood.moves,
                slots=understood.slots,
                by=understood.by,
                seconds=understood.seconds,
                fault=understood.fault,
            )
        )
        return Heard(understood, text)

    def _step(self, item: Input) -> Reply:
        if self._talk is None:
            self._talk, _ = self._dialogue.open()
        self._talk, reply = self._dialogue.step(self._talk, item)
        return reply

    # ── mouth ───────────────────────────────────────────────────────────────────────────

    def _queue_line(self, sentences: tuple[Sentence, ...]) -> None:
        self._line += 1
        self._lines.put_nowait((self._line, sentences))

    async def _drop_lines(self) -> None:
        while not self._lines.empty():
            line, _ = self._lines.get_nowait()
            self._post(LineFinished(at=self._leg.clock(), line=line, heard="", complete=False))
        if self._player is not None:
            await self._player.drop()

    def _backed(self, sentences: tuple[Sentence, ...]) -> tuple[Sentence, ...]:
        """Return the sentences that may be spoken; what nothing backs is put on record instead."""
        backed = []
        for sentence in sentences:
            try:
                backed.append(
                    claims.check(
                        sentence,
                        self._parts.restaurant,
                        self._keeping.receipts,
                        self._parts.capabilities,
                    )
                )
            except UnbackedClaim as error:
                log.error("A sentence was not spoken: nothing backs it.", ref=sentence.ref)
                self._post(FaultSeen(at=self._leg.clock(), code=error.code, message=str(error)))
        return tuple(backed)

    async def _say_lines(self, player: Player) -> None:
        while True:
            line, sentences = await self._lines.get()
            backed = self._backed(sentences)
            text = " ".join(sentence.text for sentence in backed)
            cached = all(self._parts.phrases.get(sentence.text) for sentence in backed)
            await player.play(line, text, self._spoken(backed), cached=cached)

    async def _spoken(self, sentences: tuple[Sentence, ...]) -> AsyncGenerator[bytes, None]:
        for index, sentence in enumerate(sentences):
            if index:
                yield bytes(byte_count(SENTENCE_PAUSE))  # a breath
            ready = self._parts.phrases.get(sentence.text)
            if ready is not None:
                yield ready
                continue
            if ahead := self._ahead.spoken(sentence.text):
                for chunk in ahead:
                    yield chunk
                continue
            async for chunk in self._parts.mouth.speak(sentence.text):
                yield chunk


def _replied(at: float, reply: Reply) -> Replied:
    return Replied(
        at=at,
        step=reply.step,
        sentences=reply.sentences,
        expect=reply.expect,
        tool=reply.tool.promise_kind if reply.tool else "",
        ends_call=reply.ends_call,
    )
