"""What words give away: goodbyes, sales talk, offers, claims. Patterns, each with its reason."""

from __future__ import annotations

import re
from typing import Final

from agent.mind.embedder import plain

_GOODBYE: Final = re.compile(
    r"\b(?:good ?bye|bye(?: bye)*|see (?:you|ya)(?: later| soon| then)?|so long|take care"
    r"|have a (?:good|great|nice) (?:day|night|one|evening|weekend))\b"
)
_NO_GOODBYE: Final = re.compile(
    r"\b(?:said|say|saying|says|tell (?:him|her|them)) (?:good ?)?bye\b"
)
"""Talk about a goodbye is none."""

_SPAM: Final = re.compile(
    r"\bgoogle (?:business |my business |maps )?(?:listing|profile|verification)"
    r"|\b(?:business|your) listing\b|\blisting (?:is|has|was) not\b"
    r"|\bmerchant (?:services?|cash|account|processing)"
    r"|\b(?:card|payment) processing (?:fee|rate|cost)s?|\bprocessing fees?\b"
    r"|\b(?:lower|reduce|save (?:you )?(?:money )?on) your (?:\w+ )?"
    r"(?:electric\w*|energy|power|utility|rates?|bills?|fees)"
    r"|\b(?:business|small business) (?:loan|funding|capital|line of credit)"
    r"|\bpre ?(?:approved|qualified)\b|\bextended warranty|\b(?:car|vehicle)'?s? warranty"
    r"|\bpress (?:one|1|nine|9|two|2) (?:now|to (?:speak|talk|be|hear|learn|claim|opt))\b"
    r"|\bsearch engine|\bseo\b"
    r"|\bfirst page of google|\bto be removed from (?:our|this)|\bthis is an important message"
    r"|\bspeak (?:to|with) (?:the )?(?:business )?owner about your\b"
    r"|\bmarketing (?:agency|company)\b|\bonline reviews? (?:service|package|management)"
)
"""What sales calls to restaurants say of themselves; each phrase is one that guests don't use."""

_TRANSFER: Final = re.compile(
    r"\b(?:transfer|connect|forward|patch|put) you\b(?! on (?:the|our) list)"
    r"|\b(?:transfer|connect|forward|patch|put) (?:the|your|this) call"
    r"|\bput(?:ting)? you through\b|\btransferring\b|\bconnecting (?:you|your call)\b"
    r"|\b(?:get|grab|fetch) (?:you )?(?:a|the|my) (?:manager|person|human|colleague|member)"
    r"|\b(?:someone|somebody|a person|the manager|the staff) will be (?:right )?with you\b"
    r"|\bhold (?:the line|please|on) while\b|\bstay on the line\b"
)
_CALL_BACK: Final = re.compile(
    r"\b(?:i|we)(?:'ll| will| can) (?:call|phone|ring|email|e-mail|mail) you\b"
    r"|\bi(?:'ll| will| can) (?:check|ask|find out|look into it|look that up)\b"
)
_TAKE_ORDER: Final = re.compile(
    r"\b(?:i|we)(?:'ve| have|'ll| will| can| could)?"
    r" (?:take|taken|place|placed|put in|start|started) (?:your|an|the|that) order\b"
    r"|\byour order (?:is|has been|will be) (?:placed|in|ready|confirmed)\b"
    r"|\bwhat would you like to order\b"
)
_PAYMENT: Final = re.compile(
    r"\b(?:card|credit card|debit card) number\b|\bexpiration date\b|\bsecurity code\b"
    r"|\b(?:charge|charged|bill|billed) (?:your|the|to your) card\b"
    r"|\b(?:i|we)(?:'ll| will| can) take (?:your )?payment\b"
)
_BOOKED: Final = re.compile(
    r"\b(?:i|we)(?:'ve| have|'ll| will| can)?"
    r" (?:booked|reserved|book|reserve|confirmed) (?:you|your|a|the|that)\b"
    r"|\b(?:table|reservation|booking|party|catering) (?:is|has been|'s) (?:now )?"
    r"(?:booked|reserved|confirmed|set|all set)\b"
    r"|\byou(?:'re| are) (?:booked|all set for|confirmed)\b"
    r"|\bwe'll see you (?:then|on|at)\b"
)
_NEGATED: Final = re.compile(
    r"\b(?:can't|cannot|can not|don't|do not|won't|not able to|unable to|couldn't|could not"
    r"|no way to|not|never|nobody|no one)\b"
)
_SENT: Final = re.compile(
    r"\b(?:texted|sent|messaged) (?:you|it|the|that)\b|\bis on its way\b"
    r"|\byou(?:'ll| will) (?:get|have) (?:it|the link|a text)\b"
    r"|\bcheck your (?:phone|texts|messages)\b"
)
_PASSED: Final = re.compile(
    r"\b(?:passed|forwarded|sent|given|told) (?:that|it|this|your message)\b.*\bowner\b"
    r"|\bthe owner (?:has|got|knows|received)\b|\bi(?:'ve| have) (?:told|let) the owner\b"
)
_LATER: Final = re.compile(
    r"\b(?:couldn't|could not|can't|as soon as|not (?:yet|just now)|shall|should|i can)\b|\?"
)
_CORRECTS: Final = re.compile(
    r"\b(?:no|nope|wait|sorry)?,? ?(?:i said|that's not what i (?:said|asked|meant|want\w*)"
    r"|i (?:didn't|did not|never) (?:say|said|ask|asked|want|order)\b.*|not what i asked"
    r"|you (?:misheard|misunderstood|got (?:that|it) wrong|aren't listening"
    r"|are not listening|don't understand)"
    r"|that's (?:the )?wrong (?:number|name|day|time|order)"
    r"|i asked (?:you )?(?:about|if|what|when|where)"
    r"|listen to me|i already (?:said|told)|i just (?:said|told))"
)

_DECLINES: Final = re.compile(
    r"\b(?:never ?mind|forget (?:it|about it)|no,? thank(?:s| you)|i'll (?:call|come|try|order)"
    r"|not (?:now|today|interested)|changed my mind|i'd rather (?:not|talk|come))\b"
)

_COMMON: Final = """
a about all also am an and any anything are as at be been but by can could did do does don't
either for from get getting give go got guys had has have he her here him his how i i'd i'll i'm
if in is it it's its just know let like ll made make many maybe me mind more much my need no not
of off oh okay on one or our out please right s say see she should so some sure take tell than
thanks that that's the their them then there there's they this to today tonight too um up us
very want wanted was wondering we we're well were what what's when where which who who's why
will with would yeah yes yet you you're your
"""
COMMON: Final = frozenset(_COMMON.split())
"""Words that tell no question from another."""


_TOPICS: Final = {
    "parking": "car cars truck drive park parking garage lot spot valet",
    "hours": "open close closed closing opening hours late early time shut noon midnight",
    "place": "address street location located find directions downtown corner map",
    "price": "price cost cheap expensive dollars much charge pay",
    "drinks": "alcohol beer wine sake drink drinks cocktail liquor bar",
    "meatless": "vegan vegetarian meat meatless plant tofu veggie vegetable",
    "gluten": "gluten celiac wheat soy allergy allergic",
    "delivery": "deliver delivery bring house home doordash ubereats courier",
    "seats": "dine eat sit seat seats seating table tables inside booth room",
    "gifts": "gift certificate present voucher card",
}


def _stem(word: str) -> str:
    for ending in ("'s", "ing", "ers", "er", "ies", "es", "ed", "s", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


TOPICS: Final = {
    name: frozenset(_stem(word) for word in words.split()) for name, words in _TOPICS.items()
}
"""What guests of a restaurant ask about, in whichever words; two words of a topic are near."""


_COURTESY_WORDS: Final = "alright great good perfect fine thank talk"


def says_goodbye(text: str) -> bool:
    """Return whether the words take leave."""
    words = plain(text)
    return bool(_GOODBYE.search(_NO_GOODBYE.sub(" ", words)))


def only_goodbye(text: str) -> bool:
    """Return whether the words take leave and do nothing else."""
    rest = _GOODBYE.sub(" ", plain(text))
    return says_goodbye(text) and not content(rest) - content(_COURTESY_WORDS)


def ends_with_goodbye(text: str) -> bool:
    """Return whether the agent's words are a goodbye: "see you Friday" alone is none."""
    return bool(re.search(r"\b(?:good)?bye\b", plain(text)))


def sells(text: str) -> bool:
    """Return whether the words are a sales call's."""
    return bool(_SPAM.search(plain(text)))


def corrects(text: str) -> bool:
    """Return whether the caller says that they were taken wrongly."""
    return bool(_CORRECTS.search(_kept(text)))


def declines(text: str) -> bool:
    """Return whether the caller gives up what they wanted of their own accord."""
    return bool(_DECLINES.search(_kept(text)))


def offers(text: str) -> str:
    """Return what the sentence offers that no phone agent of ours can do; empty: nothing."""
    words = _kept(text)
    for name, pattern in (
        ("transfer", _TRANSFER),
        ("call back", _CALL_BACK),
        ("orders by voice", _TAKE_ORDER),
    ):
        found = pattern.search(words)
        if found and not _NEGATED.search(words[: found.start()]):
            return name
    return ""


def asks_payment(text: str) -> bool:
    """Return whether the sentence wants a card or takes a payment."""
    return _unless_negated(_PAYMENT, text)


def books(text: str) -> bool:
    """Return whether the sentence says that something is booked."""
    return _unless_negated(_BOOKED, text)


def claims_sent(text: str) -> bool:
    """Return whether the sentence says that a text went out."""
    return _now(_SENT, text)


def claims_passed_on(text: str) -> bool:
    """Return whether the sentence says that the owner was told."""
    return _now(_PASSED, text)


def content(text: str) -> frozenset[str]:
    """Return the telling words of a text, cut to their stems roughly, with their topics."""
    stems = frozenset(_stem(word) for word in plain(text).split() if word not in COMMON)
    return stems | {f"#{topic}" for topic, words in TOPICS.items() if words & stems}


def _now(pattern: re.Pattern[str], text: str) -> bool:
    words = _kept(text)
    return bool(pattern.search(words)) and not _LATER.search(words)


def _unless_negated(pattern: re.Pattern[str], text: str) -> bool:
    words = _kept(text)
    found = pattern.search(words)
    return bool(found) and not _NEGATED.search(words[: found.start() if found else 0])


def _kept(text: str) -> str:
    """Return the text in lower case with plain apostrophes; punctuation stays."""
    return text.lower().replace("\u2019", "'")
