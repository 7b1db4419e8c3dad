"""Hops of the doctor that need no running house: the webhook, backups."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from agent.promises.jobs import Queue
from agent.promises.ledger import Ledger
from agent.promises.webhook import Webhook
from agent.service import backup as archives
from agent.service.doctor import stores, texts
from agent.service.doctor.finding import Patient, Verdict
from agent.service.ports import loopback_settings
from agent.settings import Backup, Settings

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
async def settings(tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings, and a worker's webhook at the address they name."""
    settings = loopback_settings(tmp_path)
    ledger = Ledger(settings)
    webhook = Webhook(settings.twilio, ledger, Queue(settings.redis.url, wait=1.0))
    runner = web.AppRunner(webhook.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", settings.twilio.webhook_port).start()
    yield settings
    await runner.cleanup()
    await ledger.close()


def at(settings: Settings, **twilio: str) -> Patient:
    changed = settings.twilio.model_copy(update=twilio)
    return Patient(settings.model_copy(update={"twilio": changed}))


async def test_the_webhook_is_reached_and_takes_our_signature(settings: Settings) -> None:
    finding = await texts.webhook(at(settings))
    assert (finding.verdict, finding.hop) == (Verdict.WELL, "webhook")
    assert "reaches our worker" in finding.saw


async def test_a_webhook_elsewhere_another_token_none(settings: Settings) -> None:
    slashed = f"{settings.twilio.public_webhook_url}/elsewhere"
    elsewhere = await texts.webhook(at(settings, public_webhook_url=slashed))
    assert (elsewhere.verdict, "404" in elsewhere.saw) == (Verdict.WARN, True)
    closed = await texts.webhook(at(settings, public_webhook_url="http://127.0.0.1:1"))
    assert (closed.verdict, "ConnectionError" in closed.saw) == (Verdict.WARN, True)
    name = settings.twilio.public_webhook_url.replace("127.0.0.1", "localhost")
    other = await texts.webhook(at(settings, public_webhook_url=name))
    assert other.verdict is Verdict.BAD
    none = await texts.webhook(at(settings, public_webhook_url=""))
    assert none.verdict is Verdict.WELL


async def test_the_newest_backup_counts(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    watched = settings.model_copy(update={"backup": Backup(folder=folder)})

    async def verdict(now: datetime) -> Verdict:
        return (await stores.backup(Patient(watched, now.timestamp))).verdict

    assert (await stores.backup(Patient(settings))).verdict is Verdict.WELL
    assert await verdict(NOW) is Verdict.WARN
    archives.backup(settings, folder, NOW - timedelta(days=3))
    archives.backup(settings, folder, NOW)
    (folder / "pickup-nonsense.tar.gz").touch()
    assert await verdict(NOW + timedelta(hours=29)) is Verdict.WELL
    assert await verdict(NOW + timedelta(hours=31)) is Verdict.WARN
