"""Builds HCLr.fst: from the acoustic model's transitions to words, ready for lookahead.

The way is Kaldi's (``mkgraph_lookahead.sh``) without Kaldi: kaldifst composes and
determinizes, OpenFst 1.7.9's tools write the type that Vosk reads.
"""

from __future__ import annotations

import math
import subprocess
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import kaldifst
from phones import LOOP, PHONE_ID, PHONES, SILENCE, Transitions, in_word

Arc = tuple[int, int, int, float, int]
"""From, input label, output label, cost, to."""

SILENCE_SHARE: Final = 0.5
"""Probability of a pause after a word."""

FIRST_DISAMBIGUATION: Final = len(PHONES)


class _Fst:
    def __init__(self, states: int = 0, start: int = 0) -> None:
        self.fst = kaldifst.StdVectorFst()
        for _ in range(states):
            self.fst.add_state()
        if states:
            self.fst.start = start

    def state(self) -> int:
        self.fst.add_state()
        return int(self.fst.num_states) - 1

    def arc(self, source: int, ilabel: int, olabel: int, cost: float, target: int) -> None:
        self.fst.add_arc(source, kaldifst.StdArc(ilabel, olabel, cost, target))


def _pronouncing(
    lexicon: Mapping[str, Sequence[tuple[str, ...]]], ids: Mapping[str, int]
) -> tuple[kaldifst.StdVectorFst, int]:
    """Return the lexicon with optional pauses and how many disambiguation symbols it needs."""
    entries = [(word, tuple(in_word(s))) for word in sorted(lexicon) for s in lexicon[word]]
    same = Counter(phones for _, phones in entries)
    fronts = {phones[:length] for phones in same for length in range(1, len(phones))}
    given: Counter[tuple[int, ...]] = Counter()
    most = 0
    fst = _Fst(4)
    start, loop, pause, paused = range(4)
    fst.fst.start = start
    with_pause, without = -math.log(SILENCE_SHARE), -math.log(1 - SILENCE_SHARE)
    fst.arc(start, 0, 0, without, loop)
    fst.arc(start, 0, 0, with_pause, pause)
    for word, phones in entries:
        labels = list(phones)
        if same[phones] > 1 or phones in fronts:
            given[phones] += 1
            most = max(most, given[phones])
            labels.append(FIRST_DISAMBIGUATION + given[phones])
        here = loop
        for position, label in enumerate(labels[:-1]):
            there = fst.state()
            fst.arc(here, label, ids[word] if position == 0 else 0, 0.0, there)
            here = there
        olabel = ids[word] if len(labels) == 1 else 0
        fst.arc(here, labels[-1], olabel, without, loop)
        fst.arc(here, labels[-1], olabel, with_pause, pause)
    fst.arc(pause, PHONE_ID[SILENCE], 0, 0.0, paused)
    fst.arc(paused, FIRST_DISAMBIGUATION + most + 1, 0, 0.0, loop)
    fst.fst.set_final(loop, 0.0)
    fst.arc(loop, FIRST_DISAMBIGUATION, ids["#0"], 0.0, loop)
    return fst.fst, most + 2


def _read(fst: kaldifst.StdVectorFst) -> tuple[list[Arc], dict[int, float]]:
    arcs: list[Arc] = []
    final: dict[int, float] = {}
    for state in kaldifst.StateIterator(fst):
        arcs += [
            (state, a.ilabel, a.olabel, float(getattr(a.weight, "value", a.weight)), a.nextstate)
            for a in kaldifst.ArcIterator(fst, state)
        ]
        weight = fst.final(state)
        cost = float(getattr(weight, "value", weight))
        if math.isfinite(cost):
            final[state] = cost
    return arcs, final


def _sounding(
    fst: kaldifst.StdVectorFst, disambiguation: int, transitions: Transitions
) -> tuple[kaldifst.StdVectorFst, list[int]]:
    """Replace phones by transition ids, context seen; return the disambiguation ids too."""
    symbols = [FIRST_DISAMBIGUATION + k for k in range(disambiguation)]
    kaldifst.arcsort(fst, "ilabel")
    composed, windows = kaldifst.compose_context(symbols, 2, 1, fst)
    ids: dict[int, int] = {}
    marks: list[int] = []
    for label, window in enumerate(windows):
        if len(window) == 0:
            ids[label] = 0
        elif len(window) == 1 and window[0] <= 0:
            marks.append(transitions.count + 1 + len(marks))
            ids[label] = marks[-1]
        else:
            left = window[0] if len(window) == 2 and window[0] > 0 else 0
            ids[label] = transitions.forward(left, window[-1])
    arcs, final = _read(composed)
    out = _Fst(composed.num_states, composed.start)
    for source, ilabel, olabel, cost, target in arcs:
        out.arc(source, ids[ilabel], olabel, cost, target)
    for state, cost in final.items():
        out.fst.set_final(state, cost)
    return out.fst, marks


def _with_loops(
    fst: kaldifst.StdVectorFst, marks: Sequence[int]
) -> tuple[list[Arc], dict[int, float]]:
    """Add self-loops; a state is split so that all ways into it end in the same sound."""
    arcs, final = _read(fst)
    silent = {0, *marks}
    leaving: dict[int, list[Arc]] = defaultdict(list)
    for arc in arcs:
        leaving[arc[0]].append(arc)
    numbers: dict[tuple[int, int], int] = {}
    waiting: list[tuple[int, int]] = []

    def number(state: int, sound: int) -> int:
        key = (state, sound)
        if key not in numbers:
            numbers[key] = len(numbers)
            waiting.append(key)
        return numbers[key]

    number(fst.start, 0)
    out: list[Arc] = []
    ends: dict[int, float] = {}
    stay, leave = -math.log(LOOP), -math.log(1 - LOOP)
    for state, sound in waiting:  # grows while it is read
        me = numbers[(state, sound)]
        extra = leave if sound else 0.0
        for _, ilabel, olabel, cost, target in leaving[state]:
            entered = 0 if ilabel in silent else ilabel
            out.append((me, ilabel, olabel, cost + extra, number(target, entered)))
        if state in final:
            ends[me] = final[state] + extra
        if sound:
            out.append((me, Transitions.loop(sound), 0, stay, me))
    return out, ends


def run(command: str, folder: Path) -> None:
    """Run OpenFst's tools in ``folder``."""
    subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=folder, check=True)


def write(arcs: Sequence[Arc], final: Mapping[int, float], path: Path) -> None:
    """Write OpenFst's text form; state 0 begins."""
    by_source: dict[int, list[Arc]] = defaultdict(list)
    for arc in arcs:
        by_source[arc[0]].append(arc)
    with path.open("w", encoding="ascii") as file:
        for source in sorted({*by_source, *final}):
            for _, ilabel, olabel, cost, target in by_source[source]:
                file.write(f"{source} {target} {ilabel} {olabel} {cost:.6g}\n")
            if source in final:
                file.write(f"{source} {final[source]:.6g}\n")


def build(
    lexicon: Mapping[str, Sequence[tuple[str, ...]]], folder: Path
) -> tuple[dict[str, int], dict[int, int]]:
    """Write ``HCLr.fst``, ``relabel`` and the phone files into ``folder``.

    Returns:
        Word ids before relabelling, and the relabelling: lookahead permutes the words' ids, and
        everything that meets them (Gr.fst, words.txt) must use the new ones.
    """
    words = ["<eps>", *sorted(lexicon), "#0", "<s>", "</s>"]
    ids = {word: number for number, word in enumerate(words)}
    transitions = Transitions()
    fst, disambiguation = _pronouncing(lexicon, ids)
    kaldifst.determinize_star(fst, use_log=False)
    fst, marks = _sounding(fst, disambiguation, transitions)
    kaldifst.determinize_star(fst, use_log=False)
    arcs, final = _with_loops(fst, marks)
    write(arcs, final, folder / "HCL.txt")
    run(
        "fstcompile HCL.txt | fstarcsort --sort_type=olabel"
        " | fstconvert --fst_type=olabel_lookahead --save_relabel_opairs=relabel > HCLr.fst"
        " && rm HCL.txt",
        folder,
    )
    pairs = (line.split() for line in (folder / "relabel").read_text().splitlines())
    (folder / "disambig_tid.int").write_text("".join(f"{mark}\n" for mark in marks))
    (folder / "phones").mkdir(exist_ok=True)
    kinds = {"B": "begin", "E": "end", "I": "internal", "S": "singleton"}
    (folder / "phones" / "word_boundary.int").write_text(
        "".join(
            f"{number} {kinds[phone[-1]] if '_' in phone else 'nonword'}\n"
            for number, phone in enumerate(PHONES[1:], start=1)
        )
    )
    return ids, {int(old): int(new) for old, new in pairs}
