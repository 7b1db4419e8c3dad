"""Weights to go on from, read out of a house voice's ONNX file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from acoustic import Acoustic
from onnx import numpy_helper
from torch import Tensor


def weights_of(voice: Path) -> dict[str, Tensor]:
    """Return the state of an `Acoustic` that speaks as ``voice`` does.

    The exporter keeps the names of vectors but not those of matrices; these stand in the
    graph in the order in which they are used, which is the order of the layers.
    """
    graph = onnx.load(voice).graph
    stored = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    for node in graph.node:  # half precision is widened when the voice is loaded
        if node.op_type == "Cast" and node.input[0] in stored:
            stored[node.output[0]] = stored[node.input[0]].astype(np.float32)
    matrices = iter(
        stored[node.input[1]].T
        for node in graph.node
        if node.op_type == "MatMul" and node.input[1] in stored and "voc." not in node.input[1]
    )
    net = Acoustic()
    state = {}
    for name, parameter in net.state_dict().items():
        value = stored[f"net.{name}"] if f"net.{name}" in stored else next(matrices, None)
        if value is None or value.shape != tuple(parameter.shape):
            raise SystemExit(f"{voice} has another shape than this recipe's voice: {name}.")
        state[name] = torch.tensor(value, dtype=torch.float32)
    return state
