"""Draws the ways a call can go: one block per extension, read from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator

from agent.service.dialplan.calls import HANGUPS, assigned
from agent.service.dialplan.graph import Edge, Graph
from agent.service.dialplan.source import Dialplan, Step

WIDTH = 64
"""Column at which file and line stand."""


def draw(plan: Dialplan, entries: tuple[str, ...]) -> list[str]:
    """Return the picture's lines; every extension that a call from ``entries`` meets is there."""
    graph = Graph(plan)
    waiting = [step for entry in entries for step in graph.entries(entry)]
    come_in = {(step.context, step.exten) for step in waiting}
    lines: list[str] = []
    done: set[tuple[str, str]] = set()
    while waiting:
        first = waiting.pop(0)
        block = (first.context, first.exten)
        if block in done:
            continue
        done.add(block)
        steps = plan.contexts[first.context].extens[first.exten]
        title = f"[{first.context}] {first.exten}"
        lines.append(f"{title}   ← calls come in" if block in come_in else title)
        for step in (steps[number] for number in sorted(steps)):
            waiting += [edge.to for edge in graph.edges(step) if edge.to is not None]
            lines += [f"    {line}" for line in _lines(graph, step)]
        lines.append("")
    return lines[:-1]


def _lines(graph: Graph, step: Step) -> Iterator[str]:
    place = f"{step.file}:{step.line}"
    label = f"({step.label}) " if step.label else ""
    if said := _words(step):
        yield f"{label + said:<{WIDTH}}{place}"
    elif label:
        yield f"{label.strip():<{WIDTH}}{place}"
    for edge in graph.edges(step):
        if not edge.text:
            continue  # simply the next step
        text = f"  {_if(edge)}{_goes(step, edge)}"
        yield f"{text:<{WIDTH}}{place}"


def _if(edge: Edge) -> str:
    why = edge.why.removeprefix("not ").removeprefix("$[").removesuffix("]").replace('"', "")
    if not why:
        return ""
    return "else " if edge.why.startswith("not ") else f"{why}  "


def _goes(step: Step, edge: Edge) -> str:
    if edge.to is None:
        return f"→ nowhere! ({edge.text})"
    if (edge.to.context, edge.to.exten) == (step.context, step.exten):
        return f"→ ({edge.to.label or edge.to.priority})"
    return f"→ [{edge.to.context}] {edge.to.exten}"


def _words(step: Step) -> str:
    """Return what a step does to the call, for a person; empty if it only reckons."""
    app = step.app.lower()
    first = step.arguments.split(",")[0]
    if app in HANGUPS:
        cause = {"": "", "1": " (404)", "17": " (busy)", "21": " (refused)"}
        return f"■ hangs up{cause.get(first, f' ({first})')}"
    if app == "set":
        limits = [value for name, value in assigned(step.app, step.arguments) if "TIMEOUT" in name]
        return f"no longer than {limits[0]} s from here" if limits and limits[0] != "0" else ""
    return {
        "answer": "answers",
        "stasis": "the AGENT has the call; what follows is for when it fails",
        "agi": f"the GATE is asked: {first}",
        "voicemail": f"VOICEMAIL into {first}",
        "playback": f"plays {first}",
        "dial": f"RINGS {first}",
        "ringing": "rings",
    }.get(app, "")
