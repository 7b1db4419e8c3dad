"""Whose turn it is: pauses, keys, tools, and thinking ahead."""

from __future__ import annotations

from agent import turns
from agent.events import Expect, KeyPressed, PartialHeard, SpeechStopped
from agent.turns import state as lengths
from tests.unit.turns_table import Table, answered, names


def test_a_turn_ends_when_the_pause_has_lasted_as_long_as_the_ear_says() -> None:
    table = answered()
    table.speaks()
    table.after(1.0)
    table.words("i want to order")
    table.stops(wait=0.4)
    assert table.after(0.36) == []
    assert names(table.after(0.06)) == ["Note", "EndTurn"]
    assert table.final("i want to order") == [turns.Understand("i want to order")]


def test_speaking_on_within_the_pause_keeps_the_turn() -> None:
    table = answered()
    table.speaks()
    table.after(0.5)
    table.stops(wait=0.4)
    table.after(0.3)
    table.speaks()
    assert table.after(1.0) == []
    table.stops(wait=0.4)
    assert turns.EndTurn() in table.after(0.5)


def test_late_words_change_how_long_the_pause_may_last() -> None:
    table = answered()
    table.speaks()
    table.after(0.5)
    table.stops(wait=0.3)
    table.words("three one six", wait=1.2)
    assert table.after(1.1) == []
    assert turns.EndTurn() in table.after(0.2)


def test_a_cough_without_a_word_is_no_turn() -> None:
    table = answered()
    table.speaks()
    table.after(0.2)
    table.stops(wait=0.3)
    assert turns.EndTurn() in table.after(0.4)
    assert table.final("") == []


def test_a_long_mumble_is_asked_about() -> None:
    table = answered()
    table.speaks()
    table.after(1.5)
    table.stops(wait=0.3)
    table.after(0.4)
    assert table.final("") == [turns.Understand("")]


def test_a_radio_does_not_hold_the_turn_for_ever() -> None:
    table = answered()
    table.speaks()
    seen = table.after(lengths.NOISE_TURN_SECONDS + 0.1)
    assert turns.Forget() in seen
    assert turns.AskSilence(1) in seen


def test_a_slow_tool_gets_one_bridge() -> None:
    table = answered()
    table.says("yes")
    table.reply(tool="send_link", says=())
    seen = table.after(lengths.BRIDGE_SECONDS + 2.0)
    assert seen.count(turns.Bridge()) == 1


def test_words_during_a_tool_are_read_after_its_receipt() -> None:
    table = answered()
    table.says("yes")
    table.reply(tool="send_link", says=())
    assert table.says("hello") == []
    table.reply()
    seen = table.line_over() + table.line_over()
    assert seen == [turns.Understand("hello")]


def test_a_number_is_read_when_its_tenth_key_is_pressed() -> None:
    table = answered()
    table.reply(expect=Expect.PHONE_NUMBER)
    table.line_over()
    seen: list[turns.Action] = []
    for digit in "3165550177":
        seen = table.feed(KeyPressed(at=table.now, digit=digit))
    assert seen == [turns.Forget(), turns.ReadKeys("3165550177")]


def test_an_unfinished_number_is_read_after_a_pause() -> None:
    table = answered()
    table.reply(expect=Expect.PHONE_NUMBER)
    table.line_over()
    for digit in "555":
        table.feed(KeyPressed(at=table.now, digit=digit))
    assert turns.ReadKeys("555") in table.after(lengths.KEYS_PAUSE_SECONDS + 0.1)


# ── the caller was not done ─────────────────────────────────────────────────────────────


# ── thinking ahead ──────────────────────────────────────────────────────────────────────


def guesses(actions: list[turns.Action]) -> list[str]:
    return [action.text for action in actions if isinstance(action, turns.Guess)]


def in_a_pause(table: Table, text: str) -> list[str]:
    event = PartialHeard(at=table.now, text=text, stable=1, wait=0.4, rule="late")
    return guesses(table.feed(event))


def test_words_before_a_pause_are_thought_through_while_it_lasts() -> None:
    table = answered()
    table.speaks()
    table.words("do you have parking")
    stop = SpeechStopped(at=table.now, last_voiced=table.now, wait=0.3, rule="plain")
    assert guesses(table.feed(stop)) == ["do you have parking"]
    assert in_a_pause(table, "do you have parking") == []
    assert in_a_pause(table, "do you have parking there") == ["do you have parking there"]


def test_thinking_ahead_is_bounded() -> None:
    table = answered()
    table.speaks()
    seen = [in_a_pause(table, f"words {number}") for number in range(10)]
    assert sum(map(len, seen)) == lengths.MOST_GUESSES


def test_nothing_is_guessed_while_a_tool_works() -> None:
    table = answered()
    table.says("yes")
    table.reply(tool="send_link", says=())
    table.speaks()
    assert in_a_pause(table, "hello there") == []


# ── over our line ───────────────────────────────────────────────────────────────────────


# ── a voice that does not end ───────────────────────────────────────────────────────────


def test_a_television_behind_the_words_does_not_hold_the_turn() -> None:
    table = answered()
    table.speaks()
    table.after(1.0)
    table.words("what time do you close")
    seen = table.after(lengths.STALE_WORDS_SECONDS + 0.1)
    assert turns.EndTurn() in seen
