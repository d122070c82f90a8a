"""Sentences of a text that is being written."""

import random

import pytest

from catok.lm.tts.text_splitting import SentenceSplitter, length, split_sentences

TEXT = (
    "Hello, Dr. Smith. How are you? I am e.g. fine.\n\nA new paragraph... yes! «Quoted.» And 3.5 "
    "is a number\n \n" + "word, " * 300 + "end. 你好。世界\uff01" + "x" * 700 + " The last one"
)


def test_sentences_in_order_and_none_too_long():
    found = split_sentences(TEXT, 100)
    assert found[:6] == [
        "Hello, Dr. Smith.",
        "How are you?",
        "I am e.g. fine.",
        "A new paragraph... yes!",
        "«Quoted.»",
        "And 3.5 is a number",
    ]
    assert max(map(length, found)) <= 100
    assert "".join("".join(found).split()) == "".join(TEXT.split())
    assert split_sentences(" \n\n ") == []


@pytest.mark.parametrize("seed", range(20))
def test_the_pieces_in_which_a_text_comes_do_not_matter(seed):
    draw, splitter, found, start = random.Random(seed), SentenceSplitter(100), [], 0
    while start < len(TEXT):
        end = start + draw.choice([1, 1, 2, 5, 17, 150])
        found += splitter.push(TEXT[start:end])
        start = end
    assert [*found, *splitter.finish()] == split_sentences(TEXT, 100)


def test_a_sentence_comes_when_the_next_one_begins():
    splitter = SentenceSplitter()
    assert splitter.push("One. ") == []
    assert splitter.push("T") == ["One."]
    assert splitter.push("wo.") == []
    assert splitter.finish() == ["Two."]
    assert splitter.finish() == []


def test_what_has_no_end_does_not_pile_up():
    splitter = SentenceSplitter(100)
    found = [piece for _ in range(200) for piece in splitter.push("word " * 10)]
    assert len(splitter._rest) < 500 and len(found) > 90
