"""The folder layouts that Vosk's models ship with, from their file lists; two of them run."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from agent.ear import EarEngine, fst, listen
from agent.ear.graph import number_words, static_graph, write_words
from agent.ear.layout import check_model
from agent.ear.lexicon import read
from agent.errors import EarError
from agent.events import FinalHeard
from agent.settings import Models
from tests.unit.ear_sounds import hiss, slin16, speech

HOUSE = Models().ear

IVECTOR = ["final.dubm", "final.ie", "final.mat", "global_cmvn.stats", "online_cmvn.conf"]
COMMON = ["am/final.mdl", "conf/mfcc.conf", "conf/model.conf"]
SPEAKER = [f"ivector/{name}" for name in [*IVECTOR, "splice.conf"]]
LOOKAHEAD = [f"graph/{name}" for name in ("HCLr.fst", "Gr.fst", "disambig_tid.int")]
BOUNDARY = "graph/phones/word_boundary.int"
RESCORING = ["rescore/G.carpa", "rescore/G.fst", "rnnlm/final.raw", "rnnlm/word_feats.txt"]

LAYOUTS = {
    # words inside Gr.fst, no words.txt
    "vosk-model-small-en-us-0.15": ["README", *COMMON, *LOOKAHEAD, BOUNDARY, *SPEAKER],
    "vosk-model-en-us-0.22-lgraph": ["README", *COMMON, *LOOKAHEAD, BOUNDARY, *SPEAKER],
    # one static graph
    "vosk-model-en-us-0.22": [
        *["README", *COMMON, "conf/ivector.conf", "graph/HCLG.fst", "graph/words.txt"],
        *["graph/phones.txt", BOUNDARY, *SPEAKER, *RESCORING],
    ],
    "a big model without ivectors": [*COMMON, "graph/HCLG.fst", "graph/words.txt", BOUNDARY],
    "ours": [*COMMON, *LOOKAHEAD, "graph/words.txt", BOUNDARY, "am/global_cmvn.stats"],
}


def laid_out(name: str, folder: Path) -> Path:
    """Make a folder with the files of a layout; small, but of the right kinds."""
    words_inside = "graph/words.txt" not in LAYOUTS[name]
    for file in LAYOUTS[name]:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".fst":
            path.write_bytes(fst_head(has_words=words_inside))
        elif (HOUSE / file).is_file():
            shutil.copy(HOUSE / file, path)
        else:
            path.write_text("x\n")
    return folder


def fst_head(*, has_words: bool) -> bytes:
    kind, arcs = b"const", b"standard"
    flags = 0b11 if has_words else 0
    return struct.pack("<ii5si8siiQqqq", fst.MAGIC, 5, kind, 8, arcs, 2, flags, 1, 0, 0, 0)


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_vosk_s_models_ship_as_is_accepted(tmp_path: Path, name: str) -> None:
    check_model(laid_out(name, tmp_path))


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_needed_file_is_missed(tmp_path: Path, name: str) -> None:
    spare = {"README", "conf/ivector.conf", "graph/phones.txt", BOUNDARY, *RESCORING}
    spare |= {"am/global_cmvn.stats"}
    needed = set(LAYOUTS[name]) - spare
    laid_out(name, tmp_path)
    for file in sorted(needed):
        aside = (tmp_path / file).rename(tmp_path / "aside")
        with pytest.raises(EarError):
            check_model(tmp_path)
        aside.rename(tmp_path / file)
    for file in sorted(spare & set(LAYOUTS[name])):
        (tmp_path / file).unlink()
    check_model(tmp_path)


def test_the_old_flat_layout_is_refused(tmp_path: Path) -> None:
    for name in ("final.mdl", "mfcc.conf", "HCLG.fst"):
        (tmp_path / name).write_text("x")
    with pytest.raises(EarError, match="old flat layout"):
        check_model(tmp_path)


def test_a_folder_too_high_is_told(tmp_path: Path) -> None:
    laid_out("ours", tmp_path / "vosk-model")
    with pytest.raises(EarError, match=r"Name .*vosk-model instead"):
        check_model(tmp_path)


def test_a_web_page_saved_as_a_graph_is_refused(tmp_path: Path) -> None:
    laid_out("ours", tmp_path)
    (tmp_path / "graph" / "HCLr.fst").write_text("<!doctype html>")
    with pytest.raises(EarError, match="is no FST"):
        check_model(tmp_path)


async def test_a_static_graph_runs_by_the_same_path(tmp_path: Path) -> None:
    """The house's sounds with one graph for all, as the publisher's big models have it."""
    for name in ("am", "conf"):
        shutil.copytree(HOUSE / name, tmp_path / name)
    (tmp_path / "graph").mkdir()
    known = read(HOUSE / "lexicon.txt")
    said = ["hi", "i'd", "like", "to", "place", "an", "order"]
    few = {word: known[word] for word in [*said, "what", "are", "yes", "no"]}
    numbers = number_words(few)
    fst.write(static_graph(few, numbers, dict.fromkeys(few, 2.5)), tmp_path / "graph" / "HCLG.fst")
    write_words(numbers, tmp_path / "graph")
    engine = EarEngine(tmp_path)
    events = await listen(engine.open(), slin16(hiss(1), speech("order_rms"), hiss(0.5)))
    engine.close()
    finals = [event for event in events if isinstance(event, FinalHeard)]
    assert [final.text for final in finals] == [" ".join(said)]


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    arcs = [[(1, 1, 0.5, 1), (2, 2, 1.5, 0)], [(0, 0, 0.25, 0)]]
    fst.write(fst.Fst.of(0, arcs, {1: 0.75}), tmp_path / "x.fst")
    back = fst.read(tmp_path / "x.fst")
    assert back.arcs.tolist() == [arc for state in arcs for arc in state]
    assert back.final.tolist() == [float("inf"), 0.75]
    assert back.first.tolist() == [0, 2, 3]


def test_a_cut_grammar_can_t_be_read(tmp_path: Path) -> None:
    fst.write(fst.Fst.of(0, [[(1, 1, 0.5, 0)]], {0: 0.0}), tmp_path / "x.fst")
    whole = (tmp_path / "x.fst").read_bytes()
    (tmp_path / "x.fst").write_bytes(whole[:-4])
    with pytest.raises(EarError, match="can't be read"):
        fst.read(tmp_path / "x.fst")
