"""How long to wait before a pause counts as the end of the caller's turn.

Pure: words and what was asked go in, seconds and the rule's name come out. Every number
of the policy stands in this file, with its unit and its reason.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from agent.ear.grammar import DIGITS, NUMBER_BEGUN, REPEATS, is_whole_number, spoken_digits
from agent.events import Expect

# ── the numbers: seconds after the last voiced sample ───────────────────────────────────

SHORT: Final = 0.25
"""Nothing can sensibly follow. Human turns are about 0.2 s apart; the VAD needs 0.13–0.2 s
of quiet to be sure of a stop, so less than this could not be acted on."""

POLITE: Final = 0.35
"""A request closed with "please" or "thanks": nearly always over, sometimes amended."""

MIDDLE: Final = 0.45
"""An ordinary sentence that may be complete. Longer than a stop consonant's silence (0.15 s)
and most gaps between words of a fluent sentence."""

DECLINED: Final = 0.55
"""After "no thanks" to "anything else?": "that's all", "bye" follow within half a second, and a
goodbye that runs into them sounds rude. Measured on scripted callers: most cut-ins were here."""

NAME: Final = 0.7
"""One name was said; a surname or a spelling often follows after a breath."""

LONG: Final = 0.9
"""Something is plainly missing: between groups of a phone number, after "um" or "and"."""

# ── the words behind the rules ──────────────────────────────────────────────────────────


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


HESITATIONS: Final = _words("um uh er erm hmm mm well let")

UNFINISHED: Final = _words(
    """
    a about an and any are at because but by can could do for from get have how i i'd i'll i'm if
    in is it's like my of on or our so some than the their then to two want was we we'd we'll what
    when where which who with would your
    """
)
"""Last words after which English wants more. ``two`` is what ``to`` is often heard as."""

YES: Final = _words("yes yeah yep yup sure okay ok correct absolutely")

NO: Final = _words("no nope nah")

ANSWER_FILLERS: Final = _words(
    """
    ahead all am be do fine go good i'm is it it's ma'am number one perfect please right set sir
    thank thanks that that'll that's this will works you
    """
)
"""Words that dress up a yes or no and carry no new need: "yes that's right thank you"."""

OPEN_ENDS: Final = _words("be do i'm is it's that'll this will")
"""Fillers that can't be the last: "that is" goes on."""

FAREWELLS: Final = _words("bye goodbye goodnight")

GREETINGS: Final = _words("hi hello hey there good morning afternoon evening yes yeah")

CLOSERS: Final = _words("please thanks")

NAME_LEADS: Final = _words(
    "it's its this is my name i'm the under for put it yes yeah sure and last first"
)
"""Words that come before a name and are no part of it."""


class Patience(NamedTuple):
    """How long to wait, and why.

    Attributes:
        wait: Seconds after the last voiced sample.
        rule: Name of the rule that chose it, for evidence and tuning.
    """

    wait: float
    rule: str


def _trailing_number(words: list[str]) -> list[str]:
    """Return the unbroken run of digit words at the end of ``words``."""
    run = 0
    for word in reversed(words):
        if word not in DIGITS and word not in REPEATS:
            break
        run += 1
    return words[len(words) - run :]


def patience(text: str, expect: Expect) -> Patience:
    """Return how long to wait for the caller to go on, after ``text``, when ``expect`` was asked.

    Rules are tried from the most to the least telling; the first that fits decides.

    Args:
        text: The turn's words so far, lower case, as the recogniser writes them.
        expect: What the agent's last line asked for.
    """
    words = text.split()
    if not words:
        # The words of a one-word answer may not have arrived yet; they bring a new wait.
        return Patience(MIDDLE, "no_words")
    last = words[-1]
    if last in HESITATIONS:
        return Patience(LONG, "hesitation")
    if last in FAREWELLS:
        return Patience(SHORT, "farewell")
    number = _number(words, expect)
    if number is not None:
        return number
    answer = _answer(words, expect)
    if answer is not None:
        return answer
    if last in UNFINISHED:
        return Patience(LONG, "unfinished")
    if expect is Expect.NAME:
        return _name(words)
    if expect is Expect.DETAILS:
        return Patience(NAME, "details")
    if set(words) <= GREETINGS:
        return Patience(LONG, "greeting_only")
    if last in CLOSERS or words[-2:] == ["thank", "you"]:
        return Patience(POLITE, "polite_end")
    return Patience(MIDDLE, "ordinary")


def _number(words: list[str], expect: Expect) -> Patience | None:
    """Return the rule for a phone number under way or whole, if one is being given."""
    asked = expect is Expect.PHONE_NUMBER
    trailing = _trailing_number(words)
    digits = spoken_digits(words if asked else trailing)
    if trailing and words[-1] in DIGITS and is_whole_number(digits):
        return Patience(SHORT, "whole_number")
    # Outside a number one or two digits are a count ("a table for four").
    if (asked and digits) or len(trailing) >= NUMBER_BEGUN:
        return Patience(LONG, "mid_number")
    return None


def _answer(words: list[str], expect: Expect) -> Patience | None:
    """Return the rule for a bare yes, no or all-done, where one was asked for."""
    if expect not in (Expect.YES_NO, Expect.MORE, Expect.PHONE_NUMBER):
        return None
    if not set(words) <= YES | NO | ANSWER_FILLERS:
        return None
    if words[-1] in OPEN_ENDS:
        return None
    said_no = not NO.isdisjoint(words)
    if said_no and expect is not Expect.MORE and len(words) == 1:
        # "No" to "is this your number?" is mostly followed by what is right instead.
        return Patience(MIDDLE, "bare_no")
    if said_no and expect is Expect.MORE and "all" not in words:
        return Patience(DECLINED, "declined")
    if said_no or not YES.isdisjoint(words) or len(words) >= 2:
        return Patience(SHORT, "complete_answer")
    return None


def _name(words: list[str]) -> Patience:
    """Return the rule for a name: first and last name heard, or only one of them."""
    name = [word for word in words if word not in NAME_LEADS]
    if name and all(len(word) == 1 for word in name[-2:]):
        return Patience(LONG, "mid_spelling")
    if len(name) < 2:
        return Patience(NAME, "mid_name")
    return Patience(MIDDLE, "ordinary")
