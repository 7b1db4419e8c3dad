"""Weights to go on from, read out of a house voice's ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from acoustic import Acoustic
from onnx import numpy_helper
from teacher import CLUSTERS, symbol_ids
from torch import Tensor


def weights_of(voice: Path) -> dict[str, Tensor]:
    """Return the state of an `Acoustic` that speaks as ``voice`` does.

    The exporter keeps the names of vectors but not those of matrices; these stand in the
    graph in the order in which they are used, which is the order of the layers. A voice of
    the first recipe knows five of the ten places in a symbol; the others begin at zero. Its
    symbols for clusters begin as the cluster's first sound.
    """
    graph = onnx.load(voice).graph
    stored = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    for node in graph.node:  # half precision is widened when the voice is loaded
        if node.op_type == "Cast" and node.input[0] in stored:
            stored[node.output[0]] = stored[node.input[0]].astype(np.float32)
    acoustic = {name: array for name, array in stored.items() if name.startswith("net.")}
    matrices = iter(
        stored[node.input[1]]
        for node in graph.node
        if node.op_type == "MatMul" and node.input[1] in stored and "voc." not in node.input[1]
    )
    vectors = iter(
        array
        for name, array in acoustic.items()
        if name.split(".")[-1] not in {"mean", "std", "deviation"} and array.ndim == 1
    )
    net = Acoustic()
    state = {}
    for name, parameter in net.named_parameters():
        if name == "embedding.weight":
            value = next(array for array in acoustic.values() if array.ndim == 2)
        elif parameter.ndim == 1:
            value = next(vectors)
        else:
            value = next(matrices).T
            missing = parameter.shape[1] - value.shape[1]
            value = np.pad(value, ((0, 0), (0, missing)))
        if value.shape != tuple(parameter.shape):
            raise SystemExit(f"{voice} has another shape than this recipe's voice: {name}.")
        state[name] = torch.tensor(value, dtype=torch.float32)
    state["mean"] = torch.tensor(acoustic["net.mean"])
    deviation = acoustic.get("net.deviation", acoustic.get("net.std"))
    state["deviation"] = torch.tensor(deviation)
    return state


def name_clusters(state: dict[str, Tensor]) -> None:
    """Let a cluster's symbol begin as its first sound, where the voice never learned it."""
    table = {symbol: ids[0] for symbol, ids in symbol_ids().items()}
    for cluster in sorted(CLUSTERS, key=len):
        first = "aɪ" if cluster == "aɪɚ" else cluster[0]
        state["embedding.weight"][table[cluster]] = state["embedding.weight"][table[first]]
