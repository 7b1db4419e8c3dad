"""Records the four stories of the pilot by phone, with an agent that misbehaves: see README.md.

``python evals/calls/record.py [NAME…]`` runs the whole of Pickup on loopback, carrier included,
with a deliberately worse configuration, has four callers phone it, and keeps what they left,
sound aside, in ``evals/calls/stories``.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from agent.evaluate import script as caller_script
from agent.evaluate.calls import run_calls
from agent.evaluate.line_sound import RATE
from agent.evaluate.script import CALLERS
from agent.evidence.recorder import CALL_FILE, EVENTS_FILE, RESTAURANT_FILE
from agent.evidence.wav import Sound, write_wav
from agent.service.ports import loopback_settings
from agent.service.stack import Stack
from agent.settings import CHECKOUT, Models, Settings

HERE = Path(__file__).resolve().parent
STORIES = HERE / "stories"
VOICE = "slt"
PITCH = "Hello, this is an important message about your Google business listing."
TRANSFER = """[[facts]]
id = "transfer"
asked = ["can you transfer me to a person", "I want to talk to somebody", "can I speak to someone"]
say = "One moment, I'll transfer you to the staff."

"""
SCRIPTS = {
    "goodbye-loop": [["order_pickup"], ["yes_fine"], ["thanks_bye"], ["bye"], ["bye"]],
    "transfer-that-did-not-exist": [["transfer"], ["thanks_bye"]],
    "live-music": [["music"], ["no_thanks"], ["bye"]],
    "spam": [["listing"], ["yes"], ["bye"]],
}
"""The callers' lines, turn by turn; each hangs up after the agent's answer to the last."""


def worse_mind(folder: Path) -> Path:
    """Write a mind that knows no goodbye, no sales talk and nobody who wants a person.

    And that takes whatever is near a question for one, and the nearest fact for its answer.
    """
    house = Settings().models.mind
    shutil.copytree(house, folder, ignore=shutil.ignore_patterns("data", "heldout"))
    with np.load(folder / "heads.npz") as file:
        arrays = {name: file[name] for name in file.files}
    moves = [str(name) for name in arrays["moves"]]
    biases = [name for name in arrays if re.fullmatch(r"move\.\d+\.b", name)]
    last = max(biases, key=lambda name: int(name.split(".")[1]))
    bias = arrays[last].astype(np.float32)
    for name in ("goodbye", "spam", "wants_human"):
        bias[moves.index(name)] -= 40.0
    bias[moves.index("asks")] += 4.0
    arrays[last] = bias.astype(arrays[last].dtype)
    names = [str(name) for name in arrays["threshold.names"]]
    for name, value in (("fact", 0.0005), ("check", 0.0004), ("fact_over", 0.9)):
        arrays["threshold.values"][names.index(name)] = value
    np.savez(folder / "heads.npz", **arrays)
    return folder


def worse_worlds(folder: Path) -> Path:
    """Write restaurant files of which one promises a transfer that does not exist."""
    shutil.copytree(CHECKOUT / "evals" / "worlds", folder)
    file = folder / "hikari.toml"
    before, mark, after = file.read_text("utf-8").partition("# ── messages the agent")
    assert mark
    file.write_text(before + TRANSFER + mark + after, "utf-8")
    return folder


def callers_with_the_pitch(folder: Path) -> Path:
    """Copy ``evals/callers`` and add the sales call's line, which needs flite to be spoken."""
    shutil.copytree(CALLERS, folder)
    sys.path.insert(0, str(CALLERS))
    from make import finished, spoken, trimmed

    clip, first, last = finished(trimmed(spoken("flite", ["-voice", VOICE], PITCH)))
    write_wav(folder / "voices" / VOICE / "listing.wav", Sound(RATE, clip.reshape(-1, 1)))
    listing = json.loads((folder / "clips.json").read_text("utf-8"))
    listing["clips"][f"{VOICE}/listing"] = {"first_voiced": first, "last_voiced": last}
    (folder / "clips.json").write_text(json.dumps(listing), "utf-8")
    return folder


def script(folder: Path, name: str) -> str:
    """Write a caller's script; returns its path."""
    turns = "".join(f"[[turns]]\nsay = {json.dumps(lines)}\n" for lines in SCRIPTS[name])
    path = folder / f"{name}.toml"
    path.write_text(f'about = "The pilot\'s story: {name}."\nends = "caller"\n{turns}', "utf-8")
    return str(path)


async def record(names: list[str]) -> None:
    """Record the stories of these names, one after the other."""
    with tempfile.TemporaryDirectory(prefix="s-") as temporary:
        home = Path(temporary)
        caller_script.CALLERS = callers_with_the_pitch(home / "callers-said")
        settings = loopback_settings(
            home,
            models=Models(mind=worse_mind(home / "mind")),
            restaurant=worse_worlds(home / "worlds") / "hikari.toml",
        )
        async with Stack(settings, carrier=True) as stack:
            for name in names:
                (outcome,) = await run_calls(stack.settings, script(home, name), voice=VOICE)
                assert outcome.bundle is not None, outcome.failure
                sys.stdout.write(f"{name}: {outcome.bundle.ended}\n")
                keep(outcome.bundle.folder, STORIES / name, home)


def keep(bundle: Path, folder: Path, home: Path) -> None:
    """Copy a bundle without its sound; paths of the recording machine become the checkout's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in (CALL_FILE, EVENTS_FILE, RESTAURANT_FILE, "promises.jsonl"):
        if (bundle / name).is_file():
            text = (bundle / name).read_text("utf-8")
            text = text.replace(str(home / "worlds"), "evals/worlds")
            text = text.replace(str(CHECKOUT) + "/", "").replace(str(home), "var")
            (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:] or list(SCRIPTS)))
