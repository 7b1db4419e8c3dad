"""Reads dialplan files as Asterisk does: sections, includes, extensions, priorities.

What Asterisk passes over in silence (a misspelt keyword, a priority defined twice, a missing
file) is a ``Problem`` here, with the file and line that the sysadmin sees in the editor.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong.

    Attributes:
        file: Where, as the sysadmin names it.
        line: 1-based.
        code: Stable name of the kind of mistake.
        text: What is wrong and what to do, one or two sentences.
    """

    file: str
    line: int
    code: str
    text: str

    def __str__(self) -> str:
        """Return ``file:line: text``."""
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Step:
    """One priority of an extension: ``same => n(label),Application(arguments)``."""

    context: str
    exten: str
    priority: int
    label: str
    app: str
    arguments: str
    file: str
    line: int


@dataclass(slots=True)
class Context:
    """A section with extensions; ``extens`` maps a name or pattern to its steps by priority."""

    name: str
    file: str
    line: int
    extens: dict[str, dict[int, Step]] = field(default_factory=dict)
    includes: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass(slots=True)
class Dialplan:
    """Everything that was read."""

    contexts: dict[str, Context] = field(default_factory=dict)
    globals: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def find(self, context: str, exten: str) -> dict[int, Step] | None:
        """Return the steps that a call to ``exten`` in ``context`` meets; None if there are none.

        As Asterisk looks: exact, then patterns, then included contexts in order.
        """
        return self._find(context, exten, frozenset())

    def _find(self, context: str, exten: str, seen: frozenset[str]) -> dict[int, Step] | None:
        here = self.contexts.get(context)
        if here is None or context in seen:
            return None
        if exten in here.extens:
            return here.extens[exten]
        for pattern, steps in here.extens.items():
            if pattern.startswith("_") and matches(pattern, exten):
                return steps
        for included, _, _ in here.includes:
            if (found := self._find(included, exten, seen | {context})) is not None:
                return found
        return None


def matches(pattern: str, number: str) -> bool:
    """Whether Asterisk's ``_pattern`` takes ``number``."""
    expression = ""
    rest = pattern[1:]
    while rest:
        sign, rest = rest[0], rest[1:]
        if sign == "[" and "]" in rest:
            inside, _, rest = rest.partition("]")
            expression += f"[{re.escape(inside).replace(chr(92) + '-', '-')}]"
        elif sign == ".":
            expression += ".+"
        elif sign == "!":
            expression += ".*"
        elif sign != "-":
            expression += {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}.get(
                sign.upper(), re.escape(sign)
            )
    return re.fullmatch(expression, number) is not None


_SECTION: Final = re.compile(r"\[([^\]]*)\](\s*\((?:[^)]*)\))?\s*")
_INCLUDE_FILE: Final = re.compile(r"#\s*(include|tryinclude|exec)\s+[\"<]?([^\">]+)[\">]?\s*")
_SETTING: Final = re.compile(r"([A-Za-z_][\w-]*)\s*(=>|=)\s*(.*)")
_PRIORITY: Final = re.compile(r"(\d+|n(?:\+\d+)?|s(?:\+\d+)?|hint)(?:\(([^)]*)\))?")
_APP: Final = re.compile(r"([A-Za-z_]\w*)\s*(?:\((.*)\))?\s*", re.DOTALL)

_TYPOGRAPHY: Final = "“”‘’–—…\u00a0"
"""What a word processor or a web page puts in place of quotes, dashes and spaces."""
_PLAIN: Final = str.maketrans(dict(zip(_TYPOGRAPHY, "\"\"''--. ", strict=True)))

GENERAL_KEYS: Final = frozenset(
    {"static", "writeprotect", "autofallthrough", "clearglobalvars", "extenpatternmatchnew"}
)


class Reader:
    """Reads a file and what it includes into one dialplan."""

    def __init__(self, shown: Callable[[Path], str] = str) -> None:
        """Read nothing yet. ``shown`` gives a file's name as the sysadmin knows it."""
        self.plan = Dialplan()
        self._shown = shown
        self._section = ""
        self._context: Context | None = None
        self._exten = ""
        self._priority = 0
        self._block = False

    def read(self, path: Path, text: str | None = None) -> Dialplan:
        """Read ``path`` (or ``text`` in its place) and return the dialplan so far."""
        file = self._shown(path)
        if text is None:
            try:
                text = path.read_text("utf-8")
            except UnicodeDecodeError:
                self._problem(file, 1, "encoding", "The file is not UTF-8. Save it as UTF-8.")
                return self.plan
        self.plan.files.append(path)
        for number, raw in enumerate(text.splitlines(), 1):
            line = self._without_comment(raw).strip()
            if line:
                self._line(line, path, file, number)
        if self._block:
            self._problem(
                file, len(text.splitlines()), "comment", "A comment ;-- is never closed by --;."
            )
            self._block = False
        return self.plan

    def _problem(self, file: str, line: int, code: str, text: str) -> None:
        self.plan.problems.append(Problem(file, line, code, text))

    def _without_comment(self, raw: str) -> str:
        kept, rest = "", raw
        while rest:
            if self._block:
                _, end, rest = rest.partition("--;")
                self._block = not end
            elif rest.startswith(";--") and not rest.startswith(";---"):
                self._block, rest = True, rest[3:]
            elif rest.startswith("\\;"):
                kept, rest = kept + ";", rest[2:]
            elif rest[0] == ";":
                break
            else:
                kept, rest = kept + rest[0], rest[1:]
        return kept

    def _line(self, line: str, path: Path, file: str, number: int) -> None:
        if bad := next((sign for sign in line if sign in _TYPOGRAPHY), ""):
            self._problem(
                file,
                number,
                "typography",
                f"{bad!r} was put in by a word processor; Asterisk knows only \" ' - and plain"
                " spaces.",
            )
            line = line.translate(_PLAIN)
        if line.startswith("#"):
            self._file(line, path, file, number)
        elif line.startswith("["):
            self._begin(line, file, number)
        elif self._section == "globals":
            self._global(line, file, number)
        elif self._section == "general":
            self._general(line, file, number)
        elif self._context is None:
            self._problem(file, number, "section", "This line stands before any [context].")
        else:
            self._setting(line, file, number)

    def _file(self, line: str, path: Path, file: str, number: int) -> None:
        found = _INCLUDE_FILE.fullmatch(line)
        if found is None:
            self._problem(file, number, "syntax", f"{line!r} is no #include or #tryinclude.")
        elif found[1] == "exec":
            self._problem(file, number, "exec", "#exec runs a program at each reload: not allowed.")
        else:
            name = Path(found[2].strip())
            target = name if name.is_absolute() else path.parent / name
            targets = sorted(target.parent.glob(target.name)) if "*" in target.name else [target]
            for one in targets:
                if one in self.plan.files:
                    self._problem(file, number, "include", f"{one} is included twice.")
                elif one.is_file():
                    self.read(one)
                elif found[1] == "include":
                    self._problem(
                        file,
                        number,
                        "include",
                        f"{one} does not exist, and Asterisk then drops the whole dialplan."
                        " Correct the name, or write #tryinclude.",
                    )

    def _begin(self, line: str, file: str, number: int) -> None:
        found = _SECTION.fullmatch(line)
        if found is None or not found[1].strip():
            self._problem(file, number, "syntax", f"{line!r} is no [section]; is a ] missing?")
            return
        self._section, self._exten, self._priority = found[1].strip(), "", 0
        if self._section in ("general", "globals"):
            self._context = None
            return
        known = self.plan.contexts.get(self._section)
        if known is not None and known.file != file and "+" not in (found[2] or ""):
            self._problem(
                file,
                number,
                "context",
                f"[{self._section}] is there already ({known.file}:{known.line}), and Asterisk"
                f" mixes both. Write [{self._section}](+) if you mean to add to it.",
            )
        context = known or Context(self._section, file, number)
        self.plan.contexts[self._section] = self._context = context

    def _global(self, line: str, file: str, number: int) -> None:
        found = _SETTING.fullmatch(line)
        if found is None:
            self._problem(file, number, "syntax", f"{line!r} is no NAME = value.")
        else:
            self.plan.globals[found[1]] = found[3].strip()

    def _general(self, line: str, file: str, number: int) -> None:
        found = _SETTING.fullmatch(line)
        if found is None or found[1] not in GENERAL_KEYS:
            self._problem(file, number, "syntax", f"[general] knows no {line.split('=')[0]!r}.")

    def _setting(self, line: str, file: str, number: int) -> None:
        assert self._context is not None  # noqa: S101 - the caller saw to it
        found = _SETTING.fullmatch(line)
        if found is None:
            self._problem(file, number, "syntax", f"{line!r} has no =>.")
            return
        key, _, value = found.groups()
        match key.lower():
            case "exten":
                self._extension(value, file, number)
            case "same":
                if not self._exten:
                    self._problem(
                        file, number, "same", "same => has no exten => before it in this context."
                    )
                    return
                self._priority_and_app(value, file, number)
            case "include":
                self._context.includes.append((value.strip(), file, number))
            case "ignorepat" | "switch" | "lswitch" | "eswitch" | "autohints":
                self._problem(file, number, "syntax", f"{key} is not supported in this dialplan.")
            case _:
                self._problem(
                    file, number, "syntax", f"{key!r} is no keyword here; exten, same or include?"
                )

    def _extension(self, value: str, file: str, number: int) -> None:
        exten, comma, rest = value.partition(",")
        exten = exten.strip()
        if not exten or not comma:
            self._problem(
                file, number, "syntax", "exten => wants name,priority,Application(arguments)."
            )
            return
        if not exten.startswith("_") and re.search(r"[XZN.!\[]", exten) and exten != exten.lower():
            self._problem(
                file,
                number,
                "pattern",
                f"{exten!r} looks like a pattern; without a _ before it, it matches only itself.",
            )
        if exten != self._exten:
            self._exten, self._priority = exten, 0
        self._priority_and_app(rest, file, number)

    def _priority_and_app(self, value: str, file: str, number: int) -> None:
        assert self._context is not None  # noqa: S101 - the caller saw to it
        word, comma, call = value.partition(",")
        found = _PRIORITY.fullmatch(word.strip())
        if found is None or not comma:
            self._problem(
                file, number, "priority", f"{word.strip()!r} is no priority; 1, n or n(label)."
            )
            return
        steps = self._context.extens.setdefault(self._exten, {})
        priority, label = self._number(found[1], file, number), (found[2] or "").strip()
        if priority is None:
            return
        self._priority = priority
        app = _APP.fullmatch(call.strip())
        name, arguments = (app[1], (app[2] or "").strip()) if app else ("", "")
        if app is None or not _balanced(call):
            self._problem(
                file, number, "brackets", f"{call.strip()!r}: brackets or quotes don't close."
            )
            # The step is there all the same, so that nothing is said of those around it.
            name, arguments = "NoOp", ""
        if priority in steps:
            self._problem(
                file,
                number,
                "priority",
                f"Priority {priority} of {self._exten} is there already"
                f" ({steps[priority].file}:{steps[priority].line}); Asterisk keeps only the first.",
            )
            return
        if label and any(step.label == label for step in steps.values()):
            self._problem(file, number, "label", f"The label {label!r} is used twice.")
        steps[priority] = Step(
            self._context.name,
            self._exten,
            priority,
            label,
            name,
            arguments,
            file,
            number,
        )

    def _number(self, word: str, file: str, number: int) -> int | None:
        if word.isdigit():
            priority = int(word)
            steps = self._context.extens.get(self._exten, {}) if self._context else {}
            if priority != 1 and priority - 1 not in steps:
                self._problem(
                    file,
                    number,
                    "priority",
                    f"Priority {priority} follows no {priority - 1}: the call ends before it."
                    " Write n.",
                )
            return priority
        if self._priority == 0:
            self._problem(
                file, number, "priority", f"The first step of {self._exten} must have priority 1."
            )
            return None
        ahead = int(word[2:]) if "+" in word else 1
        return self._priority + (0 if word.startswith("s") else ahead)


def _balanced(text: str) -> bool:
    """Whether brackets close in order; inside quotes only ``${`` and ``$[`` count."""
    stack: list[str] = []
    quoted = False
    for index, sign in enumerate(text):
        before = text[index - 1] if index else ""
        if before == "\\":
            continue
        if sign == '"':
            quoted = not quoted
        elif sign in "{[" and before == "$":
            stack.append("}" if sign == "{" else "]")
        elif sign == "(" and not quoted:
            stack.append(")")
        elif sign in ")}]" and stack and stack[-1] == sign:
            stack.pop()
        elif (sign == ")" and not quoted) or sign == "}":
            return False
    return not stack and not quoted
