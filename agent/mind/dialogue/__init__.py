"""The policy: what is missing, what to say next. Pure functions of state and input.

`Dialogue` is the door; `state` holds what goes in and out, `turn` works one step out,
`needs` serves orders and messages, `answers` reads replies to what was asked, `policy`
decides what a turn is about.
"""

from agent.mind.dialogue.policy import Dialogue
from agent.mind.dialogue.state import (
    TURN_BUDGET,
    Ask,
    DialogueState,
    Heard,
    Input,
    Keys,
    Reply,
    Silence,
    TimeUp,
    ToolDone,
)
from agent.mind.tools import PassMessage, SendLink
from agent.mind.wording import all_lines

__all__ = [
    "TURN_BUDGET",
    "Ask",
    "Dialogue",
    "DialogueState",
    "Heard",
    "Input",
    "Keys",
    "PassMessage",
    "Reply",
    "SendLink",
    "Silence",
    "TimeUp",
    "ToolDone",
    "all_lines",
]
