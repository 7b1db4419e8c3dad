"""Is a folder a Vosk model that can be loaded? Looked at before Vosk does, which can die of it.

Three layouts are in use, each with or without ``ivector`` (the speaker's traits, which most of
the publisher's models use and the house model does not)::

    am/final.mdl  conf/{model,mfcc}.conf  graph/{HCLr.fst,Gr.fst,disambig_tid.int}   lookahead
    am/final.mdl  conf/{model,mfcc}.conf  graph/{HCLG.fst,words.txt}  [rescore] [rnnlm]  static
    final.mdl  mfcc.conf  HCLG.fst  …                                    the oldest: refused

In the first, words are in ``graph/words.txt`` or in ``Gr.fst`` itself.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from agent.errors import EarError

REMEDY: Final = "Fetch the model again or point PICKUP_MODELS__EAR at a whole one."

IVECTOR: Final = (
    "final.dubm",
    "final.ie",
    "final.mat",
    "global_cmvn.stats",
    "online_cmvn.conf",
    "splice.conf",
)

FST_MAGIC: Final = struct.pack("<i", 2_125_659_606)

HAS_WORDS: Final = 0b11
"""Flags of an FST file that carries the words of its labels."""


def check_model(folder: Path) -> None:
    """Refuse a folder that Vosk could not load, or would crash on.

    Vosk 0.3.45 says no more than "failed to create a model", and kills the process over an
    empty ``model.conf`` or a cut ``disambig_tid.int`` (both seen).

    Raises:
        EarError: with the reason and what to do.
    """
    if not folder.is_dir():
        raise EarError(f"{folder} is no folder, so there is no Vosk model in it.", remedy=REMEDY)
    if (folder / "final.mdl").is_file() and not (folder / "am").exists():
        raise EarError(
            f"{folder} has the old flat layout (final.mdl at the top).",
            remedy="Use a Vosk model with the folders am, conf and graph.",
        )
    inside = [path for path in folder.iterdir() if (path / "am" / "final.mdl").is_file()]
    if not (folder / "am").exists() and len(inside) == 1:
        raise EarError(
            f"{folder} is no Vosk model, but {inside[0].name} in it looks like one.",
            remedy=f"Name {inside[0]} instead.",
        )
    features = "conf/fbank.conf" if (folder / "conf/fbank.conf").is_file() else "conf/mfcc.conf"
    needed = ["am/final.mdl", "conf/model.conf", features]
    if (folder / "graph" / "HCLG.fst").is_file():
        needed.append("graph/words.txt")
    else:
        needed += ["graph/HCLr.fst", "graph/Gr.fst", "graph/disambig_tid.int"]
    if (folder / "ivector").is_dir():
        needed += [f"ivector/{name}" for name in IVECTOR]
    for name in needed:
        if not (folder / name).is_file():
            raise EarError(f"{folder} is no whole Vosk model: {name} is missing.", remedy=REMEDY)
        if (folder / name).stat().st_size == 0:
            raise EarError(f"The Vosk model's {folder / name} is empty.", remedy=REMEDY)
    _check_kinds(folder)


def _check_kinds(folder: Path) -> None:
    """Look into the files whose damage Vosk does not survive."""
    settings = (folder / "conf/model.conf").read_text("utf-8", "replace")
    if "--endpoint.silence-phones" not in settings:
        raise EarError(f"{folder}/conf/model.conf names no silence phones.", remedy=REMEDY)
    with (folder / "am/final.mdl").open("rb") as model:
        if not model.read(20).startswith(b"\0B<TransitionModel>"):
            raise EarError(f"{folder}/am/final.mdl is no Kaldi acoustic model.", remedy=REMEDY)
    for name in ("HCLG.fst", "HCLr.fst", "Gr.fst"):
        if (folder / "graph" / name).is_file():
            _check_fst(folder / "graph" / name)
    integers = folder / "graph" / "disambig_tid.int"
    if integers.is_file():
        text = integers.read_bytes()
        if not text.endswith(b"\n") or not all(part.isdigit() for part in text.split()):
            raise EarError(f"{integers} is cut short.", remedy=REMEDY)


def _check_fst(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(64)
    if not head.startswith(FST_MAGIC):
        raise EarError(f"{path} is no FST: it begins with {head[:4]!r}.", remedy=REMEDY)
    at = 4
    try:
        for _ in range(2):  # its type and the type of its arcs
            (length,) = struct.unpack_from("<i", head, at)
            at += 4 + length
        _, flags = struct.unpack_from("<ii", head, at)
    except struct.error as error:
        raise EarError(f"{path} is cut short.", remedy=REMEDY) from error
    words = path.with_name("words.txt").is_file()
    if path.name == "Gr.fst" and not words and not flags & HAS_WORDS:
        raise EarError(
            f"{path} carries no words, and there is no words.txt beside it.", remedy=REMEDY
        )
