"""Error rates computed by hand, and how they are pooled."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.protocols.results import summarize, worst_utterances
from catok.evaluation.protocols.utterance_score import UtteranceScore
from catok.evaluation.text_units import TEXT_UNITS, detect_language, standard_units

SEED = TEXT_UNITS["seed-tts-eval"]


def judged(
    name: str, text: str, hypothesis: str | None, language: str | None = "en"
) -> UtteranceScore:
    row = UtteranceScore.pending(name, text, language, SEED)
    return row if hypothesis is None else row.with_hypothesis(hypothesis, SEED)


def test_words_by_hand():
    row = judged("a", "One two, three four.", "one too three").as_row()
    assert row["wer"] == 50 and row["cer"] is None
    assert (row["substitutions"], row["deletions"], row["insertions"]) == (1, 1, 0)
    assert row["length"] == 4


def test_characters_by_hand():
    row = judged("a", "你好，世界。", "你号世界吗吗", "zh-CN").as_row()  # noqa: RUF001
    assert row["cer"] == 75 and row["wer"] is None  # one wrong, two too many, of four
    assert (row["substitutions"], row["deletions"], row["insertions"]) == (1, 0, 2)
    assert row["language"] == "zh"


def test_mean_and_corpus_by_hand():
    rows = [
        judged("a", "one two", "one"),  # 1 of 2
        judged("b", "one two three four five six", "one two three four five six"),  # 0 of 6
        judged("c", "one two", None),
        judged("d", "?!", "anything"),
    ]
    (line,) = summarize(rows)
    assert (line["language"], line["measure"]) == ("en", "wer")
    assert (line["utterances"], line["scored"]) == (4, 2)
    assert (line["missing"], line["failed"]) == (1, 1)
    assert line["mean"] == pytest.approx(25)
    assert line["corpus"] == pytest.approx(100 / 8)
    assert line["mean_of_all"] == pytest.approx(150 / 3)  # c: all deleted; d has no words
    assert line["corpus_of_all"] == pytest.approx(300 / 10)
    assert rows[3].reason == "no words are left of the text: leave this utterance out"


def test_languages_are_not_mixed():
    rows = [judged("a", "one two", "one two"), judged("b", "一二", "一", None)]
    assert [(g["language"], g["measure"], g["mean"]) for g in summarize(rows)] == [
        ("en", "wer", 0),
        ("zh", "cer", 50),
    ]


def test_nothing_scored_has_no_rate():
    (line,) = summarize([judged("a", "one two", None)])
    assert line["mean"] is None and line["corpus"] is None
    assert line["mean_of_all"] == 100


def test_the_worst_come_first():
    rows = [
        judged("half", "one two", "one"),
        judged("right", "one", "one"),
        judged("all", "one", "two"),
        judged("long", "one two three four", "one two"),
        judged("gone", "one", None),
    ]
    assert [row.id for row in worst_utterances(rows, 3)] == ["all", "long", "half"]


@pytest.mark.parametrize(
    ("text", "stated", "language"),
    [("x", "en_US", "en"), ("x", "ZH-cn", "zh"), ("x", None, "und"), ("a 好", None, "zh")],
)
def test_language_codes(text, stated, language):
    assert detect_language(text, stated) == language


def test_standard_words_write_numbers_one_way():
    assert standard_units("It's twenty-five!", "en") == standard_units("it is 25", "en")
    assert standard_units("甚至 出现", "zh") == list("甚至出现")
    assert standard_units("Ahoj, světe", "und") == ["ahoj", "světe"]


words = st.lists(st.sampled_from("abcd"), min_size=1, max_size=6).map(" ".join)


@given(st.lists(st.tuples(words, words | st.just("") | st.none()), min_size=1, max_size=6))
def test_rates_of_random_utterances(pairs):
    rows = [judged(str(i), text, heard) for i, (text, heard) in enumerate(pairs)]
    (line,) = summarize(rows)
    scored = [row for row in rows if row.errors is not None]
    assert line["scored"] + line["missing"] == len(pairs)
    assert line["length"] == sum(row.length for row in scored)
    if scored:
        rates = [row.percent for row in scored if row.percent is not None]
        for key in ("mean", "corpus"):
            assert min(rates) - 1e-9 <= line[key] <= max(rates) + 1e-9
        wrong = line["substitutions"] + line["deletions"] + line["insertions"]
        assert line["corpus"] == pytest.approx(100 * wrong / line["length"])
    if all(text == heard for text, heard in pairs):
        assert line["mean"] == line["corpus_of_all"] == 0


figures = st.dictionaries(st.sampled_from(["seconds", "sim"]), st.floats(-1, 1))


@given(words | st.just("?!"), words | st.just("") | st.none(), figures, st.sampled_from("ez"))
def test_rows_are_read_back(text, hypothesis, figures, first):
    row = replace(
        judged("a", text, hypothesis, {"e": "en", "z": "zh"}[first]),
        figures=figures,
        reason="too quiet" if figures else None,
        audio_sha1="0123456789ab" if figures else None,
    )
    assert UtteranceScore.from_row(json.loads(json.dumps(row.as_row()))) == row
