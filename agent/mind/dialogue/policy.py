"""What a turn is about, and what comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from agent.events import Expect, Move, Sentence
from agent.mind import wording
from agent.mind.dialogue.answers import (
    DETAIL_ASKS,
    KINDS,
    Said,
    read_answer,
    read_need,
    start,
)
from agent.mind.dialogue.ends import leaves, not_understood, pass_on_before_leaving
from agent.mind.dialogue.needs import change, serve, tool_done
from agent.mind.dialogue.state import (
    EXPECTS,
    ORDER,
    TURN_BUDGET,
    Ask,
    DialogueState,
    Heard,
    Input,
    Keys,
    Reply,
    Scene,
    Silence,
    TimeUp,
    ToolDone,
)
from agent.mind.dialogue.turn import Turn
from agent.mind.moves import SURE, MoveName, SlotName
from agent.mind.slots import PhoneStatus
from agent.mind.slots.phone import e164
from agent.mind.tools import Capabilities, PassMessage, capabilities_of
from agent.mind.wording import Phrase
from agent.restaurant import Restaurant

SILENCES: Final = 3
"""The silence in a row at which the call ends; the ones before are prompted."""
MOST_ABUSE: Final = 2

_NEEDS: Final = frozenset(
    {
        MoveName.ORDER,
        MoveName.ORDER_BY_VOICE,
        MoveName.RESERVATION,
        MoveName.CATERING,
        MoveName.COMPLAINT,
        MoveName.MESSAGE,
        MoveName.ANSWER,
        MoveName.WANTS_HUMAN,
    }
)
"""Moves that can take up an ended call, and that outweigh a nuisance in the same turn."""


class Dialogue:
    """The policy of one call: pure, the same state and input give the same reply."""

    def __init__(
        self,
        restaurant: Restaurant,
        caller: str,
        withheld: bool,
        capabilities: Capabilities,
        now: datetime,
        short: bool = False,
    ) -> None:
        """Set the scene.

        Args:
            restaurant: The restaurant file.
            caller: The caller's number as the line gave it; may be empty or no number.
            withheld: The caller asked for their number not to be shown: it isn't used.
            capabilities: `PromiseKind` values this deployment can keep.
            now: When the call began; aware, any zone.
            short: There is a rush: the shortest wording.
        """
        self._scene = Scene(
            restaurant=restaurant,
            caller="" if withheld else e164(caller),
            can=capabilities_of(restaurant, capabilities),
            now=now.astimezone(ZoneInfo(restaurant.time_zone)),
            short=short,
        )

    def open(self) -> tuple[DialogueState, Reply]:
        """Return the first state and the greeting."""
        turn = Turn(self._scene, DialogueState())
        turn.add(wording.greeting(self._scene.restaurant, short=self._scene.short))
        turn.step = "greeting"
        return turn.result()

    def bridge(self) -> Sentence:
        """Return what to say when a tool takes longer than a caller likes to wait."""
        return wording.phrase(Phrase.ONE_MOMENT)

    def step(self, state: DialogueState, given: Input) -> tuple[DialogueState, Reply]:
        """Return the state after ``given``, and the reply to it."""
        turn = Turn(self._scene, state)
        match given:
            case ToolDone():
                tool_done(turn, given)
            case Silence():
                _silence(turn, given)
            case Keys():
                _keys(turn, given)
            case TimeUp():
                _leave(turn, "time_up", Phrase.BUDGET_GOODBYE)
            case Heard():
                _heard(turn, Said.of(given, state.asked))
        return turn.result()

    def left_over(self, state: DialogueState) -> PassMessage | None:
        """Return what is to be passed on of a message whose caller hung up in the middle."""
        _, reply = self.step(state, TimeUp())
        return reply.tool if isinstance(reply.tool, PassMessage) else None


def _leave(turn: Turn, step: str, goodbye: Phrase) -> None:
    """End the call by our wish; a message that was begun is passed on first."""
    if turn.state.ended:
        turn.step = "ended"
    elif not pass_on_before_leaving(turn):
        turn.end(step, goodbye)


def _counted(turn: Turn) -> bool:
    """Count a turn of the caller; False when the call is over or its budget is spent."""
    if turn.state.ended:
        turn.step = "ended"
        return False
    turn.put(turns=turn.state.turns + 1)
    if turn.state.turns >= TURN_BUDGET:
        _leave(turn, "turn_budget", Phrase.BUDGET_GOODBYE)
        return False
    return True


# ── silence and keys ────────────────────────────────────────────────────────────────────


def _silence(turn: Turn, silence: Silence) -> None:
    if not _counted(turn):
        return
    if silence.count >= SILENCES:
        if not pass_on_before_leaving(turn):
            turn.end("silence", Phrase.SILENCE_GOODBYE, final=False)
        return
    # A caller who asked for a moment is left in peace one silence longer.
    prompt = silence.count - turn.state.patient
    turn.put(hailed=False)
    turn.step = "silence_prompt"
    if turn.state.asked is Ask.WORKING:
        turn.ask_again()
    elif prompt == 1:
        turn.say(Phrase.STILL_THERE)
        turn.put(hailed=True)
    elif prompt == 2:
        turn.say(Phrase.STILL_HERE)
        turn.ask_again()
    else:
        turn.step = "waiting"
    turn.prompt_only = True


def _keys(turn: Turn, keys: Keys) -> None:
    asked = turn.state.asked
    digits = "".join(digit for digit in keys.digits if digit.isdigit())
    said: Said | None = None
    confirming = asked in (Ask.CONFIRM_CALLER_ID, Ask.CONFIRM_NUMBER)
    if asked is Ask.ASK_NUMBER or (confirming and len(digits) > 1):
        said = Said((Move(MoveName.GIVES),), {}, digits)
    elif asked is Ask.ASK_SIZE:
        said = Said((Move(MoveName.GIVES),), {SlotName.SIZE: digits}, digits)
    elif asked in (Ask.HELP, Ask.KEYS) and digits in _OPEN_KEYS:
        said = Said((Move(_OPEN_KEYS[digits]),))
    elif digits in _KEYS and (EXPECTS[asked] is Expect.YES_NO or asked is Ask.MORE):
        said = Said((Move(_KEYS[digits]),))
    if said is not None:
        _heard(turn, said)
    elif _counted(turn):
        if EXPECTS[asked] is Expect.YES_NO:
            turn.say(Phrase.YES_OR_NO)
            turn.put(unclear=turn.state.unclear + 1)
        else:
            not_understood(turn, Said(()))


_KEYS: Final = {"1": MoveName.YES, "2": MoveName.NO}
_OPEN_KEYS: Final = {"1": MoveName.ORDER, "2": MoveName.MESSAGE}


# ── words ───────────────────────────────────────────────────────────────────────────────


def _heard(turn: Turn, said: Said) -> None:
    resumed = turn.state.ended
    if resumed and not _reopens(turn, said):
        turn.step = "ended"
        return
    if not _counted(turn) or _nuisance(turn, said):
        return
    hailed = turn.state.hailed
    turn.put(patient=False, hailed=False)
    if hailed and said.is_here:
        turn.ask_again()  # that was no yes to what was asked before
        return
    if turn.state.asked is Ask.WORKING:
        _while_working(turn, said)
        return
    if said.has(MoveName.REPEAT) and not said.refuses and not resumed:
        turn.sentences = list(turn.before.said)
        turn.put(unclear=0)
        return
    if said.has(MoveName.WAIT) and not said.kinds and said.answer is None:
        turn.say(Phrase.TAKE_YOUR_TIME)
        turn.step = "waiting"
        turn.put(patient=True, unclear=0)
        turn.prompt_only = True
        return
    taken = read_answer(turn, said)
    told = taken and turn.before.asked in DETAIL_ASKS
    spoke = _answer_questions(turn, said, told=told)
    started = () if told else _start_needs(turn, said)
    if leaves(turn, said, taken=taken, started=bool(started)):
        return
    if said.has(MoveName.WRONG_NUMBER) and not turn.state.agenda:
        turn.put(unclear=0)
        turn.ask(Ask.HELP_HERE)
    elif taken or ((spoke or started) and not turn.before.agenda):
        turn.put(unclear=0)
        serve(turn)
    elif spoke or started:
        turn.put(unclear=0)
        turn.ask_again()
    else:
        _pleasantries(turn, said)


def _reopens(turn: Turn, said: Said) -> bool:
    """Take an ended call up again for a clear new need; once."""
    clear = [move for move in said.moves if move.name in _NEEDS and move.score >= SURE]
    if turn.state.final or said.has(MoveName.GOODBYE) or not clear:
        return False
    if turn.state.link and all(KINDS.get(move.name) == ORDER for move in clear):
        return False  # they have the link: this is talk beside the phone
    turn.put(ended=False, reopened=True, asked=Ask.MORE, closing=False, unclear=0)
    turn.before = turn.state
    return True


def _nuisance(turn: Turn, said: Said) -> bool:
    """Deal with emergencies, spam and abuse; True when that is all there is to do."""
    if said.has(MoveName.EMERGENCY):
        turn.end("emergency", Phrase.EMERGENCY)
        return True
    if said.has(*_NEEDS):
        return False
    if said.has(MoveName.SPAM):
        turn.end("spam", Phrase.NO_SPAM)
        return True
    if said.has(MoveName.ABUSE):
        turn.put(abuse=turn.state.abuse + 1)
        if turn.state.abuse >= MOST_ABUSE:
            turn.end("abuse", Phrase.ABUSE_GOODBYE)
        else:
            turn.say(Phrase.STAY_POLITE)
            turn.ask_again()
        return True
    return False


def _while_working(turn: Turn, said: Said) -> None:
    """Keep what is said while a tool is at work for afterwards."""
    _answer_questions(turn, said, told=False)
    _start_needs(turn, said)
    if said.has(MoveName.GOODBYE):
        turn.put(closing=True)
    if not turn.sentences:
        turn.ask_again()


# ── questions and truths ────────────────────────────────────────────────────────────────


def _answer_questions(turn: Turn, said: Said, *, told: bool) -> bool:
    """Say facts and truths about ourselves; True if anything was said or put by."""
    before = len(turn.sentences)
    for move in said.moves:
        match move.name:
            case MoveName.ANSWER:
                _answer_fact(turn, move, said, told=told)
            case MoveName.UNKNOWN if not told:
                _dont_know(turn, said)
            case MoveName.WANTS_HUMAN:
                turn.say(Phrase.NO_TRANSFER)
                _offer_instead(turn)
            case MoveName.ARE_YOU_HUMAN:
                turn.say(Phrase.AM_A_MACHINE)
                turn.offer = turn.offer or Ask.HELP
            case MoveName.ORDER_BY_VOICE if not told:
                turn.say(Phrase.NO_VOICE_ORDERS)
            case MoveName.PAY if not told:
                turn.say(Phrase.NO_PAYMENTS)
                if turn.can_link and not turn.state.link:
                    turn.offer = Ask.OFFER_LINK
            case MoveName.WRONG_NUMBER if turn.before.asked is not Ask.HELP_HERE:
                turn.say(Phrase.YOU_REACHED, restaurant=turn.scene.restaurant.say_name)
    return len(turn.sentences) > before or turn.offer is Ask.CHECK_FACT


def _answer_fact(turn: Turn, move: Move, said: Said, *, told: bool) -> None:
    fact = turn.scene.restaurant.fact(move.fact)
    if fact is None:
        if not told:
            _dont_know(turn, said)
    elif move.score >= SURE:
        turn.say_fact(fact)
    elif not told and not turn.state.agenda:
        turn.put(fact=fact.id, question=said.text)
        turn.offer = Ask.CHECK_FACT


def _dont_know(turn: Turn, said: Said) -> None:
    turn.say(Phrase.DONT_KNOW)
    agenda = turn.state.agenda
    if agenda and agenda[0].kind != ORDER:
        change(turn, replace(agenda[0], words=(*agenda[0].words, said.text)))
    elif turn.can_message:
        turn.put(question=said.text)


def _offer_instead(turn: Turn) -> None:
    """Offer what can be done for one who wants a person."""
    if turn.can_message:
        turn.offer = Ask.OFFER_MESSAGE
    elif turn.can_link and not turn.state.link:
        turn.offer = Ask.OFFER_LINK
    else:
        turn.say(Phrase.CALL_AGAIN)


def _start_needs(turn: Turn, said: Said) -> tuple[str, ...]:
    """Put the needs in ``said`` on the agenda; return those that are new."""
    open_kinds = {need.kind for need in turn.state.agenda}
    new = tuple(kind for kind in said.kinds if kind not in open_kinds)
    for kind in new:
        start(turn, read_need(turn, kind, said))
    if new:
        if name := said.name:
            turn.put(name=turn.state.name or name)
        reading = said.phone()
        if reading and reading.status is PhoneStatus.COMPLETE and not turn.state.number:
            turn.put(candidate=reading.number, caller_declined=True)
    return new


def _pleasantries(turn: Turn, said: Said) -> None:
    """Deal with a turn that brought nothing new."""
    asked = turn.state.asked
    if asked in (Ask.MORE, Ask.HELP, Ask.HELP_HERE) and said.yes:
        turn.put(unclear=0)
        turn.ask(Ask.HELP)
    elif asked is not Ask.MORE and said.has(MoveName.THANKS):
        turn.say(Phrase.WELCOME)
        turn.ask_again()
    elif asked is not Ask.MORE and said.has(MoveName.SMALLTALK):
        turn.say(Phrase.SMALLTALK)
        turn.ask_again()
    else:
        not_understood(turn, said)
