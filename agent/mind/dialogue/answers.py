"""Reading the caller's reply to what was asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agent.events import Expect, Move
from agent.mind.dialogue.needs import CATERING, RESERVATION, change, drop
from agent.mind.dialogue.state import EXPECTS, ORDER, Ask, Heard, Need
from agent.mind.dialogue.turn import OTHER, Turn
from agent.mind.moves import SURE, UNSURE, MoveName, SlotName
from agent.mind.slots import (
    Count,
    PhoneReading,
    PhoneStatus,
    When,
    read_count,
    read_introduced,
    read_name,
    read_phone,
    read_when,
)
from agent.mind.slots.phone import LOCAL, national_digits, read_digits
from agent.mind.slots.when import merge
from agent.mind.wording import Phrase

KINDS: Final[Mapping[str, str]] = {
    MoveName.ORDER: ORDER,
    MoveName.ORDER_BY_VOICE: ORDER,
    MoveName.RESERVATION: RESERVATION,
    MoveName.CATERING: CATERING,
    MoveName.COMPLAINT: "complaint",
    MoveName.MESSAGE: OTHER,
}
"""Which need a move starts."""

DETAIL_ASKS: Final = frozenset({Ask.ASK_DETAILS, Ask.ASK_WHEN, Ask.ASK_SIZE})

_DRASTIC: Final = frozenset(
    {MoveName.EMERGENCY, MoveName.SPAM, MoveName.ABUSE, MoveName.WRONG_NUMBER}
)
"""Moves that may end the call: never on a weak likeness."""
CONSENT: Final = 0.75
"""A yes that has something sent must be surer than other moves; else it is asked again. Plain
ones ("yes", "that's right") are read by rule and score 1; mumbling was seen to score 0.6."""
_NUMBER_ASKS: Final = frozenset({Ask.ASK_NUMBER, Ask.CONFIRM_NUMBER, Ask.CONFIRM_CALLER_ID})
_NINE_ONE_ONE: Final = re.compile(r"\b(?:nine one one|9 ?1 ?1)\b", re.IGNORECASE)
_PARTING: Final = frozenset({MoveName.GOODBYE, MoveName.THANKS})

_REFUSAL: Final = re.compile(
    r"\b(?:rather not|prefer not|(?:don't|do not|won't|not going to) (?:want to )?"
    r"(?:give|say|tell|leave|share|want|need)|not giving|none of your business|no texts?"
    r"|skip (?:it|that)|not comfortable|don't have (?:a |any )?(?:number|phone|cell|mobile))\b"
)
_NO: Final = re.compile(r"(?:(?:um|uh|oh|er|sorry) )*(?:no|nope|nah)\b")
_YES: Final = re.compile(r"(?:(?:um|uh|oh|er) )*(?:yes|yeah|yep|yup|sure|correct)\b")
_DONE: Final = re.compile(
    r"\bthat(?:'s| is| was|'ll be| will be) (?:it|all|everything)\b|\bnothing else\b"
)
_ACKNOWLEDGING: Final = frozenset(
    ["okay", "ok", "alright", "all", "right", "great", "good", "perfect", "cool", "awesome",
     "thanks", "thank", "you", "so", "much", "very", "fine", "got", "it", "oh", "um", "uh"]
)  # fmt: skip
_HERE: Final = frozenset(
    ["yes", "yeah", "yep", "yup", "i'm", "i", "am", "here", "still", "hello", "hi", "sorry", "oh",
     "um", "uh", "there"]
)  # fmt: skip
_CALLER_ID: Final = re.compile(
    r"\b(?:this (?:number|one|phone)|same (?:number|one|phone)|calling (?:from|on|with)"
    r"|number (?:on|in) your)\b"
)


@dataclass(frozen=True, slots=True)
class Said:
    """A caller's turn as the policy reads it.

    Attributes:
        moves: The moves that are certain enough to act on, in order.
        slots: Raw spans.
        text: All words.
        at_fault: The understanding had a fault: what wasn't understood may have been clear.
    """

    moves: tuple[Move, ...]
    slots: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    at_fault: bool = False

    @classmethod
    def of(cls, heard: Heard, asked: Ask) -> Said:
        """Return ``heard`` with moves below `UNSURE` left out, drastic ones below `SURE`.

        Where something was read back or offered, words that begin with "no" are a no,
        whatever else they were taken for: "no it's seven not four"; and a "yes" is not lost
        to the goodbye behind it. "That's it" is a no to "anything else?". Digits where a
        number is asked for are never drastic: "oh one nine nine" resembles "nine one one".
        """
        gives_number = asked in _NUMBER_ASKS and len(read_digits(heard.text)) > 1
        harmless = gives_number and not _NINE_ONE_ONE.search(heard.text)
        weighty = EXPECTS[asked] is Expect.YES_NO
        sure = tuple(
            move
            for move in heard.understanding.moves
            if move.score >= (SURE if move.name in _DRASTIC else UNSURE)
            and not (move.name == MoveName.YES and weighty and move.score < CONSENT)
            and not (harmless and move.name in _DRASTIC)
        )
        answered = any(move.name in (MoveName.YES, MoveName.NO) for move in sure)
        open_to_no = EXPECTS[asked] is Expect.YES_NO or asked is Ask.ASK_NAME
        if open_to_no and not answered and _NO.match(heard.text.lower()):
            sure = (Move(MoveName.NO), *sure)
        elif EXPECTS[asked] is Expect.YES_NO and not answered and _YES.match(heard.text.lower()):
            if sure and all(move.name in _PARTING for move in sure):
                sure = (Move(MoveName.YES), *sure)
        elif asked is Ask.MORE and _DONE.search(heard.text.lower()):
            sure = (Move(MoveName.NO), *(move for move in sure if move.name != MoveName.YES))
        fault = bool(heard.understanding.fault)
        return cls(sure, heard.understanding.slots, heard.text, fault)

    def has(self, *names: MoveName) -> bool:
        """Return whether one of the moves is among ``names``."""
        return any(move.name in names for move in self.moves)

    @property
    def answer(self) -> MoveName | None:
        """YES or NO, the later one if both were said ("no, yes, that's right")."""
        found = [move.name for move in self.moves if move.name in (MoveName.YES, MoveName.NO)]
        return MoveName(found[-1]) if found else None

    @property
    def yes(self) -> bool:
        """Whether it is a yes."""
        return self.answer is MoveName.YES

    @property
    def no(self) -> bool:
        """Whether it is a no."""
        return self.answer is MoveName.NO

    @property
    def acknowledges(self) -> bool:
        """Whether it is only "okay", "great", "thanks": no yes to "anything else?"."""
        words = self.text.lower().split()
        return bool(words) and all(word in _ACKNOWLEDGING for word in words)

    @property
    def is_here(self) -> bool:
        """Whether it only answers "are you still there?"."""
        words = self.text.lower().split()
        return bool(words) and all(word in _HERE for word in words)

    @property
    def refuses(self) -> bool:
        """Whether the caller would rather not say."""
        return bool(_REFUSAL.search(self.text.lower()))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The needs it starts, in order."""
        return tuple(dict.fromkeys(KINDS[m.name] for m in self.moves if m.name in KINDS))

    @property
    def name(self) -> str:
        """The caller's name, if it is told beside something else."""
        return read_introduced(self.text) or read_name(self.slots.get(SlotName.NAME, ""))

    def phone(self, previous: str = "") -> PhoneReading | None:
        """Return the number in it; the span is read where the whole turn holds none."""
        return read_phone(self.text, previous) or read_phone(
            self.slots.get(SlotName.PHONE, ""), previous
        )


def read_answer(turn: Turn, said: Said) -> bool:
    """Apply the reply to the pending question to the state; False if it is none."""
    match turn.state.asked:
        case Ask.CONFIRM_CALLER_ID | Ask.CONFIRM_NUMBER:
            return _confirm(turn, said)
        case Ask.ASK_NUMBER:
            return _number(turn, said)
        case Ask.OFFER_LINK | Ask.OFFER_MESSAGE | Ask.OFFER_RELAY | Ask.OFFER_RESEND:
            return _offer(turn, said)
        case Ask.CHECK_FACT:
            return _check_fact(turn, said)
        case Ask.ASK_DETAILS | Ask.ASK_WHEN | Ask.ASK_SIZE:
            return _details(turn, said)
        case Ask.ASK_NAME:
            return _name(turn, said)
        case _:
            return False


# ── numbers ─────────────────────────────────────────────────────────────────────────────


def _confirm(turn: Turn, said: Said) -> bool:
    state = turn.state
    by_caller_id = state.asked is Ask.CONFIRM_CALLER_ID
    asked = turn.scene.caller if by_caller_id else state.candidate
    reading = _number_or_repair(said, asked)
    other = reading is not None and len(reading.digits) >= LOCAL
    if said.no and not other and state.agenda[0].echoed and _repair(turn, said):
        return True
    if reading and reading.status is PhoneStatus.COMPLETE and reading.number != asked:
        turn.put(candidate=reading.number, caller_declined=True, digits="")
    elif reading and reading.status is PhoneStatus.NO_AREA_CODE and not said.answer:
        turn.put(digits=reading.digits, candidate="", caller_declined=True)
    elif said.yes or (reading and reading.number == asked and not said.no):
        turn.put(number=asked, candidate="", tries=0)
    elif said.refuses:
        turn.put(number_declined=True, candidate="")
    elif said.no:
        others = [kind for kind in said.kinds if kind != state.agenda[0].kind]
        if others:
            drop(turn)
        # "no" to the caller id is no failed attempt, "no" to what we read back is one.
        turn.put(candidate="", caller_declined=True, tries=state.tries + (0 if by_caller_id else 1))
    else:
        return False
    return True


def _number_or_repair(said: Said, asked: str) -> PhoneReading | None:
    """Return the number in ``said``, or ``asked`` as it was put right ("six, not five").

    A digit or two beside a bare "no" put nothing right: they may count people.
    """
    repairs = said.no and (len(read_digits(said.text)) > 2 or " not " in f" {said.text} ")
    if repairs and asked.startswith("+1"):
        return said.phone(national_digits(asked))
    return said.phone()


def _number(turn: Turn, said: Said) -> bool:
    state = turn.state
    if turn.scene.caller and not state.refusals and _CALLER_ID.search(said.text.lower()):
        turn.put(number=turn.scene.caller, digits="", tries=0)
        return True
    reading = said.phone(state.digits)
    if reading is None:
        if said.refuses or (said.no and not said.kinds):
            turn.put(number_declined=True, digits="")
            return True
        return False
    if reading.status is PhoneStatus.COMPLETE:
        turn.put(candidate=reading.number, digits="")
    elif reading.status is PhoneStatus.WRONG or len(reading.digits) <= len(state.digits):
        turn.say(Phrase.WRONG_NUMBER_HEARD)
        turn.put(digits="", tries=state.tries + 1)
    else:
        turn.put(digits=reading.digits)
    return True


# ── offers ──────────────────────────────────────────────────────────────────────────────


def _offer(turn: Turn, said: Said) -> bool:
    state = turn.state
    if said.no:
        turn.put(question="")
        if not said.kinds:
            turn.say(Phrase.ALL_RIGHT)
        return True
    words = said.slots.get(SlotName.DETAILS, "")
    reading = said.phone()
    if reading is not None and reading.status is PhoneStatus.COMPLETE and turn.can_link:
        # The number for the link after all, while something else was offered.
        start(turn, Need(ORDER))
        turn.put(candidate=reading.number, caller_declined=True)
        return True
    if state.asked is Ask.OFFER_MESSAGE and (said.yes or said.has(MoveName.GIVES)):
        if said.has(MoveName.GIVES) and reading is None:
            words = words or said.text
        start(turn, Need(OTHER, (words,) if words else (), detailed=bool(words)))
    elif not said.yes:
        return False
    elif state.asked is Ask.OFFER_RELAY:
        start(turn, Need(OTHER, (state.question,), detailed=True))
        turn.put(question="")
    else:
        if state.asked is Ask.OFFER_RESEND:
            turn.put(link="", number="", candidate="", caller_declined=True)
        start(turn, Need(ORDER))
    return True


def start(turn: Turn, need: Need) -> None:
    """Put a need on the agenda; an order is worth a fresh try at a number."""
    turn.put(agenda=(*turn.state.agenda, need))
    if need.kind == ORDER:
        turn.put(number_declined=False, tries=0)


def _check_fact(turn: Turn, said: Said) -> bool:
    fact = turn.scene.restaurant.fact(turn.state.fact)
    if said.yes and fact is not None:
        turn.say_fact(fact)
        turn.put(question="", fact="")
        return True
    if said.no:
        if not said.moves[1:]:
            turn.say(Phrase.DONT_KNOW)
        turn.put(fact="")
        return True
    return False


# ── details of a message ────────────────────────────────────────────────────────────────


def read_need(turn: Turn, kind: str, said: Said) -> Need:
    """Return the need that ``said`` starts, with all that it already tells."""
    if kind == ORDER:
        return Need(ORDER)
    when, size = _reading(turn, said, sole=False)
    long_story = kind == "complaint" and len(said.text.split()) >= LONG_STORY
    dated = when is not None or size is not None
    both = when is not None and size is not None
    told = (
        SlotName.DETAILS in said.slots
        or long_story
        or (kind == CATERING and both)
        or (kind == RESERVATION and dated)
    )
    return Need(kind, (said.text,), detailed=told, when=when, size=size)


_GOING_ALONG: Final = _ACKNOWLEDGING | {"yes", "yeah", "yep", "sure", "please", "uh-huh", "hi"}
LONG_STORY: Final = 10
"""Words from which a complaint needs no "what happened?"."""

LONGEST_NAME: Final = 6
"""Words, spelled letters left out, of the longest answer that holds but a name: "this is
Tom from the farm"."""

_TELLING: Final = frozenset(
    {MoveName.GIVES, MoveName.MESSAGE, MoveName.COMPLAINT, MoveName.CATERING, MoveName.RESERVATION}
)


def _details(turn: Turn, said: Said) -> bool:
    need = turn.state.agenda[0]
    sole = turn.state.asked is Ask.ASK_SIZE
    when, size = _reading(turn, said, sole=sole)
    has_slots = any(name in said.slots for name in (SlotName.DETAILS, SlotName.WHEN, SlotName.SIZE))
    told = has_slots or when is not None or size is not None or said.has(*_TELLING)
    if not said.refuses and set(said.text.lower().split()) <= _GOING_ALONG:
        return False  # "okay" to "what would you like me to tell the owner?"
    asks_owner = need.kind != RESERVATION and said.has(MoveName.UNKNOWN)
    if said.no and not told and need.kind == OTHER:
        turn.say(Phrase.ALL_RIGHT)
        drop(turn)
        return True
    if said.refuses or (said.no and not told):
        change(turn, replace(need, detailed=True))
        return True
    if not told and not asks_owner:
        return False
    tell(turn, said, when, size)
    return True


def tell(turn: Turn, said: Said, when: When | None, size: Count | None) -> None:
    """Take the caller's words as details of the first need."""
    need = turn.state.agenda[0]
    if when is not None:
        when = merge(need.when, when, turn.scene.now, turn.scene.restaurant.hours)
    change(
        turn,
        replace(
            need,
            words=(*need.words, said.text),
            detailed=True,
            when=when or need.when,
            size=size or need.size,
        ),
    )
    if not turn.state.name:
        turn.put(name=said.name)


def _reading(turn: Turn, said: Said, *, sole: bool) -> tuple[When | None, Count | None]:
    """Return day and time, and how many people, as far as ``said`` tells."""
    hours = turn.scene.restaurant.hours
    now = turn.scene.now
    agenda = turn.state.agenda
    near = agenda[0].when.day if agenda and agenda[0].when else None
    when = read_when(said.slots.get(SlotName.WHEN, ""), now, hours, near=near)
    # Beside a word for people the whole turn is read: a span may miss "three, no, four people".
    size = read_count(said.text) or read_count(said.slots.get(SlotName.SIZE, ""), sole=True)
    size = size or read_count(said.text, sole=sole)
    if when is None and not (sole and size is not None):
        when = read_when(said.text, now, hours, near=near)
    return when, size


def _name(turn: Turn, said: Said) -> bool:
    need = turn.state.agenda[0]
    if need.echoed and _repair(turn, said):
        return True
    if said.refuses or (said.no and SlotName.NAME not in said.slots):
        turn.put(name_declined=True)
        return True
    if not said.has(MoveName.GIVES) and SlotName.NAME not in said.slots:
        return False
    if SlotName.NAME not in said.slots and len(re.findall(r"[\w']{2,}", said.text)) > LONGEST_NAME:
        change(turn, replace(need, words=(*need.words, said.text)))
        return True  # more of the story; the name is asked for again
    name = read_name(said.slots.get(SlotName.NAME, "")) or read_name(said.text)
    turn.put(name=name)
    return bool(name)


def _repair(turn: Turn, said: Said) -> bool:
    """Put a reservation right that was just said back: "no, five people", "no, Saturday"."""
    need = turn.state.agenda[0]
    naming = turn.state.asked is Ask.ASK_NAME
    when, size = _reading(turn, said, sole=said.no and naming)
    if when is None and size is None:
        if not naming or not said.no or said.refuses or len(said.text.split()) > 3:
            return False
        asked = need.asked - DETAIL_ASKS
        turn.say(Phrase.READ_AGAIN)
        change(turn, replace(need, when=None, size=None, echoed=False, asked=asked))
        return True
    change(turn, replace(need, echoed=False))
    tell(turn, said, when, size)
    return True
