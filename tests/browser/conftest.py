"""A day of calls, the owner's page served over it, and a real Chromium that looks at it."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from agent.promises.owner import OwnersList
from agent.service.ports import free_port
from agent.settings import CHECKOUT, Settings, load_settings
from agent.web.server import Pages, start

sys.path.insert(0, str(CHECKOUT / "evals" / "calls"))

from labelled.pieces import greeted, leaves, offers_link, ordered, passes_on, reserving
from tape import Tape, invented, phrase

from agent.mind.wording import Phrase

NOW = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)
"""Half past five on the day of the calls, in Wichita."""
DAY = "2026-11-24"
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


def unanswered(question: str, caller: str = "+13165550151") -> Tape:
    tape = greeted(question, "unknown")
    tape.caller_number = caller
    tape.says(phrase(Phrase.DONT_KNOW), phrase(Phrase.OFFER_RELAY), step="offer_relay")
    tape.hears("no that's okay", "no")
    tape.says(phrase(Phrase.ANYTHING_ELSE), step="anything_else")
    return leaves(tape)


def day_of_calls(calls: Path) -> None:
    reservation = reserving()
    passes_on(reservation)
    lied = greeted("do you have gluten free ramen", "unknown")
    lied.says(invented("Yes, all our ramen is gluten free."), step="anything_else")
    number = ordered()
    number.hears("my number is three one six five five five oh one seven seven", "gives")
    offers_link(number)
    tapes = {
        "113005-aaaa": leaves(ordered()),
        "121744-bbbb": unanswered("who's playing live music tonight"),
        "130212-cccc": leaves(reservation),
        "154810-dddd": leaves(lied),
        "161130-eeee": unanswered("who's playing live music tonight", "+13165550152"),
        "165901-ffff": unanswered(HOSTILE),
        "170455-gggg": leaves(number),
    }
    for number_, (name, tape) in enumerate(tapes.items()):
        folder = tape.write(calls / DAY / name, seed=number_)
        card = json.loads((folder / "call.json").read_text())
        at = f"{name[:2]}:{name[2:4]}:{name[4:6]}"
        card["started_local"] = f"{DAY}T{at}.000-06:00"
        card["pickup"] = "0.1.0"
        (folder / "call.json").write_text(json.dumps(card))
    (calls / DAY / "171000-zzzz").mkdir()
    (calls / DAY / "171000-zzzz" / "call.json").write_text('{"bundle": 99}')


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with a day of calls and a restaurant file of its own."""
    restaurant = tmp_path / "restaurant.toml"
    shutil.copy(CHECKOUT / "evals" / "worlds" / "hikari.toml", restaurant)
    day_of_calls(tmp_path / "calls")
    OwnersList(tmp_path).add(
        "p0000001",
        NOW.timestamp() - 3600,
        "Reservation: friday at seven for four. From Maria Lopez (316) 555-0150. #p0000001",
    )
    return load_settings(home=tmp_path, restaurant=restaurant, web={"port": free_port()})


@pytest.fixture
def page(settings: Settings) -> Iterator[str]:
    """The page's address; it is served meanwhile."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    pages = Pages(settings, lambda: NOW)
    runner = asyncio.run_coroutine_threadsafe(start(pages, settings.web.port), loop).result(10)
    try:
        yield f"http://127.0.0.1:{settings.web.port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Debian's Chromium, without a window, the size of a phone."""
    driver, browser = shutil.which("chromedriver"), shutil.which("chromium")
    assert driver, "no chromedriver: run deploy/browser"
    assert browser, "no chromium: run deploy/browser"
    options = ChromeOptions()
    options.binary_location = browser
    profile = tmp_path_factory.mktemp("chromium")
    for switch in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", "--no-first-run"),
        *("--disable-dev-shm-usage", f"--user-data-dir={profile}", "--window-size=390,844"),
    ):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with Chrome(options=options, service=ChromeService(driver)) as running:
        yield running


@pytest.fixture
def chromium(browser: Chrome) -> Chrome:
    """The browser, with nothing in its log."""
    browser.get_log("browser")  # type: ignore[no-untyped-call]
    return browser
