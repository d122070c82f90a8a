import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.text_units import normalize_text, split_characters, split_words


def test_english_as_whisper_writes_it():
    pytest.importorskip("transformers")
    text = "Mr. Neil WON\u2019T pay, uh, twenty dollars \u2014 it's caf\u00e9-au-lait!"
    assert normalize_text(text, "en") == normalize_text(text, "en-GB")
    assert normalize_text(text, "en") == "mister neil will not pay 20 it is cafe au lait"


def test_other_languages_keep_marks_and_digits():
    assert (
        normalize_text("\u00c9t\u00e9, l'\uff12\uff11 juin\u2026", "fr")
        == "\u00e9t\u00e9 l 21 juin"
    )
    assert normalize_text("  Stra\u00dfe -- \u00dcBER  $5 ", "de") == "stra\u00dfe \u00fcber 5"
    assert normalize_text("?!", None) == ""


def test_scripts_without_spaces_count_characters():
    text = normalize_text("\u4f60\u597d\uff0cWorld 2\u3002", "zh")
    assert split_words(text) == ["\u4f60", "\u597d", "world", "2"]
    assert split_characters(text) == list("\u4f60\u597dworld2")


def test_korean_has_words():
    assert split_words("\uc548\ub155 \ud558\uc138\uc694") == ["\uc548\ub155", "\ud558\uc138\uc694"]


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing_and_punctuation_never_stays(text):
    once = normalize_text(text)
    assert normalize_text(once) == once
    assert not set(once) & set(".,;:!?()[]\"'-_$%")
    assert split_characters(once) == [c for word in split_words(once) for c in word]
