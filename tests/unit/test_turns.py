"""Turn-taking under virtual time: conversations as sequences a person can read."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from agent import turns
from agent.events import (
    CallAnswered,
    CallerHungUp,
    Event,
    Expect,
    FinalHeard,
    KeyPressed,
    LineFinished,
    LineStarted,
    PartialHeard,
    Replied,
    Sentence,
    SentenceKind,
    SpeechStarted,
    SpeechStopped,
    ToneHeard,
)
from agent.turns import state as lengths

LINE = (Sentence(SentenceKind.PHRASE, "test", "Hello."),)


class Table:
    """A call on the table: events go in at their time, actions come out by name."""

    def __init__(self) -> None:
        self.state = turns.State(longest_call=1200.0)
        self.now = 0.0
        self.frame = 0.02
        self.answers = False
        """Ear, mind and mouth do their part at once."""

    def feed(self, event: Event | turns.Tick) -> list[turns.Action]:
        self.state, actions = turns.step(self.state, event)
        if self.answers:
            for action in actions:
                self.answer(action)
            while self.state.lines:
                self.line_over()
        return list(actions)

    def answer(self, action: turns.Action) -> None:
        match action:
            case turns.EndTurn():
                self.final("")
            case turns.AskSilence(count=count):
                self.reply(ends=count >= 3)
            case turns.WindUp():
                self.reply(ends=True)
            case turns.Understand() | turns.ReadKeys():
                self.reply()

    def after(self, seconds: float) -> list[turns.Action]:
        """Let ``seconds`` of quiet audio pass; return what was done meanwhile."""
        seen: list[turns.Action] = []
        for _ in range(round(seconds / self.frame)):
            self.now += self.frame
            seen += self.feed(turns.Tick(self.now))
        return seen

    def reply(
        self,
        *,
        expect: Expect = Expect.OPEN,
        tool: str = "",
        ends: bool = False,
        says: tuple[Sentence, ...] = LINE,
    ) -> list[turns.Action]:
        event = Replied(
            at=self.now, step="t", sentences=says, expect=expect, tool=tool, ends_call=ends
        )
        return self.feed(event)

    def line_over(self, *, complete: bool = True) -> list[turns.Action]:
        return self.feed(LineFinished(at=self.now, line=1, heard="Hello.", complete=complete))

    def speaks(self) -> list[turns.Action]:
        return self.feed(SpeechStarted(at=self.now))

    def words(self, text: str, wait: float | None = None) -> list[turns.Action]:
        stable = len(text.split())
        seen = self.feed(
            PartialHeard(at=self.now, text=text, stable=stable, wait=wait, rule="late")
        )
        return [action for action in seen if not isinstance(action, turns.Guess)]

    def stops(self, wait: float = 0.4) -> list[turns.Action]:
        seen = self.feed(SpeechStopped(at=self.now, last_voiced=self.now, wait=wait, rule="plain"))
        return [action for action in seen if not isinstance(action, turns.Guess)]

    def final(self, text: str) -> list[turns.Action]:
        return self.feed(FinalHeard(at=self.now, text=text))

    def says(self, text: str) -> list[turns.Action]:
        """The caller says a whole turn; return what came of it."""
        self.speaks()
        self.after(0.8)
        self.words(text)
        self.stops()
        assert turns.EndTurn() in self.after(0.5)
        return self.final(text)

    def says_nothing_more(self) -> bool:
        self.speaks()
        return self.after(5.0) == [] and self.feed(CallerHungUp(at=self.now)) == []


def answered() -> Table:
    table = Table()
    assert table.feed(CallAnswered(at=0.0)) == [turns.Open()]
    assert table.reply() == [turns.Speak(LINE)]
    table.feed(LineStarted(at=0.0, line=1, text="Hello."))
    table.after(2.0)
    assert table.line_over() == []
    return table


def names(actions: list[turns.Action]) -> list[str]:
    return [type(action).__name__ for action in actions]


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


def test_the_caller_over_our_line_pauses_it_at_once_and_words_take_the_turn() -> None:
    table = answered()
    table.reply()
    table.after(0.5)
    assert table.speaks() == [turns.Pause()]
    table.after(0.3)
    assert names(table.words("no wait")) == ["Drop", "Note"]
    table.line_over(complete=False)
    table.stops()
    table.after(0.5)
    assert table.final("no wait") == [turns.Understand("no wait")]


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
    table.after(0.3)
    assert table.final("uh huh") == [turns.Resume()]


def test_yeah_over_a_yes_no_question_is_the_answer() -> None:
    table = answered()
    table.reply(expect=Expect.YES_NO)
    table.speaks()
    assert names(table.words("yeah")) == ["Drop", "Note"]


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


def test_silence_is_prompted_twice_and_then_the_goodbye_is_asked_for() -> None:
    table = answered()
    counts = []
    for _ in range(3):
        seen = table.after(lengths.SILENCE_SECONDS + 0.1)
        counts += [action.count for action in seen if isinstance(action, turns.AskSilence)]
        table.reply(ends=len(counts) == 3)
        table.after(1.0)
        table.line_over()
    assert counts == [1, 2, 3]
    assert turns.HangUp("goodbye") in table.after(1.0)


def test_speaking_resets_the_count_of_silences() -> None:
    table = answered()
    table.after(lengths.SILENCE_SECONDS + 0.1)
    table.reply()
    table.line_over()
    table.says("i am here")
    table.reply()
    table.line_over()
    assert turns.AskSilence(1) in table.after(lengths.SILENCE_SECONDS + 0.1)


def test_the_goodbye_is_heard_out_and_then_the_line_is_released() -> None:
    table = answered()
    table.says("bye")
    table.reply(ends=True)
    assert table.after(3.0) == []
    table.line_over()
    assert table.after(0.2) == []
    assert table.after(0.2) == [turns.HangUp("goodbye")]


def test_bye_over_the_goodbye_neither_stops_nor_restarts_it() -> None:
    table = answered()
    table.says("that's all")
    table.reply(ends=True)
    table.feed(LineStarted(at=table.now, line=2, text="Goodbye."))
    table.after(0.5)
    assert table.says("bye bye") == [turns.Understand("bye bye")]
    assert table.reply(ends=True, says=()) == []
    table.line_over()
    assert table.after(0.5) == [turns.HangUp("goodbye")]


def test_a_caller_who_never_stops_talking_is_released_all_the_same() -> None:
    table = answered()
    table.says("that's all")
    table.reply(ends=True)
    table.speaks()
    table.words("and my cat says")
    table.line_over()
    assert turns.HangUp("goodbye") in table.after(lengths.GOODBYE_GRACE_SECONDS + 0.5)


def test_a_new_need_over_the_goodbye_reopens_the_call() -> None:
    table = answered()
    table.says("that's all")
    table.reply(ends=True)
    table.says("wait what time do you close")
    assert names(table.reply(ends=False)) == ["Drop", "Speak"]
    table.line_over(complete=False)
    table.line_over()
    assert turns.HangUp("goodbye") not in table.after(3.0)


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


def test_a_call_has_a_longest_time() -> None:
    table = answered()
    table.state = replace(table.state, longest_call=table.now + 1.0)
    assert turns.WindUp() in table.after(1.2)


# ── the caller was not done ─────────────────────────────────────────────────────────────


def test_who_goes_on_before_our_answer_sounds_gets_one_turn_out_of_two() -> None:
    table = answered()
    table.says("i'd like to order")
    table.speaks()
    assert table.reply() == []
    table.after(0.6)
    table.words("some ramen to go")
    table.stops()
    table.after(0.5)
    assert table.final("some ramen to go")[-1] == turns.Understand(
        "i'd like to order some ramen to go", goes_on=True
    )


def test_who_goes_on_as_our_answer_begins_cannot_have_reacted_to_it() -> None:
    table = answered()
    table.says("no")
    table.reply()
    table.feed(LineStarted(at=table.now, line=2, text="Hello."))
    table.after(0.3)
    assert table.speaks() == [turns.Pause()]
    table.after(0.3)
    assert names(table.words("use another number")) == ["Drop", "Note"]
    table.line_over(complete=False)
    table.stops()
    table.after(0.5)
    assert names(table.final("use another number")) == ["Note", "Understand"]
    assert table.state.said == "no use another number"


def test_who_speaks_later_means_something_new() -> None:
    table = answered()
    table.says("no")
    table.reply()
    table.feed(LineStarted(at=table.now, line=2, text="Hello."))
    table.after(1.0)
    table.says("what was that")
    assert table.state.said == "what was that"


def test_what_a_tool_did_is_not_taken_back() -> None:
    table = answered()
    table.says("yes")
    table.reply(tool="send_link", says=())
    table.reply()
    table.feed(LineStarted(at=table.now, line=2, text="Done."))
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
    table.stops()
    table.after(0.5)
    assert table.final("and do you have parking") == [turns.Speak(LINE)]
    assert table.line_over() == [turns.Understand("and do you have parking")]


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


def test_hello_into_the_greeting_does_not_stop_it() -> None:
    table = Table()
    table.feed(CallAnswered(at=0.0))
    table.reply()
    table.feed(LineStarted(at=0.0, line=1, text="Hello."))
    table.after(0.5)
    assert table.speaks() == [turns.Pause()]
    assert table.words("hello") == []
    table.stops(wait=0.2)
    table.after(0.3)
    assert table.final("hello") == [turns.Resume()]


def test_a_need_spoken_into_the_greeting_is_served() -> None:
    table = Table()
    table.feed(CallAnswered(at=0.0))
    table.reply()
    table.feed(LineStarted(at=0.0, line=1, text="Hello."))
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
    table.feed(LineStarted(at=table.now, line=2, text="Goodbye."))
    table.after(0.2)
    assert table.speaks() == [turns.Pause()]
    assert table.words("that's all") == []
    table.stops()
    table.after(0.5)
    assert table.final("that's all") == [turns.Understand("that's all")]
    assert table.reply(ends=True, says=()) == [turns.Resume()]


def test_a_wish_over_the_goodbye_holds_it_and_thanks_do_not() -> None:
    table = answered()
    table.says("that's all")
    table.reply(ends=True)
    table.feed(LineStarted(at=table.now, line=2, text="Goodbye."))
    table.after(0.5)
    table.speaks()
    assert table.words("thank you") == []
    assert names(table.words("thank you one more question")) == ["Pause"]
    table.stops()
    table.after(0.5)
    table.final("thank you one more question")
    assert table.reply(ends=True, says=()) == [turns.Resume()]


def test_our_own_voice_coming_back_takes_no_turn() -> None:
    table = answered()
    line = Sentence(SentenceKind.PHRASE, "test", "I can text you our ordering link right now.")
    table.reply(says=(line,))
    table.after(1.0)
    table.speaks()
    assert table.words("i can text you our ordering link") == []
    table.stops()
    table.after(0.5)
    assert table.final("i can text you our ordering link") == [turns.Resume()]


# ── a voice that does not end ───────────────────────────────────────────────────────────


def test_a_television_behind_the_words_does_not_hold_the_turn() -> None:
    table = answered()
    table.speaks()
    table.after(1.0)
    table.words("what time do you close")
    seen = table.after(lengths.STALE_WORDS_SECONDS + 0.1)
    assert turns.EndTurn() in seen


def test_noise_that_comes_and_goes_does_not_put_the_prompt_off_for_ever() -> None:
    table = answered()
    table.answers = True
    seen: list[turns.Action] = []
    for _ in range(30):
        table.speaks()
        seen += table.after(0.3)
        table.stops(wait=0.3)
        seen += table.after(0.5)
    assert turns.AskSilence(1) in seen


# ── no people ───────────────────────────────────────────────────────────────────────────

MACHINE_WORDS = [
    ("answering_machine", "please leave your message after the tone"),
    ("answering_machine", "we can't come to the phone right now"),
    ("answering_machine", "please leave a message after the phone"),
    ("menu", "press one four english"),
    ("hold_queue", "your call is important to us please stay on the line"),
    ("menu", "for english press one for spanish press two to hear"),
    ("bot", "hello i am an automated assistant calling about your account"),
    ("bot", "this call is being recorded"),
]


def test_machines_are_hung_up_on_and_their_kind_is_noted() -> None:
    for kind, text in MACHINE_WORDS:
        table = answered()
        seen = table.says(text)
        assert names(seen) == ["Note", "Drop", "HangUp"], text
        assert seen[-1] == turns.HangUp(kind)


def test_people_who_speak_of_messages_and_holding_are_people() -> None:
    for text in (
        "can i leave a message for the owner",
        "please hold on a second",
        "i was on hold for an hour",
        "can you record my name for the list",
        "do i press one",
        "is this an automated system",
        "are all your tables taken",
    ):
        assert names(answered().says(text)) == ["Understand"], text


def test_the_same_words_again_and_again_are_a_recording() -> None:
    table = answered()
    text = "we have been trying to reach you"
    for _ in range(2):
        assert names(table.says(text)) == ["Understand"]
        table.reply()
        table.line_over()
    assert table.says(text)[-1] == turns.HangUp("loop")


def test_a_line_that_only_returns_our_voice_is_our_own_call() -> None:
    table = answered()
    line = Sentence(SentenceKind.PHRASE, "test", "Thanks for calling Hikari. How can I help?")
    table.reply(says=(line,))
    table.line_over()
    seen: list[turns.Action] = []
    for _ in range(3):
        seen = table.says("thanks for calling hikari how can i help")
    assert seen[-1] == turns.HangUp("forward_loop")


def test_a_fax_is_released() -> None:
    table = answered()
    seen = table.feed(ToneHeard(at=table.now, tone="fax"))
    assert seen[-1] == turns.HangUp("fax")


def test_a_slow_answer_gets_one_bridge_and_one_that_never_comes_ends_in_voicemail() -> None:
    table = answered()
    table.says("do you deliver")
    seen = table.after(lengths.BRIDGE_SECONDS + 0.1)
    assert seen == [turns.Bridge()]
    table.line_over()
    assert turns.GiveUp("the mind") in table.after(lengths.STUCK_SECONDS)


EVENTS = st.sampled_from(
    ["speaks", "words", "stops", "final", "reply", "ends", "tool", "over", "key", "tick"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(EVENTS, st.floats(0.02, 3.0)), max_size=40))
def test_whatever_happens_the_call_ends_and_is_silent_afterwards(
    script: list[tuple[str, float]],
) -> None:
    table = Table()
    table.frame = 0.1
    table.feed(CallAnswered(at=0.0))
    for kind, gap in script:
        match kind:
            case "speaks":
                table.speaks()
            case "words":
                table.words("something else")
            case "stops":
                table.stops()
            case "final":
                table.final("something else")
            case "reply":
                table.reply()
            case "ends":
                table.reply(ends=True)
            case "tool":
                table.reply(tool="send_link", says=())
            case "over":
                table.line_over()
            case "key":
                table.feed(KeyPressed(at=table.now, digit="1"))
        table.after(gap)
    table.answers = True
    table.final("")
    table.reply(says=())
    table.stops()
    for _ in range(90):
        table.after(1.0)
        if table.state.over:
            break
    assert table.state.over
    assert table.says_nothing_more()
