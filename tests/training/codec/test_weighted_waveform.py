import pytest
import torch

from catok.training.codec.losses.weighted_waveform import (
    WeightedWaveformConfig,
    WeightedWaveformLoss,
)

RATE = 24_000


def tone(hz, samples=4800):
    return torch.sin(2 * torch.pi * hz * torch.arange(samples) / RATE).view(1, 1, -1)


def noise(seed):
    return 0.1 * torch.randn(1, 1, 4800, generator=torch.Generator().manual_seed(seed))


def loss(audio, target, *args, **settings):
    return float(
        WeightedWaveformLoss(RATE, WeightedWaveformConfig(**settings))(audio, target, *args)
    )


def test_with_exponent_0_it_is_the_relative_squared_error():
    target, audio = noise(0), noise(0) + 0.3 * noise(1)
    wanted = float((audio - target).square().sum() / target.square().sum())
    assert loss(audio, target, exponent=0.0, floor=1e-6) == pytest.approx(wanted, rel=0.05)
    assert loss(torch.zeros_like(target), target, floor=1e-6) == pytest.approx(1, rel=1e-3)


def test_noise_is_cheaper_where_the_signal_covers_it():
    target = tone(1000.0) + 0.003 * noise(0)
    covered, bare = target + 0.01 * tone(1100.0), target + 0.01 * tone(6000.0)
    assert loss(covered, target, exponent=0.0) == pytest.approx(
        loss(bare, target, exponent=0.0), rel=0.05
    )
    assert loss(bare, target, exponent=0.6) > 10 * loss(covered, target, exponent=0.6)


def test_rows_weigh_by_their_share_of_the_codebooks_and_below_their_band_edge():
    target, audio = noise(0), noise(1)
    whole = loss(audio, target)
    half = loss(audio, target, None, torch.tensor([0.5]))
    assert half == pytest.approx(whole / 2)
    assert loss(audio, target, None, torch.tensor([0.5]), by_depth=False) == pytest.approx(whole)
    made = tone(1000.0) + tone(9000.0)
    assert loss(made, tone(1000.0), torch.tensor([4000.0])) < 0.01
    assert loss(made, tone(1000.0), torch.tensor([12_000.0])) > 0.5


def test_gradients_at_silence_are_finite():
    audio = torch.zeros(1, 1, 4800, requires_grad=True)
    for target in (torch.zeros(1, 1, 4800), noise(0)):
        found = WeightedWaveformLoss(RATE)(audio, target)
        (gradient,) = torch.autograd.grad(found, audio)
        assert torch.isfinite(gradient).all()


def test_settings_that_cannot_be():
    for settings in ({"window": 510}, {"exponent": 1.5}, {"bandwidth": 0.0}, {"floor": 0.0}):
        with pytest.raises(ValueError, match="weighted_waveform"):
            WeightedWaveformConfig(**settings)
