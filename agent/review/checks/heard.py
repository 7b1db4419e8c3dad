"""Who was heard: the caller's words taken, neither voice over the other, nothing asked in vain."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from agent.events import Outcome as Kept
from agent.evidence.measures import DEAD_AIR_SECONDS, Span
from agent.mind import rules
from agent.mind.embedder import plain
from agent.mind.moves import MoveName
from agent.mind.wording import Phrase
from agent.review import words
from agent.review.checks.flags import NEEDS, about_line, about_silence, about_turn
from agent.review.figures import gaps, not_caught, owes_reply
from agent.review.schema import Flag, FlagKind
from agent.review.seen import Line, Seen, Turn

INTO_SECONDS: Final = 0.3
"""The caller must have spoken this long before and after the agent began: two who begin at
once, or a last syllable, are no fault. VAD edges are exact to about 0.1 s."""

YIELD_SECONDS: Final = 1.5
"""A caller who breaks in must be heard by then: the decision takes 0.7 s (`agent.turns`)."""

UNHEARD_SECONDS: Final = 1.0
"""Voice for this long without one word recognised is a turn that was lost."""

WRAPPING_UP: Final = frozenset(
    {
        Phrase.ANYTHING_ELSE.ref,
        Phrase.WHAT_ELSE.ref,
        Phrase.HOW_CAN_I_HELP.ref,
        Phrase.HELP_HERE.ref,
        Phrase.STILL_THERE.ref,
        Phrase.LIKE_THAT.ref,
    }
)
"""Questions that are asked again by right."""


def misheard(seen: Seen) -> Iterator[Flag]:
    """The caller corrects us, rejects a number, is not understood twice, or is not heard."""
    lost: list[Turn] = []
    for turn in seen.turns:
        if words.corrects(turn.text):
            yield about_turn(FlagKind.MISHEARD, turn, "the caller corrects it")
        elif turn.step == "confirm_number" and turn.has(MoveName.NO):
            yield about_turn(FlagKind.MISHEARD, turn, "the number read back was wrong")
        elif not turn.text and not turn.keys and turn.end - turn.start >= UNHEARD_SECONDS:
            detail = f"{turn.end - turn.start:.1f} s of voice, not one word"
            yield about_silence(FlagKind.MISHEARD, seen, turn.end, detail, since=turn.start)
        if turn.text and any(not_caught(line) for line in seen.after(turn)):
            lost.append(turn)
    for voice in seen.unheard:
        if _left_waiting(seen, voice):
            detail = f"{voice.seconds:.1f} s of voice that the ear did not notice"
            yield about_silence(FlagKind.MISHEARD, seen, voice.start, detail, since=voice.start)
    if len(lost) > 1:
        yield about_turn(FlagKind.MISHEARD, lost[-1], f"not understood {len(lost)} times")


def _left_waiting(seen: Seen, voice: Span) -> bool:
    """Return whether a voice came in the agent's silence and got no answer for long."""
    agent = [one for one in seen.agent if one.end > voice.start]
    spoke_on = any(one.start < voice.end for one in agent)
    answer = min((one.start for one in agent if one.start >= voice.end), default=seen.until)
    over = any(reply.ends_call and reply.at < voice.start for reply in seen.replies)
    return not spoke_on and not over and answer - voice.end > DEAD_AIR_SECONDS


def talked_over(seen: Seen) -> Iterator[Flag]:
    """The agent begins inside the caller's words, or speaks on long after they broke in."""
    for voice in seen.caller:
        for sound in seen.agent:
            into = sound.start - voice.start >= INTO_SECONDS
            on = voice.end - sound.start >= INTO_SECONDS
            if into and on:
                line = _line_at(seen, sound)
                detail = f"began {sound.start - voice.start:.1f} s into the caller's words"
                yield about_line(FlagKind.TALKED_OVER, line, line.heard, detail, at=sound.start)
            elif _not_yielded(seen, voice, sound):
                line = _line_at(seen, sound)
                detail = f"spoke on for {min(sound.end, voice.end) - voice.start:.1f} s"
                yield about_line(FlagKind.TALKED_OVER, line, line.heard, detail, at=voice.start)


def _not_yielded(seen: Seen, voice: Span, sound: Span) -> bool:
    both = min(sound.end, voice.end) - voice.start
    broke_in = sound.start + INTO_SECONDS < voice.start
    return (
        broke_in
        and both >= YIELD_SECONDS
        and not any(voice.start <= at <= voice.start + YIELD_SECONDS for at in seen.barge_ins)
        and any(
            turn.start - 0.5 <= voice.end and voice.start <= turn.end and owes_reply(seen, turn)
            for turn in seen.turns
        )
    )


def _line_at(seen: Seen, sound: Span) -> Line:
    nearest = min(seen.lines, key=lambda line: abs(line.start - sound.start), default=None)
    return nearest or Line(sound.start, sound.end, "", True, ())


def dead_air(seen: Seen) -> Iterator[Flag]:
    """It was the agent's turn, and nothing was heard for more than 3 s."""
    for gap in gaps(seen):
        detail = f"{gap.end - gap.start:.1f} s: {gap.why}"
        yield about_silence(FlagKind.DEAD_AIR, seen, gap.end, detail, since=gap.start)


def missed_goodbye(seen: Seen) -> Iterator[Flag]:
    """After the caller's goodbye nothing more is asked; the agent's is said once."""
    for turn in seen.turns:
        wants = turn.has(*NEEDS, MoveName.ANSWER) and not words.only_goodbye(turn.text)
        if not words.says_goodbye(turn.text) or wants:
            continue
        if any(reply.ends_call and reply.at < turn.end for reply in seen.replies):
            continue  # it was over already
        later = [line for line in seen.lines if line.start > turn.start]
        asked = next((line for line in later if line.questions), None)
        if asked is not None and not _new_need(seen, turn.end, asked.start):
            detail = f"asked {asked.questions[0]!r} after the goodbye"
            yield about_turn(FlagKind.MISSED_GOODBYE, turn, detail)
            return
    said = [line for line in seen.lines if words.ends_with_goodbye(line.heard)]
    for first, second in pairwise(said):
        if not _new_need(seen, first.start, second.start):
            detail = f"said goodbye {len(said)} times"
            yield about_line(FlagKind.MISSED_GOODBYE, second, second.heard, detail)
            return


def _new_need(seen: Seen, begin: float, end: float) -> bool:
    return any(
        begin < turn.end < end
        and turn.has(*NEEDS, MoveName.ANSWER, MoveName.WANTS_HUMAN)
        and not words.only_goodbye(turn.text)
        for turn in seen.turns
    )


def asked_twice(seen: Seen) -> Iterator[Flag]:
    """A question that got its answer is not asked again, word for word."""
    answered: dict[str, Turn] = {}
    for line in seen.lines:
        for piece in line.pieces:
            question = piece.text if piece.text.endswith("?") and piece.whole else ""
            if not question or (piece.sentence and piece.sentence.ref in WRAPPING_UP):
                continue
            if (turn := answered.get(question)) and not _reopened(seen, turn, line.start):
                detail = f"answered with {turn.text or turn.keys!r}"
                yield about_line(FlagKind.ASKED_TWICE, line, question, detail)
            reply = next((one for one in seen.turns if one.end > line.end - 0.5), None)
            if reply is not None and _answers(reply, line):
                answered[question] = reply


def _answers(turn: Turn, line: Line) -> bool:
    if turn.has(MoveName.REPEAT, MoveName.WAIT, MoveName.UNKNOWN, MoveName.WANTS_HUMAN):
        return False
    if turn.has(MoveName.YES, MoveName.GIVES) or any(turn.slots.values()):
        return True
    answer = rules.answer_to(plain(turn.text), turn.expect) if turn.text else None
    sure = answer is not None and answer.moves[0].name in (MoveName.YES, MoveName.GIVES)
    return sure and bool(line.questions)


def _reopened(seen: Seen, turn: Turn, until: float) -> bool:
    """Return whether something since ``turn`` gives the question a right to be asked again."""
    for later in seen.turns:
        if turn.start < later.start < until and (
            later.has(*NEEDS, MoveName.NO, MoveName.REPEAT) or words.corrects(later.text)
        ):
            return True
    return any(
        turn.end <= at <= until and what is Kept.REFUSED
        for promise in seen.promises
        for at, what in promise.updates
    )
