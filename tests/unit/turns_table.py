"""A call on the table: turn-taking under virtual time, as a sequence a person can read."""

from __future__ import annotations

from agent import turns
from agent.events import (
    CallAnswered,
    CallerHungUp,
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

LINE = (Sentence(SentenceKind.PHRASE, "test", "Hello."),)


class Table:
    """A call on the table: events go in at their time, actions come out by name."""

    def __init__(self) -> None:
        self.state = turns.State(longest_call=1200.0)
        self.now = 0.0
        self.frame = 0.02
        self.answers = False
        """Ear, mind and mouth do their part at once."""

    def feed(self, event: Event | turns.Tick) -> list[turns.Action]:
        self.state, actions = turns.step(self.state, event)
        if self.answers:
            for action in actions:
                self.answer(action)
            while self.state.lines:
                self.line_over()
        return list(actions)

    def answer(self, action: turns.Action) -> None:
        match action:
            case turns.EndTurn():
                self.final("")
            case turns.AskSilence(count=count):
                self.reply(ends=count >= 3)
            case turns.WindUp():
                self.reply(ends=True)
            case turns.Understand() | turns.ReadKeys():
                self.reply()

    def after(self, seconds: float) -> list[turns.Action]:
        """Let ``seconds`` of quiet audio pass; return what was done meanwhile."""
        seen: list[turns.Action] = []
        for _ in range(round(seconds / self.frame)):
            self.now += self.frame
            seen += self.feed(turns.Tick(self.now))
        return seen

    def reply(
        self,
        *,
        expect: Expect = Expect.OPEN,
        tool: str = "",
        ends: bool = False,
        says: tuple[Sentence, ...] = LINE,
    ) -> list[turns.Action]:
        event = Replied(
            at=self.now, step="t", sentences=says, expect=expect, tool=tool, ends_call=ends
        )
        return self.feed(event)

    def line_begins(self) -> list[turns.Action]:
        return self.feed(LineStarted(at=self.now, line=1, text="Hello."))

    def line_over(self, *, complete: bool = True) -> list[turns.Action]:
        return self.feed(LineFinished(at=self.now, line=1, heard="Hello.", complete=complete))

    def speaks(self) -> list[turns.Action]:
        return self.feed(SpeechStarted(at=self.now))

    def words(self, text: str, wait: float | None = None) -> list[turns.Action]:
        stable = len(text.split())
        seen = self.feed(
            PartialHeard(at=self.now, text=text, stable=stable, wait=wait, rule="late")
        )
        return [action for action in seen if not isinstance(action, turns.Guess)]

    def stops(self, wait: float = 0.4) -> list[turns.Action]:
        seen = self.feed(SpeechStopped(at=self.now, last_voiced=self.now, wait=wait, rule="plain"))
        return [action for action in seen if not isinstance(action, turns.Guess)]

    def final(self, text: str) -> list[turns.Action]:
        return self.feed(FinalHeard(at=self.now, text=text))

    def finishes(self, text: str) -> list[turns.Action]:
        """The caller stops, the ear decides that it was ``text``; return what came of it."""
        self.stops()
        self.after(0.5)
        return self.final(text)

    def says(self, text: str) -> list[turns.Action]:
        """The caller says a whole turn; return what came of it."""
        self.speaks()
        self.after(0.8)
        self.words(text)
        self.stops()
        assert turns.EndTurn() in self.after(0.5)
        return self.final(text)

    def says_nothing_more(self) -> bool:
        self.speaks()
        return self.after(5.0) == [] and self.feed(CallerHungUp(at=self.now)) == []


def greeting() -> Table:
    """Return a call whose greeting has just begun."""
    table = Table()
    assert table.feed(CallAnswered(at=0.0)) == [turns.Open()]
    assert table.reply() == [turns.Speak(LINE)]
    table.line_begins()
    return table


def answered() -> Table:
    """Return a call whose greeting is over."""
    table = greeting()
    table.after(2.0)
    assert table.line_over() == []
    return table


def names(actions: list[turns.Action]) -> list[str]:
    return [type(action).__name__ for action in actions]
