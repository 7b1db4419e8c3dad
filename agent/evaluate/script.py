"""Scripts of callers: what is said when, by whom. Data in ``evals/callers``."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agent.errors import SettingsError
from agent.evaluate.line import Staff
from agent.evaluate.line_sound import RATE, Clip
from agent.evaluate.manners import CALLERS, SOUNDS, Manner, background, manner_of, stretched
from agent.evidence.measures import voiced_spans
from agent.evidence.wav import read_wav


class Turn(BaseModel):
    """One thing the caller does; see ``evals/callers/README.md``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    say: tuple[str, ...] = Field((), description="lines, of which one is chosen by seed")
    sound: Literal["", "cough", "fax"] = ""
    keys: str = Field("", pattern=r"^[0-9*#]*$")
    stay_silent: bool = False
    hang_up: bool = False
    after: float = Field(0.7, gt=0, description="the agent's line is over after this silence")
    barge_in: float | None = Field(None, ge=0, description="seconds into the agent's line")
    aside: bool = Field(False, description="said over the agent's line, which must go on")

    @model_validator(mode="after")
    def _one_deed(self) -> Turn:
        if sum(map(bool, (self.say, self.sound, self.keys, self.stay_silent, self.hang_up))) != 1:
            raise ValueError("a turn has exactly one of say, sound, keys, stay_silent, hang_up")
        if self.aside and self.barge_in is None:
            raise ValueError("an aside needs barge_in: it is said over the agent's line")
        return self


class Script(BaseModel):
    """A whole caller."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    ends: Literal["agent", "caller"] = Field("agent", description="who hangs up")
    withheld: bool = False
    staff: Staff = "no-answer"
    limit: float = Field(90, gt=0, description="the caller hangs up after this, seconds")
    turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedTurn:
    """A turn with everything that chance had a say in decided."""

    turn: Turn
    clip: Clip | None
    reaction: float
    after: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A script, a voice, a manner and a seed: nothing is left to chance.

    ``background`` is what is heard behind the caller all the time, int16 at 8 kHz; None: nothing.
    """

    name: str
    script: Script
    voice: str
    turns: tuple[PlannedTurn, ...]
    manner: str = "clean"
    background: NDArray[np.int16] | None = None


def script_names() -> list[str]:
    """Return the names of the scripts that ship."""
    return sorted(path.stem for path in (CALLERS / "scripts").glob("*.toml"))


def voice_names() -> list[str]:
    """Return the names of the voices that ship, in the order of ``voices.toml``."""
    return list(tomllib.loads((CALLERS / "voices.toml").read_text("utf-8")))


def load_script(name: str) -> Script:
    """Return a script by its name, or by the path of a TOML file.

    Raises:
        SettingsError: there is none, or it is wrong.
    """
    path = Path(name) if name.endswith(".toml") else CALLERS / "scripts" / f"{name}.toml"
    try:
        return Script.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise SettingsError(
            f"There is no script {name!r}.", remedy=f"There are: {', '.join(script_names())}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}.", remedy="See evals/callers/README.md.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"{path}: {where}: {first['msg']}.", remedy="See evals/callers/README.md."
        ) from error


def plan(name: str, seed: int, voice: str = "", manner: str = "clean") -> Plan:
    """Return script ``name`` with lines, voice and reactions chosen by ``seed``.

    Args:
        name: See :func:`load_script`.
        seed: Voices go round with it; lines and reactions are drawn from it.
        voice: A voice by name instead.
        manner: How it is spoken, see ``evals/callers/manners.toml``.

    Raises:
        SettingsError: the script, one of its lines, the voice or the manner does not exist.
    """
    script = load_script(name)
    how = manner_of(manner)
    voices = voice_names()
    chosen = voice or voices[seed % len(voices)]
    chance = Random(f"{name} {seed}")  # noqa: S311
    listing = json.loads((CALLERS / "clips.json").read_text("utf-8"))["clips"]
    turns = []
    for turn in script.turns:
        clip: Clip | None = None
        if turn.say:
            clip = _clip(listing, chosen, chance.choice(turn.say), how)
        elif turn.sound:
            clip = _whole(turn.sound, SOUNDS[turn.sound]())
        own = "after" in turn.model_fields_set or how.after is None
        after = turn.after if own or how.after is None else how.after
        turns.append(PlannedTurn(turn, clip, chance.uniform(*how.reaction), after))
    noise = background(how.background, how.snr)
    return Plan(Path(name).stem, script, chosen, tuple(turns), manner, noise)


def _clip(listing: dict[str, dict[str, Any]], voice: str, line: str, how: Manner) -> Clip:
    halting = f"{line}_halting"
    if how.halting and f"{voice}/{halting}" in listing:
        line = halting
    place = listing.get(f"{voice}/{line}")
    if place is None:
        raise SettingsError(
            f"Voice {voice!r} has no line {line!r}.",
            remedy="Lines are in evals/callers/lines.toml, voices in voices.toml; then make.py.",
        )
    sound = read_wav(CALLERS / "voices" / voice / f"{line}.wav")
    if sound.rate != RATE:
        raise SettingsError(f"{voice}/{line} is not at {RATE} Hz.", remedy="Run make.py again.")
    if how.stretch != 1.0:
        return _whole(line, stretched(sound.channel(0), how.stretch))
    return Clip(line, sound.channel(0), place["first_voiced"], place["last_voiced"])


def _whole(name: str, samples: NDArray[np.int16]) -> Clip:
    """Return a clip whose voiced part is found in it."""
    quiet = np.zeros(RATE // 4, np.int16)
    spans = voiced_spans(np.concatenate([quiet, samples, quiet]), RATE)
    first = round((spans[0].start - 0.25) * RATE)
    last = round((spans[-1].end - 0.25) * RATE) - 1
    return Clip(name, samples, max(0, first), min(last, len(samples) - 1))
