"""Which files make up the dialplan, and the copy of them that Asterisk reads.

The sysadmin edits ``dialplan/`` and ``<home>/local/``; Asterisk reads the copy in
``<home>/pbx/dialplan``, which changes only by ``pickup dialplan apply`` and at a start. So a file
that is half edited when Asterisk crashes at night is not what answers the phone afterwards.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from agent.service.asterisk_config import Installation, configuration, find_asterisk
from agent.service.dialplan.check import Surroundings, check
from agent.service.dialplan.source import Dialplan, Problem, Reader
from agent.settings import CHECKOUT, Settings

SOURCE: Final = CHECKOUT / "dialplan"
TEMPLATE: Final = CHECKOUT / "asterisk" / "pbx" / "extensions.conf"

NO_DIALPLAN: Final = frozenset({"pjsip.conf", "modules.conf", "manager.conf", "logger.conf"})
"""Files in ``local/`` that Asterisk reads from there, at a start."""


def deployed(settings: Settings) -> Path:
    """Return the folder of the copy that Asterisk reads."""
    return settings.home / "pbx" / "dialplan"


def before(settings: Settings) -> Path:
    """Return the folder of the copy that was in use before the last one."""
    return settings.home / "pbx" / "dialplan.before"


def local(settings: Settings) -> Path:
    """Return the folder of the sysadmin's own files."""
    return settings.home / "local"


def read(
    settings: Settings, found: Installation | None = None, *, source: Path = SOURCE
) -> tuple[Dialplan, Surroundings]:
    """Read the files that the sysadmin edits, and what they are checked against.

    Args:
        settings: The machine's settings.
        found: Which Asterisk; by default the one that set-up chose.
        source: The dialplan's folder.

    Raises:
        SetupError: Asterisk is not set up, or a value can't stand in its configuration.
        RestaurantError: the restaurant file is wrong.
    """
    found = found or find_asterisk()
    own = local(settings)
    texts = configuration("pbx", settings, found, dialplan=source, local=own)
    reader = Reader(lambda path: shown(path, settings))
    plan = reader.read(TEMPLATE, texts["extensions.conf"])
    modules = _loads(texts["modules.conf"]) | _loads(_text(own / "modules.conf"))
    modules -= _unloads(_text(own / "modules.conf"))
    pjsip = texts["pjsip.conf"] + "\n" + _text(own / "pjsip.conf")
    entries = dict.fromkeys(re.findall(r"^\s*context\s*=>?\s*([\w-]+)", pjsip, re.MULTILINE))
    boxes = texts["voicemail.conf"] + "\n" + _text(own / "voicemail.conf")
    return plan, Surroundings(
        modules=frozenset(modules),
        entries=tuple(entries),
        mailboxes=frozenset(_boxes(boxes)),
        phones=frozenset(settings.dial_out.phones),
        dial_out=bool(settings.dial_out.numbers),
        sounds=found.data / "sounds" / "en",
    )


def problems(settings: Settings, *, source: Path = SOURCE) -> list[Problem]:
    """Return everything wrong with the files that the sysadmin edits; raises as :func:`read`."""
    plan, around = read(settings, source=source)
    return check(plan, around)


def put(settings: Settings, *, source: Path = SOURCE) -> None:
    """Copy the edited files to where Asterisk reads them; the copy in use is kept aside.

    Raises:
        OSError: the disk did not take them; what was in use stays.
    """
    target, old = deployed(settings), before(settings)
    draft = target.with_name("dialplan.new")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "local").mkdir(parents=True, mode=0o700)
    for folder, to in ((source, draft), (local(settings), draft / "local")):
        for file in _own(folder):
            shutil.copyfile(file, to / file.name)
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
    draft.rename(target)


def take_back(settings: Settings) -> bool:
    """Put the copy before the last one into use again; False if there is none."""
    target, old = deployed(settings), before(settings)
    if not old.exists():
        return False
    bad = target.with_name("dialplan.refused")
    shutil.rmtree(bad, ignore_errors=True)
    target.rename(bad)
    old.rename(target)
    return True


def changed(settings: Settings, *, source: Path = SOURCE) -> list[str]:
    """Return the files that were edited and are not in use yet, as the sysadmin names them."""
    copy = deployed(settings)
    found = []
    for folder, to in ((source, copy), (local(settings), copy / "local")):
        names = {file.name for file in (*_own(folder), *_own(to))}
        found += [
            shown(folder / name, settings)
            for name in sorted(names)
            if _text(folder / name) != _text(to / name)
        ]
    return found


def shown(path: Path, settings: Settings) -> str:
    """Return ``path`` as the sysadmin knows it."""
    for folder in (CHECKOUT, settings.home.resolve()):
        if path.resolve().is_relative_to(folder):
            return str(path.resolve().relative_to(folder))
    return str(path)


def _own(folder: Path) -> list[Path]:
    return [file for file in folder.glob("*.conf") if file.name not in NO_DIALPLAN]


def _text(path: Path) -> str:
    return path.read_text("utf-8", errors="replace") if path.is_file() else ""


def _loads(text: str) -> set[str]:
    return set(re.findall(r"^\s*load\s*=>?\s*(\S+\.so)", text, re.MULTILINE))


def _unloads(text: str) -> set[str]:
    return set(re.findall(r"^\s*noload\s*=>?\s*(\S+\.so)", text, re.MULTILINE))


def _boxes(text: str) -> set[str]:
    found: set[str] = set()
    section = ""
    for line in text.splitlines():
        bare = line.partition(";")[0].strip()
        if match := re.fullmatch(r"\[([^\]]+)\](?:\(.*\))?", bare):
            section = match[1]
        elif "=>" in bare and section not in ("", "general", "zonemessages"):
            found.add(f"{bare.partition('=>')[0].strip()}@{section}")
    return found
