import pytest
import torch

from catok.training.codec.losses.waveform import WaveformLossConfig, waveform_loss


def loss(audio, target, **settings):
    return float(waveform_loss(audio, target, WaveformLossConfig(**settings)))


def rows(*levels):
    return torch.stack([torch.full((2, 100), level) for level in levels])


def test_relative_distance_by_hand():
    assert loss(rows(0.3), rows(0.3)) == 0
    # 0.1 / 0.4 and 0.2 / 0.1: the quieter row weighs no less
    assert loss(rows(0.3, 0.3), rows(0.4, 0.1)) == pytest.approx((0.25 + 2) / 2)
    assert loss(rows(0.03, 0.03), rows(0.04, 0.01)) == pytest.approx((0.25 + 2) / 2)


def test_silence_is_judged_as_if_it_were_a_little():
    assert loss(rows(0.01), rows(0.0), quiet=0.1) == pytest.approx(0.1)
    audio = torch.zeros(1, 1, 10, requires_grad=True)
    waveform_loss(audio, torch.zeros(1, 1, 10), WaveformLossConfig()).backward()
    assert torch.isfinite(audio.grad).all()


def test_pre_emphasis_makes_high_frequencies_count():
    time = torch.arange(2400) / 24_000
    low, high = (torch.sin(2 * torch.pi * hz * time).view(1, 1, -1) for hz in (100.0, 6000.0))
    target = low + 0.1 * high
    lost = loss(low, target, pre_emphasis=0.0), loss(low, target, pre_emphasis=0.9)
    assert lost[1] > 3 * lost[0]
    # y[t] = x[t] - 0.5 x[t-1]: (1, 0.5) of a step against (2, 1)
    step = torch.ones(1, 1, 2)
    assert loss(step, 2 * step, pre_emphasis=0.5) == pytest.approx(1.5 / 3)


def test_settings_that_cannot_be():
    for settings in ({"pre_emphasis": 1.0}, {"pre_emphasis": -0.1}, {"quiet": 0.0}):
        with pytest.raises(ValueError, match="waveform wants"):
            WaveformLossConfig(**settings)


def test_rows_weigh_by_their_share_of_the_codebooks():
    audio, target, depth = rows(0.3, 0.3), rows(0.4, 0.1), torch.tensor([1.0, 0.25])
    found = waveform_loss(audio, target, WaveformLossConfig(), depth)
    assert float(found) == pytest.approx((0.25 + 2 / 4) / 2)
    alike = waveform_loss(audio, target, WaveformLossConfig(by_depth=False), depth)
    assert float(alike) == pytest.approx((0.25 + 2) / 2)
