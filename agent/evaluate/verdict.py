"""Whether a conversation went as its case says: the same judgement for every driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from agent.evaluate.case import Run, ToolUse, Turn
from agent.events import SentenceKind
from agent.mind.tools import PassMessage, SendLink, Tool

if TYPE_CHECKING:
    from agent.evaluate.text import Exchange

FACT: Final = SentenceKind.FACT


def faults(run: Run, exchanges: Sequence[Exchange], end: str) -> Iterator[str]:
    """Yield what is wrong with a conversation, one sentence each.

    Args:
        run: What should have been.
        exchanges: What was, greeting first.
        end: Why the call is over, or ``open``.
    """
    greeting, *rest = exchanges
    case = run.case
    for number, exchange in enumerate(rest, 1):
        own = _turn_faults(case.talk[number - 1], exchange) if case.talk else ()
        for fault in (*own, *call_faults(run, exchange)):
            yield f"turn {number}: {fault}"
    yield from (f"greeting: {fault}" for fault in call_faults(run, greeting))
    if case.tool is not None:
        used = tuple(tool for exchange in exchanges for tool in exchange.tools)
        yield from (f"in the call: {fault}" for fault in _tool_faults(case.tool, used))
    said = {one.ref for each in exchanges for one in each.sentences if one.kind is FACT}
    yield from (f"the fact {name} is not said" for name in case.facts if name not in said)
    if case.ends is not None and end != case.ends:
        yield f"the call ends {end!r}, not {case.ends!r}"


def call_faults(run: Run, exchange: Exchange) -> tuple[str, ...]:
    """Return what is wrong with an exchange, whichever turn it answers."""
    unbacked = (f"nothing backs {one.text!r} ({one.ref})" for one in exchange.unbacked)
    return (*unbacked, *_never(run.case.never, exchange.said))


def banned(run: Run, exchanges: Sequence[Exchange]) -> bool:
    """Return whether something was said that must never be, or that nothing backs."""
    pairs = zip(run.case.talk, exchanges[1:], strict=False)
    return any(call_faults(run, one) for one in exchanges) or any(
        any(_never(turn.never, exchange.said)) for turn, exchange in pairs
    )


def _turn_faults(turn: Turn, exchange: Exchange) -> Iterator[str]:
    moves = exchange.understood.moves if exchange.understood else ()
    lacking = [name for name in turn.moves if name not in map(str, moves)]
    if lacking:
        yield f"understood {', '.join(map(str, moves)) or 'nothing'}, not {', '.join(lacking)}"
    if turn.step is not None and exchange.step != turn.step:
        yield f"step {exchange.step!r}, not {turn.step!r}"
    facts = [one.ref for one in exchange.sentences if one.kind is FACT]
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
