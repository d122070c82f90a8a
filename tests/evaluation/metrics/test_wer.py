"""Word errors by hand, pooled, and through a transcriber that says what it is told."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.edit_distance import EditCounts, count_edits
from catok.evaluation.metrics.wer import WordErrors, error_rates
from catok.evaluation.sample import Sample

pytest.importorskip("jiwer")

WORDS = st.lists(st.sampled_from(["a", "bb", "c", "\u4f60"]), max_size=8)
AUDIO = torch.ones(1, 100)


class Told:
    """Hears `texts[round of the first sample]`, and counts how often it is asked."""

    name = "told"

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.asked: list[tuple[int, int, str | None]] = []

    def transcribe(self, audio, sample_rate, language=None):
        self.asked.append((len(audio), sample_rate, language))
        return self.texts[round(float(audio[0])) - 1]


def sample(text=None, language=None, key="k"):
    """The original says the first text, the output the second."""
    return Sample(key, AUDIO, 2 * AUDIO, 24_000, text, language)


@pytest.mark.parametrize(
    "reference, hypothesis, expected",
    [
        ("the cat sat", "the cat sat", EditCounts(hits=3)),
        ("the cat sat", "the bat sat", EditCounts(substitutions=1, hits=2)),
        ("the cat sat", "the sat", EditCounts(deletions=1, hits=2)),
        ("the cat", "oh the big cat", EditCounts(insertions=2, hits=2)),
        ("a b c", "", EditCounts(deletions=3)),
        ("", "a b", EditCounts(insertions=2)),
        ("", "", EditCounts()),
    ],
)
def test_counts_by_hand(reference, hypothesis, expected):
    assert count_edits(reference.split(), hypothesis.split()) == expected


def distance(a: list[str], b: list[str]) -> int:
    """Levenshtein's distance, row by row."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


@given(WORDS, WORDS)
def test_errors_are_the_edit_distance(reference, hypothesis):
    found = count_edits(reference, hypothesis)
    assert found.total == distance(reference, hypothesis)
    assert found.reference == len(reference)
    assert found.hits + found.substitutions + found.insertions == len(hypothesis)


@given(WORDS)
def test_a_text_has_no_errors_against_itself(text):
    assert count_edits(text, text) == EditCounts(hits=len(text))


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=5))
def test_counts_pool(pairs):
    pooled = sum((count_edits(a, b) for a, b in pairs), EditCounts())
    assert pooled.total == sum(distance(a, b) for a, b in pairs)
    assert pooled.reference == sum(len(a) for a, _ in pairs)
    if pooled.reference:
        assert pooled.rate == pooled.total / pooled.reference
    else:
        with pytest.raises(ValueError, match="empty text"):
            _ = pooled.rate


def test_figures_of_two_texts():
    assert error_rates("the cat sat", "the bat") == {
        "wer": pytest.approx(200 / 3),
        "cer": pytest.approx(400 / 9),
        "word_errors": 2,
        "words": 3,
        "char_errors": 4,
        "chars": 9,
    }


def test_against_the_text_and_against_the_original():
    told = Told("The bat sat.", "the bat, sat")
    figures = WordErrors(told, language="fr")(sample("the cat sat"))
    assert set(figures) == {column.name for column in WordErrors.columns}
    assert (figures["word_errors"], figures["word_errors_original"]) == (1, 0)
    assert figures["wer"] == pytest.approx(100 / 3)
    assert told.asked == [(100, 24_000, "fr")] * 2


def test_chinese_words_are_characters():
    told = Told("\u4f60\u597d\u5417", "\u4f60\u597d\u4e48\uff1f")
    figures = WordErrors(told)(sample("\u4f60\u597d\u5417", "zh"))
    assert figures["wer"] == figures["cer"] == pytest.approx(100 / 3)
    assert told.asked[0][2] == "zh"


def test_originals_are_heard_once():
    told = Told("a b", "a c")
    metric = WordErrors(told)
    for level in (1, 1, 1.2):  # under one name
        found = metric(Sample("k", level * AUDIO, 2 * AUDIO, 24_000))
        assert (found["wer_original"], found["hypothesis"]) == (50, "a c")
    assert len(told.asked) == 2 + 3


def test_columns_without_a_reference_are_missing():
    assert "wer" not in WordErrors(Told("a", "a"))(sample())
    heard_nothing = WordErrors(Told("", "a"))(sample("a"))
    assert heard_nothing["wer"] == 0 and "wer_original" not in heard_nothing
    with pytest.raises(ValueError, match="no words are recognised"):
        WordErrors(Told("", "a"))(sample())


def test_silence_is_not_given_to_the_transcriber():
    with pytest.raises(ValueError, match="output signal is silent"):
        WordErrors(Told("a", "a"))(Sample("k", AUDIO, 0 * AUDIO, 24_000, "a"))
