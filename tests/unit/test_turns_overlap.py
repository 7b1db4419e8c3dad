"""Two voices at once: who gives way, and who was not done yet."""

from __future__ import annotations

from agent import turns
from agent.events import Expect, Sentence, SentenceKind
from agent.turns import state as lengths
from tests.unit.turns_table import LINE, answered, greeting, names


def test_the_caller_over_our_line_pauses_it_at_once_and_words_take_the_turn() -> None:
    table = answered()
    table.reply()
    table.after(0.5)
    assert table.speaks() == [turns.Pause()]
    table.after(0.3)
    assert names(table.words("no wait")) == ["Drop", "Note"]
    table.line_over(complete=False)
    assert table.finishes("no wait") == [turns.Understand("no wait")]


def test_noise_over_our_line_lets_it_go_on() -> None:
    table = answered()
    table.reply()
    assert table.speaks() == [turns.Pause()]
    assert names(table.after(1.0)) == ["Resume"]


def test_uh_huh_over_our_line_lets_it_go_on() -> None:
    table = answered()
    table.reply()
    table.speaks()
    table.after(0.2)
    assert table.words("uh huh") == []
    table.stops(wait=0.2)
    assert names(table.after(0.36)) == ["Note", "EndTurn", "Resume"]
    assert table.final("uh huh") == []


def test_words_of_the_room_do_not_take_the_turn() -> None:
    table = answered()
    table.reply()
    table.line_begins()
    table.after(1.0)
    assert table.speaks() == [turns.Pause()]
    assert table.words("the") == table.words("the i do") == []
    assert names(table.after(1.1)) == ["Resume"]
    table.stops()
    table.after(0.5)
    assert table.final("the i do") == []


def test_a_slow_speaker_s_first_words_are_waited_for() -> None:
    table = answered()
    table.reply()
    table.line_begins()
    table.after(1.0)
    table.speaks()
    assert table.after(0.9) == []
    assert names(table.words("thank you")) == ["Drop", "Note"]


def test_who_was_not_done_is_waited_for_even_longer() -> None:
    table = answered()
    table.says("i'd like to order")
    table.reply()
    table.line_begins()
    assert table.speaks() == [turns.Pause()]
    assert table.after(1.5) == []


def test_okay_before_the_question_was_heard_is_no_answer_to_it() -> None:
    question = Sentence(SentenceKind.PHRASE, "test", "Is that right?")
    line = (Sentence(SentenceKind.PHRASE, "test", "I can text you our ordering link."), question)
    table = answered()
    table.reply(expect=Expect.YES_NO, says=line)
    table.line_begins()
    table.after(0.7)
    table.speaks()
    assert table.words("okay") == []
    table.stops(wait=0.2)
    table.after(0.3)
    assert table.final("okay") == [turns.Resume()]
    table.after(3.0)
    table.speaks()
    assert names(table.words("okay")) == ["Drop", "Note"]


def test_yeah_over_a_yes_no_question_is_the_answer() -> None:
    table = answered()
    table.reply(expect=Expect.YES_NO)
    table.speaks()
    assert names(table.words("yeah")) == ["Drop", "Note"]


def test_bye_over_the_goodbye_neither_stops_nor_restarts_it() -> None:
    table = answered()
    table.says("that's all")
    table.reply(ends=True)
    table.line_begins()
    table.after(0.5)
    assert table.says("bye bye") == [turns.Understand("bye bye")]
    assert table.reply(ends=True, says=()) == []
    table.line_over()
    assert table.after(0.5) == [turns.HangUp("goodbye")]


def test_a_new_need_over_the_goodbye_reopens_the_call() -> None:
    table = answered()
    table.says("that's all")
    table.reply(ends=True)
    table.says("wait what time do you close")
    assert names(table.reply(ends=False)) == ["Drop", "Speak"]
    table.line_over(complete=False)
    table.line_over()
    assert turns.HangUp("goodbye") not in table.after(3.0)


def test_who_goes_on_before_our_answer_sounds_gets_one_turn_out_of_two() -> None:
    table = answered()
    table.says("i'd like to order")
    table.speaks()
    assert table.reply() == []
    table.after(0.6)
    table.words("some ramen to go")
    assert table.finishes("some ramen to go")[-1] == turns.Understand(
        "i'd like to order some ramen to go", goes_on=True
    )


def test_who_goes_on_as_our_answer_begins_cannot_have_reacted_to_it() -> None:
    table = answered()
    table.says("no")
    table.reply()
    table.line_begins()
    table.after(0.3)
    assert table.speaks() == [turns.Pause()]
    table.after(0.3)
    assert names(table.words("use another number")) == ["Drop", "Note"]
    table.line_over(complete=False)
    assert names(table.finishes("use another number")) == ["Note", "Understand"]
    assert table.state.said == "no use another number"


def test_who_speaks_later_means_something_new() -> None:
    table = answered()
    table.says("no")
    table.reply()
    table.line_begins()
    table.after(1.0)
    table.says("what was that")
    assert table.state.said == "what was that"


def test_what_a_tool_did_is_not_taken_back() -> None:
    table = answered()
    table.says("yes")
    table.reply(tool="send_link", says=())
    table.reply()
    table.line_begins()
    table.after(0.2)
    assert table.says("that is fine by me")[-1] == turns.Understand("that is fine by me")


def test_noise_after_the_turn_only_delays_the_answer() -> None:
    table = answered()
    table.says("i'd like to order")
    table.speaks()
    assert table.reply() == []
    table.stops()
    assert turns.Speak(LINE) in table.after(0.5)


def test_a_receipt_is_said_even_if_the_caller_speaks_meanwhile() -> None:
    table = answered()
    table.says("yes")
    table.reply(tool="send_link", says=())
    table.speaks()
    assert table.reply() == []
    table.after(0.4)
    table.words("and do you have parking")
    assert table.finishes("and do you have parking") == [turns.Speak(LINE)]
    assert table.line_over() == [turns.Understand("and do you have parking")]


def test_hello_into_the_greeting_does_not_stop_it() -> None:
    table = greeting()
    table.after(0.5)
    assert table.speaks() == [turns.Pause()]
    assert table.words("hello") == []
    table.stops(wait=0.2)
    table.after(0.3)
    assert table.final("hello") == [turns.Resume()]


def test_a_need_spoken_into_the_greeting_is_served() -> None:
    table = greeting()
    table.after(0.8)
    table.speaks()
    assert names(table.words("hi do you deliver")) == ["Drop", "Note"]


def test_a_cough_over_our_line_holds_it_for_a_moment_only() -> None:
    table = answered()
    table.reply()
    table.speaks()
    table.after(0.1)
    table.stops()
    assert names(table.after(lengths.BLIP_SECONDS + 0.06)) == ["Resume"]


def test_words_that_come_after_the_line_went_on_still_take_the_turn() -> None:
    table = answered()
    table.reply()
    table.speaks()
    assert names(table.after(1.0)) == ["Resume"]
    assert names(table.words("excuse me")) == ["Drop", "Note"]


def test_who_goes_on_as_the_goodbye_begins_is_let_finish_and_then_hears_it() -> None:
    table = answered()
    table.says("no thanks")
    table.reply(ends=True)
    table.line_begins()
    table.after(0.2)
    assert table.speaks() == [turns.Pause()]
    assert table.words("that's all") == []
    assert table.finishes("that's all") == [turns.Understand("that's all")]
    assert table.reply(ends=True, says=()) == [turns.Resume()]


def test_a_wish_over_the_goodbye_holds_it_and_thanks_do_not() -> None:
    table = answered()
    table.says("that's all")
    table.reply(ends=True)
    table.line_begins()
    table.after(0.5)
    table.speaks()
    assert table.words("thank you") == []
    assert names(table.words("thank you one more question")) == ["Pause"]
    table.finishes("thank you one more question")
    assert table.reply(ends=True, says=()) == [turns.Resume()]


def test_our_own_voice_coming_back_takes_no_turn() -> None:
    table = answered()
    line = Sentence(SentenceKind.PHRASE, "test", "I can text you our ordering link right now.")
    table.reply(says=(line,))
    table.after(1.0)
    table.speaks()
    assert table.words("i can text you our ordering link") == []
    assert table.finishes("i can text you our ordering link") == [turns.Resume()]
