"""The words behind the endpoint's rules: what their being first or last tells of the rest."""

from __future__ import annotations

from typing import Final


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

OPEN_ENDS: Final = _words("be do i'm it's that'll that's this will")
"""Fillers that can't be the last: "yes that's" goes on."""

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

COMMANDS: Final = _words("use text send call transfer")
"""First words of what we are told to do, which needs no more than its object."""

ALL_DONE: Final = (("that's", "all"), ("that's", "it"), ("that", "is"), ("be", "all"), ("be", "it"))
"""Last words of one who wants nothing more."""

NUMBERS: Final = _words(
    """
    one two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty
    """
)
TIMES: Final = _words("noon midnight o'clock pm am thirty fifteen")
BEFORE_TIME: Final = _words("at around about by")
BEFORE_SIZE: Final = _words("for of")

NAME_LEADS: Final = _words(
    "it's its this is my name i'm the under for put it yes yeah sure and last first"
)
"""Words that come before a name and are no part of it."""
