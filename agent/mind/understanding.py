"""What the caller's words mean: moves and slots, always, whatever fails.

First the plain rules (an answer to what was just asked), then likeness to examples and
facts by the embedder. Sure: act. Nothing near: `unknown` or `unclear`, which are answers
of first rank. If the embedder is missing, broken or late, keywords alone: the caller is
served, the fault is logged, and ``by`` says ``rules``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from agent.errors import MindError
from agent.events import Expect, Move
from agent.mind import rules
from agent.mind.embedder import LOAD_SECONDS, Embedder, Embedding, plain
from agent.mind.moves import MoveName, SlotName, Understanding
from agent.mind.recall import Bank, load_examples
from agent.restaurant import Restaurant
from agent.settings import Settings

DEADLINE: Final = 0.25
"""Seconds a decision may take; usual is 0.01 to 0.04, the rest is waiting for other calls."""

FACT_GATE: Final = 0.6
"""Cosine from which a fact is said. Measured on 500 unseen turns: at 0.5 two in a hundred
unknown questions got a fact, at 0.45 five, with no gate twenty-three."""

MOVE_GATE: Final = 0.45
"""Cosine from which a move is acted on (known sentences lie above, strange ones below)."""

QUESTION: Final = re.compile(
    r"^(?:(?:um|uh|so|hi|hello|hey|yeah|okay|and|also|i was wondering|just wondering)\s+)*"
    r"(?:do|does|did|is|are|was|can|could|will|would|what|what's|when|where|which|who|who's|whose|"
    r"how|how's|why|may|have|has|any)\b"
)

JOINTS: Final = re.compile(
    r"\b(?:and also|and then|oh and|and|also|plus|by the way|another thing|but first)\b"
)

log = structlog.get_logger(__name__)


class Mind:
    """The understanding of one process; any number of calls share it."""

    def __init__(
        self,
        settings: Settings,
        restaurant: Restaurant,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Remember the models' places and what this restaurant can answer."""
        self._settings = settings
        self._restaurant = restaurant
        self._clock = clock
        self._embedder = Embedder(settings.models.embedder)
        self._moves = Bank([], [])
        self._facts = Bank([], [])
        self.fault: MindError | None = None
        """Why only the keyword rules work, or None."""

    async def start(self) -> None:
        """Load the embedder and learn examples and facts (about a second).

        A model that can't be used is no reason not to answer the phone: it is logged, kept
        in `fault`, and the keyword rules serve alone.
        """
        try:
            await self._embedder.start()
            examples = load_examples(self._settings.models.mind / "examples.toml")
            self._moves = await self._learn([(m, s) for m in examples for s in examples[m]])
            self._facts = await self._learn(
                [(f.id, s) for f in self._restaurant.facts for s in (*f.asked, f.say)]
            )
        except MindError as error:
            self.fault = error
            log.error("the mind works by keyword rules alone", code=error.code, reason=str(error))

    async def stop(self) -> None:
        """Free the model."""
        await self._embedder.stop()

    async def understand(self, text: str, expect: Expect) -> Understanding:
        """Return what a caller's turn means.

        Never raises for a fault of the engine and never returns nothing; the same text and
        ``expect`` give the same moves.

        Args:
            text: The turn's words as recognised (or typed).
            expect: What the agent's last line asked for.
        """
        began = self._clock()
        words = plain(text)
        understood = rules.answer_to(words, expect)
        if understood is None:
            understood = await self._by_recall(words, expect)
        return replace(understood, seconds=self._clock() - began)

    async def _by_recall(self, words: str, expect: Expect) -> Understanding:
        if self.fault is not None:
            return rules.by_keywords(words, expect, self._restaurant)
        parts = clauses(words)
        texts = [words, *parts] if len(parts) > 1 else [words]
        try:
            whole, *pieces = await self._embedder.embed(texts, within=DEADLINE)
        except MindError as error:
            log.error("the embedder failed, keyword rules serve", reason=str(error))
            return rules.by_keywords(words, expect, self._restaurant)
        moves = [self._decide(words, whole)]
        several = [self._decide(part, piece) for part, piece in zip(parts, pieces, strict=False)]
        sure = [m for m in several if m.name not in (MoveName.UNCLEAR, MoveName.UNKNOWN)]
        if len({str(move) for move in sure}) > 1:
            moves = list({str(move): move for move in sure}.values())[:3]
        return self._in_state(words, moves, expect)

    def _decide(self, words: str, embedding: Embedding) -> Move:
        fact = next(iter(self._facts.ranked(embedding.vector, 1)), None)
        move = self._moves.ranked(embedding.vector, 1)[0]
        if fact is not None and fact.score >= FACT_GATE and fact.score >= move.score:
            return Move(MoveName.ANSWER, fact.name, round(fact.score, 3))
        if move.score >= MOVE_GATE:
            return Move(move.name, score=round(move.score, 3))
        name = MoveName.UNKNOWN if QUESTION.match(words) else MoveName.UNCLEAR
        return Move(name, score=round(1 - move.score, 3))

    def _in_state(self, words: str, moves: list[Move], expect: Expect) -> Understanding:
        if expect is Expect.DETAILS and not _leaves_the_question(words, moves):
            return Understanding(
                (Move(MoveName.GIVES),), {SlotName.DETAILS: words, **_phone(words)}, by="recall"
            )
        return Understanding(tuple(moves), _phone(words), by="recall")

    async def _learn(self, labelled: list[tuple[str, str]]) -> Bank:
        vectors = await self._embedder.embed([text for _, text in labelled], within=LOAD_SECONDS)
        return Bank([label for label, _ in labelled], [one.vector for one in vectors])


def clauses(words: str) -> list[str]:
    """Return the parts of a turn that may each hold a need of its own (three words or more)."""
    parts: list[str] = []
    for part in (piece.strip() for piece in JOINTS.split(words)):
        if parts and (len(part.split()) < 3 or len(parts[-1].split()) < 3):
            parts[-1] = f"{parts[-1]} {part}".strip()
        elif part:
            parts.append(part)
    return parts


def _phone(words: str) -> dict[str, str]:
    number = rules.phone_span(words)
    return {SlotName.PHONE: number} if number else {}


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


def _leaves_the_question(words: str, moves: list[Move]) -> bool:
    first = moves[0]
    short = len(words.split()) <= 8
    if first.name in LEAVING:
        return short and first.score >= 0.6
    return first.name == MoveName.ANSWER and bool(QUESTION.match(words)) and first.score >= 0.65
