"""What turn-taking can ask for, and the tick that moves its time on."""

from __future__ import annotations

from dataclasses import dataclass

from agent.events import Event, Sentence


@dataclass(frozen=True, slots=True)
class Tick:
    """Audio time moved on to ``at``; one per media frame. Not evidence, so no Event."""

    at: float


@dataclass(frozen=True, slots=True)
class Open:
    """Ask the mind for its opening line."""


@dataclass(frozen=True, slots=True)
class EndTurn:
    """Take the final words from the ear."""


@dataclass(frozen=True, slots=True)
class Guess:
    """These may be the turn's last words: work out what they would lead to, and keep it.

    ``goes_on`` as in `Understand`.
    """

    text: str
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Understand:
    """Hand the caller's words to the mind.

    ``goes_on``: they begin with the words handed over last; what came of those is void.
    """

    text: str
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class AskSilence:
    """Tell the mind that nobody spoke, for the ``count``-th time in a row."""

    count: int


@dataclass(frozen=True, slots=True)
class WindUp:
    """Tell the mind that the call has lasted as long as a call may."""


@dataclass(frozen=True, slots=True)
class ReadKeys:
    """Hand pressed keys to the mind."""

    digits: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Say these sentences as one line."""

    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Bridge:
    """Say that it takes a moment: a tool is slow."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop the line where it is; it may go on."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the paused line: it was noise, or an "uh huh"."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Give up the line: the caller took the turn."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Throw away what the ear holds: it was no turn."""


@dataclass(frozen=True, slots=True)
class Note:
    """Put this event into the evidence."""

    event: Event


@dataclass(frozen=True, slots=True)
class HangUp:
    """Release the line: the call is over."""

    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Something of ours does not come back: give the caller to the apology and voicemail."""

    waited_for: str


Action = (
    Open
    | EndTurn
    | Guess
    | Understand
    | AskSilence
    | WindUp
    | ReadKeys
    | Speak
    | Bridge
    | Pause
    | Resume
    | Drop
    | Forget
    | Note
    | HangUp
    | GiveUp
)
