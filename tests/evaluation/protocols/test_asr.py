"""Speech recognition, from hypotheses and from a recogniser."""

import pytest

from catok.evaluation.protocols.asr import score_asr, score_hypotheses
from catok.evaluation.protocols.items import ASRItem
from catok.evaluation.protocols.results import summarize
from catok.evaluation.text_units import standard_units

from .conftest import ByLength


def items(record) -> list[ASRItem]:
    return [
        ASRItem("a", record("a.wav", 800), "Twenty-five men.", "en"),
        ASRItem("b", record("b.wav", 900), "你好", "zh"),
        ASRItem("c", record("c.wav", 1000), "no no no", "en"),
    ]


def test_hypotheses(record):
    rows = score_hypotheses(items(record), {"a": "25 man", "b": ""}, standard_units)
    english, chinese = summarize(rows)
    assert english["corpus"] == 50 and english["missing"] == 1  # one of two words
    assert english["corpus_of_all"] == 80  # and three words that were never heard
    assert chinese["corpus"] == 100 and chinese["deletions"] == 2


def test_hypotheses_of_other_data(record):
    with pytest.raises(ValueError, match=r"1 of 2 hypotheses .* such as z: .* ids such as a"):
        score_hypotheses(items(record), {"a": "x", "z": "y"}, standard_units)


def test_a_recogniser(record):
    hears = ByLength({800: "twenty five men", 1000: "no"})
    rows = list(score_asr(items(record), hears, standard_units))
    assert [row.outcome for row in rows] == ["scored", "failed", "scored"]
    assert "900 samples" in (rows[1].reason or "")
    assert hears.languages == ["en", "zh", "en"]
    english, _ = summarize(rows)
    assert english["deletions"] == 2 and english["length"] == 5
    assert english["seconds"] == pytest.approx(0.1125) and english["seconds_utterances"] == 2
