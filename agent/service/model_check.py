"""Does a folder hold a model that the ear, the mouth or the mind can use? With the reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from agent.ear.layout import check_model
from agent.errors import EarError, SetupError

_PIPER_INPUTS: Final = {"input", "input_lengths", "scales"}
_PHONEME_TYPES: Final = {"espeak", "text"}
"""What a Pickup without extra packages can phonemize; Piper itself knows more."""


def check_ear(path: Path) -> Path:
    """Return the Vosk model's folder at ``path``.

    Raises:
        SetupError: it is none; the message says why.
    """
    try:
        check_model(path)
    except EarError as error:
        raise SetupError(str(error.args[0]), remedy=error.remedy) from error
    return path


def check_mouth(path: Path) -> Path:
    """Return the ``.onnx`` of the Piper voice at ``path`` (the file, or a folder with one).

    Raises:
        SetupError: it is none; the message says why.
    """
    voices = sorted(path.glob("*.onnx")) if path.is_dir() else [path]
    if len(voices) != 1:
        raise SetupError(
            f"{path} holds {len(voices) or 'no'} .onnx files; a voice is one.",
            remedy="Name the .onnx file itself, or keep each voice in its own folder.",
        )
    voice = voices[0]
    config = _piper_config(voice)
    inputs, outputs = _onnx_names(voice)
    wanted = _PIPER_INPUTS | ({"sid"} if config["num_speakers"] > 1 else set())
    if inputs != wanted or "output" not in outputs:
        raise SetupError(
            f"{voice} is no Piper voice that fits its configuration: it takes "
            f"{', '.join(sorted(inputs))} and gives {', '.join(sorted(outputs))}; "
            f"with {config['num_speakers']} speakers it must take {', '.join(sorted(wanted))} "
            "and give output.",
            remedy="Fetch both files of the same voice again.",
        )
    return voice


def check_mind(path: Path) -> Path:
    """Return the GGUF file at ``path`` (the file, or a folder with one).

    Raises:
        SetupError: it is none; the message says why.
    """
    models = sorted(path.glob("*.gguf")) if path.is_dir() else [path]
    if len(models) != 1:
        raise SetupError(
            f"{path} holds {len(models) or 'no'} .gguf files; a model is one.",
            remedy="Name the .gguf file itself.",
        )
    try:
        with models[0].open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise SetupError(f"{models[0]} can't be read ({error.strerror}).") from error
    if magic != b"GGUF":
        raise SetupError(
            f"{models[0]} is no GGUF file: it begins with {magic!r}.",
            remedy="Fetch it again; a web page saved as a model is the usual reason.",
        )
    return models[0]


CHECKS: Final[Mapping[str, Callable[[Path], Path]]] = {
    "ear": check_ear,
    "mouth": check_mouth,
    "mind": check_mind,
}
"""By the setting (``models.ear`` …) that names such a model."""


def _piper_config(voice: Path) -> dict[str, Any]:
    path = Path(f"{voice}.json")
    remedy = "Fetch NAME.onnx and NAME.onnx.json of the same voice."
    try:
        config = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SetupError(f"{path} can't be read ({error.strerror}).", remedy=remedy) from error
    except ValueError as error:
        raise SetupError(f"{path} is no JSON ({error}).", remedy=remedy) from error
    try:
        rate = config["audio"]["sample_rate"]
        kind = config.get("phoneme_type", "espeak")
        speakers, symbols = config["num_speakers"], config["num_symbols"]
        table = config["phoneme_id_map"]
        if kind == "espeak":
            config["espeak"]["voice"]
    except (KeyError, TypeError, AttributeError) as error:
        raise SetupError(f"{path} lacks {error}.", remedy=remedy) from error
    faults = {
        f"sample_rate is {rate}": not 8000 <= rate <= 48_000,
        f"phoneme_type {kind} needs more than Pickup installs": kind not in _PHONEME_TYPES,
        f"num_speakers is {speakers}": speakers < 1,
        "it has ids beyond num_symbols": any(
            number >= symbols for numbers in table.values() for number in numbers
        ),
        "it lacks the symbols ^ _ $": not {"^", "_", "$"} <= table.keys(),
    }
    for fault, found in faults.items():
        if found:
            raise SetupError(f"{path} doesn't fit: {fault}.", remedy=remedy)
    result: dict[str, Any] = config
    return result


def _onnx_names(voice: Path) -> tuple[set[str], set[str]]:
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            str(voice), options, providers=["CPUExecutionProvider"]
        )
    # onnxruntime raises classes of its own binding, all of them plain Exceptions.
    except Exception as error:
        raise SetupError(
            f"{voice} can't be loaded ({str(error).splitlines()[0]}).",
            remedy="Fetch it again; a web page saved as a model is the usual reason.",
        ) from error
    return {i.name for i in session.get_inputs()}, {o.name for o in session.get_outputs()}
