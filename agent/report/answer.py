"""Answers that the owner adds: a fact for the restaurant file, shown or written there."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Final

from agent.errors import RestaurantError
from agent.restaurant import Restaurant, load_restaurant

LONGEST: Final = 400
"""Characters of an answer; a caller can't listen to more."""

_COMMON: Final = re.compile(
    r"\b(?:a|an|and|are|at|can|could|do|does|for|have|how|i|in|is|it|me|my|of|on|or|our|so|that|the|"
    r"there|to|we|what|when|where|which|who|will|with|would|you|your|us|please|tell|s)\b"
)


def suggest_id(question: str, restaurant: Restaurant) -> str:
    """Return a fact id made of the question's words that no fact has yet."""
    words = re.findall(r"[a-z]+", _COMMON.sub(" ", question.lower()))
    base = "_".join(words[:3]) or "answer"
    taken = {fact.id for fact in restaurant.facts}
    number, name = 1, base
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name


def fact_toml(fact_id: str, question: str, answer: str) -> str:
    """Return the fact as it stands in a restaurant file."""
    # JSON's strings are TOML's basic strings.
    asked = json.dumps(_line(question), ensure_ascii=False)
    say = json.dumps(_line(answer), ensure_ascii=False)
    return f'[[facts]]\nid = "{fact_id}"\nasked = [{asked}]\nsay = {say}\n'


def add_fact(file: Path, fact_id: str, question: str, answer: str) -> None:
    """Append a fact to a restaurant file; the file is checked before it is put in place.

    The file as it was stays beside it as ``<name>.before``.

    Raises:
        RestaurantError: the fact doesn't fit, or the file can't be written. Nothing has changed.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", fact_id):
        raise RestaurantError(f"{fact_id!r} is no name.", remedy="Use a-z, 0-9 and _, as dine_in.")
    if not _line(answer) or len(answer) > LONGEST:
        raise RestaurantError("There is no answer, or a very long one.", remedy="One sentence.")
    try:
        before = file.read_text(encoding="utf-8")
        draft = file.with_name(f".{file.name}.{os.getpid()}.toml")
        draft.write_text(
            f"{before.rstrip()}\n\n{fact_toml(fact_id, question, answer)}", encoding="utf-8"
        )
        try:
            load_restaurant(draft)
            file.with_name(f"{file.name}.before").write_text(before, encoding="utf-8")
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise RestaurantError(
            f"{file}: can't be written ({error.strerror}).", remedy="Paste the lines yourself."
        ) from error


def _line(text: str) -> str:
    return " ".join(text.split())
