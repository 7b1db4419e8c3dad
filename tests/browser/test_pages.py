"""The owner's page as a person meets it, in a real browser."""

from __future__ import annotations

import http.client
import tomllib
import urllib.error
import urllib.parse
import urllib.request

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from agent.restaurant import load_restaurant
from agent.settings import Settings
from agent.web.server import TOKEN_FILE
from tests.browser.day import DAY, HOSTILE


def body(chromium: Chrome) -> str:
    return chromium.find_element(By.TAG_NAME, "body").text


def opened(url: str, form: dict[str, str] | None = None) -> bytes:
    """What the server answers to a GET, or to a POST of ``form``."""
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(url, data) as answer:  # noqa: S310 - our own server
        return bytes(answer.read())


def press(chromium: Chrome, name: str) -> None:
    """Press a button and wait for the page that follows."""
    before = chromium.find_element(By.TAG_NAME, "html")
    chromium.find_element(By.NAME, name).click()
    WebDriverWait(chromium, 10).until(staleness_of(before))


def nothing_ran(chromium: Chrome) -> None:
    """Nothing on the page is a script of a caller's, and nothing was refused or missing."""
    assert chromium.title != "owned"
    assert not chromium.find_elements(By.TAG_NAME, "script")
    assert [row for row in chromium.get_log("browser") if row["level"] == "SEVERE"] == []  # type: ignore[no-untyped-call]


def fits(chromium: Chrome) -> None:
    """The page is as wide as the phone."""
    wide = chromium.execute_script("return document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0


def test_the_day_tells_what_the_owner_wants_to_know(page: str, chromium: Chrome) -> None:
    chromium.get(page)
    text = body(chromium)
    assert "Tuesday, November 24" in text
    assert "8 calls answered" in text
    assert "2 order links texted" in " ".join(text.split())
    assert "Reservation: friday at seven for four. From Maria Lopez ••• 0150" in text
    assert "said something that isn't in the restaurant file" in text
    assert "has layout 99" in text
    nothing_ran(chromium)
    fits(chromium)


def test_no_telephone_number_is_on_any_page(page: str, chromium: Chrome) -> None:
    for path in ("/", f"/call/{DAY}/113005-aaaa", f"/call/{DAY}/170455-gggg", "/trends"):
        chromium.get(page + path)
        source = chromium.page_source
        for number in ("3165550150", "555-0150", "five five five oh one"):
            assert number not in source, path
    picture = opened(f"{page}/call/{DAY}/170455-gggg/picture.svg").decode()
    assert "five five five" not in picture
    assert "my number is" in picture


def test_what_a_caller_says_is_text_and_never_code(page: str, chromium: Chrome) -> None:
    for path in ("/", f"/call/{DAY}/165901-ffff"):
        chromium.get(page + path)
        assert HOSTILE in body(chromium)
        nothing_ran(chromium)
    chromium.find_elements(By.LINK_TEXT, "Add the answer")[0].click()
    assert HOSTILE in body(chromium)
    nothing_ran(chromium)


def test_a_call_shows_its_words_its_picture_and_its_sound(page: str, chromium: Chrome) -> None:
    chromium.get(page)
    chromium.find_element(By.PARTIAL_LINK_TEXT, "11:30 am").click()
    text = body(chromium)
    assert "I'd like to place an order" in text
    assert "Order, 11:30 am" in text
    picture = chromium.find_element(By.CSS_SELECTOR, ".picture img")
    assert chromium.execute_script("return arguments[0].naturalWidth", picture) > 500
    players = chromium.find_elements(By.TAG_NAME, "audio")
    assert len(players) == 2
    script = """
        const [player, done] = arguments;
        player.onloadedmetadata = () => done(player.duration);
        player.onerror = () => done(-1);
        player.preload = "metadata"; player.load();
    """
    assert chromium.execute_async_script(script, players[0]) > 5
    nothing_ran(chromium)
    fits(chromium)


def test_an_answer_is_shown_to_be_pasted_and_is_written_with_the_token_only(
    page: str, settings: Settings, chromium: Chrome
) -> None:
    before = settings.restaurant.read_text()
    chromium.get(page)
    chromium.find_elements(By.LINK_TEXT, "Add the answer")[0].click()
    say = 'Yes: "The Plains Trio" plays on Fridays.'
    chromium.find_element(By.ID, "answer").send_keys(say)
    press(chromium, "show")
    shown = tomllib.loads(chromium.find_element(By.TAG_NAME, "pre").text)
    assert shown["facts"][0]["say"] == say
    assert shown["facts"][0]["asked"] == ["who's playing live music tonight"]

    chromium.find_element(By.ID, "token").send_keys("guessed")
    press(chromium, "write")
    assert "not the right one" in body(chromium)
    assert settings.restaurant.read_text() == before

    token = (settings.home / TOKEN_FILE).read_text().strip()
    chromium.find_element(By.ID, "token").send_keys(token)
    press(chromium, "write")
    assert "It stands in the restaurant file now" in body(chromium)
    fact = load_restaurant(settings.restaurant).fact(shown["facts"][0]["id"])
    assert fact is not None
    assert fact.say == say
    assert settings.restaurant.with_name("restaurant.toml.before").read_text() == before


def test_the_trend_shows_the_days(page: str, chromium: Chrome) -> None:
    chromium.get(page)
    chromium.find_element(By.LINK_TEXT, "Trends").click()
    row = chromium.find_element(By.CSS_SELECTOR, "tbody tr").text
    assert row.startswith(f"{DAY} 8")
    assert "invented_fact 1" in row
    assert "0.1.0" in row
    nothing_ran(chromium)
    fits(chromium)


def test_days_lead_to_each_other_and_an_empty_one_is_no_error(page: str, chromium: Chrome) -> None:
    chromium.get(page)
    chromium.find_element(By.CSS_SELECTOR, "a[rel=prev]").click()
    assert "Monday, November 23" in body(chromium)
    assert "No calls." in body(chromium)
    chromium.find_element(By.CSS_SELECTOR, "a[rel=next]").click()
    assert "8 calls answered" in body(chromium)


# ── without a browser ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/day/yesterday",
        f"/call/{DAY}/999999-none",
        f"/call/{DAY}/..%2f..%2frestaurant.toml",
        f"/call/{DAY}/113005-aaaa/events.wav",
        "/answer",
    ],
)
def test_what_is_not_there_is_told(page: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        opened(page + path)
    with error.value:
        assert error.value.code == 404
        assert "text/html" in error.value.headers["Content-Type"]


def test_another_name_for_this_machine_is_refused(page: str, settings: Settings) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", settings.web.port)
    connection.request("GET", "/", headers={"Host": "evil.example"})
    response = connection.getresponse()
    assert response.status == 403
    connection.close()


def test_an_answer_that_does_not_fit_changes_nothing(page: str, settings: Settings) -> None:
    before = settings.restaurant.read_text()
    token = (settings.home / TOKEN_FILE).read_text().strip()
    form = {"id": "parking", "question": "q", "answer": "a b", "token": token, "write": "1"}
    with pytest.raises(urllib.error.HTTPError) as error:
        opened(f"{page}/answer", form)
    with error.value:
        assert error.value.code == 400
        assert "is used twice" in error.value.read().decode()
    assert settings.restaurant.read_text() == before
