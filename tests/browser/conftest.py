"""The owner's page served over a day of calls, and a real Chromium that looks at it."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from agent.promises.owner import OwnersList
from agent.service.ports import free_port
from agent.settings import CHECKOUT, Settings, load_settings
from agent.web.server import Pages, start
from tests.browser.day import NOW, day_of_calls


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
