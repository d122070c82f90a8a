import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.lm.tts.text_splitting import length, sentences, split_text


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Hello. How are you? Fine!", ["Hello.", "How are you?", "Fine!"]),
        ("Dr. Smith lives at 3.5 St. James Rd. He", ["Dr. Smith lives at 3.5 St. James Rd.", "He"]),
        ("As J. S. Bach, e.g. here.", ["As J. S. Bach, e.g. here."]),
        ("So am I. You too.", ["So am I.", "You too."]),
        ('He said "Go!" and went. (So?) Yes', ['He said "Go!" and went.', "(So?)", "Yes"]),
        ("Wait... what? Oh\u2026 Well", ["Wait... what?", "Oh\u2026", "Well"]),
        ("Он пришёл. Т.е. почти. Да!", ["Он пришёл.", "Т.е. почти.", "Да!"]),  # noqa: RUF001
        (
            "\u4f60\u597d\u3002\u4f60\u597d\u5417\uff1f\u597d",
            ["\u4f60\u597d\u3002", "\u4f60\u597d\u5417\uff1f", "\u597d"],
        ),
        ("  one\ntwo.\tThree ", ["one two.", "Three"]),
        ("no end", ["no end"]),
    ],
)
def test_sentences(text, expected):
    assert sentences(text) == expected


def test_short_sentences_share_a_piece_within_their_paragraph():
    assert split_text("One. Two. Three.", 10) == ["One. Two.", "Three."]
    assert split_text("One.\n\nTwo.", 100) == ["One.", "Two."]
    wide = "\u4e00\u3002" * 3
    assert split_text(wide, 12) == ["\u4e00\u3002" * 2, "\u4e00\u3002"]


def test_long_sentences_are_cut_at_clauses_then_words_then_anywhere():
    assert split_text("first part here, second part", 20) == ["first part here,", "second part"]
    assert split_text("a first word without commas", 14) == ["a first word", "without commas"]
    assert split_text("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]


ALPHABET = st.sampled_from("ab. ,!?\n\t\"')\u3002\uff0c\u4e00\u0436Z\u2026\u2014")


@given(text=st.text(ALPHABET, max_size=80), limit=st.integers(10, 40))
def test_nothing_is_lost_and_every_piece_fits(text, limit):
    if not text.strip():
        with pytest.raises(ValueError, match="no text"):
            split_text(text, limit)
        return
    found = split_text(text, limit)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(piece and piece == piece.strip() and length(piece) <= limit for piece in found)


def test_korean_sentences_keep_the_space_between_them():
    assert split_text("\uc548\ub155. \ubc18\uac11\ub2e4.") == ["\uc548\ub155. \ubc18\uac11\ub2e4."]


def test_a_limit_below_ten_is_refused():
    with pytest.raises(ValueError, match="at least 10"):
        split_text("text", 5)


@pytest.mark.parametrize(
    "text",
    [
        "." * 100_000,
        "x" * 100_000,
        "word " * 20_000,
        "this is a sentence. " * 5_000,
        ".) " * 30_000,
    ],
    ids=["dots", "one word", "no punctuation", "lower case", "closers"],
)
def test_time_is_linear_in_the_length(text):
    begun = time.process_time()
    found = split_text(text, 200)
    assert time.process_time() - begun < 2  # with a step that looks at the rest: minutes
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_cut_anywhere_parts_no_character_from_its_marks():
    accented = "e\u0301" * 40
    assert all(piece.startswith("e") for piece in split_text(accented, 11))
    family = "\U0001f469\u200d\U0001f467" * 20
    assert all("\u200d" not in (piece[0], piece[-1]) for piece in split_text(family, 16))


def test_a_wide_full_stop_ends_a_sentence():
    assert sentences("\u3042\uff0e\u3044\uff0e") == ["\u3042\uff0e", "\u3044\uff0e"]
