"""The ways a call can go: steps, and edges between them, from where calls enter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.service.dialplan.calls import HANGUPS, Target, branch, expand, split, target
from agent.service.dialplan.source import Dialplan, Step

Where = tuple[str, str, int]
"""Context, extension as written, priority."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One way on.

    Attributes:
        to: The step it leads to; None where it leads nowhere.
        why: What makes a call go this way; empty if nothing special does.
        text: The target as written; empty if it is just the next step.
        code: Why ``to`` is None: ``context``, ``exten``, ``label``, ``target`` or ``end``.
    """

    to: Step | None
    why: str = ""
    text: str = ""
    code: str = ""


_SPECIAL: Final = frozenset({"h", "i", "t", "T", "e", "a", "o"})


class Graph:
    """Follows a dialplan."""

    def __init__(self, plan: Dialplan) -> None:
        """Follow ``plan``."""
        self.plan = plan

    def entries(self, context: str) -> Iterator[Step]:
        """Yield the first steps at which a call may enter ``context``."""
        here = self.plan.contexts.get(context)
        if here is None:
            return
        for exten, steps in here.extens.items():
            if exten not in _SPECIAL and 1 in steps:
                yield steps[1]
        for included, _, _ in here.includes:
            yield from self.entries(included)

    def edges(self, step: Step) -> list[Edge]:
        """Return every way on from ``step``; none where the call ends in it."""
        app, arguments = step.app.lower(), step.arguments
        if app in HANGUPS or app == "return":
            return []
        if app == "goto":
            return [self._jump(step, arguments)]
        if app in ("gotoif", "gotoiftime"):
            found = branch(arguments)
            if found is None:
                return [Edge(None, text=arguments, code="target")]
            yes = self._jump(step, found.then, why=found.condition)
            no = self._jump(step, found.otherwise, why=f"not {found.condition}")
            return [yes, no]
        if app in ("gosub", "gosubif"):
            inner = branch(arguments) if app == "gosubif" else None
            way = (inner.then if inner else arguments).split("(")[0]
            return [self._jump(step, way, why="subroutine"), self._next(step)]
        ways = [self._next(step)]
        if app == "voicemail":
            ways += self._special(step, "a", "the caller presses *")
            ways += self._special(step, "o", "the caller presses 0")
        if app in ("background", "waitexten"):
            ways += self._keys(step)
        if app == "dial":
            ways += self._local(step)
        limit = arguments.replace(" ", "").lower()
        if app == "set" and limit.startswith("timeout(absolute)=") and not limit.endswith("=0"):
            ways += self._special(step, "T", "time is over")
        return ways

    def reachable(self, start: list[Step]) -> dict[Where, Step]:
        """Return every step a call may come to, beginning at ``start``."""
        found: dict[Where, Step] = {}
        waiting = list(start)
        while waiting:
            step = waiting.pop()
            if where(step) in found:
                continue
            found[where(step)] = step
            waiting += [edge.to for edge in self.edges(step) if edge.to is not None]
        return found

    def values(self, text: str) -> str:
        """Return ``text`` with the globals that are known put in."""
        return expand(text, self.plan.globals)

    def _next(self, step: Step) -> Edge:
        steps = self.plan.contexts[step.context].extens[step.exten]
        following = steps.get(step.priority + 1)
        return Edge(following, code="" if following else "end")

    def _special(self, step: Step, exten: str, why: str) -> list[Edge]:
        steps = self.plan.find(step.context, exten)
        return [Edge(steps[1], why=why, text=exten)] if steps and 1 in steps else []

    def _keys(self, step: Step) -> list[Edge]:
        context = self.plan.contexts[step.context]
        return [
            Edge(steps[1], why=f"key {exten}", text=exten)
            for exten, steps in context.extens.items()
            if 1 in steps and exten not in (step.exten, "h", "T")
        ]

    def _local(self, step: Step) -> list[Edge]:
        ways = []
        for one in split(split(step.arguments)[0], "&"):
            kind, _, rest = self.values(one).partition("/")
            if kind.lower() == "local":
                exten, _, context = rest.split("/")[0].partition("@")
                ways.append(self._to(step, Target(context, exten, "1"), "dialled", one))
        return ways

    def _jump(self, step: Step, text: str, why: str = "") -> Edge:
        if not text:
            following = self._next(step)
            return Edge(following.to, why=why, code=following.code)
        found = target(self.values(text))
        if found is None:
            return Edge(None, why=why, text=text, code="target")
        return self._to(step, found, why, text)

    def _to(self, step: Step, to: Target, why: str, text: str) -> Edge:
        context, exten = to.context or step.context, to.exten or step.exten
        if "${" in context:
            return Edge(None, why=why, text=text, code="target")
        if context not in self.plan.contexts:
            return Edge(None, why=why, text=text, code="context")
        if exten == "${EXTEN}" or (not to.exten and not to.context):
            exten = step.exten
        steps = self.plan.find(context, exten)
        if steps is None and (exten.startswith("_") or "${" in exten):
            # Any number may come: the first extension that takes numbers stands for all.
            numbers = (s for e, s in self.plan.contexts[context].extens.items() if e[:1] == "_")
            steps = next(numbers, None)
        if steps is None:
            return Edge(None, why=why, text=text, code="exten")
        if to.priority.isdigit():
            landed = steps.get(int(to.priority))
        else:
            landed = next((s for s in steps.values() if s.label == to.priority), None)
        return Edge(landed, why=why, text=text, code="" if landed else "label")


def where(step: Step) -> Where:
    """Return the step's place."""
    return step.context, step.exten, step.priority
