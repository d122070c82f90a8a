"""The English corpus: which sentences are spoken, in which split, and numbers in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from research.english import spoken_numbers
from research.english.sentences import (
    choose,
    names_inside,
    sentences,
    speakable,
    split_of,
    words,
)

pytestmark = pytest.mark.slow

PHRASE = st.text("abcdefg '", min_size=1, max_size=12).filter(words)


@pytest.mark.parametrize(
    "sentence",
    [
        "Where did you put it?",
        "Well, I'm an old-fashioned man.",
        "Good luck, Joe King!",
        "So what?",
    ],
)
def test_plain_sentences_are_spoken(sentence):
    assert speakable(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Stop!",  # one word
        "Room 12 is free.",
        "It is <b>bold</b> now.",
        "No, that's GOOD!",
        "Joe King.",  # names only
        "Well hmm no.",
        "Aaargh you rascal!",
        "We were, um ... lost.",
        "no capital in front.",
        "No end",
        "That is a pneumonoultramicroscopic thing.",
        "The dogs' bowl is empty.",
        "A " + "very " * 20 + "long one.",
        "He said Mr. King is here.",
    ],
)
def test_doubtful_sentences_are_not(sentence):
    assert not speakable(sentence)


def test_paragraphs_are_cut_after_their_sentences():
    cut = list(sentences("Hello  there! Mr. King is\nin. \u201cYes\u201d? it's 3.5 miles"))
    assert cut == ["Hello there!", "Mr. King is in.", '"Yes"? it\'s 3.5 miles']
    assert names_inside("Tell Joe I am here.") and names_inside("An un-American thing.")
    assert not names_inside("Tell him I'm here, and I'll come.")


@given(PHRASE)
def test_a_sentence_has_one_split_however_it_is_written(text):
    shouted = f"  {text.upper()}?! "
    assert words(shouted) == words(text) and split_of(shouted) == split_of(text)


def test_splits_get_their_shares():
    found = [split_of(f"sentence number {n}") for n in range(4000)]
    assert 0.02 < found.count("test") / 4000 < 0.045 and 0.02 < found.count("valid") / 4000 < 0.045


@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(PHRASE, max_size=8), min_size=1),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 3)),
)
def test_every_sentence_is_chosen_once(sources, weights):
    order = choose(sources, weights, "salt")
    chosen = [words(text) for _, text in order]
    assert len(chosen) == len(set(chosen))
    assert set(chosen) == {words(text) for found in sources.values() for text in found}
    backwards = {name: found[::-1] for name, found in sources.items()}
    assert choose(backwards, weights, "salt") == order


def test_the_mix_follows_the_weights_and_the_salt():
    sources = {"a": [f"alpha {n}" for n in range(30)], "b": [f"beta {n}" for n in range(30)]}
    order = choose(sources, {"a": 3})
    assert [name for name, _ in order[:8]] == list("aaabaaab")
    assert choose(sources, {"a": 3}, "another voice") != order


VALUES = {word: n for n, word in enumerate(spoken_numbers._SMALL)}
VALUES |= {word: 10 * n for n, word in enumerate(spoken_numbers._TENS, 2)}


@given(st.integers(0, 999_999))
def test_numbers_in_words_are_worth_the_number(number):
    total = part = 0
    for word in spoken_numbers.cardinal(number).replace("-", " ").split():
        if word == "thousand":
            total, part = part * 1000, 0
        elif word == "hundred":
            part *= 100
        else:
            part += VALUES[word]
    assert total + part == number


def test_ordinals_years_and_times():
    spoken = [spoken_numbers.ordinal(n) for n in (1, 12, 20, 23, 104)]
    assert spoken == ["first", "twelfth", "twentieth", "twenty-third", "one hundred fourth"]
    years = [spoken_numbers.year(n) for n in (1984, 1905, 1800, 2007, 2024)]
    assert years[:3] == ["nineteen eighty-four", "nineteen oh five", "eighteen hundred"]
    assert years[3:] == ["two thousand seven", "twenty twenty-four"]
    assert spoken_numbers.clock(9, 5) == "nine oh five"
    assert spoken_numbers.clock(9, 0) == "nine o'clock"
    made = list(spoken_numbers.number_sentences(300))
    assert all(map(speakable, made)) and len(set(made)) > 280
    assert made[:7] == list(spoken_numbers.number_sentences(7))
    with pytest.raises(ValueError, match="999,999"):
        spoken_numbers.cardinal(1_000_000)
