import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.metrics.normalise import characters, normalise, words


def test_english_as_whisper_writes_it():
    pytest.importorskip("transformers")
    text = "Mr. Neil WON\u2019T pay, uh, twenty dollars \u2014 it's caf\u00e9-au-lait!"
    assert normalise(text, "en") == normalise(text, "en-GB")
    assert normalise(text, "en") == "mister neil will not pay 20 it is cafe au lait"


def test_other_languages_keep_marks_and_digits():
    assert normalise("\u00c9t\u00e9, l'\uff12\uff11 juin\u2026", "fr") == "\u00e9t\u00e9 l 21 juin"
    assert normalise("  Stra\u00dfe -- \u00dcBER  $5 ", "de") == "stra\u00dfe \u00fcber 5"
    assert normalise("?!", None) == ""


def test_scripts_without_spaces_count_characters():
    text = normalise("\u4f60\u597d\uff0cWorld 2\u3002", "zh")
    assert words(text) == ["\u4f60", "\u597d", "world", "2"]
    assert characters(text) == list("\u4f60\u597dworld2")


def test_korean_has_words():
    assert words("\uc548\ub155 \ud558\uc138\uc694") == ["\uc548\ub155", "\ud558\uc138\uc694"]


@given(st.text(max_size=60))
def test_normalising_twice_changes_nothing_and_punctuation_never_stays(text):
    once = normalise(text)
    assert normalise(once) == once
    assert not set(once) & set(".,;:!?()[]\"'-_$%")
    assert characters(once) == [c for word in words(once) for c in word]
