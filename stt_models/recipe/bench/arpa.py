"""The house model's own language model as ARPA text, for another recogniser to use."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from agent.ear.fst import Fst, read

BEGIN, END = "<s>", "</s>"


def write_arpa(graph: Path, out: Path) -> list[str]:
    """Write the grammar of ``graph`` (``Gr.fst``, ``words.txt``) as ARPA; return its words."""
    lines = (graph / "words.txt").read_text(encoding="utf-8").splitlines()
    words = {int(number): word for word, number in (line.split() for line in lines)}
    fst = read(graph / "Gr.fst")
    histories = _histories(fst, words)
    grams: dict[int, dict[tuple[str, ...], tuple[float, float]]] = {1: {}, 2: {}, 3: {}}
    state_of = {history: state for state, history in histories.items()}
    weights = {state: _back_off(fst, state) for state in histories}
    for state, history in histories.items():
        for label, _, cost, _ in _arcs(fst, state):
            if label:
                gram = (*history, words[label])
                follower = state_of.get(gram)
                grams[len(gram)][gram] = (cost, weights[follower] if follower is not None else 0.0)
        if math.isfinite(fst.final[state]):
            grams[len(history) + 1][(*history, END)] = (float(fst.final[state]), 0.0)
    grams[1][(BEGIN,)] = (99 * math.log(10), weights[0])
    with out.open("w", encoding="utf-8") as file:
        file.write("\\data\\\n")
        file.writelines(f"ngram {n}={len(table)}\n" for n, table in grams.items())
        for n, table in grams.items():
            file.write(f"\n\\{n}-grams:\n")
            for gram, (cost, weight) in sorted(table.items()):
                tail = f"\t{-weight / math.log(10):.4f}" if n < 3 else ""
                file.write(f"{-cost / math.log(10):.4f}\t{' '.join(gram)}{tail}\n")
        file.write("\n\\end\\\n")
    return sorted(words[number] for number in words if number)


def _arcs(fst: Fst, state: int) -> Iterator[tuple[int, int, float, int]]:
    for row in fst.arcs[fst.first[state] : fst.first[state + 1]]:
        yield int(row["ilabel"]), int(row["olabel"]), float(row["cost"]), int(row["to"])


def _back_off(fst: Fst, state: int) -> float:
    """Return the cost of the arc without a word to a shorter history."""
    costs = [cost for label, _, cost, to in _arcs(fst, state) if not label and to != fst.start]
    return costs[0] if costs else 0.0


def _histories(fst: Fst, words: dict[int, str]) -> dict[int, tuple[str, ...]]:
    """Return the words that each state remembers: how many, its chain of back-offs tells."""
    shorter = {
        state: next(
            (to for label, _, _, to in _arcs(fst, state) if not label and to != fst.start), None
        )
        for state in range(len(fst.final))
    }

    def depth(state: int) -> int:
        longer = shorter[state]
        return 0 if longer is None else 1 + depth(longer)

    histories: dict[int, tuple[str, ...]] = {fst.start: (BEGIN,)}
    waiting = [fst.start]
    for state in waiting:  # grows while it is read
        for label, _, _, to in _arcs(fst, state):
            if to in histories:
                continue
            said = (*histories[state], words[label]) if label else histories[state]
            histories[to] = said[len(said) - depth(to) :]
            waiting.append(to)
    return histories
