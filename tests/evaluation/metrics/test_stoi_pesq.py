"""STOI and PESQ on real speech: known values, mixing and resampling, and what they refuse."""

import sys

import pytest
import torch

from catok.audio.resampling import resample
from catok.evaluation.metrics.pesq import PesqMetric, pesq
from catok.evaluation.metrics.stoi import StoiMetric, stoi
from catok.evaluation.sample import Sample
from tests.evaluation.metrics.conftest import noisy

pytest.importorskip("pesq")
pytest.importorskip("pystoi")

METRICS = pytest.mark.parametrize("metric", [stoi, pesq])


def test_identity_is_perfect(speech):
    assert stoi(speech, speech, 16_000) == pytest.approx(1, abs=1e-6)
    assert pesq(speech, speech, 16_000) >= 4.5
    assert pesq(speech, speech, 16_000, mode="nb") >= 4.5


@METRICS
def test_more_noise_is_worse(metric, speech):
    scores = [metric(speech, noisy(speech, level), 16_000) for level in (0.001, 0.01, 0.1)]
    assert scores == sorted(scores, reverse=True)
    assert scores[2] < metric(speech, speech, 16_000) - 0.2


def test_values_are_those_of_the_packages(speech):
    import pesq as pesq_package
    import pystoi

    output = noisy(speech, 0.03)
    clean, other = speech[0].numpy(), output[0].numpy()
    for extended in (False, True):
        expected = pystoi.stoi(clean, other, 16_000, extended=extended)
        found = stoi(speech, output, 16_000, extended=extended)
        assert found == pytest.approx(expected, abs=1e-9)  # ESTOI adds noise below 1e-15
    for mode in ("wb", "nb"):
        expected = pesq_package.pesq(16_000, clean, other, mode)
        assert pesq(speech, output, 16_000, mode=mode) == expected


@METRICS
def test_shapes_and_mixing(metric, speech):
    output = noisy(speech, 0.03)
    expected = metric(speech, output, 16_000)
    assert metric(speech[0], output[0], 16_000) == expected
    assert metric(speech.repeat(2, 1), output, 16_000) == pytest.approx(expected, abs=1e-4)


@METRICS
def test_the_longer_signal_is_cut(metric, speech):
    output = noisy(speech, 0.03)
    longer = torch.cat((output, torch.ones(1, 8000)), dim=1)
    assert metric(speech, longer, 16_000) == metric(speech, output, 16_000)
    assert metric(speech, output[:, :48_000], 16_000) == metric(
        speech[:, :48_000], output[:, :48_000], 16_000
    )


@METRICS
@pytest.mark.parametrize("rate", [24_000, 44_100, 48_000])
def test_other_rates_are_resampled(metric, speech, rate):
    output = noisy(speech, 0.03)
    expected = metric(speech, output, 16_000)
    resampled = [resample(x, 16_000, rate) for x in (speech, output)]
    assert metric(*resampled, rate) == pytest.approx(expected, abs=0.02)


@METRICS
def test_silence_is_refused(metric, speech):
    with pytest.raises(ValueError, match="reference signal is silent"):
        metric(torch.zeros_like(speech), speech, 16_000)
    with pytest.raises(ValueError, match="output signal is silent"):
        metric(speech, torch.zeros_like(speech), 16_000)


def test_short_signals_are_refused(speech):
    short = speech[:, 8000:11_999]
    with pytest.raises(ValueError, match=r"at least 0\.25 s"):
        pesq(short, short, 16_000)
    with pytest.raises(ValueError, match=r"at least 0\.4 s"):
        stoi(short, short, 16_000)


@METRICS
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x * float("nan"), "output signal holds NaN"),
        (lambda x: x[None], r"output: expected float audio \[C, T\]"),
        (lambda x: x[:, :0], "output: expected float audio"),
        (lambda x: (x * 32_767).to(torch.int16), "output: expected float audio"),
    ],
)
def test_wrong_signals_are_refused(metric, speech, change, message):
    with pytest.raises(ValueError, match=message):
        metric(speech, change(speech), 16_000)


@METRICS
@pytest.mark.parametrize("rate", [0, -16_000, 16_000.5])
def test_wrong_rates_are_refused(metric, speech, rate):
    with pytest.raises(ValueError, match="sample rate must be a positive integer"):
        metric(speech, speech, rate)


def test_wrong_mode_is_refused(speech):
    with pytest.raises(ValueError, match='"wb" or "nb"'):
        pesq(speech, speech, 16_000, mode="fb")  # type: ignore[arg-type]


@METRICS
def test_a_missing_package_is_explained(metric, speech, monkeypatch):
    monkeypatch.setitem(sys.modules, "pesq", None)
    monkeypatch.setitem(sys.modules, "pystoi", None)
    with pytest.raises(ValueError, match=r"pip install .*catok\[eval\]"):
        metric(speech, speech, 16_000)


def test_metric_classes_fill_their_columns(speech):
    output = noisy(speech, 0.03)
    sample = Sample("a", speech, output, 16_000)
    expected = {
        "stoi": stoi(speech, output, 16_000),
        "estoi": stoi(speech, output, 16_000, extended=True),
    }
    assert StoiMetric()(sample) == pytest.approx(expected, abs=1e-9)
    assert PesqMetric()(sample) == {
        "pesq_nb": pesq(speech, output, 16_000, "nb"),
        "pesq_wb": pesq(speech, output, 16_000, "wb"),
    }


def test_clipped_speech_has_a_score(speech):
    clipped = (30 * speech).clamp(-1, 1)
    assert 0.3 < stoi(speech, clipped, 16_000) < 0.99
    assert 1 < pesq(speech, clipped, 16_000) < 4
