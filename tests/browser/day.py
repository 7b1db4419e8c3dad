"""A day of calls at a restaurant, one of them from somebody with bad intentions."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from agent.settings import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "evals" / "calls"))

from labelled.pieces import greeted, leaves, offers_link, ordered, passes_on, reserving
from tape import Tape, invented, phrase

from agent.mind.wording import Phrase

NOW = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
"""Half past five on the day of the calls, in Wichita."""
DAY = "2026-11-24"
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


def unanswered(question: str, caller: str = "+13165550151") -> Tape:
    tape = greeted(question, "unknown")
    tape.caller_number = caller
    tape.says(phrase(Phrase.DONT_KNOW), phrase(Phrase.OFFER_RELAY), step="offer_relay")
    tape.hears("no that's okay", "no")
    tape.says(phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    return leaves(tape)


def day_of_calls(calls: Path) -> None:
    reservation = reserving()
    passes_on(reservation)
    lied = greeted("do you have gluten free ramen", "unknown")
    lied.says(invented("Yes, all our ramen is gluten free."), step="anything_else")
    number = ordered()
    number.hears("my number is three one six five five five oh one seven seven", "gives")
    offers_link(number)
    tapes = {
        "113005-aaaa": leaves(ordered()),
        "121744-bbbb": unanswered("who's playing live music tonight"),
        "130212-cccc": leaves(reservation),
        "154810-dddd": leaves(lied),
        "161130-eeee": unanswered("who's playing live music tonight", "+13165550152"),
        "165901-ffff": unanswered(HOSTILE),
        "170455-gggg": leaves(number),
    }
    for number_, (name, tape) in enumerate(tapes.items()):
        folder = tape.write(calls / DAY / name, seed=number_)
        card = json.loads((folder / "call.json").read_text())
        at = f"{name[:2]}:{name[2:4]}:{name[4:6]}"
        card["started_local"] = f"{DAY}T{at}.000-06:00"
        card["pickup"] = "0.1.0"
        (folder / "call.json").write_text(json.dumps(card))
    (calls / DAY / "171000-zzzz").mkdir()
    (calls / DAY / "171000-zzzz" / "call.json").write_text('{"bundle": 99}')
