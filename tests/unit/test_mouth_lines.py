"""What is written, as it is said: a table a person can read, and properties of any text."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.mouth.lines import clean, spoken
from agent.mouth.numbers import cardinal, digits, ordinal, pairs

PRONOUNCE = {"Hikari": "heekaari", "sake": "sahkay", "gyoza": "ghioza"}

SAID = {
    "phone numbers": [
        (
            "Call us at +13165550142.",
            "Call us at three one six, five five five, oh one four two.",
        ),
        ("(316) 555-0142, okay?", "three one six, five five five, oh one four two, okay?"),
        ("316.555.0199", "three one six, five five five, oh one nine nine"),
        ("555-0142", "five five five, oh one four two"),
        ("1-316-555-0142", "three one six, five five five, oh one four two"),
        ("ends in 0142", "ends in oh one four two"),
        ("+4915123456789", "four nine one, five one two, three four five, six seven eight, nine"),
    ],
    "prices": [
        ("$13.50", "thirteen dollars and fifty cents"),
        (
            "between $13.50 and $16.",
            "between thirteen dollars and fifty cents and sixteen dollars.",
        ),
        ("$1 or $0.99", "one dollar or ninety-nine cents"),
        ("$1.01", "one dollar and one cent"),
        ("$1,250.00", "one thousand two hundred fifty dollars"),
        ("$8-$12", "eight dollars to twelve dollars"),
        ("10% off", "ten percent off"),
    ],
    "times": [
        ("at 5:30 p.m. today", "at five thirty p m today"),
        ("We close at 9 p.m. Come by!", "We close at nine p m. Come by!"),
        ("11:00-21:00", "eleven o'clock to nine p m"),
        ("11am - 9pm", "eleven a m to nine p m"),
        ("5:05", "five oh five"),
        ("00:30", "twelve thirty a m"),
        ("12:00", "twelve o'clock"),
        ("99:99", "ninety-nine ninety-nine"),
    ],
    "dates": [
        ("2026-11-22", "November twenty-second, twenty twenty-six"),
        ("on 11/22", "on November twenty-second"),
        ("Nov. 22, 2026", "November twenty-second, twenty twenty-six"),
        ("May 5th at 7", "May fifth at seven"),
        ("Mon-Fri", "Monday to Friday"),
        ("Tues. or Wed", "Tuesday or Wednesday"),
        ("since 2019", "since twenty nineteen"),
        ("I sat in the sun", "I sat in the sun"),
    ],
    "addresses": [
        ("2140 East Douglas Avenue", "twenty-one forty East Douglas Avenue"),
        ("100 N. Main St. is it.", "one hundred North Main Street is it."),
        ("We're at 205 W 2nd St.", "We're at two oh five West second Street."),
        ("13205 Maple Rd", "one three two oh five Maple Road"),
        ("Wichita, KS 67202", "Wichita, Kansas six seven two oh two"),
        ("Dr. Smith on St. Francis", "Doctor Smith on Saint Francis"),
    ],
    "numbers": [
        ("about 40 people", "about forty people"),
        ("1,250", "one thousand two hundred fifty"),
        ("2.5 stars", "two point five stars"),
        ("a party of 6-8", "a party of six to eight"),
        ("order 03208", "order oh three two oh eight"),
        ("#5", "number five"),
        ("the 22nd", "the twenty-second"),
        ("1/2 price, 24/7", "one half price, twenty-four seven"),
        ("½ price", "one half price"),
        ("A12", "A12"),
    ],
    "web addresses": [
        ("https://order.hikari.example/", "order dot heekaari dot example"),
        ("Go to www.hikari.com/menu.", "Go to heekaari dot com slash menu."),
        ("https://x7k2.io/Ab3dE?x=1", "our website"),
        ("See HTTP://WWW.HIKARI.COM:8080/.", "See heekaari dot com."),
        ("Go to bit.ly/x7Qz, please.", "Go to bit dot ly, please."),
        ("www.hkrsh.com or t.co/Ab3", "our website or our website"),
        ("https://192.168.0.1/x", "our website"),
        ("sushi.menu", "sushi dot menu"),
        ("owner@hikari.example", "owner at heekaari dot example"),
    ],
    "pronunciations": [
        ("Hikari's SAKE and gyozas", "heekaari's sahkay and ghiozas"),
        ("for the sakes of", "for the sahkays of"),
        ("Hikaru", "Hikaru"),
    ],
    "signs and markup": [
        ("Sushi & Ramen", "Sushi and Ramen"),
        ("🍣 Sushi 🍜!", "Sushi!"),
        ("Well... I don't know — maybe (not).", "Well, I don't know, maybe, not."),
        ("<speak>hi <break time='1s'/> there</speak>", "hi there"),
        ("[[hɛloʊ]] hello", "hɛloʊ hello"),
        ("*bold* _x_ `y`", "bold x y"),
        ("What?!?", "What?"),
        ("“Quoted”", "Quoted"),
        ("", ""),
    ],
}


@pytest.mark.parametrize(
    ("written", "said"),
    [pytest.param(*row, id=f"{kind}: {row[0]}") for kind, rows in SAID.items() for row in rows],
)
def test_written_text_is_said_as_a_person_says_it(written: str, said: str) -> None:
    assert spoken(written, PRONOUNCE) == said


@given(st.text())
def test_any_text_becomes_something_sayable(text: str) -> None:
    said = spoken(text, PRONOUNCE)
    assert not re.search(r"[\[\]{}<>|\\*_~`=#$]|\s\s", said)
    assert said == said.strip()


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.from_regex(r"[2-9][0-9]{2}-[0-9]{3}-[0-9]{4}", fullmatch=True))
def test_a_phone_number_is_ten_words_in_three_groups(number: str) -> None:
    groups = spoken(number).split(", ")
    assert [len(group.split()) for group in groups] == [3, 3, 4]


@given(st.integers(0, 9_999_99))
def test_a_price_is_said_without_a_digit(cents: int) -> None:
    said = spoken(f"${cents // 100:,}.{cents % 100:02}")
    assert not any(character.isdigit() for character in said)
    assert re.search(r"(dollars?|cents?)$", said)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (cardinal(0), "zero"),
        (cardinal(21), "twenty-one"),
        (cardinal(600), "six hundred"),
        (cardinal(1_000_005), "one million five"),
        (ordinal(1), "first"),
        (ordinal(12), "twelfth"),
        (ordinal(20), "twentieth"),
        (ordinal(22), "twenty-second"),
        (ordinal(100), "one hundredth"),
        (pairs(2000), "two thousand"),
        (pairs(1905), "nineteen oh five"),
        (pairs(2100), "twenty-one hundred"),
        (pairs(205), "two oh five"),
        (digits("0142"), "oh one four two"),
    ],
)
def test_numbers_in_words(said: str, words: str) -> None:
    assert said == words


def test_a_number_too_large_to_count_is_refused() -> None:
    with pytest.raises(ValueError, match="not between"):
        cardinal(10**12)
