"""Writes a made-up call as a bundle: what is said when, events and sound, on one clock.

Voices are speech-shaped noise: the checks go by where sound is, not by what it says; words
are in the events, as the ear would have written them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agent.audio import SAMPLE_RATE
from agent.events import (
    BargedIn,
    CallAnswered,
    CallEnded,
    CallerHungUp,
    CallStarted,
    Event,
    Expect,
    FaultSeen,
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
    SpeechStarted,
    SpeechStopped,
    TurnEnded,
    Understood,
    Word,
)
from agent.evidence.machine import fingerprint
from agent.evidence.recorder import (
    AGENT_AUDIO,
    CALL_FILE,
    CALLER_AUDIO,
    EVENTS_FILE,
    RESTAURANT_FILE,
)
from agent.evidence.wav import WavWriter
from agent.mind import wording
from agent.mind.dialogue.state import EXPECTS, Ask
from agent.mind.wording import Phrase
from agent.restaurant import Restaurant, load_restaurant
from agent.settings import CHECKOUT

HIKARI = CHECKOUT / "evals" / "worlds" / "hikari.toml"
RESTAURANT: Restaurant = load_restaurant(HIKARI)
WORD_SECONDS = 0.3
LEAD_SECONDS = 0.2
ENDS = frozenset({"goodbye", "spam", "abuse", "emergency", "silence", "unclear", "turn_budget"})


def phrase(name: Phrase, **blanks: str) -> Sentence:
    """Return a phrase's sentence."""
    return wording.phrase(name, **blanks)


def fact(name: str) -> Sentence:
    """Return a fact's sentence."""
    found = RESTAURANT.fact(name)
    assert found is not None, name
    return Sentence(SentenceKind.FACT, name, found.say)


def invented(text: str, kind: SentenceKind = SentenceKind.PHRASE, ref: str = "free") -> Sentence:
    """Return a sentence that nothing backs."""
    return Sentence(kind, ref, text)


@dataclass
class Tape:
    """A call being made up. Every method returns the call time at which its part begins."""

    caller_number: str = "+13165550150"
    can: tuple[str, ...] = tuple(PromiseKind)
    now: float = 0.0
    events: list[Event] = field(default_factory=list)
    caller: list[tuple[float, float]] = field(default_factory=list)
    agent: list[tuple[float, float]] = field(default_factory=list)
    news: list[dict[str, Any]] = field(default_factory=list)
    closed: bool = True
    _line: int = 0
    _expect: Expect = Expect.OPEN
    _ended: CallEnded | None = None

    def __post_init__(self) -> None:
        self._add(CallStarted(at=0.0, channel="PJSIP/trunk-1", caller=self.caller_number))
        self._add(CallAnswered(at=0.05))
        self.now = 0.05

    def greet(self, gap: float = 0.1) -> float:
        """Let the agent answer the phone."""
        return self.says(wording.greeting(RESTAURANT), step="greeting", gap=gap)

    def says(
        self,
        *sentences: Sentence,
        step: str = "",
        gap: float = 0.5,
        tool: str = "",
        heard: str | None = None,
        seconds: float | None = None,
        undecided: bool = False,
    ) -> float:
        """Let the agent speak.

        Args:
            sentences: What it says.
            step: The reply's step; an `Ask` or an end.
            gap: Seconds after what came before; negative: into it.
            tool: A tool that the reply uses.
            heard: What was heard of it, if not all.
            seconds: How long that took.
            undecided: No reply holds the words.
        """
        start = max(0.1, self.now + gap)
        ends = step in ENDS
        if step in set(Ask):
            self._expect = EXPECTS[Ask(step)]
        if not undecided:
            self._add(
                Replied(
                    at=start - 0.02,
                    step=step,
                    sentences=sentences,
                    expect=self._expect,
                    tool=tool,
                    ends_call=ends,
                )
            )
        text = " ".join(one.text for one in sentences)
        told = text if heard is None else heard
        length = seconds or len(told.split()) * WORD_SECONDS + LEAD_SECONDS
        self._line += 1
        self._add(LineStarted(at=start, line=self._line, text=text))
        self._add(
            LineFinished(at=start + length, line=self._line, heard=told, complete=told == text)
        )
        self.agent.append((start, start + length))
        self.now = start + length
        return start

    def decides(self, step: str, *, tool: str = "", gap: float = 0.4) -> None:
        """Let the agent decide something without a word."""
        ends = step in ENDS
        self._add(Replied(at=self.now + gap, step=step, tool=tool, ends_call=ends))

    def hears(
        self,
        text: str,
        *moves: str,
        gap: float = 0.7,
        understood: bool = True,
        noticed: bool = True,
        barges: bool = False,
        seconds: float | None = None,
        **slots: str,
    ) -> float:
        """Let the caller speak.

        Args:
            text: What the ear makes of it.
            moves: What the mind makes of that; ``answer:hours`` names a fact.
            gap: Seconds after what came before; negative: into it.
            understood: The mind is asked.
            noticed: The ear notices a voice at all.
            barges: The agent's line is dropped for it, 0.5 s in.
            seconds: How long it takes.
            slots: Details.
        """
        start = self.now + gap
        said = text.split()
        length = seconds or max(0.35, len(said) * WORD_SECONDS)
        end = start + length
        self.caller.append((start, end))
        if barges:
            self._cut(start + 0.5)
        self.now = end
        if not noticed:
            return start
        each = length / max(1, len(said))
        words = tuple(
            Word(word, start + i * each, start + (i + 1) * each) for i, word in enumerate(said)
        )
        self._add(SpeechStarted(at=start + 0.06))
        self._add(SpeechStopped(at=end + 0.15, last_voiced=end, wait=0.4, rule="ordinary"))
        self._add(TurnEnded(at=end + 0.38, last_voiced=end, waited=0.38, rule="ordinary"))
        self._add(FinalHeard(at=end + 0.385, text=text, words=words))
        if understood and text:
            found = tuple(_move(move) for move in moves)
            self._add(Understood(at=end + 0.4, text=text, moves=found, slots=slots, by="heads"))
        return start

    def presses(self, keys: str, gap: float = 0.8) -> float:
        """Let the caller press keys."""
        self.now += gap
        for key in keys:
            self._add(KeyPressed(at=self.now, digit=key))
        return self.now

    def waits(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def promises(
        self,
        kind: PromiseKind,
        *outcomes: Outcome,
        news: tuple[str, ...] = ("accepted", "status delivered"),
        gap: float = 0.1,
    ) -> Sentence:
        """Make a promise; returns the receipt of its last outcome."""
        at = self.now + gap
        name = f"p{sum(isinstance(one, PromiseMade) for one in self.events) + 1:07d}"
        self._add(PromiseMade(at=at, promise=name, promise_kind=kind, to=self.caller_number))
        for index, outcome in enumerate(outcomes):
            self._add(PromiseUpdated(at=at + 0.2 * (index + 1), promise=name, outcome=outcome))
        self.news.append({"promise": name, "news": "made", "kind": kind, "time": at})
        for one in news:
            word, _, status = one.partition(" ")
            row = {"promise": name, "news": word, "time": at}
            self.news.append({**row, "status": status} if status else row)
        return wording.receipt(name, kind, outcomes[-1] if outcomes else Outcome.PENDING)

    def fails(self, code: str, gap: float = 0.1) -> float:
        """Let a part of ours fail."""
        self._add(FaultSeen(at=self.now + gap, code=code, message=f"{code} failed"))
        return self.now + gap

    def hangs_up(self, gap: float = 0.8) -> float:
        """Let the caller hang up."""
        at = self.now + gap
        self._add(CallerHungUp(at=at, cause=16))
        return self.ends("caller", "hung_up", gap)

    def ends(self, by: str = "agent", reason: str = "goodbye", gap: float = 0.4) -> float:
        """Let the call be over."""
        self._ended = CallEnded(at=self.now + gap, by=by, reason=reason)
        self._add(self._ended)
        return self._ended.at

    def write(self, folder: Path, seed: int) -> Path:
        """Write the bundle into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        ended = self._ended
        card = {
            "bundle": 1,
            "id": folder.name,
            "started_local": "2026-11-24T17:00:00.000-06:00",
            "started_utc": "2026-11-24T23:00:00.000+00:00",
            "time_zone": "America/Chicago",
            "caller": self.caller_number,
            "can": list(self.can),
            "restaurant": {"path": str(HIKARI), "sha256": fingerprint(HIKARI)},
            "ended": ended and {"at": ended.at, "by": ended.by, "reason": ended.reason},
            "closed": self.closed,
        }
        (folder / CALL_FILE).write_text(json.dumps(card, indent=1), "utf-8")
        (folder / RESTAURANT_FILE).write_bytes(HIKARI.read_bytes())
        ordered = sorted(self.events, key=lambda event: event.at)
        lines = [json.dumps(event.as_json(), ensure_ascii=False) for event in ordered]
        (folder / EVENTS_FILE).write_text("".join(f"{line}\n" for line in lines), "utf-8")
        rows = [json.dumps(row) for row in self.news]
        (folder / "promises.jsonl").write_text("".join(f"{row}\n" for row in rows), "utf-8")
        random = np.random.default_rng(seed)
        length = ordered[-1].at + 0.2
        _sound(folder / CALLER_AUDIO, self.caller, length, random, level=0.08)
        _sound(folder / AGENT_AUDIO, self.agent, length, random, level=0.12)
        return folder

    def _add(self, event: Event) -> None:
        self.events.append(event)

    def _cut(self, at: float) -> None:
        """Break off the line that is being spoken."""
        start, end = self.agent[-1]
        if end <= at:
            return
        self.agent[-1] = (start, at)
        for index in range(len(self.events) - 1, -1, -1):
            event = self.events[index]
            if isinstance(event, LineFinished):
                share = (at - start) / (end - start)
                words = event.heard.split()
                heard = " ".join(words[: int(len(words) * share)])
                self.events[index] = LineFinished(
                    at=at, line=event.line, heard=heard, complete=False
                )
                break
        self._add(BargedIn(at=at))


def _move(text: str) -> Move:
    name, _, about = text.partition(":")
    return Move(name, about, 0.95)


def _sound(
    path: Path,
    spans: list[tuple[float, float]],
    seconds: float,
    random: np.random.Generator,
    *,
    level: float,
) -> None:
    """Write noise with a slope like speech's, swelling at the rate of syllables."""
    count = round(seconds * SAMPLE_RATE)
    sound = random.normal(0.0, 0.0004, count)
    for start, end in spans:
        first, last = round(start * SAMPLE_RATE), min(count, round(end * SAMPLE_RATE))
        white = random.normal(0.0, 1.0, max(0, last - first))
        noise = white + 0.9 * np.concatenate(([0.0], white[:-1]))[: len(white)]
        swell = 0.6 + 0.4 * np.sin(2 * np.pi * 4.0 * np.arange(len(noise)) / SAMPLE_RATE)
        sound[first:last] += level * noise * swell
    writer = WavWriter(path)
    writer.write(0, (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    writer.close(count)
