import pytest
import torch

from catok.modules.mel import hz_to_mel, mel_filters, mel_to_hz


def test_the_mel_scale_is_slaneys():
    assert torch.allclose(hz_to_mel(torch.tensor([0.0, 200, 1000, 6400])), torch.tensor(
        [0.0, 3, 15, 42]), atol=1e-4)  # fmt: skip
    hz = torch.linspace(0, 12_000, 50)
    assert torch.allclose(mel_to_hz(hz_to_mel(hz)), hz, rtol=1e-4)


def test_filters_have_unit_area_and_rise_to_the_nyquist_rate():
    filters, upper = mel_filters(24_000, 2048, 80)
    assert filters.shape == (1025, 80)
    assert torch.allclose(filters.sum(0) * (24_000 / 2048), torch.ones(80), atol=0.12)
    assert upper[-1] == pytest.approx(12_000)
