"""Instruct models with random weights, in real GGUF: their shape counts, not their sense."""

from pathlib import Path

import gguf
import numpy as np

CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
SPECIAL = ["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]


def byte_alphabet() -> list[str]:
    """Return the characters by which GPT-2's tokenizer writes the bytes 0 to 255."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = (chr(256 + at) for at in range(256))
    return [chr(byte) if byte in plain else next(others) for byte in range(256)]


def instruct_model(
    path: Path, *, chat: str | None = CHAT, width: int = 64, layers: int = 2, seed: int = 0
) -> Path:
    """Write a llama-style model that speaks bytes; more width and layers make it slower."""
    tokens = [*byte_alphabet(), *SPECIAL]
    kinds = [gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * len(SPECIAL)
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(4096)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // 4)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(256)
    writer.add_add_bos_token(False)
    if chat is not None:
        writer.add_chat_template(chat)
    random = np.random.default_rng(seed)

    def tensor(name: str, *shape: int) -> None:
        norm = len(shape) == 1
        writer.add_tensor(
            f"{name}.weight",
            np.ones(shape, np.float32)
            if norm
            else random.standard_normal(shape, dtype=np.float32) * 0.1,
        )

    tensor("token_embd", len(tokens), width)
    tensor("output_norm", width)
    for layer in range(layers):
        block = f"blk.{layer}"
        tensor(f"{block}.attn_norm", width)
        tensor(f"{block}.ffn_norm", width)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"{block}.{name}", width, width)
        tensor(f"{block}.ffn_gate", 2 * width, width)
        tensor(f"{block}.ffn_up", 2 * width, width)
        tensor(f"{block}.ffn_down", width, 2 * width)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
