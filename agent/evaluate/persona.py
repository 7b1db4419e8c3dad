"""A caller with a goal: listens to the agent's words and answers them. Pure, but for its seed.

It knows no steps and no state of the agent's; it hears words, as a person does, and so finds
its way whatever the agent's wording, or gives up.
"""

from __future__ import annotations

import re
from random import Random
from typing import Final

from agent.evaluate.case import Persona
from agent.mind.slots.phone import national_digits

_OPENINGS: Final = {
    "order": (
        "I'd like to place an order for pickup",
        "hi can I order some food",
        "I want to order two bowls of ramen to go",
    ),
    "reservation": ("I'd like to make a reservation", "can I book a table please"),
    "catering": ("I need catering for an event", "do you do catering, I need it for a party"),
    "complaint": ("I have a complaint", "I want to complain about my last visit"),
    "message": ("can I leave a message for the owner", "please pass something on to the owner"),
}
_YES: Final = ("yes", "yes please", "yeah that's right")
_NO: Final = ("no", "no that's wrong")
_DONE: Final = ("no thanks that's all", "no that's it thank you", "no bye")
_DIGITS: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_GOODBYE: Final = re.compile(r"\b(?:good)?bye\b")


class PersonaCaller:
    """One call of a persona. `answer` gives its words; none: it hangs up."""

    def __init__(self, persona: Persona, seed: int = 0) -> None:
        """Begin; the same persona, seed and agent give the same call."""
        self._persona = persona
        self._random = Random(f"{persona.goal} {seed}")  # noqa: S311 - wording, no secret
        self._questions = list(persona.questions)
        self._last = ""
        self._ways: tuple[str, ...] = ()
        self._before: tuple[str, ...] = ()
        self._repeated = 0
        self._opened = False
        self._asked = ""

    def answer(self, said: str) -> str | None:
        """Return the caller's next words after the agent ``said`` something; None: hang up."""
        words = said.lower()
        if _GOODBYE.search(words):
            return None
        self._ways = ()
        reply = self._reply(words)
        if reply == self._last or reply in self._before:
            self._repeated += 1
            if self._repeated > self._persona.patience:
                return None
        else:
            self._repeated = 0
        self._last, self._before = reply, self._ways
        return reply

    def _reply(self, words: str) -> str:
        persona = self._persona
        question = _last_question(words)
        if re.search(r"didn't (?:catch|hear)|still there|didn't get", words) and self._last:
            return self._last if not question or self._opened else self._open()
        if not self._opened:
            return self._open()
        if "number you're calling from" in question or "number ending in" in question:
            return self._say(("no use another number",) if persona.number else _YES)
        if "is that right" in question:
            wanted = national_digits(persona.number) if persona.number else ""
            return self._say(_YES if "".join(re.findall(r"\d", words)) == wanted else _NO)
        if re.search(r"what (?:other )?number|area code|what comes next", question):
            return self._number()
        if "name" in question:
            return f"my name is {persona.name.lower()}"
        if "did you mean" in question:
            return self._say(_YES if _overlap(question, self._asked) else _NO)
        if re.search(r"pass (?:it|your question) on|would you like that", question):
            return self._say(_YES)
        if re.search(r"anything else|what else|how can i help|is there something", question):
            return self._next()
        return persona.details or self._next()

    def _open(self) -> str:
        self._opened = True
        if self._persona.goal == "question":
            return self._next()
        return self._say(_OPENINGS[self._persona.goal])

    def _next(self) -> str:
        if self._questions:
            self._asked = self._questions.pop(0)
            return self._asked
        return self._say(_DONE)

    def _number(self) -> str:
        digits = national_digits(self._persona.number) if self._persona.number else ""
        return " ".join(_DIGITS[int(digit)] for digit in digits) or "I'd rather not say"

    def _say(self, ways: tuple[str, ...]) -> str:
        self._ways = ways
        return self._random.choice(ways)


def _last_question(words: str) -> str:
    """Return the last sentence that asks something; empty if none does."""
    found = re.findall(r"[^.?!]*\?", words)
    return found[-1].strip() if found else ""


def _overlap(question: str, asked: str) -> bool:
    common = set(re.findall(r"[a-z]{4,}", question)) & set(re.findall(r"[a-z]{4,}", asked.lower()))
    return bool(common - {"what", "mean", "your", "have", "does", "with", "that"})
