"""Whose turn is it? A pure function of state and event; no I/O, no clock, no await.

``step(state, event)`` returns the next state and the actions to carry out. Time comes in
with the events (``at``) and with ``Tick``, one per 20 ms of the caller's audio, so a
recorded call decides the same way on any machine.

::

    answered ──► Open ──► speaking ──► listening ──► pause ──► EndTurn ──► thinking ──► speaking …
                            ▲  │ caller speaks: Pause   │ Guess            (Understand)
                   Resume ──┘  └► words: Drop           └► speaks on: listening
    goodbye spoken ──► heard out ──► HangUp          silence ──► AskSilence 1, 2, 3 (the goodbye)

``state`` holds what is known and every length of time, ``actions`` what can be done,
``floor`` who speaks, ``machines`` callers who are no people, ``step`` the door.
"""

from agent.turns.actions import (
    Action,
    AskSilence,
    Bridge,
    Drop,
    EndTurn,
    Forget,
    GiveUp,
    Guess,
    HangUp,
    Note,
    Open,
    Pause,
    ReadKeys,
    Resume,
    Speak,
    Tick,
    Understand,
    WindUp,
)
from agent.turns.floor import is_backchannel
from agent.turns.state import State
from agent.turns.step import step

__all__ = [
    "Action",
    "AskSilence",
    "Bridge",
    "Drop",
    "EndTurn",
    "Forget",
    "GiveUp",
    "Guess",
    "HangUp",
    "Note",
    "Open",
    "Pause",
    "ReadKeys",
    "Resume",
    "Speak",
    "State",
    "Tick",
    "Understand",
    "WindUp",
    "is_backchannel",
    "step",
]
