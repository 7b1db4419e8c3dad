"""This restaurant's own words in the ear's graph: no download, no tools, a few seconds once.

A model that carries its ``lexicon.txt`` (Pickup's own does) is copied with the words added and
kept under a name made of everything it depends on; later starts find it there. Where a new
word may stand, the language model learns from dishes it knows: it gets a share of each place
where one of those may stand.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import structlog

from agent.ear import fst
from agent.ear.graph import write_sounds
from agent.ear.lexicon import Pronunciation, as_text, read
from agent.ear.reading import plain, readings
from agent.errors import EarError
from agent.restaurant import Restaurant

log = structlog.get_logger()

VERSION: Final = 1
"""Of what this module makes; raised when the same words would give another graph."""

DONORS: Final = ("ramen", "gyoza", "teriyaki", "burrito", "restaurant")
"""Words after and before which a restaurant's own may stand: dishes, and what is called by name."""

DONOR_SHARE: Final = 0.3
"""A new word is this likely where the likeliest donor is 1: rarer than the dish, far from never."""

LEXICON: Final = "lexicon.txt"
MORE_WORDS: Final = "more_words.txt.gz"


def words_of(restaurant: Restaurant) -> dict[str, str]:
    """Return the words on a restaurant's page, with their respellings where it has any."""
    texts = [restaurant.name, restaurant.spoken_name]
    for fact in restaurant.facts:
        texts += [fact.say, *fact.asked]
    words = dict.fromkeys(_words_in(texts), "")
    for written, respelled in {**restaurant.pronounce, **restaurant.hear}.items():
        parts = _words_in([written])
        # One respelling tells how one word sounds; of several only that they are words.
        words |= dict.fromkeys(parts, respelled if len(parts) == 1 else "")
    return words


def _words_in(texts: Iterable[str]) -> set[str]:
    """Return the words of ``texts`` as the ear would write them."""
    found = (plain(word) for text in texts for word in re.findall(r"[^\W\d_]+(?:['’]\w+)?", text))
    return {word for word in found if len(word) > 1}


def with_words(folder: Path, words: Mapping[str, str], cache: Path) -> Path:
    """Return a model that also knows ``words``: ``folder`` itself if nothing is to be added.

    Args:
        folder: A checked Vosk model folder.
        words: Words and how they sound, respelled; an empty respelling: as it is written.
        cache: Where made models are kept.

    Raises:
        EarError: the cache can't be written.
    """
    if not (folder / LEXICON).is_file():
        if words:
            log.info("This ear model can't learn words.", model=str(folder), words=sorted(words))
        return folder
    lexicon = read(folder / LEXICON)
    new = _sounds({word: sound for word, sound in words.items() if word not in lexicon}, folder)
    if not new:
        return folder
    made = cache / _name(folder, new)
    if (made / "graph" / "Gr.fst").is_file():
        return made
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _make(folder, lexicon, new, made)
    except OSError as error:
        raise EarError(
            f"The ear's words can't be kept in {cache} ({error.strerror}).",
            remedy="Make room, or let the agent's user write there.",
        ) from error
    log.info("The ear has learnt this restaurant's words.", words=sorted(new))
    return made


def _sounds(words: Mapping[str, str], folder: Path) -> dict[str, list[Pronunciation]]:
    """Return pronunciations: respelled, listed, built from a listed word, or read by rule."""
    listed = read(folder / MORE_WORDS) if (folder / MORE_WORDS).is_file() else {}
    sounds: dict[str, list[Pronunciation]] = {}
    for word, respelling in sorted(words.items()):
        said = readings(respelling) if respelling else []
        said += listed.get(word, [])
        if not said:
            said = readings(word)
        if said:
            sounds[word] = list(dict.fromkeys(said))
        else:
            log.warning("The ear can't tell how a word sounds; respell it.", word=word)
    return sounds


def _name(folder: Path, new: Mapping[str, list[Pronunciation]]) -> str:
    digest = hashlib.sha256(json.dumps([VERSION, str(folder.resolve()), new]).encode())
    for name in (LEXICON, "graph/Gr.fst", "graph/words.txt"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]


def _make(
    folder: Path,
    lexicon: Mapping[str, list[Pronunciation]],
    new: Mapping[str, list[Pronunciation]],
    made: Path,
) -> None:
    lines = (folder / "graph" / "words.txt").read_text(encoding="utf-8").splitlines()
    numbers = {word: int(number) for word, number in map(str.split, lines) if number != "0"}
    first = 1 + max(numbers.values())
    numbers |= {word: number for number, word in enumerate(sorted(new), start=first)}
    with tempfile.TemporaryDirectory(dir=made.parent) as work:
        part = Path(work) / "model"
        (part / "graph").mkdir(parents=True)
        for name in ("am", "conf"):
            (part / name).symlink_to((folder / name).resolve(), target_is_directory=True)
        write_sounds({**lexicon, **new}, numbers, part / "graph")
        donors = [numbers[word] for word in DONORS if word in numbers]
        grammar = fst.read(folder / "graph" / "Gr.fst")
        fst.write(_placed(grammar, donors, range(first, first + len(new))), part / "graph/Gr.fst")
        (part / LEXICON).write_text(as_text({**lexicon, **new}), encoding="utf-8")
        try:
            part.replace(made)
        except OSError:
            # Another process was quicker; or something half made is in the way.
            if not (made / "graph" / "Gr.fst").is_file():
                shutil.rmtree(made)
                part.replace(made)


def _placed(grammar: fst.Fst, donors: list[int], new: range) -> fst.Fst:
    """Return ``grammar`` with the words ``new`` wherever one of ``donors`` may stand."""
    owner = np.repeat(np.arange(len(grammar.final)), np.diff(grammar.first))
    places = np.flatnonzero(np.isin(grammar.arcs["ilabel"], donors))
    # The likeliest donor of each state tells the cost and how the sentence goes on.
    places = places[np.lexsort((grammar.arcs["cost"][places], owner[places]))]
    places = places[np.unique(owner[places], return_index=True)[1]]
    copies = np.repeat(grammar.arcs[places], len(new))
    copies["ilabel"] = copies["olabel"] = np.tile(np.array(new, np.int32), len(places))
    copies["cost"] -= np.float32(np.log(DONOR_SHARE))
    arcs = np.concatenate([grammar.arcs, copies])
    owners = np.concatenate([owner, np.repeat(owner[places], len(new))])
    order = np.lexsort((arcs["ilabel"], owners))
    counts = np.bincount(owners, minlength=len(grammar.final))
    first = np.concatenate([[0], np.cumsum(counts)])
    return fst.Fst(grammar.start, first, grammar.final, arcs[order])
