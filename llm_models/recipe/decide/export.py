r"""Writes the deciding model as GGUF.

    python llm_models/recipe/decide/export.py build/decide/model/weights.npz \
        build/decide/merges.json llm_models/house-decide/decide.gguf --decides open,more

``--decides`` names the questions (`agent.events.Expect`) after which it decides by default:
those after which it was measured to be better than the heads (`compare.py`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

import gguf
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bpe import SPECIAL, Tokenizer

from agent.events import Expect
from agent.mind.decide import DECIDES, NOWHERE, PROMPT, SHORT

HEADS: Final = 8
CONTEXT: Final = 320
CHAT: Final = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
Q8: Final = gguf.GGMLQuantizationType.Q8_0


def write(path: Path, weights: dict[str, np.ndarray], tokens: Tokenizer, decides: str) -> None:
    """Write the model with 8 bits a weight, norms whole."""
    width = weights["last.weight"].shape[0]
    layers = sum(name.endswith(".before.weight") for name in weights)
    kinds = [
        gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL
        for token in tokens.tokens
    ]
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("Pickup house-decide")
    writer.add_license("Apache-2.0")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(weights["blocks.0.narrow.weight"].shape[1])
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens.tokens))
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens.tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(pair) for pair in tokens.merges])
    writer.add_eos_token_id(tokens.number["<|end|>"])
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT)
    writer.add_string(PROMPT, SHORT)
    writer.add_string(DECIDES, decides or NOWHERE)

    def put(name: str, weight: np.ndarray) -> None:
        whole = np.ascontiguousarray(weight.astype(np.float32))
        if whole.ndim == 1:
            writer.add_tensor(f"{name}.weight", whole)
        else:
            writer.add_tensor(f"{name}.weight", gguf.quants.quantize(whole, Q8), raw_dtype=Q8)

    put("token_embd", weights["table.weight"])
    put("output_norm", weights["last.weight"])
    for layer in range(layers):
        ours, theirs = f"blocks.{layer}", f"blk.{layer}"
        put(f"{theirs}.attn_norm", weights[f"{ours}.before.weight"])
        put(f"{theirs}.ffn_norm", weights[f"{ours}.between.weight"])
        for name, part in zip("qkv", np.split(weights[f"{ours}.qkv.weight"], 3), strict=True):
            put(f"{theirs}.attn_{name}", part)
        gate, up = np.split(weights[f"{ours}.wide.weight"], 2)
        put(f"{theirs}.attn_output", weights[f"{ours}.out.weight"])
        put(f"{theirs}.ffn_gate", gate)
        put(f"{theirs}.ffn_up", up)
        put(f"{theirs}.ffn_down", weights[f"{ours}.narrow.weight"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    """Write the file and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("merges", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--decides", default="", help="questions, comma separated; none: never")
    given = parser.parse_args()
    unknown = set(filter(None, given.decides.split(","))) - {str(one) for one in Expect}
    if unknown:
        parser.error(f"no such question: {', '.join(sorted(unknown))}")
    with np.load(given.weights) as file:
        weights = {name: file[name] for name in file.files}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    tokens = Tokenizer([(first, second) for first, second in json.loads(given.merges.read_text())])
    write(given.out, weights, tokens, given.decides)
    print(f"{given.out.name}: {given.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
