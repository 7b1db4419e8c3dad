"""What the caller's words mean: moves and slots, always, whatever fails.

First the plain rules (an answer to what was just asked), then the trained heads on the
embedder's vectors; without heads, likeness to the example sentences. Sure: act. Between:
ask back. Nothing near: `unknown` or `unclear`, which are answers of first rank. If the
embedder is missing, broken or late, keywords alone: the caller is served, the fault is
logged, and ``by`` says ``rules``. Where a language model is configured it is asked about the
turns that the heads are unsure of (`agent.mind.decide`); late or broken, the heads' reading
stands and ``fault`` says so.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from agent.errors import MindError
from agent.events import Expect, Move
from agent.mind import rules
from agent.mind.clauses import LEAST, clauses
from agent.mind.decide import Question, SecondOpinion
from agent.mind.decision import MANNERS, MOST_MOVES, Decider, Unit
from agent.mind.embedder import LOAD_SECONDS, Embedder, Embedding, plain
from agent.mind.heads import QUESTION, FactBank, Heads, load_heads
from agent.mind.moves import SURE, MoveName, SlotName, Understanding
from agent.mind.recall import Bank, load_examples
from agent.restaurant import Restaurant
from agent.settings import Settings

DEADLINE: Final = 0.5
"""Seconds the embedder may take; usual is 0.01 to 0.04, the rest is waiting for other calls.

Half a second of silence is better than keywords' guess; more would be taken for a dead line."""

FACT_GATE: Final = 0.6
"""Without heads: cosine from which a fact is said. Of 500 unseen turns, at 0.5 two in a
hundred unknown questions got a fact, at 0.45 five, with no gate twenty-three (measured)."""

MOVE_GATE: Final = 0.45
"""Without heads: cosine from which a move is acted on."""

log = structlog.get_logger(__name__)


class Mind:
    """The understanding of one process; any number of calls share it."""

    def __init__(
        self,
        settings: Settings,
        restaurant: Restaurant,
        *,
        clock: Callable[[], float] = time.perf_counter,
        deadline: float = DEADLINE,
    ) -> None:
        """Remember the models' places and what this restaurant can answer.

        Args:
            settings: Says where the models are.
            restaurant: Its facts can be answered.
            clock: Measures how long a decision took, seconds.
            deadline: How long one may take, seconds; then the keyword rules serve.
        """
        self._settings = settings
        self._restaurant = restaurant
        self._clock = clock
        self._deadline = deadline
        self._embedder = Embedder(settings.models.embedder)
        self._moves = Bank([], [])
        self._facts = Bank([], [])
        self._asked: FactBank | None = None
        self.heads: Heads | None = None
        """The trained heads; None: likeness to the examples decides."""
        self.fault: MindError | None = None
        """Why only the keyword rules work, or None."""
        self.second: SecondOpinion | None = None
        """The language model that is asked when the heads are unsure; None: nobody."""
        self.second_fault: MindError | None = None
        """Why the configured language model isn't asked, or None."""

    async def start(self) -> None:
        """Load the embedder and the heads, learn examples and facts (about two seconds).

        A model that can't be used is no reason not to answer the phone: it is logged, kept
        in `fault`, and what is left serves: likeness without the heads, keywords without
        the embedder.
        """
        try:
            await self._embedder.start()
            examples = load_examples(self._settings.models.mind / "examples.toml")
            self._moves, _ = await self._learn([(m, s) for m in examples for s in examples[m]])
        except MindError as error:
            self.fault = error
            log.error("the mind works by keyword rules alone", code=error.code, reason=str(error))
            return
        try:
            self.heads = load_heads(self._settings.models.mind / "heads.npz")
        except MindError as error:
            log.error("the mind works without its heads", code=error.code, reason=str(error))
        await self.use(self._restaurant)
        await self._start_second()

    async def _start_second(self) -> None:
        model = self._settings.models.decide
        if model is None or self.heads is None:
            return
        chosen = self._settings.mind
        second = SecondOpinion(model, within=chosen.decide_seconds, always=chosen.decide_all)
        try:
            await second.start(self._restaurant)
        except MindError as error:
            self.second_fault = error
            log.error("no language model is asked", code=error.code, reason=str(error))
            return
        self.second = second

    @property
    def faults(self) -> tuple[MindError, ...]:
        """What of the mind doesn't work."""
        return tuple(fault for fault in (self.fault, self.second_fault) if fault is not None)

    async def use(self, restaurant: Restaurant) -> None:
        """Answer from ``restaurant``'s facts from now on; calls in progress are not disturbed.

        A fault of the embedder leaves the keyword rules, with the new facts.
        """
        self._restaurant = restaurant
        asked = [(fact.id, text) for fact in restaurant.facts for text in fact.asked]
        said = [(fact.id, fact.say) for fact in restaurant.facts]
        try:
            facts, vectors = await self._learn([*asked, *said])
        except MindError as error:
            self.fault = error
            log.error("the mind works by keyword rules alone", code=error.code, reason=str(error))
            return
        bank = None
        if self.heads is not None and asked:
            ways = vectors[: len(asked)]
            bank = FactBank.of(
                [(name, plain(text)) for name, text in asked],
                [one.vector for one in ways],
                [one.peak for one in ways],
                self.heads.space,
            )
        self._facts, self._asked = facts, bank
        if self.second is not None:
            try:
                await self.second.use(restaurant)
            except MindError as error:
                self.second, self.second_fault = None, error
                log.error("no language model is asked", code=error.code, reason=str(error))

    async def edited(self, restaurant: Restaurant) -> Mind:
        """Return a mind that answers from ``restaurant``'s facts and shares this one's engines.

        Calls in progress keep this one, and with it the facts they began with.
        """
        other = copy.copy(self)
        await other.use(restaurant)
        return other

    async def stop(self) -> None:
        """Free the model."""
        await self._embedder.stop()
        if self.second is not None:
            await self.second.stop()

    async def understand(self, text: str, expect: Expect, said: str = "") -> Understanding:
        """Return what a caller's turn means.

        Never raises for a fault of the engine and never returns nothing; the same text and
        ``expect`` give the same moves.

        Args:
            text: The turn's words as recognised (or typed).
            expect: What the agent's last line asked for.
            said: The agent's last line, for the language model.
        """
        began = self._clock()
        words = plain(text)
        understood = rules.answer_to(words, expect)
        if understood is None:
            understood = await self._beside_yes_or_no(words, expect)
        elif number := understood.slots.get(SlotName.PHONE):
            understood = await self._beside(understood, words.replace(number, " "))
        if understood is None:
            understood = await self._by_likeness(words, expect, said)
        return replace(understood, seconds=self._clock() - began)

    async def _beside_yes_or_no(self, words: str, expect: Expect) -> Understanding | None:
        """Return the meaning of "yes, and what time do you close?"; None if it is no such turn."""
        answer, rest = rules.lead_answer(words)
        if answer is None or expect not in (Expect.YES_NO, Expect.MORE):
            return None
        alone = Understanding((Move(answer),))
        both = await self._beside(alone, rest)
        return None if both is alone else both

    async def _beside(self, answer: Understanding, rest: str) -> Understanding:
        """Return ``answer`` with the needs voiced in the ``rest`` of the turn."""
        if len(rest.split()) < LEAST:
            return answer
        more = await self._by_likeness(" ".join(rest.split()), Expect.MORE)
        needs = [m for m in more.moves if m.name not in MANNERS | {MoveName.GIVES}]
        sure = [m for m in needs if m.score >= SURE]
        if not sure:
            return answer
        slots = {**more.slots, **answer.slots}
        return Understanding((*answer.moves, *sure)[:MOST_MOVES], slots, by=more.by)

    async def _by_likeness(self, words: str, expect: Expect, said: str = "") -> Understanding:
        if self.fault is not None:
            return self._by_keywords(words, expect, self.fault)
        parts = clauses(words)
        texts = [words, *parts] if len(parts) > 1 else [words]
        try:
            embedded = await self._embedder.embed(texts, within=self._deadline)
        except MindError as error:
            log.error("the embedder failed, keyword rules serve", reason=str(error))
            return self._by_keywords(words, expect, error)
        if self.heads is None:
            return self._by_recall(texts, embedded, expect)
        understood, whole = self._by_heads(self.heads, texts, embedded, expect)
        if self.second is None or not self.second.wanted(understood, expect):
            return understood
        odds = self._odds(self.heads, whole, embedded[0])
        try:
            question = Question(words, expect, said, odds, understood.moves)
            decided = await self.second.decide(question)
        except MindError as error:
            log.error("the language model failed, the heads decide", reason=str(error))
            return replace(understood, fault=error.code)
        return replace(decided, slots={**understood.slots, **decided.slots})

    def _by_keywords(self, words: str, expect: Expect, fault: MindError) -> Understanding:
        understood = rules.by_keywords(words, expect, self._restaurant)
        return replace(understood, fault=fault.code)

    # ── heads ───────────────────────────────────────────────────────────────────────────

    def _by_heads(
        self, heads: Heads, texts: Sequence[str], embedded: Sequence[Embedding], expect: Expect
    ) -> tuple[Understanding, Unit]:
        units = [
            self._unit(heads, text, one, expect) for text, one in zip(texts, embedded, strict=True)
        ]
        moves = Decider(heads.moves, heads.thresholds).decide(units[0], units[1:], expect)
        slots = heads.spans(embedded[0], texts[0], expect)
        slots |= self._known_spans(texts[0])
        if any(move.name == MoveName.GIVES for move in moves) and expect is Expect.DETAILS:
            slots[SlotName.DETAILS] = texts[0]
        return Understanding(moves, slots, by="heads"), units[0]

    def _odds(self, heads: Heads, whole: Unit, one: Embedding) -> dict[str, float]:
        """Return the heads' odds by label; facts, as ``answer:ID``, by the matcher's."""
        odds = dict(zip(heads.moves, map(float, whole.odds), strict=True))
        if self._asked is not None:
            facts = heads.fact_odds(one, whole.words, self._asked)
            named = zip(self._asked.names, map(float, facts), strict=True)
            odds |= {f"{MoveName.ANSWER}:{fact}": value for fact, value in named}
        return odds

    def _unit(self, heads: Heads, words: str, one: Embedding, expect: Expect) -> Unit:
        likeness = self._moves.best(one.vector)
        odds = heads.move_odds(one, words, expect, likeness)
        if self._asked is None:
            return Unit(words, odds)
        facts = heads.fact_odds(one, words, self._asked)
        best = int(facts.argmax())
        return Unit(words, odds, self._asked.names[best], float(facts[best]))

    @staticmethod
    def _known_spans(words: str) -> dict[str, str]:
        number = rules.phone_span(words)
        return {SlotName.PHONE: number} if number else {}

    # ── likeness to examples ────────────────────────────────────────────────────────────

    def _by_recall(
        self, texts: Sequence[str], embedded: Sequence[Embedding], expect: Expect
    ) -> Understanding:
        words = texts[0]
        whole, *several = [
            self._nearest(text, one) for text, one in zip(texts, embedded, strict=True)
        ]
        moves = [whole]
        sure = [m for m in several if m.name not in (MoveName.UNCLEAR, MoveName.UNKNOWN)]
        if len({str(move) for move in sure}) > 1:
            moves = list({str(move): move for move in sure}.values())[:3]
        slots = self._known_spans(words)
        if expect is Expect.DETAILS and not _leaves_the_question(words, moves[0]):
            return Understanding(
                (Move(MoveName.GIVES),), {SlotName.DETAILS: words, **slots}, by="recall"
            )
        return Understanding(tuple(moves), slots, by="recall")

    def _nearest(self, words: str, one: Embedding) -> Move:
        fact = next(iter(self._facts.ranked(one.vector, 1)), None)
        move = self._moves.ranked(one.vector, 1)[0]
        if fact is not None and fact.score >= FACT_GATE and fact.score >= move.score:
            return Move(MoveName.ANSWER, fact.name, round(fact.score, 3))
        if move.score >= MOVE_GATE:
            sure = SURE + (1 - SURE) * (move.score - MOVE_GATE) / (1 - MOVE_GATE)
            return Move(move.name, score=round(sure, 3))
        name = MoveName.UNKNOWN if QUESTION.search(words) else MoveName.UNCLEAR
        return Move(name, score=round(1 - move.score, 3))

    async def _learn(self, labelled: list[tuple[str, str]]) -> tuple[Bank, list[Embedding]]:
        vectors = await self._embedder.embed([text for _, text in labelled], within=LOAD_SECONDS)
        return Bank([label for label, _ in labelled], [one.vector for one in vectors]), vectors


LEAVING: Final = frozenset(
    {
        MoveName.WANTS_HUMAN,
        MoveName.GOODBYE,
        MoveName.REPEAT,
        MoveName.WAIT,
        MoveName.ARE_YOU_HUMAN,
        MoveName.EMERGENCY,
        MoveName.NO,
        MoveName.ABUSE,
    }
)
"""Moves that are no details, even when details were asked for."""


def _leaves_the_question(words: str, first: Move) -> bool:
    if first.name in LEAVING:
        return len(words.split()) <= 8 and first.score >= 0.65
    return first.name == MoveName.ANSWER and first.score >= 0.65
