"""Conversations by text: the mind alone, no phone, no sound, no time.

Understanding, dialogue and claims are the ones that serve calls; what a tool's use leads
to is told, not done. The same words give the same decisions.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from agent.errors import PickupError, UnbackedClaim
from agent.evaluate.case import WORLDS, Case, Level, Run, Turn, World
from agent.evaluate.case_values import CALLER_LEFT, OPEN
from agent.evaluate.persona import PersonaCaller
from agent.evaluate.results import WORST, Played, Spoke, Status
from agent.evaluate.verdict import banned, faults
from agent.events import Expect, Outcome, PromiseKind, Sentence
from agent.mind import claims
from agent.mind.dialogue import Dialogue, Heard, Input, Keys, Reply, Silence, ToolDone
from agent.mind.moves import Understanding
from agent.mind.tools import SendLink, Tool
from agent.mind.understanding import Mind
from agent.restaurant import load_restaurant
from agent.settings import Settings

HANGS_UP: Final = "(hangs up)"
PERSONA_TURNS: Final = 20
"""A persona that is not through by then hangs up; an ordinary call takes three to eight."""

PATIENCE: Final = 60.0
"""Seconds that a decision may take: a text case has no hurry, and a busy machine must not
change what is decided. In calls it is `agent.mind.understanding.DEADLINE`."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the caller did, and everything that came of it until they could speak again.

    Attributes:
        understood: What their words were taken to mean; None if they said none.
        replies: The replies, the news of a tool's use included.
        unbacked: Sentences that nothing backs; a call would not have spoken them.
    """

    understood: Understanding | None
    replies: tuple[Reply, ...]
    unbacked: tuple[Sentence, ...] = ()

    @property
    def step(self) -> str:
        """The last reply's step."""
        return self.replies[-1].step if self.replies else ""

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """All that was said."""
        return tuple(sentence for reply in self.replies for sentence in reply.sentences)

    @property
    def said(self) -> str:
        """All that was said, as one text."""
        return " ".join(sentence.text for sentence in self.sentences)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools used, in order."""
        return tuple(reply.tool for reply in self.replies if reply.tool is not None)


class Conversation:
    """One caller and the mind.

    Attributes:
        end: Why the call is over, or ``open``.
    """

    def __init__(self, mind: Mind, world: World, worlds: Path = WORLDS) -> None:
        """Let a call come in; `open` answers it. ``worlds`` holds the restaurant files."""
        self._restaurant = load_restaurant(world.file(worlds))
        self._can = frozenset(map(str, world.can))
        withheld = world.caller == "withheld"
        self._dialogue = Dialogue(
            self._restaurant,
            "" if withheld else world.caller,
            withheld,
            self._can,
            world.clock.replace(tzinfo=ZoneInfo(self._restaurant.time_zone)),
            world.rush,
        )
        self._mind = mind
        self._tools = world.tools
        self._uses: list[PromiseKind] = []
        self._receipts: dict[str, tuple[PromiseKind, Outcome]] = {}
        self._silences = 0
        self._expect = Expect.OPEN
        self._state, self._greeting = self._dialogue.open()
        self.end = OPEN

    def open(self) -> Exchange:
        """Return the greeting."""
        return self._exchange(None, self._greeting)

    async def hear(self, text: str) -> Exchange:
        """Return what comes of the caller's words.

        Raises:
            MindError: The embedder is missing or broken.
        """
        understood = await self._understand(text)
        return self._step(Heard(understood, text), understood)

    def silence(self) -> Exchange:
        """Return what comes of the caller saying nothing."""
        self._silences += 1
        return self._step(Silence(self._silences))

    def keys(self, digits: str) -> Exchange:
        """Return what comes of keys pressed."""
        return self._step(Keys(digits))

    def hang_up(self) -> Exchange:
        """Return what is done for a caller who hung up; nothing is said to them."""
        self.end = CALLER_LEFT
        left = self._dialogue.left_over(self._state)
        return Exchange(None, (Reply(CALLER_LEFT, tool=left),) if left else ())

    async def _understand(self, text: str) -> Understanding:
        if self._mind.fault is not None:
            raise self._mind.fault
        return await self._mind.understand(text, self._expect)

    def _step(self, given: Input, understood: Understanding | None = None) -> Exchange:
        if not isinstance(given, Silence):
            self._silences = 0
        self._state, reply = self._dialogue.step(self._state, given)
        return self._exchange(understood, reply)

    def _exchange(self, understood: Understanding | None, reply: Reply) -> Exchange:
        replies = [reply]
        while replies[-1].tool is not None:
            done = self._use(replies[-1].tool)
            self._state, reply = self._dialogue.step(self._state, done)
            replies.append(reply)
        self._expect = reply.expect
        if not reply.ends_call:
            self.end = OPEN
        elif self.end == OPEN:
            self.end = reply.step
        unbacked = tuple(s for reply in replies for s in reply.sentences if not self._backed(s))
        return Exchange(understood, tuple(replies), unbacked)

    def _use(self, tool: Tool) -> ToolDone:
        kind = tool.promise_kind
        news = self._tools.get(kind, (Outcome.ACCEPTED,))
        outcome, _, code = news[min(self._uses.count(kind), len(news) - 1)].partition(" ")
        self._uses.append(kind)
        promise = f"p{len(self._uses)}"
        self._receipts[promise] = (kind, Outcome(outcome))
        return ToolDone(Outcome(outcome), promise, code)

    def _backed(self, sentence: Sentence) -> bool:
        try:
            claims.check(sentence, self._restaurant, self._receipts, self._can)
        except UnbackedClaim:
            return False
        return True


# ── cases ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Result:
    """How a run went.

    Attributes:
        run: The run.
        status: Passed, failed or errored.
        faults: What was wrong, one sentence each, with the turn's number.
        exchanges: The conversation, greeting first, as far as it went.
        words: What the caller did in each exchange but the first.
        banned: Something was said that must never be.
    """

    run: Run
    status: Status
    faults: tuple[str, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    words: tuple[str, ...] = ()
    banned: bool = False

    @property
    def decisions(self) -> tuple[Any, ...]:
        """All that was understood and done; the same in every repeat."""
        return tuple(
            (one.understood and (one.understood.moves, dict(one.understood.slots)), one.replies)
            for one in self.exchanges
        )


@dataclass
class TextDriver:
    """Plays cases; one mind per restaurant is kept until the end.

    Attributes:
        settings: Which models.
        worlds: Where the restaurant files are.
    """

    settings: Settings
    worlds: Path = WORLDS
    _minds: dict[str, Mind] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        """Start; minds are loaded when first needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Free the minds."""
        for mind in self._minds.values():
            await mind.stop()
        self._minds.clear()

    async def play(self, run: Run) -> Result:
        """Play one run and judge it. A fault of ours is its status, never an exception."""
        exchanges: list[Exchange] = []
        words: list[str] = []
        case = run.case
        try:
            mind = await self.mind(case.world.restaurant)
            talk = Conversation(mind, case.world, self.worlds)
            exchanges.append(talk.open())
            if case.caller.persona is not None:
                await _improvise(talk, case, exchanges, words)
            for turn, said in zip(case.talk, run.words, strict=True) if case.talk else ():
                words.append(_deed(turn, said))
                exchanges.append(await _do(talk, turn, said))
        except PickupError as error:
            return self._errored(run, f"{error.code}: {error}", exchanges, words)
        except Exception:  # noqa: BLE001 - shown as errored; the other cases still run
            last = traceback.format_exc(limit=-2).strip()
            return self._errored(run, last, exchanges, words)
        wrong = tuple(faults(run, exchanges, talk.end))
        return Result(
            run,
            Status.FAILED if wrong else Status.PASSED,
            wrong,
            tuple(exchanges),
            tuple(words),
            banned=banned(run, exchanges),
        )

    @staticmethod
    def _errored(run: Run, why: str, exchanges: list[Exchange], words: list[str]) -> Result:
        return Result(run, Status.ERRORED, (why,), tuple(exchanges), tuple(words))

    async def mind(self, restaurant: str) -> Mind:
        """Return the mind of a restaurant in ``evals/worlds``.

        Raises:
            RestaurantError: There is no such file, or it is wrong.
        """
        if restaurant not in self._minds:
            world = World(restaurant=restaurant)
            mind = Mind(
                self.settings,
                load_restaurant(world.file(self.worlds)),
                clock=lambda: 0.0,
                deadline=PATIENCE,
            )
            await mind.start()
            self._minds[restaurant] = mind
        return self._minds[restaurant]


async def _improvise(
    talk: Conversation, case: Case, exchanges: list[Exchange], words: list[str]
) -> None:
    """Let a persona talk until the call is over."""
    persona = case.caller.persona
    assert persona is not None  # noqa: S101 - the caller looked
    caller = PersonaCaller(persona, case.caller.seed)
    for _ in range(case.turns or PERSONA_TURNS):
        if talk.end != OPEN:
            return
        said = caller.answer(exchanges[-1].said)
        if said is None:
            break
        words.append(said)
        exchanges.append(await talk.hear(said))
    if talk.end == OPEN:
        words.append(HANGS_UP)
        exchanges.append(talk.hang_up())


def _deed(turn: Turn, words: str) -> str:
    """Return what the caller does, as a person reads it."""
    if turn.silence:
        return "(silence)"
    if turn.keys:
        return f"(keys {turn.keys})"
    return HANGS_UP if turn.hangs_up else words


async def _do(talk: Conversation, turn: Turn, words: str) -> Exchange:
    if turn.silence:
        return talk.silence()
    if turn.keys:
        return talk.keys(turn.keys)
    if turn.hangs_up:
        return talk.hang_up()
    return await talk.hear(words)


def played(results: Sequence[Result], seconds: float = 0.0) -> Played:
    """Return a run's repeats as plain data."""
    first = results[0]
    worst = max(results, key=lambda result: WORST[result.status])
    run = first.run
    return Played(
        name=run.name,
        case=run.case.case,
        words=tuple(filter(None, run.words)),
        level=run.level,
        status=worst.status,
        faults=worst.faults,
        banned=any(result.banned for result in results),
        steady=all(result.decisions == first.decisions for result in results),
        why=run.case.why if run.level is Level.PENDING else "",
        seconds=round(seconds, 4),
        talk=tuple(_spoke(worst)),
        origin=run.case.origin,
    )


def _spoke(result: Result) -> Iterator[Spoke]:
    for did, one in zip(("", *result.words), result.exchanges, strict=False):
        moves = one.understood.moves if one.understood else ()
        yield Spoke(
            caller=did,
            agent=one.said,
            step=one.step,
            moves=tuple(map(str, moves)),
            tools=tuple(map(_would, one.tools)),
            unbacked=tuple(sentence.text for sentence in one.unbacked),
        )


def _would(tool: Tool) -> str:
    if isinstance(tool, SendLink):
        return f"send_link to {tool.to}"
    return f"pass_message: {tool.kind}; {tool.details}; {tool.name}; {tool.number}"
