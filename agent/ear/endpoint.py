"""How long to wait before a pause counts as the end of the caller's turn.

Pure: words and what was asked go in, seconds and the rule's name come out. Every number
of the policy stands in this file, with its unit and its reason.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from agent.ear.grammar import DIGITS, NUMBER_BEGUN, REPEATS, is_whole_number, spoken_digits
from agent.events import Expect

# ── the numbers: seconds after the last voiced sample ───────────────────────────────────

SHORT: Final = 0.23
"""Nothing can sensibly follow. Human turns are about 0.2 s apart; the VAD needs 0.13–0.2 s
of quiet to be sure of a stop, so much less than this could not be acted on."""

COMPLETE: Final = 0.27
"""A whole question or statement. Within one nobody pauses this long, save hesitating, which its
words betray."""

POLITE: Final = 0.33
"""A request closed with "please" or "thanks": nearly always over, sometimes amended."""

BARE: Final = 0.4
"""A lone "yes" or "okay": what dresses it up ("that's fine", "thank you") follows after a comma
of 0.2 to 0.35 s, and must be noticed, 0.1 s later, before we speak."""

MIDDLE: Final = 0.46
"""Words that may be complete or not. Longer than a stop consonant's silence (0.15 s) and most
gaps between words of a fluent sentence."""

DECLINED: Final = 0.55
"""After "no thanks" to "anything else?": "that's all", "bye" follow within half a second, and a
goodbye that runs into them sounds rude. Measured on scripted callers: most cut-ins were here."""

NAME: Final = 0.7
"""One name was said; a surname or a spelling often follows after a breath."""

LONG: Final = 1.1
"""Something is plainly missing: between groups of a phone number, after "um" or "and"."""

# ── what is learned of a caller ─────────────────────────────────────────────────────────

SHORTEST_PAUSE: Final = 0.25
"""Shorter gaps in speech are no hesitation."""
LONGEST_PAUSE: Final = 1.6
"""Longer ones lie between two turns."""
PAUSES_KEPT: Final = 6
"""So many of the caller's last pauses count."""
NOTICED: Final = 0.15
"""How long after it began a voice is noticed; added to a pause that is to be outlasted."""
MOST_PATIENCE: Final = 1.8
"""Nobody is waited for longer, however slowly they speak."""
CLOSED_PATIENCE: Final = 0.08
"""By so much at most a slow speaker lengthens the wait after a complete sentence; words after
which nothing can follow need no more patience with anybody."""
OPEN_PATIENCE: Final = 0.3
"""And by so much after words that may be complete or not."""

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

WANTS_OBJECT: Final = _words(
    """
    ask bring buy change check find give know leave let like make need order pay pick place put
    reserve say see send take talk tell think try use wanna wanted gonna
    another big extra few large little medium more most new next other small spicy
    """
)
"""Last words after which more is likely: verbs without their object, adjectives without noun."""

ASKS: Final = _words(
    """
    are can could did do does has have how is may should was were what what's when where where's
    which who who's why will would
    """
)
"""First words of a question."""

SUBJECTS: Final = _words("i i'd i'll i'm i've it it's my that that's there this we we'd we're you")
"""Words that begin a statement."""

LEADS: Final = HESITATIONS | _words("hi hello hey yes yeah okay ok so oh and but no sorry please")
"""Words before a sentence that are no part of it."""

DAYS: Final = _words(
    """
    monday tuesday wednesday thursday friday saturday sunday today tonight tomorrow
    """
)
PARTY: Final = _words("people persons guests us adults")

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

HEARD_AS_BYE: Final = _words("by buy")
"""What a lone "bye" is first heard as."""

PARTING: Final = FAREWELLS | _words("okay ok thanks thank you no")
"""Words that go with a "bye"."""

GREETINGS: Final = _words("hi hello hey there good morning afternoon evening yes yeah")

CLOSERS: Final = _words("please thanks")

THANKING: Final = _words("okay ok alright all right great perfect good thanks thank you so much")
"""Words that thank, and are mostly followed by a goodbye."""

LONE: Final = YES | _words("right perfect great fine good")
"""Answers that are often dressed up after a comma."""

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
    if last in FAREWELLS or (last in HEARD_AS_BYE and set(words) <= PARTING | HEARD_AS_BYE):
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
        whole = not DAYS.isdisjoint(words) and not PARTY.isdisjoint(words)
        return Patience(MIDDLE, "whole_details") if whole else Patience(NAME, "details")
    if set(words) <= GREETINGS:
        return Patience(LONG, "greeting_only")
    if set(words) <= THANKING:
        # "Okay, thank you" and then "bye bye".
        return Patience(MIDDLE, "thanks_only")
    if last in CLOSERS or words[-2:] == ["thank", "you"]:
        return Patience(POLITE, "polite_end")
    if _is_sentence(words):
        return Patience(COMPLETE, "complete_sentence")
    return Patience(MIDDLE, "ordinary")


def _is_sentence(words: list[str]) -> bool:
    """Return whether ``words`` are a whole question or statement, as far as words can tell."""
    while words and words[0] in LEADS:
        words = words[1:]
    if len(words) < 3 or words[-1] in WANTS_OBJECT:
        return False
    return words[0] in ASKS or (words[0] in SUBJECTS and len(words) >= 4)


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
    if set(words) <= LONE | HESITATIONS:
        return Patience(BARE, "bare_answer")
    if expect is Expect.MORE and set(words) <= THANKING:
        return Patience(MIDDLE, "thanks_only")
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
    return Patience(MIDDLE, "whole_name")


class Endpointing:
    """How patient to be with one caller: the rules above, and what their pauses have taught."""

    def __init__(self) -> None:
        """Know nothing of the caller yet."""
        self._pauses: deque[float] = deque(maxlen=PAUSES_KEPT)

    def paused(self, seconds: float) -> None:
        """Learn that the caller went on after a pause of ``seconds``."""
        if SHORTEST_PAUSE <= seconds <= LONGEST_PAUSE:
            self._pauses.append(seconds)

    def patience(self, text: str, expect: Expect) -> Patience:
        """Return `patience` for this caller."""
        wait, rule = patience(text, expect)
        longest = max(self._pauses, default=0.0) + NOTICED
        if longest <= wait or not self._pauses or wait <= SHORT:
            return Patience(wait, rule)
        if wait <= COMPLETE:
            most = wait + CLOSED_PATIENCE
        else:
            most = MOST_PATIENCE if wait >= NAME else wait + OPEN_PATIENCE
        # A pause seen once in mid-number need not be outlasted after every sentence.
        share = 1.0 if wait >= NAME else 0.5
        return Patience(round(min(most, wait + share * (longest - wait)), 3), rule)


class FixedSilence:
    """The same pause after everything, as many pipelines have it; for comparing with."""

    def __init__(self, seconds: float) -> None:
        """Wait ``seconds`` whatever was said."""
        self._seconds = seconds

    def paused(self, seconds: float) -> None:
        """Learn nothing."""

    def patience(self, text: str, expect: Expect) -> Patience:
        """Return the fixed pause."""
        return Patience(self._seconds, "fixed_silence")
