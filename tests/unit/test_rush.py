"""In a rush: the shortest wording, as honest as ever, with the same blanks."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.events import PromiseKind
from agent.mind import claims
from agent.mind.dialogue import Dialogue, all_lines
from agent.mind.wording import SHORTER, blanks_of
from agent.restaurant import load_restaurant
from agent.settings import CHECKOUT

HIKARI = load_restaurant(CHECKOUT / "evals" / "worlds" / "hikari.toml")
EVERYTHING = frozenset(PromiseKind)


def greeted(*, short: bool) -> str:
    now = datetime(2026, 11, 27, 18, tzinfo=UTC)
    _, reply = Dialogue(HIKARI, "+13165550150", False, EVERYTHING, now, short).open()
    assert reply.step == "greeting"
    for sentence in reply.sentences:
        claims.check(sentence, HIKARI, {}, EVERYTHING)
    text = " ".join(sentence.text for sentence in reply.sentences)
    assert text in all_lines(HIKARI, EVERYTHING), "spoken ahead, so at once"
    return text


def test_the_greeting_says_who_it_is_and_what_it_is() -> None:
    short = greeted(short=True)
    assert len(short) < len(greeted(short=False))
    assert "Hikari" in short
    assert "automated assistant" in short


def test_what_is_shorter_is_shorter_and_fits_the_same_blanks() -> None:
    for full, short in SHORTER.items():
        assert len(short.value) < len(full.value)
        assert blanks_of(short) == blanks_of(full)
