"""What turn-taking knows, and how long it waits for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agent.events import Expect, Sentence
from agent.turns.actions import Action

# Every length in seconds of call time; each is a choice of ours until its reason says otherwise.
SILENCE_SECONDS: Final = 6.0
"""Both sides quiet for this long: the caller is prompted. People take 2–4 s to find words."""
SILENCE_DETAILS_SECONDS: Final = 9.0
"""The same while they look for details: a date, a number, somebody to ask."""
BARGE_IN_DECISION_SECONDS: Final = 1.0
"""A paused line goes on when no word that says anything was recognised for this long: it was
noise. A slow speaker's first words come 0.8 s after their voice (seen in the bench)."""
NOT_DONE_SECONDS: Final = 1.6
"""The same for a voice that can't be a reaction to the line: whoever it is was not done."""
BLIP_SECONDS: Final = 0.3
"""It goes on sooner where the voice stopped this long ago without a word: a cough."""
REACTION_SECONDS: Final = 0.45
"""Nobody answers what they heard for less than 0.25 s; the line and the ear add 0.2 s. Who speaks
this soon after our line began was not done: their words belong to the turn before."""
NOISE_TURN_SECONDS: Final = 8.0
"""Voice without any word for this long is a radio or a child, not a turn."""
STALE_WORDS_SECONDS: Final = 1.6
"""The VAD hears a voice but no new word came for this long: what goes on is the room, not the
caller. Drawn-out words last 1 s at most."""
LONGEST_TURN_SECONDS: Final = 25.0
"""A turn is cut here, so that a voice that never pauses can't hold the line for ever."""
UNCLEAR_VOICE_SECONDS: Final = 0.6
"""Shorter voice without a recognised word is ignored; longer gets "I didn't catch that"."""
KEYS_PAUSE_SECONDS: Final = 2.5
"""After the last key of an unfinished number, for this long more keys may come."""
BRIDGE_SECONDS: Final = 0.9
"""An answer later than this gets one spoken bridge; people notice dead air at about 1 s."""
STUCK_SECONDS: Final = 12.0
"""Mind and tools have deadlines of 0.5 and 4 s; who waits three times that waits for nothing."""
LONGEST_LINE_SECONDS: Final = 90.0
"""No line lasts this long; one that does has lost its end."""
LINGER_SECONDS: Final = 0.25
"""After the goodbye was played: the caller's own jitter buffer still holds its end."""
GOODBYE_GRACE_SECONDS: Final = 3.0
"""A caller who speaks during the goodbye may finish, this long at most."""
PHONE_DIGITS: Final = 10
"""Digits of a North American number (NANP)."""
MOST_GUESSES: Final = 3
"""Endings of one turn that are thought through ahead: one costs 15–30 ms of CPU."""
GUESS_SECONDS: Final = 1.0
"""A pause that may last this long is not the end, or so late one that a guess saves nothing."""
WORDS_PER_SECOND: Final = 2.7
"""How fast our voice speaks; measured over four lines of 9 to 22 words: 2.5 to 2.9."""
OWN_LINES: Final = 3
"""Our last lines that are remembered, to know our own words when they come back."""


@dataclass(frozen=True, slots=True)
class State:
    """What turn-taking knows. All times are call time in seconds."""

    longest_call: float
    expect: Expect = Expect.OPEN

    # our side
    lines: int = 0
    """Lines that were given to the mouth and are not finished."""
    line_at: float | None = None
    """When the first sound of the present answer went out; None: not yet."""
    lines_since: float = 0.0
    paused: bool = False
    paused_at: float = 0.0
    asks_at: float = 0.0
    """When the last sentence of our line, which holds its question, begins, by our own count."""
    waiting: tuple[Sentence, ...] = ()
    """A line that was made while the caller spoke; said when they stop."""
    must_say: bool = False
    """It tells of a promise: it is said whatever the caller says meanwhile."""
    own: tuple[str, ...] = ()
    """The words of our last lines."""

    # the caller's side
    voice_since: float | None = None
    """Since when the caller's present turn lasts; None: not speaking."""
    speaking: bool = False
    """The VAD hears the caller right now."""
    last_voiced: float = 0.0
    wait: float = 0.0
    rule: str = ""
    words: str = ""
    """The partial of the present turn."""
    words_at: float = 0.0
    """When it last changed."""
    goes_on: bool = False
    """The present turn continues the one before, which was ended too soon."""
    guesses: tuple[str, ...] = ()
    """What was thought through ahead in this turn."""
    ending_turn: bool = False
    """The ear was asked for its final words."""
    keys: str = ""
    last_key: float = 0.0

    # the mind
    thinking: bool = False
    thinking_since: float = 0.0
    tool: bool = False
    """A tool is at work."""
    bridged: bool = False
    said: str = ""
    """The words last given to the mind, while what came of them can be taken back."""
    held: str = ""
    """Words heard while a tool was at work; read when it is done."""

    # the call
    quiet_since: float | None = None
    """Since when nobody has said a word; None: somebody is."""
    silences: int = 0
    heard: tuple[str, ...] = ()
    """The caller's last turns, to notice one who only repeats."""
    echoes: int = 0
    """Turns that were our own words coming back."""
    goodbye: bool = False
    """The last line ends the call."""
    heard_out: float | None = None
    """When the goodbye had been played to its end."""
    over: bool = False

    @property
    def busy(self) -> bool:
        """Whether it is ours to act: a line is out, or one is being made."""
        return self.lines > 0 or self.thinking or self.ending_turn


Step = tuple[State, tuple[Action, ...]]
"""What a step returns."""
