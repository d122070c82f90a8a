import pytest
import torch

from catok.modules.mel import mel_filters
from catok.training.losses.mel import MelLoss, MelLossConfig


def tone(hz, seconds=0.5, rate=24_000):
    return (0.3 * torch.sin(torch.arange(int(seconds * rate)) * 2 * torch.pi * hz / rate)).view(
        1, 1, -1
    )


def test_a_tone_lies_in_its_own_bin():
    loss = MelLoss(24_000)
    spectrum = loss.log_mel(tone(1000)[:, 0], 2048, 80).mean(1)[0]
    _, upper = mel_filters(24_000, 2048, 80)
    peak = int(spectrum.argmax())
    assert upper[max(0, peak - 2)] <= 1000 <= upper[peak]


def test_equal_is_zero_and_quieter_is_a_tenth_per_20_db():
    loss = MelLoss(24_000, MelLossConfig(windows=(512,), mel_bins=(40,), floor=1e-9))
    noise = torch.randn(1, 1, 24_000)
    assert float(loss(noise, noise)) == 0
    assert float(loss(noise * 0.1, noise)) == pytest.approx(1.0, abs=1e-3)


def test_scales_drawn_per_step_have_the_same_expectation():
    full = MelLoss(24_000)
    some = MelLoss(24_000, MelLossConfig(scales_per_step=2))
    audio, target = torch.randn(1, 1, 4800) * 0.1, torch.randn(1, 1, 4800)
    draws = [
        float(some(audio, target, generator=torch.Generator().manual_seed(s))) for s in range(60)
    ]
    assert sum(draws) / len(draws) == pytest.approx(float(full(audio, target)), rel=0.1)


def test_nothing_above_a_recordings_band_edge_is_judged():
    loss = MelLoss(24_000)
    speech, hiss = tone(500), tone(9000)
    both = torch.cat([speech + hiss] * 2)
    target = torch.cat([speech, speech])
    low, full = torch.tensor([4000.0, 4000.0]), torch.tensor([12_000.0, 12_000.0])
    assert float(loss(both, target, low)) < 0.6 * float(loss(both, target, full))
    mixed = loss(both, target, torch.tensor([4000.0, 12_000.0]))
    assert float(loss(both, target, low)) < float(mixed) < float(loss(both, target, full))


def test_gradients_are_finite_on_digital_silence():
    audio = torch.zeros(1, 1, 4800, requires_grad=True)
    MelLoss(24_000)(audio, torch.randn(1, 1, 4800)).backward()
    assert torch.isfinite(audio.grad).all()


def test_settings_that_do_not_agree():
    with pytest.raises(ValueError, match="2 windows need as many"):
        MelLossConfig(windows=(32, 64), mel_bins=(5,))
    with pytest.raises(ValueError, match="scales_per_step"):
        MelLossConfig(scales_per_step=9)
