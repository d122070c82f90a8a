"""Exact lengths at any rate; channels mixed or repeated."""

import math

import pytest
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from catok.audio import (
    resample,
)

from .conftest import noise

RATES = st.sampled_from([500, 8000, 11025, 16000, 22050, 24000, 44100, 48000, 192000])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 2000), RATES, RATES)
def test_resampled_length_is_the_ceiling(samples, old, new):
    assert resample(noise(1, samples), old, new).shape == (1, -(-samples * new // old))


def test_resample_agrees_with_soxr_and_keeps_a_sine():
    audio = noise(2, 44100)
    result = resample(audio, 44100, 24000)
    reference = soxr.resample(audio.T.numpy(), 44100, 24000, quality="VHQ").T
    torch.testing.assert_close(result, torch.from_numpy(reference.copy()), atol=1e-6, rtol=0)
    assert torch.equal(resample(audio.numpy(), 44100, 24000), result)

    tone = torch.sin(2 * math.pi * 440 * torch.arange(16000) / 16000)[None]
    expected = torch.sin(2 * math.pi * 440 * torch.arange(24000) / 24000)[None]
    torch.testing.assert_close(
        resample(tone, 16000, 24000)[:, 1000:-1000], expected[:, 1000:-1000], atol=1e-3, rtol=0
    )


def test_resample_keeps_batches_apart_and_dtype():
    batch = torch.stack([noise(2, 500, seed) for seed in range(3)])
    result = resample(batch, 24000, 16000)
    assert result.shape == (3, 2, 334)
    assert torch.equal(result[1], resample(batch[1], 24000, 16000))
    assert resample(batch.half(), 24000, 16000).dtype == torch.float16
    assert resample(batch, 24000, 24000) is batch


def test_resample_errors():
    for bad in (0, -1, 0.5):
        with pytest.raises(ValueError, match="sample rate must be a positive integer"):
            resample(noise(1, 10), 24000, bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected float samples"):
        resample(torch.zeros(1, 10, dtype=torch.int16), 24000, 16000)
    with pytest.raises(ValueError, match="expected float samples"):
        resample(torch.zeros(1, 0), 24000, 16000)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ((1, 24_000), "more than a factor of 1000"),
        ((24_000, 2**31 - 1), "at most 10000000 Hz, got 2147483647"),
        ((24_000, 23), "more than a factor of 1000"),
    ],
)
def test_absurd_rates_are_refused_before_anything_is_computed(rates, message):
    with pytest.raises(ValueError, match=message):
        resample(noise(1, 100), *rates)
