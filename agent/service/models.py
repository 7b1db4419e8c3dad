"""The models that can be fetched: what the catalogues offer, and how one gets here whole.

A catalogue is ``stt_models/catalog.toml``, ``tts_models/catalog.toml`` or
``llm_models/catalog.toml``. A fetched model lies in ``<home>/models/<kind>/<name>`` with a
``pickup-model.json`` that says where it came from. Until it is whole and checked it lies
in a hidden folder beside that, so nobody ever loads half a model.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.errors import SetupError
from agent.service.download import fetch
from agent.service.model_check import CHECKS
from agent.settings import CHECKOUT

FOLDERS: Final = {"ear": "stt_models", "mouth": "tts_models", "mind": "llm_models"}
"""Where each kind's catalogue and shipped models lie."""

SETTINGS: Final = {"ear": "models.ear", "mouth": "models.mouth", "mind": "models.decide"}
"""The setting that names a fetched model of each kind."""

MANIFEST: Final = "pickup-model.json"

FileProgress = Callable[[str, int, int | None], None]
"""Called with a file's name, its bytes here, and its bytes in all (None: unknown)."""


class File(BaseModel):
    """One file of a model, as the catalogue knows it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    bytes: int | None = Field(None, gt=0)

    @property
    def name(self) -> str:
        """The file's own name: the end of its address."""
        return self.url.rpartition("/")[2]


class Model(BaseModel):
    """One entry of a catalogue. Further keys are for people to read."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    licence: str
    ships: bool = False
    folder: str | None = None
    url: str | None = Field(None, description="one file, or a zip with the model in it")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    files: tuple[File, ...] = ()
    megabytes: float | None = None
    note: str = ""

    @model_validator(mode="after")
    def _has_a_source(self) -> Model:
        if not (self.ships or self.url or self.files):
            raise ValueError("an entry ships, or has a url, or files")
        return self

    @property
    def sources(self) -> tuple[File, ...]:
        """What has to be fetched."""
        return self.files or ((File(url=self.url, sha256=self.sha256),) if self.url else ())


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is here.

    Attributes:
        path: What the kind's setting (`SETTINGS`) must name.
        unverified: Files for which the catalogue had no checksum.
        was_here: True if nothing had to be fetched.
    """

    path: Path
    unverified: tuple[str, ...]
    was_here: bool


def catalogue(checkout: Path = CHECKOUT) -> list[Model]:
    """Return all entries of the catalogues that exist, in the order ear, mouth, mind.

    Raises:
        SetupError: a catalogue can't be read; the message names the entry.
    """
    models: list[Model] = []
    for kind, folder in FOLDERS.items():
        path = checkout / folder / "catalog.toml"
        if not path.exists():
            continue
        try:
            entries = tomllib.loads(path.read_text("utf-8")).get("models", [])
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SetupError(f"{path} can't be read ({error}).", remedy="Correct it.") from error
        for entry in entries:
            try:
                models.append(Model(kind=kind, **entry))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"])) or "the entry"
                raise SetupError(
                    f"{path}, {entry.get('name', 'no name')}: {where}: {first['msg']}.",
                    remedy="Correct the catalogue.",
                ) from error
    return models


def find(name: str, models: list[Model]) -> Model:
    """Return the entry with this name, or ``kind/name`` where two kinds share one.

    Raises:
        SetupError: there is none, or more than one.
    """
    found = [model for model in models if name in {model.name, f"{model.kind}/{model.name}"}]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{model.kind}/{model.name}" for model in found or models)
    raise SetupError(
        f"{len(found) or 'No'} models are called {name}.", remedy=f"Choose one of: {names}."
    )


def place(model: Model, home: Path, checkout: Path = CHECKOUT) -> Path:
    """Return the folder in which the model lies or would lie."""
    if model.ships:
        return checkout / FOLDERS[model.kind] / (model.folder or model.name)
    return home / "models" / model.kind / model.name


def is_here(model: Model, home: Path, checkout: Path = CHECKOUT) -> bool:
    """Tell whether the model ships or was pulled whole."""
    folder = place(model, home, checkout)
    return folder.is_dir() if model.ships else (folder / MANIFEST).is_file()


def pull(
    model: Model, home: Path, on_progress: FileProgress = lambda _name, _there, _all: None
) -> Pulled:
    """Fetch a model, check it, and put it in its place in one step.

    Raises:
        SetupError: the place is taken by something else, a file can't be fetched or isn't
            what it should be, or all together are no model. What arrived well stays for
            the next try.
    """
    target = place(model, home)
    check = CHECKS[model.kind]
    if model.ships:
        return Pulled(target, (), was_here=True)
    if target.exists():
        if not (target / MANIFEST).is_file():
            raise SetupError(
                f"{target} is there, but was not put there by pickup.",
                remedy="Move it away, or name it in the settings if it is a model of yours.",
            )
        manifest = json.loads((target / MANIFEST).read_text("utf-8"))
        return Pulled(check(target), tuple(manifest["unverified"]), was_here=True)
    part = target.with_name(f".{target.name}.part")
    part.mkdir(parents=True, exist_ok=True)
    sums: dict[str, str] = {}
    unverified: list[str] = []
    for source in model.sources:
        fetched = fetch(
            source.url,
            part / source.name,
            sha256=source.sha256,
            size=source.bytes,
            on_progress=partial(on_progress, source.name),
        )
        sums[source.name] = fetched.sha256
        if not fetched.verified:
            unverified.append(source.name)
    manifest = {
        "name": model.name,
        "licence": model.licence,
        "from": [source.url for source in model.sources],
        "sha256": sums,
        "unverified": unverified,
    }
    _settle(part, target, check, manifest)
    return Pulled(check(target), tuple(unverified), was_here=False)


def copy_in(model: Model, source: Path, home: Path) -> Pulled:
    """Put a model that came by other means (a stick, another machine) in its place.

    Args:
        model: The catalogue's entry it is a copy of.
        source: The publisher's zip file, or the unpacked folder; it stays as it is.
        home: Pickup's home folder.

    Raises:
        SetupError: there is nothing at ``source``, the place is taken, a file isn't what the
            catalogue means, or it is no model.
    """
    target = place(model, home)
    if model.ships or target.exists():
        raise SetupError(f"{model.name} is here already: {target}.", remedy="Nothing to be done.")
    if not source.exists():
        raise SetupError(f"There is nothing at {source}.", remedy="Check the name.")
    known = {wanted.name: wanted.sha256 for wanted in model.sources}
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    if source.is_dir():
        shutil.copytree(source, part, dirs_exist_ok=True)
    else:
        shutil.copy(source, part / source.name)
    sums = {name: _sha256(part / name) for name in known if (part / name).is_file()}
    wrong = [name for name, found in sums.items() if known[name] not in {None, found}]
    if wrong:
        shutil.rmtree(part)
        raise SetupError(
            f"{wrong[0]} isn't the file the catalogue means: its sha256 is {sums[wrong[0]]}.",
            remedy="Copy it again, or change the catalogue if the publisher made a new one.",
        )
    unverified = [name for name in known if known[name] is None or name not in sums]
    manifest: dict[str, object] = {
        "name": model.name,
        "licence": model.licence,
        "from": [str(source)],
        "sha256": sums,
        "unverified": unverified,
    }
    _settle(part, target, CHECKS[model.kind], manifest)
    return Pulled(CHECKS[model.kind](target), tuple(unverified), was_here=False)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _settle(
    part: Path, target: Path, check: Callable[[Path], Path], manifest: dict[str, object]
) -> None:
    """Unpack, check, and give the folder its name; remove what is no model."""
    ready = part
    try:
        archives = list(part.glob("*.zip"))
        if archives:
            ready = _unpack(archives[0], part / "unpacked")
        check(ready)
    except SetupError:
        shutil.rmtree(part)
        raise
    with (ready / MANIFEST).open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    ready.replace(target)
    shutil.rmtree(part, ignore_errors=True)


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack a zip and return the model's folder in it: the only one, or the top."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as file:
            for member in file.infolist():
                inside = (folder / member.filename).resolve()
                if not inside.is_relative_to(folder.resolve()):
                    raise SetupError(
                        f"{archive.name} wants to write outside its folder ({member.filename}).",
                        remedy="Don't use this archive.",
                    )
            # Every member was looked at above.
            file.extractall(folder)
    except (zipfile.BadZipFile, EOFError) as error:
        raise SetupError(
            f"{archive.name} is no zip file ({error}).",
            remedy="Look at the address in the catalogue; a web page saved as a zip is usual.",
        ) from error
    top = list(folder.iterdir())
    return top[0] if len(top) == 1 and top[0].is_dir() else folder
