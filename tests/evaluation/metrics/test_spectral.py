"""Spectral distances against librosa, on short audio and silence."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.audio.resampling import resample
from catok.evaluation.metrics.spectral import (
    SpectralMetric,
    mel_distance,
    spectral_convergence,
    stft_distance,
)
from catok.evaluation.sample import Sample
from tests.evaluation.metrics.conftest import noisy

DISTANCES = (mel_distance, stft_distance, spectral_convergence)


def by_librosa(reference: np.ndarray, output: np.ndarray) -> tuple[float, float, float]:
    """The three figures, from librosa's spectrograms in float64."""
    librosa = pytest.importorskip("librosa")
    mel_sum = stft_sum = 0.0
    ratios = []
    for window, bins in ((2048, 150), (512, 80)):
        shape = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window))
        both = [
            np.abs(
                librosa.stft(
                    x.astype(np.float64),
                    n_fft=window,
                    hop_length=window // 4,
                    window=shape,
                    pad_mode="reflect",
                )
            )
            for x in (reference, output)
        ]
        filters = librosa.filters.mel(sr=16_000, n_fft=window, n_mels=bins)
        mels = [filters @ x for x in both]
        stft_sum += log_and_linear(*both)
        mel_sum += log_and_linear(*mels)
        ratios.append(np.linalg.norm(both[0] - both[1]) / np.linalg.norm(both[0]))
    return mel_sum, stft_sum, float(np.mean(ratios))


def log_and_linear(a: np.ndarray, b: np.ndarray) -> float:
    log_a, log_b = (np.log10(np.maximum(x, 1e-5) ** 2) for x in (a, b))
    return float(np.abs(log_a - log_b).mean() + np.abs(a - b).mean())


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.001, 0.05])
def test_equals_librosa(speech, level):
    output = noisy(speech, level)
    expected = by_librosa(speech[0].numpy(), output[0].numpy())
    found = [distance(speech, output, 16_000) for distance in DISTANCES]
    assert found == pytest.approx(expected, rel=1e-4)


def test_identity_is_zero_and_noise_is_farther(speech):
    for distance in DISTANCES:
        scores = [distance(speech, noisy(speech, x), 16_000) for x in (0, 0.001, 0.01, 0.1)]
        assert scores[0] == 0 and scores == sorted(scores)


def test_half_the_level(speech):
    """Every magnitude halves: log10(4) per scale, and the ratio of norms is a half."""
    tone = torch.sin(torch.arange(16_000) / 16_000 * 2 * torch.pi * 440)[None]
    loud = noisy(tone, 0.3)  # nothing below the floor
    figures = SpectralMetric()(Sample("a", loud, loud / 2, 16_000))
    assert figures["spectral_convergence"] == pytest.approx(0.5, rel=1e-4)
    assert figures["stft_distance"] > 2 * np.log10(4)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 100))
def test_very_short_audio_is_padded(length, seed):
    audio = torch.randn(1, length, generator=torch.Generator().manual_seed(seed))
    figures = SpectralMetric()(Sample("a", audio, -0.5 * audio, 16_000))
    assert all(np.isfinite(value) and value > 0 for value in figures.values())
    assert figures["spectral_convergence"] == pytest.approx(0.5, rel=1e-3)


def test_other_rates_and_the_longer_signal(speech):
    output = noisy(speech, 0.03)
    expected = mel_distance(speech, output, 16_000)
    up = [resample(x, 16_000, 24_000) for x in (speech, output)]
    assert mel_distance(*up, 24_000) == pytest.approx(expected, abs=0.05)
    longer = torch.cat((output, torch.ones(1, 999)), dim=1)
    assert mel_distance(speech, longer, 16_000) == expected


def test_a_silent_output_has_a_distance_and_a_silent_reference_has_none(speech):
    silence = torch.zeros_like(speech)
    figures = SpectralMetric()(Sample("a", speech, silence, 16_000))
    assert figures["spectral_convergence"] == pytest.approx(1)
    with pytest.raises(ValueError, match="reference signal is silent"):
        SpectralMetric()(Sample("a", silence, speech, 16_000))
