"""What the fallback recorded reaches the owner once: read, transcribed, kept, whatever crashes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from inspect import iscoroutinefunction
from pathlib import Path

import pytest

from agent.evidence.bundle import read_bundle
from agent.evidence.wav import read_wav
from agent.promises.ledger import Ledger
from agent.promises.owner import OwnersList
from agent.restaurant import load_restaurant
from agent.service import voicemail
from agent.service.voicemail import LEFT_SECONDS, Collector, waiting
from agent.settings import Redis, Settings

NOW = 1_795_802_400.0
SPEECH = Path(__file__).parent.parent / "data" / "speech" / "hours_ked.wav"


class Crash(BaseException):
    """The process is killed here."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, redis=Redis(url="redis://127.0.0.1:1/0"))


def leave(settings: Settings, number: int = 0, caller: str = "+13165550111") -> Path:
    """Leave a message as Asterisk does; return its note."""
    inbox = settings.voicemail / "default" / "restaurant" / "INBOX"
    inbox.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SPEECH, inbox / f"msg{number:04d}.wav")
    note = inbox / f"msg{number:04d}.txt"
    note.write_text(
        f"[message]\ncontext=fallback\nexten=s\ncallerchan=PJSIP/trunk-0000000{number}\n"
        f"callerid={caller}\norigtime={NOW - 60 + number:.0f}\n"
        f"msg_id={NOW:.0f}-0000000{number}\nduration=2\n"
    )
    return note


def collector(settings: Settings) -> Collector:
    return Collector(settings, load_restaurant(settings.restaurant), lambda: NOW)


def deaf(settings: Settings) -> Settings:
    """The same with an ear's model that isn't there."""
    models = settings.models.model_copy(update={"ear": settings.home / "none"})
    return settings.model_copy(update={"models": models})


def told(settings: Settings) -> list[str]:
    return [note.text for note in OwnersList(settings.home).read()]


async def test_a_message_becomes_a_bundle_and_a_promise(settings: Settings) -> None:
    leave(settings)
    (folder,) = await collector(settings).collect()
    bundle = read_bundle(folder)
    assert bundle.ended == "caller: voicemail"
    assert bundle.caller == "+13165550111"
    assert bundle.card["voicemail"]["id"] == f"{NOW:.0f}-00000000"
    original, heard = read_wav(SPEECH), read_wav(folder / "caller.wav")
    assert heard.rate == 16000
    assert heard.seconds == pytest.approx(original.seconds, abs=0.05)
    (text,) = told(settings)
    words = " ".join(said.text for said in bundle.transcript())
    assert words
    assert words in text
    assert "(316) 555-0111" in text
    ledger = Ledger(settings)
    (promise,) = ledger.promises_of(folder)
    assert ledger.open_ids() == [promise.id]
    assert not list(settings.voicemail.rglob("msg*"))
    assert await collector(settings).collect() == []


STEPS: tuple[tuple[object, str], ...] = (
    (shutil, "copyfile"),
    (voicemail, "_hear"),
    (Path, "rename"),
    (voicemail, "sync_folder"),
    (OwnersList, "add"),
    (Ledger, "make"),
    (Ledger, "keep"),
    (Path, "unlink"),
)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "step"), STEPS, ids=[name for _, name in STEPS])
async def test_a_crash_at_any_step_neither_loses_nor_doubles_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, owner: object, step: str, after: bool
) -> None:
    leave(settings, 0)
    leave(settings, 1, caller="Unknown")
    settings = deaf(settings)  # what is heard is of no matter here
    real: Callable[..., object] = getattr(owner, step)

    def crash(*args: object, **named: object) -> object:
        if after:
            real(*args, **named)
        raise Crash

    async def crash_async(*args: object, **named: object) -> object:
        try:
            if after:
                await real(*args, **named)  # type: ignore[misc]
        finally:
            raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, crash_async if iscoroutinefunction(real) else crash)
        with pytest.raises(Crash):
            await collector(settings).collect()
    await collector(settings).collect()
    assert len(told(settings)) == 2
    folders = [path.parent for path in settings.calls.glob("*/*/call.json")]
    assert len(folders) == 2
    ledger = Ledger(settings)
    assert [len(ledger.promises_of(folder)) for folder in folders] == [1, 1]
    assert len(ledger.open_ids()) == 2
    assert not list(settings.voicemail.rglob("msg*"))


async def test_a_recording_cut_off_by_a_crash_of_asterisk_is_passed_on_too(
    settings: Settings,
) -> None:
    tmp = settings.voicemail / "default" / "restaurant" / "tmp"
    tmp.mkdir(parents=True)
    torn = SPEECH.read_bytes()[:20_000]
    for name, age in (("Abc123", LEFT_SECONDS + 1), ("Xyz789", 5)):
        (tmp / f"{name}.wav").write_bytes(torn)
        os.utime(tmp / f"{name}.wav", (NOW - age, NOW - age))
    assert [message.sound.stem for message in waiting(settings.voicemail, NOW)] == ["Abc123"]
    (folder,) = await collector(settings).collect()
    assert read_wav(folder / "caller.wav").seconds > 1
    assert [path.stem for path in tmp.iterdir()] == ["Xyz789"]


async def test_a_broken_ear_or_an_empty_recording_still_reaches_the_owner(
    settings: Settings,
) -> None:
    leave(settings, 0)
    leave(settings, 1).with_suffix(".wav").write_bytes(b"")
    await collector(deaf(settings)).collect()
    assert len(told(settings)) == 2
    assert all("no words made out" in text for text in told(settings))


async def test_a_message_that_can_t_be_kept_stays_in_the_mailbox(settings: Settings) -> None:
    note = leave(settings)
    settings.calls.write_text("a file where the folder should be")
    assert await collector(settings).collect() == []
    assert note.exists()
    settings.calls.unlink()
    assert len(await collector(settings).collect()) == 1


def test_numbers_as_asterisk_writes_them(settings: Settings) -> None:
    for number, written in enumerate(('"Ann" <+13165550111>', "3165550112", "Unknown", "")):
        leave(settings, number, written)
    found = [message.caller for message in waiting(settings.voicemail, NOW)]
    assert found == ["+13165550111", "3165550112", "", ""]
