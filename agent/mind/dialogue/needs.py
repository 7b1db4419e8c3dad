"""Serving what the caller wants done: the ordering link, and messages for the owner."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from agent.events import Outcome, PromiseKind
from agent.mind import wording
from agent.mind.dialogue.state import ORDER, Ask, Need, ToolDone
from agent.mind.dialogue.turn import OTHER, Turn
from agent.mind.slots import say_when
from agent.mind.tools import PassMessage, SendLink
from agent.mind.wording import Phrase
from agent.restaurant import DAYS

RESERVATION: Final = "reservation"
CATERING: Final = "catering"
MOST_TRIES: Final = 2
"""Failed attempts at a number after which another way is offered."""
MOST_REFUSALS: Final = 2
"""Numbers refused by the carrier after which no further one is asked for."""
ORDERING_FACT: Final = "ordering"
"""Id of the fact, if the owner has one, that says where else to order."""


def serve(turn: Turn) -> None:
    """Take the next step of the first open need; with none left, wrap up."""
    while turn.state.agenda:
        need = turn.state.agenda[0]
        if _order(turn) if need.kind == ORDER else _message(turn, need):
            return
    if turn.state.closing:
        turn.end("goodbye", Phrase.SHORT_GOODBYE, final=False)
    elif turn.offer is not None:
        turn.ask(turn.offer)
    elif turn.state.question and turn.can_message:
        turn.ask(Ask.OFFER_RELAY)
    else:
        turn.ask(Ask.MORE)


def drop(turn: Turn) -> None:
    """Take the first need off the agenda."""
    turn.put(agenda=turn.state.agenda[1:])


def change(turn: Turn, need: Need) -> None:
    """Put ``need`` in the first one's place."""
    turn.put(agenda=(need, *turn.state.agenda[1:]))


def tool_done(turn: Turn, done: ToolDone) -> None:
    """Say what became of the promise and go on."""
    tool = turn.state.tool
    turn.put(tool=None)
    if tool is None or turn.state.ended:
        turn.step = "late_news"
        return
    turn.add(wording.receipt(done.promise, tool.promise_kind, done.outcome))
    if isinstance(tool, SendLink) and done.outcome is Outcome.REFUSED:
        _number_refused(turn)
    else:
        drop(turn)
        if isinstance(tool, SendLink):
            turn.put(link=done.promise, link_outcome=done.outcome)
        elif done.outcome is Outcome.REFUSED:
            turn.say(Phrase.CALL_AGAIN)
    serve(turn)


def _number_refused(turn: Turn) -> None:
    turn.put(
        refusals=turn.state.refusals + 1,
        number="",
        candidate="",
        digits="",
        caller_declined=True,
        closing=False,
    )
    if turn.state.refusals >= MOST_REFUSALS:
        drop(turn)
        elsewhere = turn.scene.restaurant.fact(ORDERING_FACT)
        if elsewhere is not None:
            turn.say_fact(elsewhere)
        elif turn.can_message:
            turn.offer = Ask.OFFER_MESSAGE


# ── the ordering link ───────────────────────────────────────────────────────────────────


def _order(turn: Turn) -> bool:
    """Go on with the order; False when it was dropped."""
    state = turn.state
    if not turn.can_link:
        if wording.phrase(Phrase.NO_VOICE_ORDERS) not in turn.sentences:
            turn.say(Phrase.NO_LINK)
        return _drop_for_message(turn)
    if state.link:
        kind = PromiseKind.ORDER_LINK
        turn.add(wording.receipt(state.link, kind, state.link_outcome, again=True))
        drop(turn)
        turn.offer = Ask.OFFER_RESEND
        return False
    if state.number:
        turn.use(SendLink(state.number))
        return True
    if state.number_declined:
        turn.say(Phrase.NO_NUMBER_NO_LINK)
        return _drop_for_message(turn)
    if state.tries >= MOST_TRIES:
        turn.say(Phrase.NUMBER_TROUBLE)
        turn.put(tries=0, candidate="", digits="", number_declined=True)
        return _drop_for_message(turn)
    _ask_for_number(turn)
    return True


def _drop_for_message(turn: Turn) -> bool:
    drop(turn)
    turn.offer = Ask.OFFER_MESSAGE if turn.can_message else None
    return False


def _ask_for_number(turn: Turn) -> None:
    state = turn.state
    if state.candidate:
        turn.ask(Ask.CONFIRM_NUMBER)
    elif turn.scene.caller and not state.caller_declined and not state.digits:
        turn.ask(Ask.CONFIRM_CALLER_ID)
    else:
        turn.ask(Ask.ASK_NUMBER)


# ── messages ────────────────────────────────────────────────────────────────────────────


def _message(turn: Turn, need: Need) -> bool:
    """Go on with a message for the owner; False when it was dropped."""
    if not turn.can_take(need.kind):
        if not turn.can_message:
            turn.say(Phrase.NO_MESSAGES)
            turn.say(Phrase.CALL_AGAIN)
            drop(turn)
            return False
        need = replace(need, kind=OTHER)
        change(turn, need)
    state = turn.state
    if not (state.closing and need.detailed):
        question = _missing_detail(turn, need)
        if question is not None:
            need = turn.state.agenda[0]
            change(turn, replace(need, asked=need.asked | {question}))
            turn.ask(question)
            return True
        _echo(turn, need)
        if not state.name and not state.name_declined:
            turn.ask(Ask.ASK_NAME)
            return True
        if not state.number and not state.number_declined and state.tries < MOST_TRIES:
            _ask_for_number(turn)
            return True
    turn.use(PassMessage(need.kind, _details(need), state.name, _callback(turn)))
    return True


def _missing_detail(turn: Turn, need: Need) -> Ask | None:
    """Return the question for what is still missing; none is asked twice."""
    if need.kind != RESERVATION:
        return None if need.detailed or Ask.ASK_DETAILS in need.asked else Ask.ASK_DETAILS
    when = need.when
    if when is None and need.size is None and Ask.ASK_DETAILS not in need.asked:
        return Ask.ASK_DETAILS
    if when is not None and (when.closed or when.shut) and not need.warned:
        if when.closed and when.day is not None:
            day = DAYS[when.day.weekday()].capitalize() + "s"
            turn.say(Phrase.CLOSED_DAY, closed_day=day)
        else:
            turn.say(Phrase.CLOSED_TIME)
        change(turn, replace(need, warned=True))
        return Ask.ASK_WHEN
    unknown = when is None or when.day is None or when.at is None
    if unknown and Ask.ASK_WHEN not in need.asked:
        return Ask.ASK_WHEN
    if need.size is None and Ask.ASK_SIZE not in need.asked:
        return Ask.ASK_SIZE
    return None


def _echo(turn: Turn, need: Need) -> None:
    """Say a reservation's reading back, so that a mistake can be put right."""
    when = need.when
    if need.echoed or need.kind != RESERVATION or need.size is None or when is None:
        return
    if when.day is not None and when.at is not None:
        turn.say(Phrase.HEARD_TABLE, when=say_when(when), size=str(need.size))
        change(turn, replace(turn.state.agenda[0], echoed=True))


def _details(need: Need) -> str:
    """Return what the owner reads: the reading first, then the caller's own words."""
    read = []
    dated = need.kind in (RESERVATION, CATERING)
    if dated and need.when is not None:
        read.append(say_when(need.when))
    if dated and need.size is not None:
        read.append(f"{need.size} people")
    words = " / ".join(need.words)
    if read and words:
        return f"{', '.join(read)}. In their words: {words}"
    return ", ".join(read) or words


def _callback(turn: Turn) -> str:
    """Return the confirmed number, or the caller id of one who left before confirming it."""
    state = turn.state
    if state.number or state.number_declined or state.caller_declined:
        return state.number
    return turn.scene.caller if state.closing else ""
