"""Files of cases: read with their mistakes named by line and remedy, and described for editors."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from agent.errors import CaseError
from agent.evaluate.case import Caller, Case, CaseFile, Persona, ToolUse, Turn, World
from agent.settings import CHECKOUT

CASES: Final = CHECKOUT / "evals" / "cases"
SCHEMA: Final = CHECKOUT / "evals" / "cases.schema.json"
"""For editors: ``# yaml-language-server: $schema=../cases.schema.json`` at a file's top."""
GUIDE: Final = "See docs/cases.md."


@dataclass(frozen=True, slots=True)
class Loaded:
    """Cases, and what could not be read; one mistake loses one case, or one file.

    Attributes:
        cases: In the order of their files' names.
        errors: Each names file, line and remedy.
    """

    cases: tuple[Case, ...]
    errors: tuple[CaseError, ...] = ()


def load_cases(paths: Sequence[Path] = (CASES,)) -> tuple[Case, ...]:
    """Read the cases in files and folders, in the order of their names.

    Raises:
        CaseError: A file can't be read, or is wrong; the message names file, line and remedy.
    """
    loaded = read_cases(paths)
    if loaded.errors:
        raise loaded.errors[0]
    return loaded.cases


def read_cases(paths: Sequence[Path] = (CASES,)) -> Loaded:
    """Read the cases in files and folders; what is wrong is told, the rest is there.

    Raises:
        CaseError: A folder holds no file of cases.
    """
    cases: dict[str, Case] = {}
    errors: list[CaseError] = []
    for path in _files(paths):
        try:
            loaded = _read(path)
        except CaseError as error:
            errors.append(error)
            continue
        errors += loaded.errors
        for case in loaded.cases:
            if case.case in cases:
                errors.append(
                    CaseError(f"{path}: the name {case.case!r} is used twice.", remedy=GUIDE)
                )
            cases.setdefault(case.case, case)
    return Loaded(tuple(cases.values()), tuple(errors))


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
        if not files:
            raise CaseError(f"{path}: there is no .yaml file in it.", remedy=GUIDE)
        found += [file for file in files if file not in found]
    return found


def _read(path: Path) -> Loaded:
    root = _compose(path)
    data = _plain(path, root)
    errors: list[CaseError] = []
    numbers = list(range(len(data["cases"]))) if _has_cases(data) else []
    while True:
        try:
            file = CaseFile.model_validate(data)
            break
        except ValidationError as error:
            first = error.errors()[0]
            place = first["loc"]
            index = place[1] if len(place) > 1 and place[0] == "cases" else None
            if isinstance(index, int):
                # Its place in the file, of which some cases are left out by now.
                place = ("cases", numbers[index], *place[2:])
            told = _told(path, root, first, place)
            if not isinstance(index, int) or len(numbers) == 1:
                raise (errors or [told])[0] from error
            errors.append(told)
            del data["cases"][index], numbers[index]
    cases = []
    for number, case in zip(numbers, file.cases, strict=True):
        recording = case.caller.recording
        if recording and not (path.parent / recording).is_file():
            line = _line(root, ("cases", number, "caller", "recording"))
            errors.append(
                CaseError(
                    f"{path}:{line}: {case.case}: there is no recording {recording}.",
                    remedy="Put it there, or promote the call again with --audio.",
                )
            )
            continue
        if recording:
            caller = case.caller.model_copy(update={"recording": str(path.parent / recording)})
            case = case.model_copy(update={"caller": caller})
        cases.append(case)
    return Loaded(tuple(cases), tuple(errors))


def _has_cases(data: Any) -> bool:
    return isinstance(data, dict) and isinstance(data.get("cases"), list)


def _compose(path: Path) -> yaml.Node | None:
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CaseError(
            f"{path}: can't be read ({error.strerror}).", remedy="Name a file or folder of cases."
        ) from error
    except UnicodeDecodeError as error:
        raise CaseError(f"{path}: is not UTF-8.", remedy="Save it as UTF-8.") from error
    try:
        return yaml.compose(source, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or str(error)
        raise CaseError(
            f"{path}:{line}: is no YAML: {problem}.",
            remedy="Mind the indentation; put words with ': ' or ' #' in quotes.",
        ) from error


def _told(
    path: Path, root: yaml.Node | None, first: Any, place: tuple[int | str, ...]
) -> CaseError:
    """Return what a person should know of pydantic's ``first`` error."""
    where = ".".join(str(part) for part in place) or "file"
    message = first["msg"].removeprefix("Value error, ")
    remedy = GUIDE
    if first["type"] == "extra_forbidden":
        key = str(place[-1])
        message = f"there is no key {key!r}"
        near = difflib.get_close_matches(key, _KEYS, 1)
        remedy = f"Did you mean {near[0]}?" if near else GUIDE
    elif first["type"] == "missing":
        message = "is missing"
    return CaseError(f"{path}:{_line(root, place)}: {where}: {message}.", remedy=remedy)


_KEYS: Final = sorted(
    {
        key
        for part in (CaseFile, Case, World, Turn, ToolUse, Caller, Persona)
        for key in part.model_fields
    }
)


def case_schema() -> dict[str, Any]:
    """Return the JSON Schema of a file of cases, for editors; published in ``SCHEMA``.

    It is looser than the reader: what a move, a step or a number is, only the reader checks.
    """
    schema = CaseFile.model_json_schema()
    schema["properties"]["world"] = {"$ref": "#/$defs/World"}
    titled = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return dict(_scalars_as_text(titled))


def _scalars_as_text(node: Any) -> Any:
    """Let texts stand without quotes: ``yes``, ``7`` and ``7:30`` are the words they look like."""
    if isinstance(node, dict):
        scalar = node.get("type") in ("string", "integer", "number", "boolean")
        if scalar and "enum" not in node:
            kept = {key: node[key] for key in ("title", "default") if key in node}
            return {**kept, "type": ["string", "number", "boolean"]}
        loose = {key: _scalars_as_text(value) for key, value in node.items()}
        for key in {"tool"} & loose.keys():
            loose[key] = {"anyOf": [{"$ref": "#/$defs/ToolUse"}, loose[key]]}
        return loose
    if isinstance(node, list):
        return [_scalars_as_text(value) for value in node]
    return node


def _plain(path: Path, node: yaml.Node | None) -> Any:
    """Return a node as texts, lists and dicts; every scalar is text."""
    match node:
        case yaml.MappingNode():
            found: dict[str, Any] = {}
            for key, value in node.value:
                if key.value in found:
                    raise CaseError(
                        f"{path}:{key.start_mark.line + 1}: {key.value!r} is there twice.",
                        remedy="Keep one of them.",
                    )
                found[key.value] = _plain(path, value)
            return found
        case yaml.SequenceNode():
            return [_plain(path, one) for one in node.value]
        case yaml.ScalarNode():
            return str(node.value)
        case _:
            return {}


def _line(node: yaml.Node | None, location: Sequence[int | str]) -> int:
    """Return the 1-based line that ``location``, a pydantic error's path, leads to."""
    line = node.start_mark.line if node is not None else 0
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == part), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
    return line + 1
