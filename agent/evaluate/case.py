"""Cases: conversations that must go a certain way, as people read and write them.

A file in ``evals/cases`` holds a few; ``docs/cases.md`` is the guide. Everything in it is
text: YAML's own reading of bare words is off, because callers say "yes", "no" and "7:30".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from agent.evaluate.case_values import End, Moves, News, Number, Step, Words, one_or_more, several
from agent.events import PromiseKind
from agent.settings import CHECKOUT

WORLDS: Final = CHECKOUT / "evals" / "worlds"


class Level(StrEnum):
    """What a case's failing means."""

    BLOCKING = "blocking"
    """Nothing is released while it fails."""
    NIGHTLY = "nightly"
    """As important, too slow for every change."""
    PENDING = "pending"
    """Known to fail; run and shown, blocks nothing until it passes."""


class Part(BaseModel):
    """Base of a part of a case: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class World(Part):
    """What is so, whatever is said.

    Attributes:
        restaurant: Name of a file in ``evals/worlds``, or the path of one (``….toml``).
        clock: When the call comes in, on the restaurant's own clock.
        caller: The number that calls; ``withheld``, or empty where the line gives none.
        can: What this deployment can do.
        rush: Many have called in the last minutes: the short script.
        tools: What becomes of each use of a tool, in turn; the last goes for all that follow.
    """

    restaurant: str = "hikari"
    clock: datetime = datetime(2026, 11, 24, 17, 0)
    caller: Number = "+13165550150"
    can: tuple[PromiseKind, ...] = tuple(PromiseKind)
    rush: bool = False
    tools: Mapping[PromiseKind, Annotated[News, Field(min_length=1)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _local(self) -> World:
        if self.clock.tzinfo is not None:
            raise ValueError("clock: leave the zone out, it is the restaurant's")
        return self

    def file(self, worlds: Path = WORLDS) -> Path:
        """Return the restaurant file: of that name in ``worlds``, or at that path."""
        if self.restaurant.endswith(".toml"):
            return CHECKOUT / self.restaurant
        return worlds / f"{self.restaurant}.toml"


class ToolUse(Part):
    """A tool that must be used, and with what.

    Attributes:
        send_link: The number the link goes to.
        pass_message: The kind of the message for the owner.
        name: The caller's name in it; empty: none.
        number: The number in it; empty: none.
        details: Words its details must hold, in any case.
    """

    send_link: Number | None = None
    pass_message: Literal["reservation", "catering", "complaint", "other"] | None = None
    name: str | None = None
    number: Number | None = None
    details: Words = ()

    @model_validator(mode="after")
    def _one_tool(self) -> ToolUse:
        if (self.send_link is None) == (self.pass_message is None):
            raise ValueError("name one tool: send_link with a number, or pass_message with a kind")
        if self.send_link is not None and len(self.model_fields_set) > 1:
            raise ValueError("send_link has no name, number or details")
        return self


class Turn(Part):
    """One thing the caller does, and what must come of it.

    Attributes:
        caller: What they say; each of several wordings is tried in a run of its own.
        pending: More wordings, known to be misunderstood today.
        keys: Keys they press instead.
        silence: They say nothing.
        hangs_up: They hang up.
        moves: Moves that must be understood, among others; ``answer:hours`` names a fact.
        step: The reply's step.
        tool: The tools used, in this order. Without it, none may be used.
        facts: The facts said, exactly these. Without it, any may be said.
        says: Words that must be said, in any case.
        never: Words that must not be said.
        within: The agent's answer must begin so many milliseconds after the caller's last
            voiced sample, at the caller's ear. By text there is no ear: not checked.
        barge_in: The caller speaks so many seconds into the agent's line instead of waiting
            for its end. By text nobody is interrupted.
    """

    caller: Words = ()
    pending: Words = ()
    keys: str = Field("", pattern=r"^[0-9*#]*$")
    silence: bool = False
    hangs_up: bool = False
    moves: Moves = ()
    step: Step | None = None
    tool: Annotated[tuple[ToolUse, ...], BeforeValidator(several)] = ()
    facts: Words | None = None
    says: Words = ()
    never: Words = ()
    within: Annotated[int, Field(gt=0)] | None = None
    barge_in: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_deed(self) -> Turn:
        if sum(map(bool, (self.caller, self.keys, self.silence, self.hangs_up))) != 1:
            raise ValueError("a turn has exactly one of caller, keys, silence, hangs_up")
        if self.pending and not self.caller:
            raise ValueError("pending wordings stand beside the ones in caller")
        return self


DriverName = Literal["text", "audio", "phone"]


class Persona(Part):
    """A caller with a goal, who listens to what the agent says and answers it.

    Attributes:
        goal: What they want.
        name: Their name, when asked.
        number: Their number, if they want another than the one they call from.
        details: What they tell when asked for details, e.g. ``Friday at seven for four``.
        questions: What they ask, one after the other.
        patience: How often they repeat themselves before they give up.
    """

    goal: Literal["order", "reservation", "catering", "complaint", "message", "question"]
    name: str = "Dana Miller"
    number: Number = ""
    details: str = ""
    questions: Words = ()
    patience: int = Field(2, ge=0)

    @model_validator(mode="after")
    def _told(self) -> Persona:
        if self.goal == "question" and not self.questions:
            raise ValueError("a persona whose goal is question needs questions")
        if self.goal not in ("question", "order") and not self.details:
            raise ValueError(f"a persona whose goal is {self.goal} needs details")
        return self


class Caller(Part):
    """Who calls.

    Attributes:
        persona: A goal and facts in place of a script; ``talk`` is then left out.
        recording: A recorded caller, by audio and phone: a WAV file's path, from the case
            file's folder; 8 or 16 kHz, the caller's channel first. By text the words of ``talk``.
        voice: A voice of ``evals/callers``; empty: they go round.
        seed: Lines, wordings and reactions are drawn from it.
    """

    persona: Persona | None = None
    recording: str = ""
    voice: str = ""
    seed: int = 0


class Case(Part):
    """A conversation that must go a certain way.

    Attributes:
        case: Its name, unique among all cases.
        about: What it shows, where the name doesn't say it.
        level: What its failing means.
        why: What keeps it, or its pending wordings, from passing.
        origin: Where it came from: ``written``, ``pilot``, or a call's id.
        drivers: What can play it; a driver that is not named does not run it.
        world: What is so.
        caller: Who calls; a typed script if left out.
        talk: The turns; with a persona none.
        tool: The tools used in the whole call, in this order; if left out, any may be. For
            personas, whose turns nobody knows.
        facts: Facts that are said at some time.
        turns: A persona must be through within so many turns.
        never: Words that must not be said in the whole call.
        ends: How it must end; ``open`` if it goes on.
    """

    case: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    about: str = ""
    level: Level = Level.BLOCKING
    why: str = ""
    origin: str = "written"
    drivers: Annotated[
        tuple[DriverName, ...],
        BeforeValidator(several),
        WithJsonSchema(one_or_more({"enum": list(get_args(DriverName))})),
    ] = get_args(DriverName)
    world: World = World()
    caller: Caller = Caller()
    talk: tuple[Turn, ...] = ()
    tool: Annotated[tuple[ToolUse, ...], BeforeValidator(several)] | None = None
    facts: Words = ()
    turns: Annotated[int, Field(gt=0)] | None = None
    never: Words = ()
    ends: End | None = None

    @model_validator(mode="after")
    def _one_script(self) -> Case:
        if bool(self.talk) == (self.caller.persona is not None):
            raise ValueError("write what the caller says in talk, or name a caller.persona")
        if self.turns is not None and self.talk:
            raise ValueError("turns is for personas; talk has its own number of turns")
        return self

    @model_validator(mode="after")
    def _reasoned(self) -> Case:
        waits = self.level is Level.PENDING or any(turn.pending for turn in self.talk)
        if waits and not self.why:
            raise ValueError("what is pending needs a why: what keeps it from passing?")
        return self

    def runs(self) -> Iterator[Run]:
        """Yield one run per wording: all turns' first wordings, then their second, …."""
        for index in range(max((max(len(turn.caller), 1) for turn in self.talk), default=1)):
            yield Run(self, self.level, self._words(index), index)
        count = index + 1
        for place, turn in enumerate(self.talk):
            for wording in turn.pending:
                words = list(self._words(0))
                words[place] = wording
                yield Run(self, Level.PENDING, tuple(words), count)
                count += 1

    def _words(self, index: int) -> tuple[str, ...]:
        return tuple(
            turn.caller[index % len(turn.caller)] if turn.caller else "" for turn in self.talk
        )


@dataclass(frozen=True, slots=True)
class Run:
    """A case with one wording chosen for each turn.

    Attributes:
        case: The case.
        level: The case's, or `PENDING` for a pending wording.
        words: What the caller says, per turn; empty where they do something else.
        index: Which of the case's runs it is, from 0.
    """

    case: Case
    level: Level
    words: tuple[str, ...]
    index: int

    @property
    def name(self) -> str:
        """The case's name, with the run's number from the second on."""
        return f"{self.case.case}/{self.index + 1}" if self.index else self.case.case


class CaseFile(Part):
    """A file of cases.

    Attributes:
        about: What its cases have in common.
        world: What is so in all of them, unless a case says otherwise.
        never: Words that must not be said in any of them.
        cases: The cases.
    """

    about: str = ""
    world: Mapping[str, Any] = Field(default_factory=dict)
    never: Words = ()
    cases: tuple[Case, ...] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _shared(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("cases"), list):
            return data
        return {**data, "cases": [_joined(data, case) for case in data["cases"]]}


def _joined(file: dict[str, Any], case: Any) -> Any:
    """Return ``case`` with what it shares with the others of its file."""
    if not isinstance(case, dict):
        return case
    joined = dict(case)
    world, own = file.get("world", {}), case.get("world", {})
    if isinstance(world, dict) and isinstance(own, dict):
        joined["world"] = {**world, **own}
    never, own = several(file.get("never", ())), several(case.get("never", ()))
    if isinstance(never, (list, tuple)) and isinstance(own, (list, tuple)):
        joined["never"] = [*never, *own]
    return joined
