"""SDR and SI-SDR against values worked out by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from catok.evaluation.metrics.waveform import WaveformMetric, sdr, si_sdr
from catok.evaluation.sample import Sample

REFERENCE = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
ACROSS = torch.tensor([[1.0, 1.0, -1.0, -1.0]])  # without mean, at right angles to REFERENCE


def test_by_hand():
    output = 0.8 * REFERENCE + 0.1 * ACROSS
    # error 0.2 and 0.1 in two directions: 1 / (0.04 + 0.01); scaled freely only 0.1 remains
    assert sdr(REFERENCE, output, 16_000) == pytest.approx(10 * math.log10(20), abs=1e-5)
    assert si_sdr(REFERENCE, output, 16_000) == pytest.approx(10 * math.log10(64), abs=1e-5)


def test_the_mean_is_an_error_to_sdr_only():
    output = REFERENCE + 0.5
    assert sdr(REFERENCE, output, 16_000) == pytest.approx(10 * math.log10(4), abs=1e-5)
    assert si_sdr(REFERENCE, output, 16_000) == 100


def test_limits():
    assert WaveformMetric()(Sample("a", REFERENCE, REFERENCE, 16_000)) == {
        "si_sdr": 100,
        "sdr": 100,
    }
    assert si_sdr(REFERENCE, ACROSS, 16_000) == -100
    assert sdr(REFERENCE, torch.zeros(1, 4), 16_000) == pytest.approx(0)


@given(st.floats(0.01, 50), st.integers(0, 100))
def test_si_sdr_does_not_hear_gain(gain, seed):
    draw = torch.Generator().manual_seed(seed)
    clean, noise = torch.randn(2, 1, 500, generator=draw)
    expected = si_sdr(clean, clean + 0.3 * noise, 16_000)
    assert si_sdr(clean, gain * (clean + 0.3 * noise), 16_000) == pytest.approx(expected, abs=1e-3)
    assert si_sdr(gain * clean, clean + 0.3 * noise, 16_000) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("metric", [sdr, si_sdr])
def test_noise_of_a_known_level(metric, speech):
    noise = torch.randn(speech.shape, generator=torch.Generator().manual_seed(0))
    noise *= speech.norm() / noise.norm() / 10  # 20 dB below
    assert metric(speech, speech + noise, 16_000) == pytest.approx(20, abs=0.2)


def test_what_has_no_score():
    with pytest.raises(ValueError, match="reference signal is silent"):
        sdr(torch.zeros(1, 4), REFERENCE, 16_000)
    with pytest.raises(ValueError, match="output signal is silent"):
        si_sdr(REFERENCE, torch.zeros(1, 4), 16_000)
    with pytest.raises(ValueError, match="output signal is constant"):
        si_sdr(REFERENCE, torch.ones(1, 4), 16_000)
