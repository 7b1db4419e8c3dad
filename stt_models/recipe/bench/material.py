"""What the ear is tested on: sentences and voices, each clip with its words.

Sentences: ``heldout/sentences.txt``, written before and apart from the generator's
wordings. Human speech: the prompts of Debian's asterisk-core-sounds-en-wav, whole
(``heldout/prompts.txt``) and joined: digits, days, months, ordinals, times and letters to phone
numbers, dates, times and spelled names.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import tempfile
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soxr
from line import RATE, Sound, trimmed

RECIPE: Final = Path(__file__).resolve().parent.parent
HELDOUT: Final = RECIPE / "heldout"
SOUNDS: Final = Path("usr/share/asterisk/sounds/en_US_f_Allison")

SEEN: Final = ("rms", "slt", "en-us")
"""Synthetic voices whose speech is in the acoustic model's training (other sentences)."""

UNSEEN: Final = ("ked",)
"""Synthetic voices of which nothing is in training."""

FLITE: Final = frozenset({"rms", "slt"})
FESTIVAL: Final = frozenset(UNSEEN)
"""All other names are espeak-ng's."""

ESPEAK_PACE: Final = 160
"""Words a minute; espeak-ng's own 175 is quick for a caller."""

JOINED: Final = 40
"""Clips of each joined kind."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance.

    Attributes:
        kind: Which row of the table it belongs to.
        name: Unique and telling.
        text: Its words, as the recogniser writes them.
        sound: Before the phone line, at 8 kHz.
        grammar: What would have been asked, as ``agent.events.Expect`` calls it; empty: nothing.
    """

    kind: str
    name: str
    text: str
    sound: Sound
    grammar: str = ""


def clips(debian: Path, every: int) -> Iterator[Clip]:
    """Yield the clips.

    Args:
        debian: Folder with the unpacked Debian packages.
        every: Only each so many-th of a kind, for a quick look.
    """
    sentences = _lines(HELDOUT / "sentences.txt")
    for kind, voices in (("seen voices", SEEN), ("unseen voices", UNSEEN)):
        for at, text in list(enumerate(sentences))[::every]:
            voice = voices[at % len(voices)]
            yield Clip(kind, f"{voice}-{at}", text, _say(debian, voice, text))
    person = Person(debian / SOUNDS)
    prompts = [line.split(" ", 1) for line in _lines(HELDOUT / "prompts.txt")]
    for file, text in [prompt for prompt in prompts if for_testing(prompt[0])][::every]:
        yield Clip("human prompts", file.replace("/", "-"), text, person.file(file))
    dice = random.Random(20_261_127)
    makers = (
        ("human numbers", "phone_number", phone_number),
        ("human dates", "details", date),
        ("human times", "details", time),
        ("human letters", "name", spelling),
    )
    for kind, grammar, make in makers:
        for at, groups in [(at, make(dice)) for at in range(JOINED)][::every]:
            text = " ".join(word for group in groups for word, _ in group)
            yield Clip(kind, f"{kind.split()[1]}-{at}", text, person.join(groups, dice), grammar)


def for_testing(prompt: str) -> bool:
    """Return whether a prompt is in the half that nothing was tuned on.

    The other half served to choose the acoustic scale (``acoustic/humans.toml``).
    """
    return int(hashlib.sha256(prompt.encode()).hexdigest()[0], 16) % 2 == 1


def _lines(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


# ── synthetic voices ────────────────────────────────────────────────────────────────────


def _say(debian: Path, voice: str, text: str) -> Sound:
    """Return ``text`` in ``voice``, at 8 kHz, without the silence around it."""
    libraries = ":".join(str(path) for path in debian.glob("usr/lib/*-linux-gnu*"))
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": libraries,
        "ESPEAK_DATA_PATH": str(next(debian.glob("usr/lib/*/espeak-ng-data"), debian)),
    }
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "said.wav"
        binaries = debian / "usr" / "bin"
        if voice in FLITE:
            command = [binaries / "flite", "-voice", voice, "-t", text, "-o", out]
        elif voice in FESTIVAL:
            share = debian / "usr" / "share" / "festival"
            script = (
                f'(set! voice-path (list "{share}/voices/"))',
                "(search-for-voices)",
                f"(voice_{voice}_diphone)",
                f'(utt.save.wave (utt.synth (Utterance Text "{text}")) "{out}" (quote riff))',
            )
            command = [binaries / "festival", "--libdir", share, "--batch", *script]
        else:
            pace = str(ESPEAK_PACE)
            command = [binaries / "espeak-ng", "-v", voice, "-s", pace, "-w", out, text]
        subprocess.run(command, env=environment, check=True)
        return trimmed(_read(out))


def _read(path: Path) -> Sound:
    with wave.open(str(path), "rb") as sound:
        rate = sound.getframerate()
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float64)
    return samples if rate == RATE else soxr.resample(samples, rate, RATE)


# ── a person ────────────────────────────────────────────────────────────────────────────

Group = Sequence[tuple[str, str]]
"""Words said in one go, each with its file."""


def _words(text: str) -> list[str]:
    return text.split()


DIGITS: Final = _words("zero one two three four five six seven eight nine")
TEENS: Final = _words(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
TENS: Final = _words("twenty thirty forty fifty sixty seventy eighty ninety")
DAYS: Final = _words("sunday monday tuesday wednesday thursday friday saturday")
MONTHS: Final = _words(
    "january february march april may june july august september october november december"
)
ORDINALS: Final = _words(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth"
    " fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
SPELLED: Final = _words(
    "maria lopez johnson nguyen patel kim garcia smith oconnor schmidt wong brown chavez hughes"
    " fitzgerald quincy jackson vazquez murphy becker"
)


def phone_number(dice: random.Random) -> list[Group]:
    """Return ten digits in three groups, as numbers are said."""
    digits = [dice.randint(2, 9), *(dice.randint(0, 9) for _ in range(9))]
    zero = dice.choice((("oh", "digits/oh"), ("zero", "digits/0")))
    said = [(DIGITS[d], f"digits/{d}") if d else zero for d in digits]
    return [said[:3], said[3:6], said[6:]]


def date(dice: random.Random) -> list[Group]:
    """Return a weekday, a month and a day, or two of them, or a word for a day."""
    day = dice.randrange(7)
    weekday: Group = [(DAYS[day], f"digits/day-{day}")]
    month = dice.randrange(12)
    number = dice.randint(1, 31)
    if number <= 20:
        ordinal = [(ORDINALS[number - 1], f"digits/h-{number}")]
    elif number == 30:
        ordinal = [("thirtieth", "digits/h-30")]
    else:
        tens, ones = divmod(number, 10)
        ordinal = [
            (TENS[tens - 2], f"digits/{tens}0"),
            (ORDINALS[ones - 1], f"digits/h-{ones}"),
        ]
    monthly: Group = [(MONTHS[month], f"digits/mon-{month}"), *ordinal]
    soon = dice.choice(("today", "tomorrow"))
    return dice.choice(
        ([weekday, monthly], [monthly], [weekday], [[(soon, f"digits/{soon}")]], [weekday, ordinal])
    )


def time(dice: random.Random) -> list[Group]:
    """Return an hour with minutes or "o'clock", and often a part of the day."""
    hour = dice.randint(1, 12)
    said = [_number(hour)]
    minute = dice.choice((0, 5, 15, 30, 30, 45, 10, 20, 50))
    if minute == 0:
        said += dice.choice(([], [("o'clock", "digits/oclock")]))
    elif minute == 5:
        said += [("oh", "digits/oh"), _number(5)]
    elif minute % 10 and minute > 20:
        said += [_number(minute // 10 * 10), _number(minute % 10)]
    else:
        said.append(_number(minute))
    part = dice.choice(([("p m", "digits/p-m")], [("a m", "digits/a-m")], []))
    before = dice.choice(([], [("at", "digits/at")]))
    return [[*before, *said, *part]]


def spelling(dice: random.Random) -> list[Group]:
    """Return a name letter by letter."""
    return [[(letter, f"letters/{letter}") for letter in dice.choice(SPELLED)]]


def _number(number: int) -> tuple[str, str]:
    if number < 10:
        return DIGITS[number], f"digits/{number}"
    if number < 20:
        return TEENS[number - 10], f"digits/{number}"
    return TENS[number // 10 - 2], f"digits/{number}"


class Person:
    """The speaker of the prompts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, name: str) -> Sound:
        """Return a prompt without the silence around it."""
        return trimmed(_read(self._folder / f"{name}.wav"))

    def join(self, groups: Sequence[Group], dice: random.Random) -> Sound:
        """Return words said one after another: 60–120 ms apart, groups 200–350 ms."""
        parts: list[Sound] = []
        for number, group in enumerate(groups):
            if number:
                parts.append(np.zeros(round(dice.uniform(0.2, 0.35) * RATE)))
            for position, (_, file) in enumerate(group):
                if position:
                    parts.append(np.zeros(round(dice.uniform(0.06, 0.12) * RATE)))
                parts.append(self.file(file))
        return np.concatenate(parts)
