"""How calls end: silence, goodbyes, machines, and a part that never answers."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from agent import turns
from agent.events import CallAnswered, KeyPressed, Sentence, SentenceKind, ToneHeard
from agent.turns import state as lengths
from tests.unit.turns_table import Table, answered, names


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


def test_a_caller_who_never_stops_talking_is_released_all_the_same() -> None:
    table = answered()
    table.says("that's all")
    table.reply(ends=True)
    table.speaks()
    table.words("and my cat says")
    table.line_over()
    assert turns.HangUp("goodbye") in table.after(lengths.GOODBYE_GRACE_SECONDS + 0.5)


def test_a_call_has_a_longest_time() -> None:
    table = answered()
    table.state = replace(table.state, longest_call=table.now + 1.0)
    assert turns.WindUp() in table.after(1.2)


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
