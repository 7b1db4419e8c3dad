"""Conversations by text: the mind alone, no phone, no sound, no time.

Understanding, dialogue and claims are the ones that serve calls; what a tool's use leads
to is told, not done. The same words give the same decisions.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from agent.errors import PickupError, UnbackedClaim
from agent.evaluate.case import CALLER_LEFT, OPEN, Run, ToolUse, Turn, World
from agent.events import Expect, Outcome, PromiseKind, Sentence, SentenceKind
from agent.mind import claims
from agent.mind.dialogue import Dialogue, Heard, Input, Keys, Reply, Silence, ToolDone
from agent.mind.moves import Understanding
from agent.mind.tools import PassMessage, SendLink, Tool
from agent.mind.understanding import Mind
from agent.restaurant import load_restaurant
from agent.settings import Settings

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

    def __init__(self, mind: Mind, world: World) -> None:
        """Let a call come in; `open` answers it."""
        self._restaurant = load_restaurant(world.file)
        self._can = frozenset(map(str, world.can))
        withheld = world.caller == "withheld"
        self._dialogue = Dialogue(
            self._restaurant,
            "" if withheld else world.caller,
            withheld,
            self._can,
            world.clock.replace(tzinfo=ZoneInfo(self._restaurant.time_zone)),
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


class Status(StrEnum):
    """How a run went."""

    PASSED = "passed"
    FAILED = "failed"
    """The conversation did not go as the case says."""
    ERRORED = "errored"
    """It could not be told: something of ours broke."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run went.

    Attributes:
        run: The run.
        status: Passed, failed or errored.
        faults: What was wrong, one sentence each, with the turn's number.
        exchanges: The conversation, greeting first, as far as it went.
    """

    run: Run
    status: Status
    faults: tuple[str, ...] = ()
    exchanges: tuple[Exchange, ...] = ()

    @property
    def decisions(self) -> tuple[Any, ...]:
        """All that was understood and done; the same in every repeat."""
        return tuple(
            (one.understood and (one.understood.moves, dict(one.understood.slots)), one.replies)
            for one in self.exchanges
        )


@dataclass
class TextDriver:
    """Plays cases; one mind per restaurant is kept until the end."""

    settings: Settings
    _minds: dict[str, Mind] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        """Start; minds are loaded when first needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        """Free the minds."""
        for mind in self._minds.values():
            await mind.stop()
        self._minds.clear()

    async def play(self, run: Run) -> Result:
        """Play one run and judge it. A fault of ours is its status, never an exception."""
        exchanges: list[Exchange] = []
        try:
            talk = Conversation(await self.mind(run.case.world.restaurant), run.case.world)
            exchanges.append(talk.open())
            for turn, words in zip(run.case.talk, run.words, strict=True):
                exchanges.append(await _do(talk, turn, words))
        except PickupError as error:
            return Result(run, Status.ERRORED, (f"{error.code}: {error}",), tuple(exchanges))
        except Exception:  # noqa: BLE001 - shown as errored; the other cases still run
            last = traceback.format_exc(limit=-2).strip()
            return Result(run, Status.ERRORED, (last,), tuple(exchanges))
        faults = tuple(_faults(run, exchanges, talk.end))
        status = Status.FAILED if faults else Status.PASSED
        return Result(run, status, faults, tuple(exchanges))

    async def mind(self, restaurant: str) -> Mind:
        """Return the mind of a restaurant in ``evals/worlds``.

        Raises:
            RestaurantError: There is no such file, or it is wrong.
        """
        if restaurant not in self._minds:
            world = World(restaurant=restaurant)
            mind = Mind(
                self.settings,
                load_restaurant(world.file),
                clock=lambda: 0.0,
                deadline=PATIENCE,
            )
            await mind.start()
            self._minds[restaurant] = mind
        return self._minds[restaurant]


async def _do(talk: Conversation, turn: Turn, words: str) -> Exchange:
    if turn.silence:
        return talk.silence()
    if turn.keys:
        return talk.keys(turn.keys)
    if turn.hangs_up:
        return talk.hang_up()
    return await talk.hear(words)


def _faults(run: Run, exchanges: list[Exchange], end: str) -> Iterator[str]:
    greeting, *rest = exchanges
    for number, (turn, exchange) in enumerate(zip(run.case.talk, rest, strict=True), 1):
        for fault in (*_turn_faults(turn, exchange), *_call_faults(run, exchange)):
            yield f"turn {number}: {fault}"
    yield from (f"greeting: {fault}" for fault in _call_faults(run, greeting))
    if run.case.ends is not None and end != run.case.ends:
        yield f"the call ends {end!r}, not {run.case.ends!r}"


def _call_faults(run: Run, exchange: Exchange) -> Iterator[str]:
    yield from (f"nothing backs {one.text!r} ({one.ref})" for one in exchange.unbacked)
    yield from _never(run.case.never, exchange.said)


def _turn_faults(turn: Turn, exchange: Exchange) -> Iterator[str]:
    moves = exchange.understood.moves if exchange.understood else ()
    lacking = [name for name in turn.moves if name not in map(str, moves)]
    if lacking:
        yield f"understood {', '.join(map(str, moves)) or 'nothing'}, not {', '.join(lacking)}"
    if turn.step is not None and exchange.step != turn.step:
        yield f"step {exchange.step!r}, not {turn.step!r}"
    facts = [one.ref for one in exchange.sentences if one.kind is SentenceKind.FACT]
    if turn.facts is not None and sorted(facts) != sorted(turn.facts):
        yield f"facts said: {', '.join(facts) or 'none'}, not {', '.join(turn.facts) or 'none'}"
    for words in turn.says:
        if words.casefold() not in exchange.said.casefold():
            yield f"{words!r} is not said"
    yield from _never(turn.never, exchange.said)
    yield from _tool_faults(turn.tool, exchange.tools)


def _never(banned: tuple[str, ...], said: str) -> Iterator[str]:
    yield from (f"{words!r} is said" for words in banned if words.casefold() in said.casefold())


def _tool_faults(wanted: tuple[ToolUse, ...], used: tuple[Tool, ...]) -> Iterator[str]:
    if len(wanted) != len(used):
        yield f"tools used: {', '.join(map(_tool_name, used)) or 'none'}, wanted {len(wanted)}"
        return
    for want, tool in zip(wanted, used, strict=True):
        for what, (wish, was) in _compared(want, tool).items():
            if wish != was:
                yield f"{_tool_name(tool)}: {what} is {was!r}, not {wish!r}"
        if isinstance(tool, PassMessage):
            for words in want.details:
                if words.casefold() not in tool.details.casefold():
                    yield f"pass_message: {words!r} is not in its details {tool.details!r}"


def _compared(want: ToolUse, tool: Tool) -> Mapping[str, tuple[object, object]]:
    """Return wish and fact of everything that ``want`` names."""
    if isinstance(tool, SendLink):
        return {"number": (want.send_link, tool.to)}
    pairs: dict[str, tuple[object, object]] = {"kind": (want.pass_message, tool.kind)}
    if want.name is not None:
        pairs["name"] = (want.name.casefold(), tool.name.casefold())
    if want.number is not None:
        pairs["number"] = (want.number, tool.number)
    return pairs


def _tool_name(tool: Tool) -> str:
    return "send_link" if isinstance(tool, SendLink) else "pass_message"
