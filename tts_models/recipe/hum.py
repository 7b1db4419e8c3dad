"""Make the tiny voices of tests/unit/piper_voices: the shapes of real Piper voices, nothing else.

A voice hums: one tone, by speaker 440, 660, 880 Hz …, as long as the number of ids times 512
samples times the length scale. Inputs and outputs are those of Piper's own exporter
(``input``, ``input_lengths``, ``scales``, for several speakers ``sid``; ``output`` [batch, 1, 1,
samples]). The tests use the files as they are and need no ``onnx`` package.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper, save

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "unit" / "piper_voices"


def voice(rate: int, speakers: int) -> ModelProto:
    """Return a humming voice."""
    nodes = []

    def node(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    constants = {
        "zero": np.array(0.0, np.float32),
        "one": np.array(1.0, np.float32),
        "first": np.array([0], np.int64),
        "length_scale": np.array([1], np.int64),
        "hop": np.array([512.0], np.float32),
        "loud": np.array(0.3, np.float32),
        "turn": np.array(2 * math.pi / rate, np.float32),
        "shape": np.array([1, 1, 1, -1], np.int64),
        "tones": np.array([440.0 + 220 * at for at in range(speakers)], np.float32),
        "flat": np.array([], np.int64),
    }
    node("Cast", ["input_lengths"], "ids", to=TensorProto.FLOAT)
    node("Gather", ["scales", "length_scale"], "slow")
    node("Mul", ["ids", "hop"], "plain")
    node("Mul", ["plain", "slow"], "long")
    node("Reshape", ["long", "flat"], "samples")
    node("Range", ["zero", "samples", "one"], "time")
    node("Gather", ["tones", "sid" if speakers > 1 else "first"], "tone")
    node("Mul", ["time", "turn"], "angle")
    node("Mul", ["angle", "tone"], "phase")
    node("Sin", ["phase"], "wave")
    node("Mul", ["wave", "loud"], "hum")
    node("Reshape", ["hum", "shape"], "output")
    integer, real = TensorProto.INT64, TensorProto.FLOAT
    inputs = [
        helper.make_tensor_value_info("input", integer, ["batch", "phonemes"]),
        helper.make_tensor_value_info("input_lengths", integer, ["batch"]),
        helper.make_tensor_value_info("scales", real, [3]),
    ]
    if speakers > 1:
        inputs.append(helper.make_tensor_value_info("sid", integer, ["batch"]))
    # The ids themselves don't change the hum, but a graph must use its inputs.
    node("Shape", ["input"], "unused")
    graph = helper.make_graph(
        nodes,
        "hum",
        inputs,
        [helper.make_tensor_value_info("output", real, ["batch", 1, 1, "time"])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    checker.check_model(model)
    return model


if __name__ == "__main__":
    save(voice(16_000, 1), FOLDER / "low.onnx")
    save(voice(22_050, 1), FOLDER / "medium.onnx")
    save(voice(22_050, 3), FOLDER / "medium-speakers.onnx")
