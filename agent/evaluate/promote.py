"""Makes a failing case of a call that went wrong: redacted, short, with its world frozen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from agent.errors import CaseError
from agent.evaluate.case import Case, Run
from agent.evaluate.results import Status
from agent.evaluate.runner import Driver
from agent.evaluate.text import Result
from agent.events import CallStarted, Outcome, PromiseMade, PromiseUpdated
from agent.evidence.bundle import Bundle
from agent.evidence.recorder import CALLER_AUDIO, RESTAURANT_FILE
from agent.evidence.redact import personal_spans, redact_events, redactor_of, silence
from agent.evidence.wav import read_wav, write_wav
from agent.mind.tools import PassMessage, SendLink, Tool
from agent.review.look import look
from agent.review.schema import Flag, FlagKind
from agent.review.seen import Seen, Turn
from agent.settings import CHECKOUT

PROMOTED: Final = CHECKOUT / "evals" / "cases" / "promoted"
"""Where cases go that calls were made into."""

SAID: Final = frozenset(
    {FlagKind.INVENTED_FACT, FlagKind.UNAVAILABLE_ACTION, FlagKind.INSTRUCTION_BROKEN}
)
"""Flags of words that must never be said."""
HEARD: Final = frozenset({FlagKind.DEAD_AIR, FlagKind.TALKED_OVER})
"""Flags of sound: only a driver with ears can show them."""
WITHIN_MS: Final = 3000
"""What a case of dead air asks for: the limit by which it was flagged."""

NOT_PROMOTED: Final = {
    FlagKind.DROPPED: "a fault or a kill ended it: see the agent's log",
    FlagKind.FAULT: "a part of ours failed: see the agent's log",
    FlagKind.PROMISE_FAILED: "what was said was right, what was sent not: see `pickup promises`",
}
"""Flags that no caller's words bring back."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """A case made of a call.

    Attributes:
        case: The case as it is written: names of keys to values.
        result: How it went when it was played now.
        fails: It fails now, by the fault that was flagged.
        turns: Caller turns in the call, and in the case.
        note: What a person should look at before it is blocking; empty: nothing.
    """

    case: dict[str, Any]
    result: Result
    fails: bool
    turns: tuple[int, int]
    note: str = ""


async def promote(
    bundle: Bundle, flag: Flag, driver: Driver, worlds: Path, recording: Path | None = None
) -> Promotion:
    """Return a case that fails as the call did, as short as it can be.

    Args:
        bundle: The call.
        flag: What was wrong with it.
        driver: Plays the case with the agent as it is now.
        worlds: Folder of restaurant files.
        recording: The caller's voice, see `write_recording`; flags of sound are played with it.

    Raises:
        CaseError: No case can be made of it; the remedy says what to do instead.
    """
    if flag.kind in NOT_PROMOTED:
        raise CaseError(
            f"{flag.kind} can't be made a case: {NOT_PROMOTED[flag.kind]}.",
            remedy="Promote another flag, or write a test of that part.",
        )
    whole = look(bundle)
    seen = look(replace(bundle, events=redact_events(bundle.events)))
    deeds = list(_deeds(seen))
    flagged = _flagged(whole, flag, deeds)
    script = [deed.turn for deed in deeds]
    world = _world(bundle, seen, worlds)
    head = _head(bundle, flag)
    case = {**head, "world": world, "talk": script, **_call_expectation(flag, whole, seen)}
    case["talk"][flagged] |= _turn_expectation(flag, whole, seen, deeds[flagged])
    case["talk"] = case["talk"][: flagged + 1] if not _needs_the_rest(flag) else case["talk"]
    total = len(deeds)
    if flag.kind in HEARD:
        case["drivers"] = ["audio", "phone"]
        heard = {**case, "caller": {"recording": str(recording or "")}}
        result = await driver.play(_run(heard))
        return Promotion(case, result, result.status is Status.FAILED, (total, total))
    case = await _with_tools(case, driver)
    result = await driver.play(_run(case))
    if not _fails(result, flag, case):
        return Promotion(case, result, False, (total, len(case["talk"])), _note(flag))
    case, result = await _shortest(case, flag, flagged, driver, result)
    return Promotion(case, result, True, (total, len(case["talk"])), _note(flag))


def write_case(promotion: Promotion, bundle: Bundle, folder: Path) -> Path:
    """Write the case into a file of its own; returns its path.

    Raises:
        CaseError: there is one of that name already.
    """
    name = promotion.case["case"]
    path = folder / f"{name}.yaml"
    if path.exists():
        raise CaseError(f"{path} is there already.", remedy="Edit it, or delete it first.")
    folder.mkdir(parents=True, exist_ok=True)
    body = yaml.safe_dump(
        {"cases": [promotion.case]}, sort_keys=False, allow_unicode=True, width=100
    )
    top = f"# Made of call {bundle.id} by `pickup promote`.\n"
    path.write_text(top + body, encoding="utf-8")
    return path


def write_recording(bundle: Bundle, path: Path) -> None:
    """Write the caller's voice with all that is personal silenced.

    Raises:
        EvidenceError: there is no recording.
    """
    redacted = redact_events(bundle.events)
    spans = personal_spans(bundle.events, redacted)
    write_wav(path, silence(read_wav(bundle.folder / CALLER_AUDIO), spans["caller"]))


# ── the script ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Deed:
    """One thing the caller did, and when."""

    at: float
    turn: dict[str, Any]
    seen: Turn | None = None


def _deeds(seen: Seen) -> Iterator[_Deed]:
    """Yield what the caller did, in order: words, keys, silences, hanging up."""
    found: list[_Deed] = []
    for turn in seen.turns:
        if turn.text and turn.understood:
            found.append(_Deed(turn.start, {"caller": turn.text}, turn))
        elif turn.keys:
            last = found[-1] if found else None
            if last and "keys" in last.turn and not _spoke_between(seen, last.at, turn.start):
                found[-1] = replace(last, turn={"keys": last.turn["keys"] + turn.keys})
            else:
                found.append(_Deed(turn.start, {"keys": turn.keys}, turn))
    found += [
        _Deed(reply.at - 0.01, {"silence": True})
        for reply in seen.replies
        if reply.step in ("silence_prompt", "silence")
    ]
    if seen.ended is not None and seen.ended.by == "caller":
        found.append(_Deed(seen.ended.at, {"hangs_up": True}))
    if not found:
        raise CaseError(
            "The caller did nothing in this call that could be done again.",
            remedy="Look at it with `pickup show`.",
        )
    yield from sorted(found, key=lambda deed: deed.at)


def _spoke_between(seen: Seen, begin: float, end: float) -> bool:
    return any(begin < line.start < end for line in seen.lines)


def _flagged(seen: Seen, flag: Flag, deeds: Sequence[_Deed]) -> int:
    """Return the index of the turn whose answer was wrong."""
    at = flag.at + (0.05 if flag.who == "caller" else 0.0)
    before = [index for index, deed in enumerate(deeds) if deed.at <= at]
    if flag.kind is FlagKind.MISSED_GOODBYE and flag.who == "agent":
        return before[-1] if before else 0
    if flag.who == "caller" or flag.kind in HEARD:
        return min(range(len(deeds)), key=lambda index: abs(deeds[index].at - flag.at))
    return before[-1] if before else 0


def _needs_the_rest(flag: Flag) -> bool:
    """Return whether more of the call is needed: to show the fault, or to fit the recording."""
    return flag.kind is FlagKind.GAVE_UP or flag.kind in HEARD


# ── the world ───────────────────────────────────────────────────────────────────────────


def _world(bundle: Bundle, seen: Seen, worlds: Path) -> dict[str, Any]:
    """Return the call's world: file, clock, number, what could be done, what tools answered."""
    world: dict[str, Any] = {"restaurant": _restaurant(bundle, worlds)}
    started = bundle.started
    if isinstance(started, datetime):
        world["clock"] = f"{started:%Y-%m-%d %H:%M}"
    began = next((e for e in seen.bundle.events if isinstance(e, CallStarted)), None)
    if began is not None and began.withheld:
        world["caller"] = "withheld"
    else:
        number = began.caller if began else ""
        world["caller"] = number if re.fullmatch(r"\+1\d{10}", number) else ""
    if bundle.rush:
        world["rush"] = True
    can = bundle.card.get("can")
    if isinstance(can, list) and len(can) < 2:
        world["can"] = can
    tools: dict[str, list[str]] = {}
    for event in seen.bundle.events:
        if isinstance(event, PromiseMade):
            news = [
                one
                for one in seen.bundle.events
                if isinstance(one, PromiseUpdated) and one.promise == event.promise
            ]
            outcome = str(news[-1].outcome) if news else str(Outcome.PENDING)
            code = news[-1].code if news and news[-1].code.isdigit() else ""
            tools.setdefault(str(event.promise_kind), []).append(f"{outcome} {code}".strip())
    if any(set(answers) != {"accepted"} for answers in tools.values()):
        world["tools"] = tools
    return world


def _restaurant(bundle: Bundle, worlds: Path) -> str:
    """Return how a case names the call's restaurant: the file as it is now, for fixes go there."""
    told = bundle.card.get("restaurant")
    path = Path(told["path"]) if isinstance(told, dict) and told.get("path") else None
    if path is not None and (worlds / path.name).is_file():
        return path.stem
    if path is not None and path.is_file():
        inside = path.is_relative_to(CHECKOUT)
        return str(path.relative_to(CHECKOUT)) if inside else str(path)
    raise CaseError(
        f"The restaurant file of the call ({path}) is gone.",
        remedy=f"Put {bundle.folder / RESTAURANT_FILE} into {worlds} and promote again.",
    )


# ── what must be ────────────────────────────────────────────────────────────────────────


def _head(bundle: Bundle, flag: Flag) -> dict[str, Any]:
    name = re.sub(r"[^a-z0-9]+", "-", f"{flag.kind}-{bundle.id}".lower()).strip("-")
    day = bundle.folder.parent.name
    told = redactor_of(bundle.events).text(flag.detail)
    return {"case": name, "about": f"{flag.kind}: {told}", "origin": f"{day}/{bundle.id}"}


def _call_expectation(flag: Flag, whole: Seen, seen: Seen) -> dict[str, Any]:
    if flag.kind in SAID and flag.detail != "spoke_after_the_end":
        return {"never": [_redacted_quote(flag, whole, seen)]}
    if flag.kind is FlagKind.SPAM_SERVED:
        return {"ends": "spam"}
    return {}


def _turn_expectation(flag: Flag, whole: Seen, seen: Seen, deed: _Deed) -> dict[str, Any]:
    match flag.kind:
        case FlagKind.WRONG_FACT:
            return {"facts": []}
        case FlagKind.SPAM_SERVED:
            return {"step": "spam"}
        case FlagKind.MISSED_GOODBYE if flag.who == "caller":
            return {"step": "goodbye"}
        case FlagKind.MISSED_GOODBYE:
            return {"step": "ended", "never": ["bye"]}
        case FlagKind.INSTRUCTION_BROKEN if flag.detail == "spoke_after_the_end":
            return {"step": "ended"}
        case FlagKind.ASKED_TWICE:
            return {"never": [_redacted_quote(flag, whole, seen)]}
        case FlagKind.MISHEARD if deed.seen is not None and deed.seen.text:
            return {"never": ["I didn't catch that", "I still didn't catch that"]}
        case FlagKind.DEAD_AIR | FlagKind.TALKED_OVER:
            return {"within": WITHIN_MS}
        case FlagKind.GAVE_UP:
            return {"never": ["Are you still there?"]}
        case kind if kind in SAID:
            return {}  # it is banned in the whole call
    raise CaseError(
        f"{flag.kind} at {flag.at:.1f} s has no words to make a case of.",
        remedy="Add --audio, or look at it with `pickup show`.",
    )


def _redacted_quote(flag: Flag, whole: Seen, seen: Seen) -> str:
    """Return the flag's quote as it stands in the redacted call."""
    for line, made in zip(whole.lines, seen.lines, strict=False):
        for piece, other in zip(line.pieces, made.pieces, strict=False):
            if piece.text == flag.quote and abs(line.start - flag.at) < 1.0:
                return other.text
    return flag.quote


def _note(flag: Flag) -> str:
    if flag.kind in (FlagKind.MISHEARD, FlagKind.GAVE_UP):
        return "Say in the case what should have happened: it can't be told from the call."
    return ""


# ── playing and cutting ─────────────────────────────────────────────────────────────────


def _run(case: dict[str, Any]) -> Run:
    return next(Case.model_validate(case).runs())


async def _with_tools(case: dict[str, Any], driver: Driver) -> dict[str, Any]:
    """Return the case with the tools that are used in its turns, as they are used now.

    What a turn uses besides the flagged fault is not the case's business; but a turn that
    names no tool may use none.
    """
    result = await driver.play(_run(case))
    talk = []
    for turn, exchange in zip(case["talk"], result.exchanges[1:], strict=False):
        used = [_use(tool) for tool in exchange.tools]
        plain = {key: value for key, value in turn.items() if key != "tool"}
        talk.append({**plain, "tool": used[0] if len(used) == 1 else used} if used else plain)
    return {**case, "talk": talk + case["talk"][len(talk) :]}


def _use(tool: Tool) -> dict[str, Any]:
    if isinstance(tool, SendLink):
        return {"send_link": tool.to}
    assert isinstance(tool, PassMessage)  # noqa: S101 - there are two
    return {"pass_message": tool.kind}


def _fails(result: Result, flag: Flag, case: dict[str, Any]) -> bool:
    """Return whether it fails by what was flagged, not by something else."""
    if result.status is not Status.FAILED:
        return False
    told = " | ".join(result.faults)
    match flag.kind:
        case FlagKind.SPAM_SERVED | FlagKind.MISSED_GOODBYE:
            return "step '" in told
        case FlagKind.WRONG_FACT:
            return "facts said" in told
        case FlagKind.INSTRUCTION_BROKEN if flag.detail == "spoke_after_the_end":
            return "step '" in told
        case _:
            return " is said" in told or "nothing backs" in told


async def _shortest(
    case: dict[str, Any], flag: Flag, flagged: int, driver: Driver, result: Result
) -> tuple[dict[str, Any], Result]:
    """Leave out every turn that the fault does not need.

    The flagged one stays, unless what is banned is banned in the whole call.
    """
    keep = list(range(len(case["talk"])))
    needed = set() if "never" in case else {flagged}
    for index in [one for one in keep if one not in needed]:
        fewer = [one for one in keep if one != index]
        if not fewer:
            break
        shorter = {**case, "talk": [case["talk"][one] for one in fewer]}
        played = await driver.play(_run(await _with_tools(shorter, driver)))
        if _fails(played, flag, shorter):
            keep = fewer
    short = await _with_tools({**case, "talk": [case["talk"][one] for one in keep]}, driver)
    return short, await driver.play(_run(short))
