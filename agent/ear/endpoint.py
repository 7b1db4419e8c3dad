"""How long to wait before a pause counts as the end of the caller's turn.

Pure: words and what was asked go in, seconds and the rule's name come out. Every number
of the policy stands in this file, with its unit and its reason.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from agent.ear.endings import (
    ALL_DONE,
    ANSWER_FILLERS,
    ASKS,
    BEFORE_SIZE,
    BEFORE_TIME,
    CLOSERS,
    COMMANDS,
    DAYS,
    FAREWELLS,
    GREETINGS,
    HEARD_AS_BYE,
    HESITATIONS,
    LEADS,
    LONE,
    NAME_LEADS,
    NO,
    NUMBERS,
    OPEN_ENDS,
    PARTING,
    PARTY,
    SUBJECTS,
    THANKING,
    TIMES,
    UNFINISHED,
    WANTS_OBJECT,
    YES,
)
from agent.ear.grammar import DIGITS, NUMBER_BEGUN, REPEATS, is_whole_number, spoken_digits
from agent.events import Expect, Word

# ── the numbers: seconds after the last voiced sample ───────────────────────────────────

SHORT: Final = 0.2
"""Nothing can sensibly follow. Human turns are about 0.2 s apart; the VAD needs 0.1 s of quiet to
be sure of a stop, and the last word's sound 0.1 s to become a word."""

COMPLETE: Final = 0.27
"""A whole question or statement. Within one nobody pauses this long, save hesitating, which its
words betray; but "live music tonight" has 0.2 s without a sound before its last word."""

POLITE: Final = 0.33
"""A request closed with "please" or "thanks": nearly always over, sometimes amended."""

BARE: Final = 0.4
"""A lone "yes" or "okay": what dresses it up ("that's fine", "thank you") follows after a comma
of 0.2 to 0.35 s, and must be noticed, 0.1 s later, before we speak. The same for a whole name and
for all the details that were asked for."""

MIDDLE: Final = 0.46
"""Words that may be complete or not. Longer than a stop consonant's silence (0.15 s) and most
gaps between words of a fluent sentence."""

DECLINED: Final = 0.65
"""After "no thanks" or "okay" to "anything else?": "that's all", "thank you", "bye" follow within
half a second, and a goodbye that runs into them sounds rude. Measured on scripted callers: most
cut-ins were here."""

NAME: Final = 0.7
"""One name was said; a surname or a spelling often follows after a breath."""

LONG: Final = 1.2
"""Something is plainly missing: after "um", "and" or "to the", of a day without its time. Scripted
callers who stop in mid-sentence are heard again after 0.7 to 1 s."""

BETWEEN_GROUPS: Final = 1.4
"""Between the groups of a phone number, which is being read or remembered."""

# ── what is learned of a caller ─────────────────────────────────────────────────────────

SHORTEST_PAUSE: Final = 0.3
"""Shorter gaps in speech are no hesitation."""
LONGEST_PAUSE: Final = 1.6
"""Longer ones lie between two turns."""
PAUSES_KEPT: Final = 6
"""So many of the caller's last pauses of each kind count."""
NOTICED: Final = 0.15
"""How long after it began a voice is noticed; added to a pause that is to be outlasted."""
MOST_PATIENCE: Final = 1.8
"""Nobody is waited for longer, however slowly they speak."""
CLOSED_PATIENCE: Final = 0.15
"""By so much at most the wait after words that seem complete is lengthened for a caller who was
seen to go on after such; words after which nothing can follow need no more with anybody."""
OPEN_PATIENCE: Final = 0.3
"""And by so much after words that may be complete or not, …"""
FLUENT_SHARE: Final = 0.5
"""… by this share of what it takes to outlast the pauses: one in mid-number need not be outlasted
after everything. In a turn in which the caller has already stopped once, all of it."""

PACE: Final = 11.0
"""Letters a second of those who speak at their ease, pauses between words left out."""
PACE_LETTERS: Final = 15
"""So many letters tell a caller's pace."""
MOST_STRETCH: Final = 1.4
"""Who speaks slower pauses as much longer at a comma, up to this."""


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


def patience(text: str, expect: Expect, said: str = "") -> Patience:
    """Return how long to wait for the caller to go on, after ``text``, when ``expect`` was asked.

    Rules are tried from the most to the least telling; the first that fits decides.

    Args:
        text: The turn's words so far, lower case, as the recogniser writes them.
        expect: What the agent's last line asked for.
        said: That line's words, which tell what details it asked for; empty: all of them.
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
    if tuple(words[-2:]) in ALL_DONE and not NO.isdisjoint(words):
        return Patience(SHORT, "all_done")
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
        return _details(words, said)
    if set(words) <= GREETINGS:
        return Patience(LONG, "greeting_only")
    if set(words) <= THANKING:
        # "Okay, thank you" and then "bye bye".
        return Patience(MIDDLE, "thanks_only")
    if set(words) <= NO | THANKING:
        return Patience(DECLINED, "declined")
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
    if words[0] in ASKS:
        # "What time do you" still wants its verb.
        return words[-1] not in SUBJECTS or words[-1] in {"that", "this", "there", "it"}
    return words[0] in COMMANDS or (words[0] in SUBJECTS and len(words) >= 4)


def _number(words: list[str], expect: Expect) -> Patience | None:
    """Return the rule for a phone number under way or whole, if one is being given."""
    asked = expect is Expect.PHONE_NUMBER
    trailing = _trailing_number(words)
    digits = spoken_digits(words if asked else trailing)
    if trailing and words[-1] in DIGITS and is_whole_number(digits):
        return Patience(SHORT, "whole_number")
    # Outside a number one or two digits are a count ("a table for four").
    if (asked and digits) or len(trailing) >= NUMBER_BEGUN:
        return Patience(BETWEEN_GROUPS, "mid_number")
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
        # "Okay" to "anything else?" is mostly thanks and a goodbye to come.
        return Patience(DECLINED if expect is Expect.MORE else BARE, "bare_answer")
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
    return Patience(BARE, "whole_name")


DETAILS: Final = frozenset({"day", "time", "people"})
"""What can be asked of a reservation, each by the word that asks for it."""


def _details(words: list[str], said: str) -> Patience:
    """Return the rule for a day, a time and a number of people, or for a message in free words."""
    asked = {kind for kind in DETAILS if kind in said} or DETAILS
    alone = len(asked) == 1
    given: set[str] = set()
    if not DAYS.isdisjoint(words):
        given.add("day")
    pairs = list(pairwise(["", *words]))
    if not TIMES.isdisjoint(words) or any(a in BEFORE_TIME and b in NUMBERS for a, b in pairs):
        given.add("time")
    if not PARTY.isdisjoint(words) or any(a in BEFORE_SIZE and b in NUMBERS for a, b in pairs):
        given.add("people")
    if alone and not NUMBERS.isdisjoint(words):
        given |= asked - {"day"}
    if asked <= given:
        return Patience(BARE, "whole_details")
    if given:
        return Patience(LONG, "details_begun")
    return Patience(NAME, "details")


CLOSED: Final = frozenset(
    {
        "bare_answer",
        "bare_no",
        "complete_sentence",
        "declined",
        "polite_end",
        "thanks_only",
        "whole_details",
        "whole_name",
    }
)
"""Rules of words that seem complete. Who pauses within sentences does not pause after them."""


class Endpointing:
    """How patient to be with one caller: the rules above, and what their pauses have taught."""

    def __init__(self) -> None:
        """Know nothing of the caller yet."""
        self._pauses: dict[bool, deque[float]] = {
            closed: deque(maxlen=PAUSES_KEPT) for closed in (True, False)
        }
        self._rule = ""
        self._halting = False
        self._letters = 0
        self._seconds = 0.0

    def spoke(self, words: Sequence[Word]) -> None:
        """Learn how fast the caller speaks from a turn's final ``words``."""
        self._letters += sum(len(word.text) for word in words)
        self._seconds += sum(word.end - word.start for word in words)

    @property
    def _stretch(self) -> float:
        if self._letters < PACE_LETTERS or not self._seconds:
            return 1.0
        return min(MOST_STRETCH, max(1.0, PACE * self._seconds / self._letters))

    def turn(self) -> None:
        """A new turn of the caller begins."""
        self._rule, self._halting = "", False

    def paused(self, seconds: float) -> None:
        """Learn that the caller went on after a pause of ``seconds``, the last one asked about."""
        if SHORTEST_PAUSE <= seconds <= LONGEST_PAUSE:
            closed = self._rule in CLOSED
            self._pauses[closed].append(seconds)
            self._halting |= not closed

    def patience(self, text: str, expect: Expect, said: str = "") -> Patience:
        """Return `patience` for this caller."""
        wait, rule = patience(text, expect, said)
        self._rule = rule
        if BARE <= wait < NAME:
            wait = round(wait * self._stretch, 3)
        closed = rule in CLOSED
        longest = max(self._pauses[closed], default=0.0) + NOTICED
        if not self._pauses[closed] or longest <= wait or wait <= SHORT:
            return Patience(wait, rule)
        whole = self._halting or wait >= NAME
        if closed:
            most, share = wait + CLOSED_PATIENCE, 1.0
        elif whole:
            most, share = MOST_PATIENCE, 1.0
        else:
            most, share = wait + OPEN_PATIENCE, FLUENT_SHARE
        return Patience(round(min(most, wait + share * (longest - wait)), 3), rule)


class FixedSilence:
    """The same pause after everything, as many pipelines have it; for comparing with."""

    def __init__(self, seconds: float) -> None:
        """Wait ``seconds`` whatever was said."""
        self._seconds = seconds

    def spoke(self, words: Sequence[Word]) -> None:
        """Learn nothing."""

    def turn(self) -> None:
        """Nothing changes."""

    def paused(self, seconds: float) -> None:
        """Learn nothing."""

    def patience(self, text: str, expect: Expect, said: str = "") -> Patience:
        """Return the fixed pause."""
        return Patience(self._seconds, "fixed_silence")
