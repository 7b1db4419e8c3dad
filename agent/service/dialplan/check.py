"""Says what is wrong with a dialplan, before Asterisk and callers find out.

Beside grammar and names, five rules hold for every way from the trunk: it ends in a hang-up
that is meant; it never goes round for ever; nobody is called whom the sysadmin has not allowed;
``Stasis`` is followed by an apology and a voicemail; nothing runs programs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.service.dialplan import calls
from agent.service.dialplan.graph import Edge, Graph, where
from agent.service.dialplan.source import Dialplan, Problem, Step

DIAL_OUT_CONTEXT: Final = "dial-out"
"""The one context that may call through the trunk; see ``dialplan/dial-out.conf``."""

_ENDED: Final = "PICKUP_ENDED"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a dialplan is checked against.

    Attributes:
        modules: Modules that Asterisk loads.
        entries: Contexts into which a trunk or a phone sends calls.
        mailboxes: Boxes in voicemail.conf, as ``name@context``.
        phones: Names of PJSIP endpoints that may be rung: the restaurant's own phones.
        dial_out: Whether the sysadmin has opened numbers for ``[dial-out]``.
        sounds: Folder of Asterisk's own prompts; None: they are not looked for.
        outside: Contexts that are entered from elsewhere (ARI), so nobody needs to go there.
    """

    modules: frozenset[str]
    entries: tuple[str, ...] = ("from-trunk",)
    mailboxes: frozenset[str] = frozenset()
    phones: frozenset[str] = frozenset()
    dial_out: bool = False
    sounds: Path | None = None
    outside: frozenset[str] = field(default_factory=lambda: frozenset({DIAL_OUT_CONTEXT}))


def check(plan: Dialplan, around: Surroundings) -> list[Problem]:
    """Return everything wrong with ``plan``, by file and line."""
    return sorted({*plan.problems, *_Check(plan, around).problems()})


class _Check:
    def __init__(self, plan: Dialplan, around: Surroundings) -> None:
        self._plan = plan
        self._around = around
        self._graph = Graph(plan)
        self._steps = [
            step
            for context in plan.contexts.values()
            for steps in context.extens.values()
            for step in steps.values()
        ]
        starts = [step for entry in around.entries for step in self._graph.entries(entry)]
        self._reached = self._graph.reachable(starts)

    def problems(self) -> Iterator[Problem]:
        yield from self._entries()
        yield from self._includes()
        names = self._names()
        for step in self._steps:
            yield from self._words(step, names)
            yield from self._ways(step)
        yield from self._unreached()
        yield from self._circles()

    # ── contexts ────────────────────────────────────────────────────────────────────────

    def _entries(self) -> Iterator[Problem]:
        for entry in self._around.entries:
            if not any(True for _ in self._graph.entries(entry)):
                known = self._plan.contexts.get(entry)
                file, line = (known.file, known.line) if known else ("pjsip.conf", 1)
                hint = _similar(entry, self._plan.contexts)
                yield Problem(
                    file,
                    line,
                    "entry",
                    f"Calls come in at [{entry}], and nothing there takes them.{hint}",
                )

    def _includes(self) -> Iterator[Problem]:
        for context in self._plan.contexts.values():
            for name, file, line in context.includes:
                if name.split(",")[0].strip() not in self._plan.contexts:
                    hint = _similar(name, self._plan.contexts)
                    yield Problem(
                        file, line, "context", f"include => {name}: no context [{name}].{hint}"
                    )

    def _unreached(self) -> Iterator[Problem]:
        used = {step.context for step in self._reached.values()} | set(self._around.outside)
        included = {name for c in self._plan.contexts.values() for name, _, _ in c.includes}
        used |= {name.split(",")[0].strip() for name in included}
        for name, context in self._plan.contexts.items():
            if context.extens and name not in used:
                hint = _similar(name, [n for n in self._plan.contexts if n != name])
                yield Problem(
                    context.file,
                    context.line,
                    "unreached",
                    f"No call ever comes to [{name}]; is a Goto or an include missing?{hint}",
                )

    # ── one step ────────────────────────────────────────────────────────────────────────

    def _names(self) -> frozenset[str]:
        assigned = {
            name.split("(")[0]
            for step in self._steps
            for name, _ in calls.assigned(step.app, step.arguments)
        }
        return frozenset(assigned | set(self._plan.globals) | calls.GIVEN)

    def _words(self, step: Step, names: frozenset[str]) -> Iterator[Problem]:
        app = step.app.lower()
        module = calls.APPLICATIONS.get(app)
        if module is None:
            hint = _similar(app, calls.APPLICATIONS)
            yield _at(step, "application", f"Asterisk knows no application {step.app!r}.{hint}")
        elif module and module not in self._around.modules:
            yield _at(
                step,
                "module",
                f"{step.app} needs load = {module} in modules.conf; without it the call ends here.",
            )
        if app in calls.SYSTEM:
            yield _at(
                step,
                "system",
                f"{step.app} runs what this check can't see. Write the step itself"
                " (GotoIf in place of ExecIf), or use the gate.",
            )
        for name in calls.functions(step.arguments):
            yield from self._function(step, name)
        for name, _ in calls.assigned(step.app, step.arguments):
            if "(" in name:
                yield from self._function(step, name.split("(")[0])
        for name in calls.variables(step.arguments):
            if name not in names and not name.startswith("ARG"):
                hint = _similar(name, names)
                yield _at(step, "variable", f"Nothing ever sets ${{{name}}}.{hint}")
        yield from self._arguments(step, app)

    def _function(self, step: Step, name: str) -> Iterator[Problem]:
        module = calls.FUNCTIONS.get(name)
        if name in calls.FORBIDDEN_FUNCTIONS:
            yield _at(step, "system", f"{name}() reaches outside the call: not allowed here.")
        elif module is None:
            hint = _similar(name, calls.FUNCTIONS)
            yield _at(step, "function", f"Asterisk knows no function {name}().{hint}")
        elif module and module not in self._around.modules:
            yield _at(
                step, "module", f"{name}() needs load = {module} in modules.conf; it is empty else."
            )

    def _arguments(self, step: Step, app: str) -> Iterator[Problem]:
        if app in ("gotoif", "gotoiftime"):
            found = calls.branch(step.arguments)
            if found is None:
                yield _at(step, "branch", f"{step.app} wants condition?then:else.")
            elif app == "gotoif" and (bad := _bare(found.condition)):
                yield _at(
                    step,
                    "expression",
                    f"{bad} breaks the expression when it is empty: put it into quotes,"
                    f' "{bad}" = "…".',
                )
            elif app == "gotoif" and not found.condition.startswith(("$[", "${")):
                yield _at(
                    step,
                    "expression",
                    f"{found.condition!r} is no $[expression]: it is always true.",
                )
        elif app == "set" and "=" not in step.arguments:
            yield _at(step, "set", "Set wants name=value.")
        elif app == "hangup" and step.arguments and not _number(step.arguments):
            yield _at(step, "hangup", f"{step.arguments!r} is no cause code (Q.850 number).")
        elif app == "voicemail":
            yield from self._mailbox(step)
        elif app in ("playback", "background"):
            yield from self._prompt(step)
        elif app in calls.DIAL_OUT:
            yield from self._dial(step, app)

    def _mailbox(self, step: Step) -> Iterator[Problem]:
        for box in calls.split(calls.split(step.arguments)[0], "&"):
            name = self._graph.values(box)
            full = name if "@" in name else f"{name}@default"
            if "${" not in full and full not in self._around.mailboxes:
                boxes = ", ".join(sorted(self._around.mailboxes)) or "none"
                yield _at(step, "mailbox", f"There is no mailbox {full}; there are: {boxes}.")

    def _prompt(self, step: Step) -> Iterator[Problem]:
        for name in calls.split(calls.split(step.arguments)[0], "&"):
            path = self._graph.values(name)
            if "${" in path:
                continue
            folder = Path(path).parent if path.startswith("/") else self._around.sounds
            if folder is None:
                continue
            stem = Path(path).name if path.startswith("/") else path
            base = folder / stem
            if not any(base.parent.glob(f"{base.name}.*")):
                yield _at(step, "prompt", f"There is no sound file {path} (.wav, .gsm, …).")

    def _dial(self, step: Step, app: str) -> Iterator[Problem]:
        if app != "dial":
            yield _at(step, "dial-out", f"{step.app} may call anybody: not allowed here.")
            return
        for one in calls.split(calls.split(step.arguments)[0], "&"):
            kind, _, rest = self._graph.values(one).partition("/")
            if kind.lower() == "local":
                continue  # followed as a way on
            inside = step.context == DIAL_OUT_CONTEXT and self._around.dial_out
            if kind == "PJSIP" and (rest in self._around.phones or inside):
                continue
            yield _at(
                step,
                "dial-out",
                f"{one} would be called. Phones that may be rung are named in [dial_out] phones,"
                " outside numbers in [dial_out] numbers, and only [dial-out] calls those.",
            )

    # ── ways ────────────────────────────────────────────────────────────────────────────

    def _ways(self, step: Step) -> Iterator[Problem]:
        for edge in self._graph.edges(step):
            if edge.to is None:
                yield from self._nowhere(step, edge)
        if step.app.lower() == "stasis":
            yield from self._after_stasis(step)

    def _nowhere(self, step: Step, edge: Edge) -> Iterator[Problem]:
        match edge.code:
            case "end":
                yield _at(
                    step,
                    "end",
                    "The call ends after this step without a word. Go on to Goto(fallback,s,1),"
                    " or write Hangup() if that is meant.",
                )
            case "context":
                name = calls.split(self._graph.values(edge.text))[0]
                hint = _similar(name, self._plan.contexts)
                yield _at(step, "context", f"{edge.text}: no context [{name}].{hint}")
            case "exten":
                yield _at(step, "exten", f"{edge.text}: nothing there takes that extension.")
            case "label":
                label = calls.split(edge.text)[-1]
                yield _at(step, "label", f"{edge.text}: there is no priority or label {label!r}.")
            case _ if step.app.lower() not in ("gotoif", "gotoiftime"):
                yield _at(
                    step, "target", f"{edge.text!r} is no target: context,extension,priority."
                )

    def _after_stasis(self, stasis: Step) -> Iterator[Problem]:
        """Every way on has to come to a voicemail, unless the agent says that it had finished."""
        seen: set[tuple[str, str, int]] = set()
        waiting = [edge.to for edge in self._graph.edges(stasis) if edge.to]
        if not waiting:
            return  # told as the end of a way
        while waiting:
            step = waiting.pop()
            if where(step) in seen or step.app.lower() == "voicemail":
                continue
            seen.add(where(step))
            edges = self._graph.edges(step)
            if step.app.lower() == "stasis" or not edges:
                what = "goes round without" if edges else "hangs up here without"
                yield _at(
                    step,
                    "fallback",
                    f"A caller whose agent died ({stasis.file}:{stasis.line}) {what} an apology and"
                    " a voicemail. Only ${PICKUP_ENDED} = yes may skip them.",
                )
                continue
            finished = {
                edge for edge in edges if _ENDED in edge.why and not edge.why.startswith("not ")
            }
            waiting += [edge.to for edge in edges if edge.to and edge not in finished]

    def _circles(self) -> Iterator[Problem]:
        """Tell of steps from which no end can be reached."""
        ends = {
            place
            for place, step in self._reached.items()
            if not self._graph.edges(step) or any(e.to is None for e in self._graph.edges(step))
        }
        before: dict[tuple[str, str, int], set[tuple[str, str, int]]] = {}
        for place, step in self._reached.items():
            for edge in self._graph.edges(step):
                if edge.to is not None:
                    before.setdefault(where(edge.to), set()).add(place)
        good, waiting = set(ends), list(ends)
        while waiting:
            for place in before.get(waiting.pop(), ()):
                if place not in good:
                    good.add(place)
                    waiting.append(place)
        lost = [step for place, step in self._reached.items() if place not in good]
        jumps = [step for step in lost if step.app.lower() in ("goto", "gotoif")]
        for step in jumps:
            after = [edge.to for edge in self._graph.edges(step) if edge.to]
            if where(step) not in self._graph.reachable(after):
                continue
            yield _at(step, "circle", "From here the call goes round for ever: nothing ends it.")


def _at(step: Step, code: str, text: str) -> Problem:
    return Problem(step.file, step.line, code, text)


def _bare(condition: str) -> str:
    """Return a variable that stands unquoted beside an operator in ``$[…]``, or nothing."""
    if not condition.startswith("$["):
        return ""
    words = condition[2:].removesuffix("]").split()
    if not any(word in ("=", "!=", "==") for word in words):
        return ""
    return next((w for w in words if w.startswith("${") and w.endswith("}") and "(" not in w), "")


def _number(text: str) -> bool:
    return text.isdigit() or text.startswith("${")


def _similar(name: str, names: Iterable[str] | Mapping[str, object]) -> str:
    found = difflib.get_close_matches(name, list(names), 1, 0.7)
    return f" Did you mean {found[0]}?" if found else ""
