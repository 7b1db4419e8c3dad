"""Write the voice as Piper loads it: one ONNX graph and its configuration.

The graph is the acoustic model and the vocoder together, so Piper gets sound from symbols in
one run. Matrices are stored in half precision and widened when the voice is loaded: half
the bytes, the same speed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from acoustic import FRAMES_IN_STEP, LOG_F0, SYMBOLS, VOICED, Acoustic, Bounds, places
from align import STATES
from dataset import Sentence
from onnx import TensorProto, helper, numpy_helper
from teacher import CLUSTERS, HOP, RATE, symbol_ids
from torch import Tensor, nn
from vocoder import Vocoder

NOISE_SCALE = 0.667
"""Piper's default; the voice's noise is as strong as Flite's there."""
LENGTH_SCALE = 1.03
"""Over sentences like those it learned from, durations are right on average; lines with rarer words
came out 2.7 % short."""
_PITCH_RANGE = (60.0, 400.0)
_LAST_FRAMES = 8.0
"""The closing symbol lasts at least 40 ms: the last sound needs that to die away."""
_HALVED = 1000
"""Arrays with more values than this are stored in half precision (the vocoder's are not:
its bases are what keeps noise out of the sound)."""
_STRANGERS = {
    "ɒ": "ɑ", "r": "ɹ", "ɫ": "l", "-": " ", ";": ",", "—": ",", "x": "k", "ɘ": "ə", "ɨ": "ɪ",
    "y": "u", "ø": "ɜ", "œ": "ɛ", "ɲ": "n", "ʎ": "l", "c": "k", "q": "k", "g": "ɡ", "ɝ": "ɚ",
    "β": "v", "ɬ": "l", "(": ",", ")": ",", '"': " ", "'": " ", "a": "æ", "e": "ɛ", "o": "ɔ",
    "ç": "h", "χ": "h", "ħ": "h", "ʍ": "w", "ʉ": "u", "ɵ": "oʊ", "ɯ": "u", "ɤ": "ʌ",
}  # fmt: skip
"""Symbols the training text doesn't have speak as their nearest neighbour."""


class Voice(nn.Module):
    """The whole voice, with Piper's inputs and outputs.

    Args:
        net: What was learned.
        vocoder: What wasn't.
        stretch: Factor on each symbol's duration, [256].
    """

    def __init__(self, net: Acoustic, vocoder: Vocoder, stretch: Tensor) -> None:
        super().__init__()
        self.net, self.voc = net, vocoder
        self.register_buffer("stretch", stretch)

    def forward(
        self, symbols: Tensor, input_lengths: Tensor, scales: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the sound [1, 1, 1, samples] and the frames of each id [1, 1, ids].

        Args:
            symbols: Ids with a pad after each, [1, ids].
            input_lengths: How many of them count, [1].
            scales: Noise, length, and one that is not used, [3].
        """
        ids = symbols[:, : input_lengths[0]][:, ::2]
        wanted = (torch.exp(self.net.time(ids)[0]) - 1).clamp(min=0.0)
        wanted = wanted * (self.stretch[ids[0]] * scales[1])[:, None]
        # Rounding the ends, not the lengths, keeps the sum right.
        ends = torch.round(torch.cumsum(wanted.reshape(-1), 0))
        last = torch.maximum(ends[-1:], ends[-1 - STATES : -STATES] + _LAST_FRAMES)
        ends = torch.cat([ends[:-1], last])
        steps = torch.ceil(ends[-1] / FRAMES_IN_STEP).long()
        middles = float(FRAMES_IN_STEP) * torch.arange(steps) + 0.5
        state = (ends[None] <= middles[:, None]).long().sum(1).clamp(max=ends.shape[0] - 1)
        at = places(middles, state, Bounds.of(ends, self.net.breaks[ids[0]]))
        states = self.net.encode(ids)[0]
        drawn = self.net.decode(states[state][None], at[None])[0]
        values = drawn.reshape(-1, self.net.mean.shape[0]) * self.net.deviation + self.net.mean
        f0 = torch.exp(values[:, LOG_F0]).clamp(*_PITCH_RANGE)
        voiced = (values[:, VOICED] > 0).float()
        noise = torch.randn_like(f0[:, None].expand(-1, HOP)) * (scales[0] / NOISE_SCALE)
        sound = self.voc(f0, voiced, values[:, :LOG_F0], values[:, VOICED + 1 :], noise)
        symbol_ends = ends.reshape(-1, STATES)[:, -1:]
        lengths = symbol_ends - torch.cat([torch.zeros_like(symbol_ends[:1]), symbol_ends[:-1]])
        frames = torch.cat([lengths, torch.zeros_like(lengths)], 1).reshape(-1)[:-1]
        return sound.clamp(-1.0, 1.0)[None, None, None], frames[None, None]


def stretches(net: Acoustic, sentences: Sequence[Sentence]) -> Tensor:
    """Return for each symbol how much longer it really lasts than is predicted, [256].

    Durations are learned as logarithms, where the likeliest is shorter than the mean: without
    this the voice hurries. A rare symbol stays near 1.
    """
    real, drawn = np.zeros(SYMBOLS), np.zeros(SYMBOLS)
    with torch.no_grad():
        for sentence in sentences:
            timing = net.time(torch.from_numpy(sentence.ids)[None])[0]
            np.add.at(real, sentence.ids, sentence.durations.sum(1))
            np.add.at(drawn, sentence.ids, np.maximum(0, torch.expm1(timing).numpy()).sum(1))
    steady = 300.0  # frames
    return torch.tensor(((real + steady) / (drawn + steady)).clip(0.8, 1.4), dtype=torch.float32)


def export(
    net: Acoustic, constants: dict[str, Any], sentences: Sequence[Sentence], out: Path
) -> None:
    """Write ``out`` and ``out.json``.

    Args:
        net: What was learned; changed where it meets symbols it never saw.
        constants: Flite's (`teacher.constants`).
        sentences: Some hundred to learn the durations' factors from.
        out: The ``.onnx``.
    """
    net.eval()
    table = {symbol: ids[0] for symbol, ids in symbol_ids().items()}
    with torch.no_grad():
        for stranger, neighbour in _STRANGERS.items():
            if stranger in table:
                for reader in (net.timer, net.reader):
                    known = reader.embedding.weight[table[neighbour]]
                    reader.embedding.weight[table[stranger]] = known
    voice = Voice(net, Vocoder(constants), stretches(net, sentences)).eval()
    ids = torch.tensor([[1, 0, 20, 0, 59, 0, 24, 0, 3, 0, 54, 0, 35, 0, 2]])
    torch.onnx.export(
        voice,
        (ids, torch.tensor([ids.shape[1]]), torch.tensor([NOISE_SCALE, 1.0, 0.8])),
        str(out),
        input_names=["input", "input_lengths", "scales"],
        output_names=["output", "w_ceil"],
        dynamic_axes={
            "input": {1: "phonemes"},
            "output": {3: "time"},
            "w_ceil": {2: "phonemes"},
        },
        opset_version=17,
        dynamo=False,
    )
    _halve(out)
    Path(f"{out}.json").write_text(json.dumps(configuration(), ensure_ascii=False), "utf-8")


def configuration() -> dict[str, Any]:
    """Return what Piper needs to know of the voice."""
    return {
        "audio": {"sample_rate": RATE, "quality": "low"},
        "espeak": {"voice": "en-us"},
        "phoneme_type": "espeak",
        "num_symbols": SYMBOLS,
        "num_speakers": 1,
        "speaker_id_map": {},
        "inference": {"noise_scale": NOISE_SCALE, "length_scale": LENGTH_SCALE, "noise_w": 0.8},
        "hop_length": HOP,
        "vowel_clusters": [list(cluster) for cluster in CLUSTERS],
        "phoneme_id_map": symbol_ids(),
    }


def _halve(path: Path) -> None:
    """Store the learned matrices in half precision; a Cast widens each when it is loaded."""
    model = onnx.load(path)
    graph = model.graph
    casts = []
    for item in list(graph.initializer):
        array = numpy_helper.to_array(item)
        if array.dtype != np.float32 or array.size <= _HALVED or item.name.startswith("voc."):
            continue
        graph.initializer.remove(item)
        half = numpy_helper.from_array(array.astype(np.float16), f"{item.name}.half")
        graph.initializer.append(half)
        casts.append(helper.make_node("Cast", [half.name], [item.name], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend(casts + nodes)
    onnx.checker.check_model(model)
    onnx.save(model, path)
