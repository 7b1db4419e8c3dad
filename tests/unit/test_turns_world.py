"""Turn-taking in a small world: a caller, an ear, a mind, a tool and a mouth, all in virtual time.

Every part may be slow or fail to say anything; what must hold holds whatever they do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent import turns
from agent.events import (
    CallAnswered,
    Event,
    Expect,
    FinalHeard,
    LineFinished,
    LineStarted,
    PartialHeard,
    Replied,
    Sentence,
    SentenceKind,
    SpeechStarted,
    SpeechStopped,
)
from agent.turns import state as lengths

FRAME = 0.02
ONSET = 0.1
"""How long after a voice began or ended the ear knows."""


@dataclass(frozen=True)
class Utterance:
    """What the caller does next: after ``pause`` s of silence, speak for ``lasts`` s."""

    pause: float
    lasts: float
    text: str
    """Empty: noise without words."""


@dataclass
class World:
    """Runs a call.

    ``late`` is how long the mind takes, ``line`` how long a line lasts, and every ``tool``-th
    turn uses a tool (0: none).
    """

    script: list[Utterance]
    late: float
    line: float
    expect: Expect
    tool: int
    state: turns.State = field(default_factory=lambda: turns.State(longest_call=60.0))
    now: float = 0.0
    due: list[tuple[float, Event]] = field(default_factory=list)
    playing: list[float] = field(default_factory=list)
    """Seconds left of each line."""
    said: int = 0
    voice_until: float = 0.0
    next_voice: float = 0.0
    text: str = ""
    talk_over: float = 0.0
    worst_talk_over: float = 0.0
    quiet: float = 0.0
    worst_quiet: float = 0.0
    asked: int = 0
    actions: list[turns.Action] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        self.feed(CallAnswered(at=0.0))
        self.next_voice = self.script[0].pause if self.script else seconds
        while not self.state.over and self.now < seconds:
            self.now += FRAME
            self.caller()
            self.mouth()
            for at, event in sorted(self.due, key=lambda item: item[0]):
                if at <= self.now:
                    self.due.remove((at, event))
                    self.feed(event)
            self.feed(turns.Tick(self.now))
            self.measure()

    def feed(self, event: Event | turns.Tick) -> None:
        self.state, actions = turns.step(self.state, event)
        for action in actions:
            self.actions.append(action)
            self.act(action)

    @property
    def speaking(self) -> bool:
        return self.now < self.voice_until

    def caller(self) -> None:
        if self.speaking or not self.script or self.now < self.next_voice:
            return
        utterance = self.script.pop(0)
        self.text = utterance.text
        begin, end = self.now, self.now + utterance.lasts
        self.voice_until = end
        self.next_voice = end + (self.script[0].pause if self.script else 0.0)
        self.due.append((begin + ONSET, SpeechStarted(at=begin + ONSET)))
        if utterance.text:
            words = min(begin + 0.4, end)
            while words <= end:
                count = len(self.text.split())
                self.due.append((words, PartialHeard(at=words, text=self.text, stable=count)))
                words += 0.6
                self.text += " indeed"
        stop = SpeechStopped(at=end + ONSET, last_voiced=end, wait=0.4, rule="plain")
        self.due.append((end + ONSET, stop))

    def mouth(self) -> None:
        if self.playing and not self.state.paused:
            self.playing[0] -= FRAME
            if self.playing[0] <= 0:
                self.playing.pop(0)
                self.feed(LineFinished(at=self.now, line=1, heard="x", complete=True))

    def act(self, action: turns.Action) -> None:
        match action:
            case turns.Open() | turns.AskSilence() | turns.WindUp() | turns.Understand():
                self.asked += 1
                ends = isinstance(action, turns.WindUp) or action == turns.AskSilence(3)
                uses = self.tool and self.asked % self.tool == 0 and not ends
                at = self.now + self.late
                if uses:
                    self.due.append((at, self.reply(at, tool="t", says=False)))
                    at += 2.0
                self.due.append((at, self.reply(at, ends=ends)))
            case turns.EndTurn():
                self.due.append((self.now, FinalHeard(at=self.now, text=self.text)))
            case turns.Speak() | turns.Bridge():
                self.said += 1
                self.playing.append(self.line)
                self.due.append((self.now, LineStarted(at=self.now, line=self.said, text="x")))
            case turns.Drop():
                for _ in self.playing:
                    event = LineFinished(at=self.now, line=1, heard="", complete=False)
                    self.due.append((self.now, event))
                self.playing.clear()

    def reply(self, at: float, *, tool: str = "", ends: bool = False, says: bool = True) -> Replied:
        sentence = Sentence(SentenceKind.PHRASE, "t", "Something is said here.")
        return Replied(
            at=at,
            step="t",
            sentences=(sentence,) if says else (),
            expect=self.expect,
            tool=tool,
            ends_call=ends,
        )

    def measure(self) -> None:
        ours = bool(self.playing) and not self.state.paused
        both = ours and self.speaking and bool(self.text) and not self.state.goodbye
        self.talk_over = self.talk_over + FRAME if both else 0.0
        self.worst_talk_over = max(self.worst_talk_over, self.talk_over)
        self.quiet = 0.0 if ours or self.speaking else self.quiet + FRAME
        self.worst_quiet = max(self.worst_quiet, self.quiet)


utterances = st.builds(
    Utterance,
    pause=st.floats(0.1, 8.0),
    lasts=st.floats(0.1, 4.0),
    text=st.sampled_from(["", "do you have parking", "yes please", "no", "one more thing then"]),
)
worlds = st.builds(
    World,
    script=st.lists(utterances, max_size=8),
    late=st.floats(0.0, 0.5),
    line=st.floats(0.3, 5.0),
    expect=st.sampled_from([Expect.OPEN, Expect.YES_NO, Expect.DETAILS]),
    tool=st.sampled_from([0, 2, 3]),
)

YIELD = ONSET + 3 * FRAME
"""The voice must be noticed; then our line is held in the same frame."""


@settings(max_examples=40, deadline=None)
@example(
    World(
        [
            Utterance(1.0, 1.0, ""),
            Utterance(1.0, 0.75, ""),
            Utterance(0.125, 1.0, "do you have parking"),
        ],
        late=0.0,
        line=1.0,
        expect=Expect.OPEN,
        tool=0,
    )
)  # words right behind a noise that held the line
@given(worlds)
def test_we_never_speak_over_the_caller_for_longer_than_it_takes_to_yield(world: World) -> None:
    world.run(60.0)
    assert world.worst_talk_over <= YIELD + 1e-6


@settings(max_examples=40, deadline=None)
@given(worlds)
def test_the_line_is_never_dead_and_the_call_always_ends(world: World) -> None:
    world.run(200.0)
    assert world.state.over
    longest = lengths.SILENCE_DETAILS_SECONDS + lengths.BRIDGE_SECONDS + 1.0
    assert world.worst_quiet <= longest


@settings(max_examples=20, deadline=None)
@given(worlds)
def test_the_same_call_is_decided_the_same_way(world: World) -> None:
    again = World(list(world.script), world.late, world.line, world.expect, world.tool)
    world.run(60.0)
    again.run(60.0)
    assert again.actions == world.actions


@settings(max_examples=20, deadline=None)
@given(worlds)
def test_every_line_is_finished_or_dropped_and_nothing_is_said_after_the_end(world: World) -> None:
    world.run(200.0)
    ends = [isinstance(action, turns.HangUp | turns.GiveUp) for action in world.actions]
    assert ends.count(True) == 1
    assert ends[-1]
