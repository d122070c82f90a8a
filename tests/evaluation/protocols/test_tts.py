"""Speech synthesis: made, missing, broken and silent outputs."""

import pytest
import torch

from catok.evaluation.protocols.items import TTSItem
from catok.evaluation.protocols.results import summarize
from catok.evaluation.protocols.tts import score_tts, speech_from_folder
from catok.evaluation.text_units import standard_units

from .conftest import RATE, ByLength, LevelRatio, tone

HEARS = ByLength({800: "One two.", 900: "one three", 1600: "你好"})


def items(record, *texts: str) -> list[TTSItem]:
    prompt = record("prompt.wav", 400, 0.2)
    codes = ("zh" if "好" in text else "en" for text in texts)
    return [
        TTSItem(f"u{i}", text, code, prompt, "prompt")
        for i, (text, code) in enumerate(zip(texts, codes, strict=True))
    ]


def test_outputs_in_a_folder(record, tmp_path):
    record("out/u0.wav", 800)
    record("out/u1.flac", 900, 0.4)
    rows = list(
        score_tts(
            items(record, "one two", "one two", "one two three"),
            speech_from_folder(tmp_path / "out"),
            HEARS,
            [LevelRatio()],
        )
    )
    assert [row.outcome for row in rows] == ["scored", "scored", "missing"]
    assert [row.percent for row in rows] == [0, 50, None]
    assert rows[0].figures["seconds"] == 0.1
    assert rows[0].figures["ratio"] == pytest.approx(0.5, abs=0.01)
    assert rows[1].figures["ratio"] == pytest.approx(2, abs=0.01)
    (line,) = summarize(rows)
    assert line["mean"] == 25 and line["missing"] == 1
    assert line["mean_of_all"] == 50
    assert line["ratio"] == pytest.approx(1.25, abs=0.01) and line["ratio_utterances"] == 2


def test_outputs_made_on_the_spot(record):
    made = {"u0": (tone(1600).repeat(2, 1), 2 * RATE), "u1": None}  # stereo, another rate
    rows = list(
        score_tts(items(record, "你好。", "one"), lambda i: made[i.id], HEARS, [LevelRatio()])
    )
    assert rows[0].measure == "cer" and rows[0].percent == 0
    assert rows[0].figures["ratio"] == pytest.approx(0.5, abs=0.02)
    assert rows[1].outcome == "missing"
    assert HEARS.languages[-1] == "zh"


def test_what_fails_says_why_and_the_rest_goes_on(record, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "u0.wav").write_bytes(b"")
    record("out/u1.wav", 801)
    record("out/u2.wav", 800)
    todo = items(record, "one two", "one two", "one two")
    rows = list(score_tts(todo, speech_from_folder(tmp_path / "out"), HEARS))
    assert [row.outcome for row in rows] == ["failed", "failed", "scored"]
    assert "u0.wav is empty" in (rows[0].reason or "")
    assert "801 samples: too short" in (rows[1].reason or "")
    assert summarize(rows)[0]["failed"] == 2


def test_a_metric_without_score_leaves_the_words(record):
    (row,) = score_tts(
        items(record, "one two"), lambda _: (tone(800, 0.01), RATE), HEARS, [LevelRatio()]
    )
    assert row.outcome == "scored" and row.percent == 0
    assert "ratio" not in row.figures and row.reason == "too quiet"


def test_a_missing_prompt_leaves_the_words(tmp_path):
    item = TTSItem("u0", "one two", "en", tmp_path / "nowhere.wav", "prompt")
    (row,) = score_tts([item], lambda _: (tone(800), RATE), HEARS, [LevelRatio()])
    assert row.percent == 0 and "nowhere.wav does not exist" in (row.reason or "")


def test_words_are_split_as_asked(record):
    said = ByLength({800: "it is 25"})
    todo = items(record, "It's twenty-five!")
    (seed,) = score_tts(todo, lambda _: (tone(800), RATE), said)
    (standard,) = score_tts(todo, lambda _: (tone(800), RATE), said, split=standard_units)
    assert seed.percent == 150 and standard.percent == 0


def test_not_a_number_is_refused(record):
    bad = torch.full((1, 800), float("nan"))
    (row,) = score_tts(items(record, "one two"), lambda _: (bad, RATE), HEARS, [LevelRatio()])
    assert "NaN" in (row.reason or "")


def test_a_figure_that_is_no_number_is_left_out_with_a_reason(record, tmp_path):
    class Odd(LevelRatio):
        def __call__(self, sample):
            return {"ratio": float("nan"), "other": float("inf"), "fine": 1.0}

    record("out/u0.wav", 800)
    (row,) = score_tts(
        items(record, "one two"), speech_from_folder(tmp_path / "out"), HEARS, [Odd()]
    )
    assert row.figures == {"seconds": 0.1, "fine": 1.0} and row.outcome == "scored"
    assert row.reason == "ratio is not a finite number; other is not a finite number"
