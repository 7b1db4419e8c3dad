"""A second opinion: an instruct model decides the turns that the heads are unsure of.

It is given what was asked, the line before, and the heads' own odds, and answers under a
grammar (`agent.mind.grammar`). It can't say more than the heads could, only choose better;
what ends a call or states a fact needs the heads' support as well. When the model is late
or fails, the heads' reading stands and the turn carries the fault's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.events import Expect, Move
from agent.mind.decision import ASKS
from agent.mind.embedder import LOAD_SECONDS, plain
from agent.mind.grammar import grammar, labels, read
from agent.mind.language_model import LanguageModel
from agent.mind.moves import SURE, UNSURE, MoveName, SlotName, Understanding
from agent.restaurant import Restaurant

DECIDES: Final = "pickup.decides"
"""GGUF key of a model made for Pickup: after which questions (`Expect`, comma separated; or
`NOWHERE`) it decides by default. A model without the key decides all turns the heads are
unsure of."""

NOWHERE: Final = "nowhere"
"""GGUF holds no empty text."""

PROMPT: Final = "pickup.prompt"
"""GGUF key of a model made for Pickup: which form of prompt it was taught."""

SHORT: Final = "short"
"""The only such form there is; a model without the key is told everything."""

SHORT_FACTS: Final = 3
SHORT_LEAST: Final = 1
SHORT_RATE: Final = 0.025
"""So many facts are told at most and at least; those between only from these odds."""


CHOSEN: Final = 0.75
"""Score of a move that the model chose: acted on, as the heads' sure ones are."""

ASKED_BACK: Final = (SURE + UNSURE) / 2
"""Score of a fact that only the model chose: it is asked back before it is said."""

FACT_SUPPORT: Final = 0.95
"""The matcher's odds from which a fact that the model chose is said without asking back.

From about there the heads say it themselves. At 0.65, from where they ask back, the shipped
model said a wrong fact to 63 of the 728 held-out lures (measured).
"""

END_SUPPORT: Final = 0.1
"""The heads' odds without which a move that ends the call is not believed."""

ENDS: Final = frozenset({MoveName.SPAM, MoveName.ABUSE, MoveName.WRONG_NUMBER, MoveName.EMERGENCY})

MEANING: Final[Mapping[str, str]] = {
    MoveName.ORDER: "wants to order food, or asks for the ordering link",
    MoveName.RESERVATION: "wants, changes or cancels a table",
    MoveName.CATERING: "wants food for an event or a large group elsewhere",
    MoveName.COMPLAINT: "something went wrong, or wants money back",
    MoveName.MESSAGE: "wants anything else passed on to the owner or the staff",
    MoveName.UNKNOWN: "asks something that no answer below covers",
    MoveName.WANTS_HUMAN: "wants a person, a transfer, the manager",
    MoveName.ARE_YOU_HUMAN: "asks who or what is speaking",
    MoveName.ORDER_BY_VOICE: "begins to dictate dishes",
    MoveName.PAY: "wants to pay or give a card by phone",
    MoveName.SPAM: "sells something, a survey, a recorded call",
    MoveName.WRONG_NUMBER: "wanted somebody else",
    MoveName.ABUSE: "insults or threatens",
    MoveName.EMERGENCY: "somebody is in danger",
    MoveName.GOODBYE: "is done",
    MoveName.THANKS: "says thanks",
    MoveName.YES: "yes to what was asked",
    MoveName.NO: "no to what was asked",
    MoveName.GIVES: "gives what was asked for",
    MoveName.REPEAT: "wants to hear it again",
    MoveName.WAIT: "asks for a moment",
    MoveName.UNCLEAR: "nothing that can be understood",
    MoveName.SMALLTALK: "talk that needs nothing",
}

ASKED: Final[Mapping[Expect, str]] = {
    Expect.OPEN: "how it can help",
    Expect.YES_NO: "a yes or no",
    Expect.PHONE_NUMBER: "a phone number",
    Expect.NAME: "a name",
    Expect.DETAILS: "the details",
    Expect.MORE: "whether there is anything else",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One turn to be decided.

    Attributes:
        words: The caller's words, plain.
        expect: What the agent's last line asked for.
        said: The agent's last line; empty if there was none.
        odds: The heads' probability per label; of facts, the matcher's, as ``answer:ID``.
        read: What the heads make of it.
    """

    words: str
    expect: Expect
    said: str = ""
    odds: Mapping[str, float] | None = None
    read: Sequence[Move] = ()


class SecondOpinion:
    """A language model that decides turns; shared by all calls of the process."""

    def __init__(self, model: Path, *, within: float, always: bool = False) -> None:
        """Remember the GGUF ``model`` and how many seconds a decision may take.

        ``always``: it decides whatever the heads are unsure of, also where its file says no.
        """
        self._model = LanguageModel(model)
        self._within = within
        self._always = always
        self._system = ""
        self._asked: dict[str, tuple[str, ...]] = {}
        self._short = False
        self._decides: frozenset[str] | None = None

    async def start(self, restaurant: Restaurant) -> None:
        """Load the model and read in this restaurant's facts.

        Raises:
            MindError: The model can't be used.
        """
        await self._model.start()
        named = self._model.metadata.get(DECIDES)
        if named is not None and not self._always:
            self._decides = frozenset(named.split(","))
        self._short = self._model.metadata.get(PROMPT) == SHORT
        await self.use(restaurant)

    async def use(self, restaurant: Restaurant) -> None:
        """Choose among ``restaurant``'s facts from now on.

        Raises:
            MindError: The model failed, or the facts are too many for it.
        """
        self._asked = {fact.id: tuple(fact.asked) for fact in restaurant.facts}
        self._system = "" if self._short else system_part(restaurant)
        # Read once now, so that no caller waits for it.
        await self.decide(Question("hello", Expect.OPEN), within=LOAD_SECONDS)

    async def stop(self) -> None:
        """Free the model."""
        await self._model.stop()

    def wanted(self, understood: Understanding, expect: Expect) -> bool:
        """Return whether the model is to decide this turn: the heads are unsure of it."""
        if self._decides is not None and expect not in self._decides:
            return False
        return needs_a_second_look(understood.moves)

    async def decide(self, question: Question, *, within: float | None = None) -> Understanding:
        """Return the model's reading of a turn.

        Raises:
            MindError: The model is late, failed or hangs.
        """
        facts = tuple(self._asked)
        answer = await self._model.complete(
            self._system,
            short_part(question, self._asked) if self._short else user_part(question),
            grammar(question.words, facts, question.expect),
            within=self._within if within is None else within,
        )
        moves, slots = read(answer, facts, question.expect)
        if question.expect is Expect.DETAILS and any(m.name == MoveName.GIVES for m in moves):
            slots[SlotName.DETAILS] = question.words
        odds = question.odds or {}
        return Understanding(tuple(_scored(move, odds) for move in moves), slots, by="model")


def needs_a_second_look(moves: Iterable[Move]) -> bool:
    """Return whether the heads are unsure of what they read, or found nothing."""
    return any(
        move.score < SURE or move.name in (MoveName.UNCLEAR, MoveName.UNKNOWN) for move in moves
    )


def _scored(move: Move, odds: Mapping[str, float]) -> Move:
    support = odds.get(str(move), 0.0)
    score = CHOSEN
    if move.name == MoveName.ANSWER and support < FACT_SUPPORT:
        score = ASKED_BACK
    if move.name in ENDS and support < END_SUPPORT:
        return Move(MoveName.UNCLEAR, score=CHOSEN)
    return Move(move.name, move.fact, score)


def system_part(restaurant: Restaurant) -> str:
    """Return the part of the prompt that is the same for every turn, byte for byte."""
    moves = "\n".join(f"{name}: {MEANING[name]}" for name in labels((), Expect.MORE))
    facts = "\n".join(
        f"{MoveName.ANSWER}:{fact.id}: asks {'; '.join(fact.asked[:3])}"
        for fact in restaurant.facts
    )
    return f"""You label what a caller of {restaurant.name} wants. \
Answer with one line: one to three labels in the order they were said, \
then the caller's own words for details they gave.
Labels:
{moves}
{facts}
Details, only if the caller said them: \
| name: | phone: | size: (how many people) | when: (day, time)
Examples:
caller: hi do you have a table for four on friday
reservation | size: four | when: friday
caller: what's the weather like
unknown"""


def user_part(question: Question) -> str:
    """Return the part of the prompt that is this turn's."""
    odds = {label: rate for label, rate in (question.odds or {}).items() if label != ASKS}
    likely = sorted(odds.items(), key=lambda pair: (-pair[1], pair[0]))
    guess = ", ".join(f"{label} {odds:.2f}" for label, odds in _front(likely))
    lines = [f"The agent asked for: {ASKED[question.expect]}."]
    if question.said:
        lines.append(f'The agent said: "{question.said}"')
    if guess:
        lines.append(f"A first guess: {guess}")
    lines.append(f"caller: {question.words}")
    return "\n".join(lines)


def short_part(question: Question, asked: Mapping[str, Sequence[str]]) -> str:
    """Return the whole prompt for a model that was taught the labels: `SHORT`.

    Everything is lower case, odds are in steps of five per cent. Of the restaurant's facts
    only the likeliest are told, each by its first way of asking, and not what the agent said:
    so small a model reads only so much.

    Args:
        question: The turn.
        asked: By fact id, how it is asked for.
    """
    odds = question.odds or {}
    likely = sorted(odds.items(), key=lambda pair: (-pair[1], pair[0]))
    facts = [pair for pair in likely if pair[0].startswith(f"{MoveName.ANSWER}:")]
    moves = [pair for pair in likely if not pair[0].startswith(f"{MoveName.ANSWER}:")]
    lines = [f"asked {question.expect}"]
    lines.append("read " + ", ".join(_rated(str(move), move.score) for move in question.read))
    lines.append("guess " + ", ".join(_rated(*pair) for pair in moves[:3]))
    for place, (label, rate) in enumerate(facts[:SHORT_FACTS]):
        if place >= SHORT_LEAST and rate < SHORT_RATE:
            break
        way = asked[label.partition(":")[2]][0]
        lines.append(f"{_rated(label, rate)} {plain(way)}")
    lines.append(f"caller {question.words}")
    return "\n".join(lines)


def _rated(label: str, rate: float) -> str:
    return f"{label} {5 * round(20 * rate)}"


def _front(likely: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return the three likeliest labels; more only costs time."""
    return [pair for pair in likely[:3] if pair[1] >= 0.01]
