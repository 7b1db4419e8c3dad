"""Writes the net and its transition model as Kaldi's ``final.mdl``, without Kaldi, and reads it."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from corpus import CONTEXTS
from features import CEPSTRA
from learning import State
from model import FUTURE, PAST, SPANS, SPLICE, WIDTH
from numpy.typing import ArrayLike, NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from phones import BASES, LOOP, NOISE, PHONES, SILENCE, base_of

PRIOR_FRAMES: Final = 1e5
"""Weight of the global mean in ``global_cmvn.stats``; Kaldi scales it down itself."""

STEPS: Final = 65_535
"""Between a matrix's least and greatest value."""

TYPICAL: Final = 20.0
"""About the deviation of a cepstrum without its mean."""


def _word(name: str) -> bytes:
    return name.encode() + b" "


def _int(value: int) -> bytes:
    return b"\x04" + struct.pack("<i", value)


def _float(value: float) -> bytes:
    return b"\x04" + struct.pack("<f", value)


def _double(value: float) -> bytes:
    return b"\x08" + struct.pack("<d", value)


def _packed(*parts: str | bytes | int | float) -> bytes:
    """Return words, numbers and what is packed already, one after the other."""
    out = b""
    for part in parts:
        if isinstance(part, bytes):
            out += part
        elif isinstance(part, str):
            out += _word(part)
        else:
            out += _int(part) if isinstance(part, int) else _float(part)
    return out


def _ints(values: Iterable[int]) -> bytes:
    array = np.fromiter(values, "<i4")
    return b"\x04" + struct.pack("<i", len(array)) + array.tobytes()


def _vector(values: ArrayLike) -> bytes:
    array = np.asarray(values, "<f4")
    return b"FV " + _int(len(array)) + array.tobytes()


def _matrix(values: ArrayLike) -> bytes:
    """Return a matrix of two bytes a value (Kaldi's CompressedMatrix): half the size."""
    array = np.asarray(values, np.float64)
    least, span = float(array.min()), float(np.ptp(array))
    steps = np.round((array - least) / span * STEPS).astype("<u2")
    return b"CM2 " + struct.pack("<ffii", least, span, *array.shape) + steps.tobytes()


def tuples() -> list[tuple[int, int, int, int]]:
    """Return phone, state, entering pdf and staying pdf of every state, in Kaldi's order."""
    pdfs: dict[tuple[int, int], int] = {}
    for base, name in enumerate(BASES):
        for context in [0] if name in {SILENCE, NOISE} else range(CONTEXTS):
            pdfs[context, base] = 2 * len(pdfs)
    return sorted(
        (phone, 0, pdf, pdf + 1)
        for phone in range(1, len(PHONES))
        for (_, base), pdf in pdfs.items()
        if base == base_of(phone)
    )


def transition_model() -> bytes:
    """Return the transitions: one state a phone, entered once, then stayed in."""
    phones = len(PHONES)
    states = tuples()
    chances = np.zeros(2 * len(states) + 1, np.float32)
    chances[1::2], chances[2::2] = np.log(LOOP), np.log(1 - LOOP)
    numbers = [number for state in states for number in state]
    return _packed(
        *("<TransitionModel>", "<Topology>"),
        *(_ints(range(1, phones)), _ints([-1] + [0] * (phones - 1))),
        *(-1, 1, 2),  # entering and staying have pdfs of their own; one topology of two states
        *(0, 1, 2, 0, LOOP, 1, 1 - LOOP),
        *(-1, -1, 0, "</Topology>"),
        *("<Tuples>", len(states), *numbers, "</Tuples>"),
        *("<LogProbs>", _vector(chances), "</LogProbs>", "</TransitionModel>"),
    )


def _affine(weights: ArrayLike, bias: ArrayLike) -> bytes:
    return _packed(
        *("<AffineComponent>", "<LearningRate>", 0.001),
        *("<LinearParams>", _matrix(weights), "<BiasParams>", _vector(bias)),
        "</AffineComponent>",
    )


def _nonlinear(kind: str, width: int) -> bytes:
    nothing, zero = _vector([]), _double(0)
    return _packed(
        *(f"<{kind}>", "<Dim>", width),
        *("<ValueAvg>", nothing, "<DerivAvg>", nothing, "<Count>", zero),
        *("<OderivRms>", nothing, "<OderivCount>", zero),
        *("<NumDimsSelfRepaired>", zero, "<NumDimsProcessed>", zero),
        f"</{kind}>",
    )


def _norm(norm: torch.nn.BatchNorm1d) -> bytes:
    mean, variance = norm.state_dict()["running_mean"], norm.state_dict()["running_var"]
    return _packed(
        *("<BatchNormComponent>", "<Dim>", WIDTH, "<BlockDim>", WIDTH),
        *("<Epsilon>", norm.eps, "<TargetRms>", 1.0, "<TestMode>", b"F", "<Count>", 1000.0),
        *("<StatsMean>", _vector(mean), "<StatsVar>", _vector(variance)),
        "</BatchNormComponent>",
    )


def _sum() -> bytes:
    return _packed("<NoOpComponent>", "<Dim>", WIDTH, "<BackpropScale>", 1.0, "</NoOpComponent>")


class _Net:
    """The net as a list of nodes, each with its component."""

    def __init__(self) -> None:
        self.lines = [f"input-node name=input dim={CEPSTRA}"]
        self.components: list[tuple[str, bytes]] = []

    def node(self, name: str, source: str, component: bytes) -> str:
        self.lines.append(f"component-node name={name} component={name} input={source}")
        self.components.append((name, component))
        return name

    def bytes(self, last: str) -> bytes:
        lines = [*self.lines, f"output-node name=output input={last} objective=linear"]
        out = _word("<Nnet3>") + b"\n" + "".join(f"{line}\n" for line in lines).encode() + b"\n"
        out += _word("<NumComponents>") + _int(len(self.components))
        for name, component in self.components:
            out += _word("<ComponentName>") + _word(name) + component
        return out + _word("</Nnet3>")


def _append(source: str, offsets: Iterable[int]) -> str:
    parts = [source if o == 0 else f"Offset({source}, {o})" for o in offsets]
    return parts[0] if len(parts) == 1 else f"Append({', '.join(parts)})"


def _numpy(values: torch.Tensor) -> np.ndarray:
    return values.detach().double().numpy()


def network(state: State) -> bytes:
    """Return the net; the features' normalisation is folded into its first layer."""
    net, out = state.net, _Net()
    spliced = 2 * SPLICE + 1
    weights = _numpy(net.first.weight) / np.tile(_numpy(state.deviation), spliced)
    bias = _numpy(net.first.bias) - weights @ np.tile(_numpy(state.mean), spliced)
    here = out.node("first", _append("input", range(-SPLICE, SPLICE + 1)), _affine(weights, bias))
    here = out.node("first.relu", here, _nonlinear("RectifiedLinearComponent", WIDTH))
    here = out.node("first.norm", here, _norm(net.first_norm))
    for number, (layer, (past, future)) in enumerate(zip(net.layers, SPANS, strict=True), start=1):
        into = here
        here = out.node(
            f"l{number}.affine",
            _append(into, [-past, 0, future]),
            _affine(_numpy(layer.affine.weight), _numpy(layer.affine.bias)),
        )
        here = out.node(f"l{number}.relu", here, _nonlinear("RectifiedLinearComponent", WIDTH))
        here = out.node(f"l{number}.norm", here, _norm(layer.norm))
        here = out.node(f"l{number}.sum", f"Sum({here}, {into})", _sum())
    head = net.out if state.sequence else net.frames
    bias = _numpy(head.bias)
    here = out.node("out", here, _affine(_numpy(head.weight), bias))
    if not state.sequence:
        here = out.node("logs", here, _nonlinear("LogSoftmaxComponent", len(bias)))
    return out.bytes(here)


def write(state: State, folder: Path) -> None:
    """Write ``final.mdl`` and ``global_cmvn.stats`` into the model's folder ``am``."""
    folder.mkdir(parents=True, exist_ok=True)
    priors = state.counts / state.counts.sum()
    out = b"\x00B" + transition_model() + network(state)
    out += _word("<LeftContext>") + _int(PAST) + _word("<RightContext>") + _int(FUTURE)
    out += _word("<Priors>") + _vector([] if state.sequence else priors.clamp(min=1e-5).numpy())
    (folder / "final.mdl").write_bytes(out)
    stats = np.zeros((2, CEPSTRA + 1))
    stats[0, :-1] = _numpy(state.prior) * PRIOR_FRAMES
    stats[0, -1], stats[1, :-1] = PRIOR_FRAMES, PRIOR_FRAMES
    head = b"\x00B" + b"DM " + _int(2) + _int(CEPSTRA + 1)
    (folder / "global_cmvn.stats").write_bytes(head + stats.astype("<f8").tobytes())


def _values(data: bytes, mark: str, at: int) -> tuple[NDArray[np.float32], int]:
    """Return the matrix or vector behind the next ``mark``, and where it ends."""
    at = data.index(_word(mark), at) + len(_word(mark))
    if data[at : at + 4] == b"CM2 ":
        least, span, rows, columns = struct.unpack("<ffii", data[at + 4 : at + 20])
        end = at + 20 + 2 * rows * columns
        steps = np.frombuffer(data[at + 20 : end], "<u2").reshape(rows, columns)
        return least + np.float32(span / STEPS) * steps, end
    (size,) = struct.unpack("<i", data[at + 4 : at + 8])
    end = at + 8 + 4 * size
    return np.frombuffer(data[at + 8 : end], "<f4").copy(), end


def read(folder: Path) -> State:
    """Return the net in a model's folder ``am``, made by ``write``, to go on training it.

    Its first layer has the features' mean and deviation folded in; here they are a typical
    call's, so that the layer learns as the others do.
    """
    data = (folder / "final.mdl").read_bytes()
    stats = np.frombuffer(
        (folder / "global_cmvn.stats").read_bytes()[-8 * 2 * (CEPSTRA + 1) :], "<f8"
    )
    prior = torch.from_numpy(stats[:CEPSTRA] / stats[CEPSTRA]).float()
    mean, deviation = torch.zeros(CEPSTRA), torch.full((CEPSTRA,), TYPICAL)
    state = State(prior, mean, deviation)
    at = data.index(_word("<NumComponents>"))
    layers = [f"layers.{number}" for number in range(len(SPANS))]
    affines = ["first", *(f"{layer}.affine" for layer in layers), "out"]
    norms = ["first_norm", *(f"{layer}.norm" for layer in layers)]
    kept: dict[str, torch.Tensor] = {}
    for number, affine in enumerate(affines):
        named = [("<LinearParams>", f"{affine}.weight"), ("<BiasParams>", f"{affine}.bias")]
        if number < len(norms):
            named.append(("<StatsMean>", f"{norms[number]}.running_mean"))
            named.append(("<StatsVar>", f"{norms[number]}.running_var"))
        for mark, name in named:
            values, at = _values(data, mark, at)
            kept[name] = torch.from_numpy(np.asarray(values, np.float32))
    kept["first.weight"] *= deviation.repeat(2 * SPLICE + 1)
    state.net.load_state_dict(state.net.state_dict() | kept)
    state.sequence = True
    return state
