"""When each written word ends, from the phonemes' times of a voice that tells them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.audio import FRAME_BYTES, seconds
from agent.mouth import Mouth
from agent.mouth.timing import Spoken, pieces, word_ends
from agent.settings import Settings

THE_END = [("^", 0.1), ("ð", 0.2), ("ə", 0.3), (" ", 0.3), ("ɛ", 0.5), ("n", 0.6), ("d", 0.7)]


def test_a_word_ends_where_its_last_phoneme_does() -> None:
    assert word_ends(["the", "end."], [*THE_END, (".", 0.9), ("$", 1.0)], 0.0, 1.0) == (0.3, 0.7)


def test_what_was_cut_off_before_and_behind_is_counted() -> None:
    assert word_ends(["the", "end."], THE_END, 0.1, 0.5) == pytest.approx((0.2, 0.5))


def test_words_that_piper_joins_end_together_and_one_that_it_splits_ends_last() -> None:
    joined = [("n", 0.2), ("ʌ", 0.3), ("m", 0.4), (" ", 0.4), ("t", 0.8), ("ɛ", 0.9), ("n", 1.0)]
    assert word_ends(["up", "to", "ten"], joined, 0.0, 1.0)[-1] == 1.0
    assert word_ends(["ten dollars and fifty cents"], joined, 0.0, 1.0) == (1.0,)


def test_without_phonemes_nothing_is_known() -> None:
    assert word_ends(["the", "end"], [], 0.0, 1.0) == ()
    assert word_ends(["…"], [("^", 0.1), ("$", 0.2)], 0.0, 0.2) == ()


phones = st.lists(st.tuples(st.sampled_from("ˈtɛn ,"), st.floats(0, 0.3)), max_size=40)


@given(st.lists(st.sampled_from(["a", "ramen", "8", "-", "$13.50"]), min_size=1), phones)
def test_every_word_has_an_end_none_before_the_last_one_nor_after_the_sound(
    words: list[str], lengths: list[tuple[str, float]]
) -> None:
    at = 0.0
    timed = [(name, at := at + length) for name, length in lengths]
    ends = word_ends(words, timed, 0.05, 2.0)
    assert len(ends) in (0, len(words))
    assert list(ends) == sorted(ends)
    assert all(0 <= end <= 2.0 for end in ends)


def test_pieces_are_cut_at_the_known_ends() -> None:
    sound = Spoken(bytes(FRAME_BYTES * 100), "one two three", (0.9, 1.0, 1.9))
    first, second = pieces(sound.text, sound)
    assert (first.words, first.ends, seconds(first.pcm)) == (("one",), (0.9,), 0.9)
    assert second.words == ("two", "three")
    assert second.ends == pytest.approx((0.1, 1.0))


async def test_the_house_voice_tells_when_each_word_ends() -> None:
    mouth = Mouth(Settings())
    await mouth.start()
    try:
        text = "Ramen is $13.50, and the number of seats is 8."
        chunks = [chunk async for chunk in mouth.speak(text)]
    finally:
        await mouth.stop()
    for chunk in chunks:
        assert len(chunk.ends) == len(chunk.text.split())
        assert list(chunk.ends) == sorted(chunk.ends)
    price = dict(zip(chunks[0].text.split(), chunks[0].ends, strict=True))
    # The price is five words of ten syllables, "Ramen is" three: letters alone would mislead.
    assert price["is"] < 0.45 * price["$13.50,"]
