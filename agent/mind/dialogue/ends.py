"""How a call ends: said goodbye, nothing left to do, not understood. Nothing taken is lost."""

from __future__ import annotations

from typing import Final

from agent.mind.dialogue.answers import DETAIL_ASKS, Said, tell
from agent.mind.dialogue.needs import serve
from agent.mind.dialogue.state import ORDER, Ask
from agent.mind.dialogue.turn import Turn
from agent.mind.moves import MoveName
from agent.mind.wording import Phrase

KEYED: Final = frozenset({Ask.HELP, Ask.MORE, Ask.HELP_HERE, Ask.KEYS})
"""Open questions, in whose place keys can be offered."""

MOST_UNCLEAR: Final = 3
"""Turns in a row not understood at which the call ends."""


def leaves(turn: Turn, said: Said, *, taken: bool, started: bool) -> bool:
    """Say goodbye if that is what the caller does; True if the step is worked out."""
    if started:
        return False
    idle = not turn.state.agenda and turn.before.asked in (Ask.MORE, Ask.HELP, Ask.HELP_HERE)
    done = idle and not turn.sentences and _is_done(turn, said)
    if not done and (not said.has(MoveName.GOODBYE) or _stays(turn, said)):
        return False
    if not said.no and not done:
        if pass_on_before_leaving(turn):
            return True
        if taken and turn.state.number and turn.state.agenda:
            turn.put(closing=True)
            serve(turn)
            return True
    turn.end("goodbye", Phrase.GOODBYE, final=False)
    return True


def _stays(turn: Turn, said: Said) -> bool:
    """Whether what was taken for a goodbye only answered the question about details.

    "Okay Tuesday then" gave one of them, "no, never mind" dropped the message.
    """
    if turn.before.asked not in DETAIL_ASKS or {"bye", "goodbye"} & set(said.text.lower().split()):
        return False
    if len(turn.state.agenda) < len(turn.before.agenda):
        return True
    was, now = turn.before.agenda[0], turn.state.agenda[0]
    return (was.when, was.size) != (now.when, now.size)


def _is_done(turn: Turn, said: Said) -> bool:
    if said.no:
        return True
    if turn.before.asked is Ask.HELP:
        return False
    if turn.before.asked is Ask.HELP_HERE and said.has(MoveName.WRONG_NUMBER, MoveName.SMALLTALK):
        return True
    return said.acknowledges or (said.has(MoveName.THANKS) and not said.yes)


def pass_on_before_leaving(turn: Turn) -> bool:
    """Pass a message on as it stands rather than lose it; False if there is none."""
    agenda = turn.state.agenda
    if turn.state.tool is not None or not agenda:
        return False
    need = agenda[0]
    if need.kind == ORDER or not need.detailed or not turn.can_message:
        return False
    turn.put(closing=True, agenda=(need,))
    serve(turn)
    return True


def not_understood(turn: Turn, said: Said) -> None:
    """Deal with a turn that made no sense: ask again, then another way, then goodbye."""
    state = turn.state
    asked = state.asked
    turn.put(unclear=state.unclear + 1)
    if asked is Ask.ASK_NUMBER:
        turn.put(tries=state.tries + 1)
    if said.at_fault and asked in KEYED and (turn.can_link or turn.can_message):
        _offer_keys(turn)
    elif turn.state.unclear >= MOST_UNCLEAR:
        if not pass_on_before_leaving(turn):
            turn.end("unclear", Phrase.UNCLEAR_GOODBYE, final=False)
    elif turn.state.unclear == 1:
        turn.say(Phrase.NOT_CAUGHT)
        turn.ask_again()
    elif asked in (Ask.MORE, Ask.HELP_HERE):
        turn.end("goodbye", Phrase.GOODBYE, final=False)
    elif asked in DETAIL_ASKS and said.text:
        tell(turn, said, None, None)  # the owner may make more of the words than we do
        serve(turn)
    elif asked is Ask.ASK_NAME:
        turn.put(name_declined=True)
        serve(turn)
    elif turn.can_message and asked is not Ask.OFFER_MESSAGE:
        turn.say(Phrase.STILL_NOT_CAUGHT)
        turn.put(agenda=(), candidate="", digits="")
        turn.ask(Ask.OFFER_MESSAGE)
    else:
        turn.say(Phrase.NOT_CAUGHT)
        turn.ask_again()


def _offer_keys(turn: Turn) -> None:
    """Name the keys that need no understanding: the fault is ours, so it takes no turn away."""
    turn.put(unclear=0, asked=Ask.KEYS)
    turn.say(Phrase.NOT_CAUGHT)
    turn.ask_again()
