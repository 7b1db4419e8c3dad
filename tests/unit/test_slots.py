"""Readers of details: phone numbers, names, party sizes, times, amounts."""

from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.mind.slots import (
    Count,
    PhoneStatus,
    When,
    read_amount,
    read_count,
    read_introduced,
    read_name,
    read_phone,
    read_when,
    say_last_four,
    say_phone,
    say_when,
)
from agent.mind.slots.phone import judge, read_digits
from agent.mind.slots.words import TEENS, TENS, UNITS
from agent.restaurant import DAYS, load_restaurant

HOURS = load_restaurant(Path(__file__).parents[2] / "evals" / "worlds" / "hikari.toml").hours
MONDAY = datetime(2026, 11, 23, 17, 0, tzinfo=ZoneInfo("America/Chicago"))

# ── phone numbers ───────────────────────────────────────────────────────────────────────

DIGIT = {str(value): word for word, value in UNITS.items()}
TEEN = {str(value): word for word, value in TEENS.items()}
TEN = {str(value): word for word, value in TENS.items() if word != "fourty"}


def ways(digits: str) -> list[str]:
    """Return the ways in which a group of one to three digits is said as one number."""
    said = [digits]
    if len(digits) == 1:
        said.append(DIGIT.get(digits, "oh"))
        said.append(DIGIT.get(digits, "zero"))
    elif len(digits) == 2:
        if digits in TEEN:
            said.append(TEEN[digits])
        if digits in TEN:
            said.append(TEN[digits])
        elif digits[0] + "0" in TEN and digits[1] != "0":
            said.append(f"{TEN[digits[0] + '0']} {DIGIT[digits[1]]}")
        if digits[0] == digits[1]:
            said.append(f"double {DIGIT.get(digits[0], 'oh')}")
    elif digits[1:] == "00" and digits[0] != "0":
        said.append(f"{DIGIT[digits[0]]} hundred")
    elif len(set(digits)) == 1:
        said.append(f"triple {DIGIT.get(digits[0], 'zero')}")
    return said


@st.composite
def spoken_numbers(draw: st.DrawFn) -> tuple[str, str]:
    """Ten digits, and a way of saying them in groups of any size."""
    digits = draw(st.text("0123456789", min_size=10, max_size=10))
    words: list[str] = []
    at = 0
    while at < len(digits):
        size = draw(st.integers(1, min(3, len(digits) - at)))
        group = draw(st.sampled_from(ways(digits[at : at + size])))
        # "twenty" then "one" can't be told from "twenty one", nor "two" from "to" a "hundred",
        # nor "one hundred" then "ten" from "one hundred ten".
        open_number = bool(words) and words[-1].split()[-1] in {*TENS, "hundred"}
        if open_number and digits[at] != "0":
            group = digits[at : at + size]
        filler = draw(st.sampled_from(["", "", "um", "and", "dash", "then", "uh"]))
        if words and filler:
            words.append(filler)
        words.append(group)
        at += size
    return digits, " ".join(words)


@settings(deadline=None)
@given(spoken_numbers(), st.sampled_from(["", "it's ", "my number is ", "yeah sure call me at "]))
def test_any_ten_digits_in_any_grouping_are_read(number: tuple[str, str], lead: str) -> None:
    digits, words = number
    assert read_digits(lead + words) == digits


@settings(deadline=None)
@given(spoken_numbers())
def test_what_is_said_back_reads_the_same(number: tuple[str, str]) -> None:
    digits, _ = number
    assert read_digits(say_phone(digits)) == digits
    assert say_last_four("+1" + digits).replace(" ", "") == digits[-4:]


@settings(deadline=None)
@given(spoken_numbers(), st.integers(1, 9), st.sampled_from(["no wait", "sorry", "i mean"]))
def test_the_end_said_anew_replaces_the_end(
    number: tuple[str, str], length: int, marker: str
) -> None:
    digits, words = number
    new = "".join(str((int(digit) + 1) % 10) for digit in digits[-length:])
    said = " ".join(DIGIT.get(digit, "oh") for digit in new)
    assert read_digits(f"{words} {marker} {said}") == digits[:-length] + new


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("three one six five five five oh one four two", "3165550142"),
        ("316 555 0142", "3165550142"),
        ("316-555-0142", "3165550142"),
        ("one three one six five five five oh one four two", "3165550142"),
        ("three sixteen five fifty five oh one forty two", "3165550142"),
        ("area code three one six then triple five oh one four two", "3165550142"),
        ("eight hundred five five five two thousand", "8005552000"),
        ("three one six five five five oh one for two", "3165550142"),
        ("three one six five five six not five oh one four two", "3165560142"),
        ("three one six five five five no wait six not five", "316556"),
        ("three one five no wait three one six five five five oh one four two", "3165550142"),
        ("316 555 and the last four are oh one five two", "3165550152"),
        ("table for four and my number is 316 555 0142", "3165550142"),
        ("316 555 0142 for two people", "3165550142"),
        ("five five five oh one four two area code three one six", "3165550142"),
    ],
)
def test_numbers_as_they_are_said(words: str, digits: str) -> None:
    reading = read_phone(words)
    assert reading is not None
    assert reading.digits == digits


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("no it ends in oh one five two", "3165550152"),
        ("no it's four not two", "3165550144"),
        ("not two four", "3165550144"),
        ("no the area code is six two oh", "6205550142"),
        ("no six two oh five five five oh one four three", "6205550143"),
    ],
)
def test_a_number_read_back_is_put_right(words: str, digits: str) -> None:
    reading = read_phone(words, "3165550142")
    assert reading is not None
    assert reading.digits == digits


@pytest.mark.parametrize(
    ("digits", "status"),
    [
        ("3165550142", PhoneStatus.COMPLETE),
        ("13165550142", PhoneStatus.COMPLETE),
        ("5550142", PhoneStatus.NO_AREA_CODE),
        ("316555", PhoneStatus.PARTIAL),
        ("31655501423", PhoneStatus.WRONG),
        ("9999999999", PhoneStatus.WRONG),
    ],
)
def test_how_far_a_number_is_one(digits: str, status: PhoneStatus) -> None:
    reading = judge(digits)
    assert reading.status is status
    assert reading.number == ("+13165550142" if status is PhoneStatus.COMPLETE else "")


@pytest.mark.parametrize("words", ["", "yes", "no i don't", "call me on my cell"])
def test_no_number_is_none(words: str) -> None:
    assert read_phone(words) is None


# ── names ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("maria", "Maria"),
        ("my name is john smith", "John Smith"),
        ("uh this is sarah", "Sarah"),
        ("yeah put it under o'neil please", "O'neil"),
        ("it's maria m a r i a", "Maria"),
        ("b as in boy o b", "Bob"),
        ("g a double r y", "Garry"),
        ("john no jon j o n", "Jon"),
        ("it's dan sorry diane", "Diane"),
        ("everyone calls me skip", "Skip"),
        ("um fiona i suppose", "Fiona"),
        ("joe not john", "Joe"),
        ("smith double t", "Smith"),
        ("that'd be lewandowski", "Lewandowski"),
        ("let's go with harper", "Harper"),
        ("i go by teddy", "Teddy"),
        ("last name's torres", "Torres"),
        ("he knows me as omar", "Omar"),
        ("you've got me down as holloway", "Holloway"),
        ("the name i used was greta", "Greta"),
        ("under my name which is wallace", "Wallace"),
        ("doctor nguyen", "Nguyen"),
        ("it's me ronnie", "Ronnie"),
        ("first name is aisha last name khan", "Aisha Khan"),
        ("um", ""),
        ("what do you need it for", ""),
    ],
)
def test_names(words: str, name: str) -> None:
    assert read_name(words) == name


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("a table for two under the name of osei", "Osei"),
        ("friday at seven my name is dana ruiz", "Dana Ruiz"),
        ("it's for my sister", ""),
        ("name your price", ""),
        ("the name for the order is deshawn", "Deshawn"),
    ],
)
def test_a_name_told_beside_something_else(words: str, name: str) -> None:
    assert read_introduced(words) == name


@given(st.text("bcdefghjklmnopqrstuvwxyz", min_size=2, max_size=10))
def test_a_spelled_name_is_read(name: str) -> None:
    assert read_name("that's " + " ".join(name)) == name.capitalize()


# ── how many ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("table for four friday at seven", Count(4, 4)),
        ("a party of sixteen", Count(16, 16)),
        ("there will be eight of us", Count(8, 8)),
        ("friday for four at seven thirty", Count(4, 4)),
        ("me and my wife", Count(2, 2)),
        ("two adults and three kids", Count(5, 5)),
        ("just me", Count(1, 1)),
        ("half a dozen", Count(6, 6)),
        ("a hundred and twenty people", Count(120, 120)),
        ("four no wait five people", Count(5, 5)),
        ("we said four but it will be six now", Count(6, 6)),
        ("put us down for two on the fourteenth", Count(2, 2)),
        ("next tuesday around five thirty party of eleven", Count(11, 11)),
        ("lunch for thirty five on the tenth", Count(35, 35)),
        ("six people instead of four", Count(6, 6)),
        ("my family of five", Count(5, 5)),
        ("myself and one other", Count(2, 2)),
        ("two couples", Count(4, 4)),
        ("a foursome", Count(4, 4)),
        ("with my three kids so four of us", Count(4, 4)),
        ("my parents my brother and me", Count(4, 4)),
        ("seven of my coworkers and me", Count(8, 8)),
        ("two seniors and a child", Count(3, 3)),
        ("a couple adults and one toddler", Count(3, 3)),
        ("eight of us plus a baby", Count(9, 9)),
        ("four adults one toddler", Count(5, 5)),
        ("between eight and ten people", Count(8, 10)),
        ("me my mom and my two sisters", Count(4, 4)),
        ("friday at seven", None),
        ("my boss dumped a wedding on me and i need help", None),
        ("it's for my parents' anniversary and i have no clue", None),
        ("i only want one little thing", None),
        ("a table for noon", None),
        ("what are your hours", None),
    ],
)
def test_how_many(words: str, count: Count | None) -> None:
    assert read_count(words) == count


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("four", Count(4, 4)),
        ("four no five", Count(5, 5)),
        ("five not four", Count(5, 5)),
        ("not four five", Count(5, 5)),
        ("four or five", Count(4, 5)),
        ("um maybe twenty five", Count(25, 25)),
        ("a couple", Count(2, 2)),
        ("at seven", None),
        ("five thousand people", None),
    ],
)
def test_how_many_when_asked(words: str, count: Count | None) -> None:
    assert read_count(words, sole=True) == count


@given(st.integers(1, 99))
def test_any_party_is_read(size: int) -> None:
    tens, ones = divmod(size, 10)
    if size < 10:
        words = DIGIT[str(size)]
    elif size < 20:
        words = TEEN[str(size)]
    else:
        words = f"{TEN[f'{tens}0']} {DIGIT.get(str(ones), '')}".strip()
    assert read_count(f"a table for {words} people") == Count(size, size)
    assert read_count(words, sole=True) == Count(size, size)


@pytest.mark.parametrize(
    ("words", "cents"),
    [
        ("thirteen fifty", 1350),
        ("thirteen dollars and fifty cents", 1350),
        ("i paid forty two dollars", 4200),
        ("twenty bucks", 2000),
        ("fifty cents", 50),
        ("$13.50", 1350),
        ("four people", None),
    ],
)
def test_amounts(words: str, cents: int | None) -> None:
    assert read_amount(words) == cents


# ── day and time ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("next friday at half past seven", "Friday, December 4th at 7:30 PM"),
        ("friday at seven", "Friday, November 27th at 7 PM"),
        ("this friday at seven", "Friday, November 27th at 7 PM"),
        ("tomorrow seven thirty p m", "Tuesday, November 24th at 7:30 PM"),
        ("quarter to eight on saturday", "Saturday, November 28th at 7:45 PM"),
        ("twenty past six tomorrow", "Tuesday, November 24th at 6:20 PM"),
        ("sunday at noon", "Sunday, November 29th at noon"),
        ("at eleven on friday", "Friday, November 27th at 11 AM"),
        ("the twenty seventh at six", "Friday, November 27th at 6 PM"),
        ("the fifth of december at six fifteen", "Saturday, December 5th at 6:15 PM"),
        ("december first at six oh five", "Tuesday, December 1st at 6:05 PM"),
        ("a week from friday at seven", "Friday, December 4th at 7 PM"),
        ("table for four friday at seven", "Friday, November 27th at 7 PM"),
        ("seven thirty no wait eight", "at 8 PM"),
        ("next friday no saturday at six", "Saturday, November 28th at 6 PM"),
        ("party of six tomorrow night", "Tuesday, November 24th"),
        ("in two weeks", "Monday, December 7th"),
        ("in half an hour", "Monday, November 23rd at 5:30 PM"),
        ("four people tomorrow at quarter to eight", "Tuesday, November 24th at 7:45 PM"),
        ("we're four tomorrow at quarter to eight", "Tuesday, November 24th at 7:45 PM"),
        ("saturday at half seven", "Saturday, November 28th at 7:30 PM"),
        ("sevenish tomorrow", "Tuesday, November 24th at 7 PM"),
        ("friday at 630", "Friday, November 27th at 6:30 PM"),
        ("12/5 at 7", "Saturday, December 5th at 7 PM"),
        ("not friday saturday at six", "Saturday, November 28th at 6 PM"),
        ("a week tomorrow", "Tuesday, December 1st"),
        ("two weeks from friday", "Friday, December 11th"),
        ("wednesday next week", "Wednesday, December 2nd"),
        ("new year's eve at eight", "Thursday, December 31st at 8 PM"),
        ("thanksgiving at two", "Thursday, November 26th at 2 PM"),
        ("mother's day at noon", "Sunday, May 9th at noon"),
        ("dec 5th at 7 pm", "Saturday, December 5th at 7 PM"),
        ("eighteen thirty tomorrow", "Tuesday, November 24th at 6:30 PM"),
        ("nineteen hundred on friday", "Friday, November 27th at 7 PM"),
        ("an hour from now", "Monday, November 23rd at 6 PM"),
        ("in about two hours", "Monday, November 23rd at 7 PM"),
        ("three days from now", "Thursday, November 26th"),
        ("eight then", "at 8 PM"),
        ("okay eight is fine", "at 8 PM"),
    ],
)
def test_when(words: str, said: str) -> None:
    when = read_when(words, MONDAY, HOURS)
    assert when is not None
    assert say_when(when) == said


@pytest.mark.parametrize(
    ("words", "closed", "shut"),
    [
        ("tonight at eight", True, False),
        ("monday at six", True, False),
        ("friday at ten p m", False, True),
        ("sunday at half past eight", False, True),
        ("friday at seven", False, False),
        ("friday", False, False),
    ],
)
def test_closed_days_and_hours_are_noticed(words: str, closed: bool, shut: bool) -> None:
    when = read_when(words, MONDAY, HOURS)
    assert when is not None
    assert (when.closed, when.shut) == (closed, shut)


@pytest.mark.parametrize("words", ["four people", "may i have a table", "yes", "my soup was cold"])
def test_no_time_is_none(words: str) -> None:
    assert read_when(words, MONDAY, HOURS) is None


def test_without_hours_nothing_is_closed() -> None:
    when = read_when("monday at six", MONDAY, {})
    assert when == When(date(2026, 11, 23), time(18))


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(DAYS),
    st.sampled_from(["", "this ", "next "]),
    st.sampled_from(list(UNITS)),
)
def test_a_weekday_is_that_weekday_and_soon(now: datetime, day: str, which: str, hour: str) -> None:
    when = read_when(f"{which}{day} at {hour}", now, HOURS)
    assert when is not None
    assert when.day is not None
    assert when.at is not None
    assert DAYS[when.day.weekday()] == day
    assert 0 <= (when.day - now.date()).days <= (13 if which == "next " else 6)
    assert when.at.hour % 12 == UNITS[hour]
    assert when.closed == (not HOURS[day])


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *UNITS,
                *TEENS,
                *TENS,
                *DAYS,
                "no",
                "not",
                "wait",
                "at",
                "the",
                "next",
                "half",
                "past",
                "quarter",
                "to",
                "double",
                "hundred",
                "of",
                "may",
                "first",
                "week",
                "in",
                "a",
                "p",
                "m",
                "o'clock",
                "people",
                "or",
                "as",
                "area",
                "last",
                "7:30",
            ]
        ),
        max_size=12,
    )
)
def test_readers_never_fail(words: list[str]) -> None:
    text = " ".join(words)
    read_phone(text)
    read_phone(text, "3165550142")
    read_phone(text, "316")
    read_name(text)
    read_count(text)
    read_count(text, sole=True)
    read_amount(text)
    when = read_when(text, MONDAY, HOURS, near=date(2026, 12, 4))
    assert when is None or say_when(when)
