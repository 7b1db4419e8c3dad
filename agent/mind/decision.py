"""From odds to moves: what is certain enough, of the whole turn and of its parts.

Pure: the same odds give the same moves. Scores are certainties on the policy's scale, on
which `agent.mind.moves.SURE` is where one acts without asking back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.events import Expect, Move
from agent.mind.embedder import Vector
from agent.mind.heads import QUESTION
from agent.mind.moves import SURE, UNSURE, MoveName

ASKS: Final = "asks"
"""The head's label for a question; a fact answers it, or it is `UNKNOWN`."""

MOST_MOVES: Final = 3

DEFAULTS: Final[Mapping[str, float]] = {
    "move": 0.35,
    "second": 0.5,
    "part": 0.5,
    "support": 0.05,
    "fact": 0.6,
    "check": 0.4,
    "fact_over": 0.9,
}
"""Where the trained file has no threshold of its own.

``move``: odds from which the likeliest move is acted on. ``second``: from which another
move of the whole turn is too. ``part``: from which a part's move counts, if the whole turn
gives it at least ``support``. ``fact``: matcher's odds from which a fact is said; from
``check`` it is asked back. ``fact_over``: from which a fact wins over another move.
"""

MANNERS: Final = frozenset(
    {
        MoveName.THANKS,
        MoveName.SMALLTALK,
        MoveName.UNCLEAR,
        MoveName.GOODBYE,
        MoveName.YES,
        MoveName.NO,
        MoveName.WAIT,
        MoveName.REPEAT,
    }
)
"""Moves that are no needs."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A turn, or a part of one, as the heads see it.

    Attributes:
        words: The plain words.
        odds: Probability per label, shape (labels,).
        fact: Id of the likeliest fact, or empty.
        fact_odds: Probability that it answers.
    """

    words: str
    odds: Vector
    fact: str = ""
    fact_odds: float = 0.0


class Decider:
    """Turns units into moves."""

    def __init__(self, labels: Sequence[str], thresholds: Mapping[str, float]) -> None:
        """Use the heads' ``labels`` and calibrated ``thresholds``."""
        self._labels = tuple(labels)
        self._place = {label: index for index, label in enumerate(labels)}
        self._at = {**DEFAULTS, **thresholds}

    def decide(self, whole: Unit, parts: Sequence[Unit], expect: Expect) -> tuple[Move, ...]:
        """Return one to three moves.

        Args:
            whole: The whole turn.
            parts: Its parts, if it could be cut; else empty.
            expect: What had been asked.
        """
        moves = self._of_parts(whole, parts) if len(parts) > 1 else []
        if len(moves) < 2:
            moves = self._of_whole(whole, moves)
        if expect is Expect.DETAILS:
            moves = _as_details(moves)
        return tuple(moves[:MOST_MOVES])

    def _of_parts(self, whole: Unit, parts: Sequence[Unit]) -> list[Move]:
        found: dict[str, Move] = {}
        for part in parts:
            label, odds = self._top(part)
            if odds < self._at["part"] or whole.odds[self._place[label]] < self._at["support"]:
                continue
            move = self._move(label, odds, part)
            if move.name in (MoveName.UNCLEAR, MoveName.SMALLTALK):
                continue
            known = found.get(str(move))
            found[str(move)] = move if known is None or known.score < move.score else known
        needs = [move for move in found.values() if move.name not in MANNERS]
        if len(needs) > 1 and {move.name for move in needs} == {
            MoveName.ORDER,
            MoveName.ORDER_BY_VOICE,
        }:
            return [move for move in needs if move.name == MoveName.ORDER_BY_VOICE]
        return list(found.values())

    def _of_whole(self, whole: Unit, sure: Sequence[Move]) -> list[Move]:
        label, odds = self._top(whole)
        first = self._move(label, odds, whole)
        hinted = first.name in MANNERS | {MoveName.UNKNOWN} or first.score < SURE
        if sure and hinted and sure[0].name not in MANNERS and sure[0].score >= first.score:
            # A part said clearly what the whole only hints at: greetings, stories around a need.
            return [*sure]
        moves = [first]
        for index in np.argsort(-whole.odds, kind="stable")[1:MOST_MOVES]:
            other = self._labels[int(index)]
            if whole.odds[index] < self._at["second"]:
                break
            if other in (MoveName.UNCLEAR, MoveName.SMALLTALK):
                continue
            moves.append(self._move(other, float(whole.odds[index]), whole))
        order = {MoveName.YES: 0, MoveName.NO: 0, MoveName.THANKS: 1, MoveName.GOODBYE: 9}
        moves.sort(key=lambda move: order.get(MoveName(move.name), 5))
        return moves

    def _top(self, unit: Unit) -> tuple[str, float]:
        index = int(unit.odds.argmax())
        return self._labels[index], float(unit.odds[index])

    def _move(self, label: str, odds: float, unit: Unit) -> Move:
        over = unit.fact_odds >= self._at["fact_over"] and label not in MANNERS
        if label == ASKS or (over and unit.odds[self._place[ASKS]] >= self._at["support"]):
            return self._question(odds, unit)
        score = _scale(odds, self._at["move"])
        if score >= SURE:
            return Move(label, score=score)
        if QUESTION.search(unit.words) and unit.odds[self._place[ASKS]] > self._at["support"]:
            return self._question(odds, unit)
        return Move(MoveName.UNCLEAR, score=round(1.0 - score, 3))

    def _question(self, odds: float, unit: Unit) -> Move:
        if unit.fact and unit.fact_odds >= self._at["fact"]:
            return Move(MoveName.ANSWER, unit.fact, _scale(unit.fact_odds, self._at["fact"]))
        if unit.fact and unit.fact_odds >= self._at["check"]:
            low, high = self._at["check"], self._at["fact"]
            share = (unit.fact_odds - low) / max(high - low, 1e-6)
            score = UNSURE + share * (SURE - UNSURE) * 0.99
            return Move(MoveName.ANSWER, unit.fact, round(score, 3))
        return Move(MoveName.UNKNOWN, score=round(max(odds, UNSURE), 3))


def _scale(odds: float, gate: float) -> float:
    """Return ``odds`` on the policy's scale: ``gate`` becomes `SURE`."""
    if odds < gate:
        return round(SURE * odds / gate * 0.999, 3)
    return round(SURE + (1.0 - SURE) * (odds - gate) / max(1.0 - gate, 1e-6), 3)


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
        MoveName.GIVES,
    }
)
"""Moves that stand beside details, or instead of them, when details were asked for."""


def _as_details(moves: Sequence[Move]) -> list[Move]:
    """Return ``moves`` when details were asked for: whatever is no move of its own is details."""
    kept = [
        move
        for move in moves
        if move.name in LEAVING or (move.name == MoveName.ANSWER and move.score >= SURE)
    ]
    told = len(kept) < len(moves) and not any(move.name == MoveName.GIVES for move in kept)
    return [Move(MoveName.GIVES), *kept] if told else kept
