"""A restaurant's own words: read, added to the graph, and heard in real speech."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.audio import seconds
from agent.ear import EarEngine, listen, words_of
from agent.ear.lexicon import read
from agent.ear.own_words import with_words
from agent.ear.reading import plain, readings
from agent.events import FinalHeard
from agent.restaurant import load_restaurant
from agent.settings import CHECKOUT, Models
from tests.unit.ear_sounds import hiss, slin16, speech

HOUSE = Models().ear


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("okonomiyaki", "OW K OW N OW M IY Y AA K IY"),
        ("hee-kah-ree", "HH IY K AA R IY"),
        ("tohnkohtsu", "T OW NG K OW T S UW"),
        ("takoyaki", "T AA K OW Y AA K IY"),
        ("karma", "K AA R M AA"),
        ("quesillo", "K W EH S IY L OW"),
    ],
)
def test_a_word_is_read_as_it_is_spelled(word: str, sounds: str) -> None:
    assert " ".join(readings(word)[0]) == sounds


def test_a_last_e_may_sound_or_not() -> None:
    assert [said[-1] for said in readings("karaage")] == ["EY", "G"]


def test_accents_and_capitals_don_t_matter() -> None:
    assert plain("Jalapeño") == "jalapenyo"
    assert plain("Crème") == "creme"


def test_what_has_no_vowel_can_t_be_read() -> None:
    assert readings("bbq") == []


def test_the_page_s_words_are_collected() -> None:
    words = words_of(load_restaurant(CHECKOUT / "evals" / "worlds" / "hikari.toml"))
    assert words["tonkotsu"] == "tohnkohtsu"
    assert words["hikari"] == "heekaari"
    assert words["parking"] == ""


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The house model without the word ``order``, to which it is then added."""
    folder = tmp_path_factory.mktemp("models")
    forgetful = folder / "forgetful"
    shutil.copytree(HOUSE, forgetful)
    lines = (HOUSE / "lexicon.txt").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.split()[0] != "order"]
    (forgetful / "lexicon.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
    words = (HOUSE / "graph" / "words.txt").read_text(encoding="utf-8")
    renamed = words.replace("\norder ", "\n[gone] ")
    assert renamed != words
    (forgetful / "graph" / "words.txt").write_text(renamed, encoding="utf-8")
    return with_words(forgetful, {"order": "or-der"}, folder / "cache")


@pytest.fixture
def engine(taught: Path) -> Iterator[EarEngine]:
    engine = EarEngine(taught)
    yield engine
    engine.close()


async def test_a_word_that_was_not_known_is_heard(engine: EarEngine) -> None:
    events = await listen(engine.open(), slin16(hiss(1), speech("order_rms"), hiss(0.5)))
    [final] = [event for event in events if isinstance(event, FinalHeard)]
    assert "order" in final.text.split()
    assert seconds(slin16(hiss(1))) < final.words[-1].end


def test_the_second_start_finds_what_the_first_made(tmp_path: Path) -> None:
    first = with_words(HOUSE, {"kushikatsu": ""}, tmp_path)
    stamp = (first / "graph" / "Gr.fst").stat().st_mtime_ns
    assert with_words(HOUSE, {"kushikatsu": ""}, tmp_path) == first
    assert (first / "graph" / "Gr.fst").stat().st_mtime_ns == stamp
    assert with_words(HOUSE, {"kushikatsu": "koo-shee"}, tmp_path) != first
    engine = EarEngine(first)
    assert engine.knows("kushikatsu")
    engine.close()


def test_known_words_need_no_other_model(tmp_path: Path) -> None:
    assert with_words(HOUSE, {"ramen": "", "parking": ""}, tmp_path) == HOUSE
    assert list(tmp_path.iterdir()) == []


def test_words_that_english_knows_are_not_read_by_rule(tmp_path: Path) -> None:
    rare = next(word for word in ("aardvark", "abacus", "zebras") if word not in _vocabulary())
    taught = read(with_words(HOUSE, {rare: ""}, tmp_path) / "lexicon.txt")
    assert rare not in read(HOUSE / "lexicon.txt")
    assert taught.keys() == read(HOUSE / "lexicon.txt").keys() | {rare}


def test_a_model_that_can_t_learn_is_used_as_it_is(tmp_path: Path) -> None:
    foreign = Path(shutil.copytree(HOUSE, tmp_path / "foreign"))
    (foreign / "lexicon.txt").unlink()
    assert with_words(foreign, {"kushikatsu": ""}, tmp_path / "cache") == foreign


def _vocabulary() -> set[str]:
    return set(read(HOUSE / "lexicon.txt"))
