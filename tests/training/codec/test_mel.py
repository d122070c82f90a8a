import librosa
import numpy as np
import pytest
import torch

from catok.modules.mel import mel_filters
from catok.training.codec.losses.mel import MelLoss, MelLossConfig

INF = float("inf")


def tone(hz, seconds=0.5, rate=24_000):
    return (0.3 * torch.sin(torch.arange(int(seconds * rate)) * 2 * torch.pi * hz / rate)).view(
        1, 1, -1
    )


def noise(*shape, seed=0, level=0.1):
    return level * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.slow
@pytest.mark.parametrize("window, bins", [(32, 5), (512, 80), (2048, 64), (2048, 320)])
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_filters_are_librosas(window, bins):
    filters, _ = mel_filters(24_000, window, bins)
    expected = librosa.filters.mel(sr=24_000, n_fft=window, n_mels=bins, htk=False, norm="slaney")
    assert np.abs(filters.T.numpy() - expected).max() < 1e-5 * expected.max()


LOUDNESS = MelLossConfig(magnitude="loudness", normalized=True, floor=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("config", [MelLossConfig(), MelLossConfig.encodec(), LOUDNESS])
def test_mel_magnitudes_are_librosas(config):
    loss, audio = MelLoss(24_000, config), noise(1, 6000)
    window, bins = 512, 64
    spectrum = np.abs(
        librosa.stft(audio[0].numpy(), n_fft=window, hop_length=window // 4, pad_mode="reflect")
    )
    expected = librosa.filters.mel(sr=24_000, n_fft=window, n_mels=bins) @ spectrum
    if config.normalized:
        expected /= np.sqrt((librosa.filters.get_window("hann", window) ** 2).sum())
    if config.magnitude == "log":
        expected = np.log10(expected.clip(min=config.floor))
    elif config.magnitude == "loudness":
        expected = expected.clip(min=config.floor) ** 0.3
    found = loss.mel(audio, window, bins)[0].T.numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-5 * max(1.0, np.abs(expected).max())


def test_encodecs_variant():
    config = MelLossConfig.encodec()
    assert config.mel_bins == (64,) * 7 and config.normalized and config.magnitude == "linear"
    loss = MelLoss(24_000, config)
    audio, target = noise(1, 1, 4800), noise(1, 1, 4800, seed=1)
    plain = float(loss(audio, target))
    assert float(loss(2 * audio, 2 * target)) == pytest.approx(2 * plain, rel=1e-4)  # no logarithm
    log = MelLoss(24_000)
    assert float(log(2 * audio, 2 * target)) == pytest.approx(float(log(audio, target)), rel=1e-2)


def test_what_is_faint_counts_little_as_loudness():
    faint, loud = noise(1, 1, 4800, level=0.02), noise(1, 1, 4800, seed=1, level=2.0)
    shares = []
    for config in (MelLossConfig(), LOUDNESS):
        loss = MelLoss(24_000, config)
        shares.append(float(loss(2 * faint, faint)) / float(loss(2 * loud, loud)))
    assert shares[0] == pytest.approx(1.0, rel=0.02)  # a factor is a factor to a logarithm
    assert shares[1] == pytest.approx(0.01**0.3, rel=0.02)


def test_an_exponent_is_a_power_of_a_root():
    with pytest.raises(ValueError, match="exponent must be above 0 and at most 1"):
        MelLossConfig(magnitude="loudness", exponent=1.5)


def test_a_tone_lies_in_its_own_bin():
    spectrum = MelLoss(24_000).mel(tone(1000)[:, 0], 2048, 80).mean(1)[0]
    _, upper = mel_filters(24_000, 2048, 80)
    peak = int(spectrum.argmax())
    assert upper[max(0, peak - 2)] <= 1000 <= upper[peak]


def test_equal_is_zero_and_quieter_is_a_tenth_per_20_db():
    loss = MelLoss(24_000, MelLossConfig(windows=(512,), mel_bins=(40,), floor=1e-9))
    loud = noise(1, 1, 24_000, level=1.0)
    assert float(loss(loud, loud)) == 0
    assert float(loss(loud * 0.1, loud)) == pytest.approx(1.0, abs=1e-3)


def test_the_scales_add_up():
    audio, target = noise(2, 1, 4800), noise(2, 1, 4800, seed=1)
    whole = float(MelLoss(24_000)(audio, target))
    config = MelLossConfig()
    alone = [
        float(MelLoss(24_000, MelLossConfig(windows=(w,), mel_bins=(b,)))(audio, target))
        for w, b in zip(config.windows, config.mel_bins, strict=True)
    ]
    assert whole == pytest.approx(sum(alone), rel=1e-5)
    some = float(MelLoss(24_000)(audio, target, scales=[0, 6]))
    assert some == pytest.approx((alone[0] + alone[6]) * 7 / 2, rel=1e-5)


def test_scales_drawn_per_step_have_the_same_expectation():
    loss = MelLoss(24_000, MelLossConfig(scales_per_step=2))
    audio, target = noise(1, 1, 4800), noise(1, 1, 4800, seed=1, level=1.0)
    draws = [loss.draw_scales(torch.Generator().manual_seed(seed)) for seed in range(60)]
    assert all(len(set(drawn)) == 2 and drawn == sorted(drawn) for drawn in draws)
    assert {index for drawn in draws for index in drawn} == set(range(7))
    values = [float(loss(audio, target, scales=drawn)) for drawn in draws]
    full = float(MelLoss(24_000)(audio, target))
    assert sum(values) / len(values) == pytest.approx(full, rel=0.1)
    assert MelLoss(24_000).draw_scales() == list(range(7))


@pytest.mark.parametrize("channels", [1, 2])
def test_every_row_weighs_the_same_whatever_its_band_edge(channels):
    loss = MelLoss(24_000)
    audio, target = noise(4, channels, 4800), noise(4, channels, 4800, seed=1, level=0.3)
    edges = torch.tensor([2000.0, 5000.0, 12_000.0, INF])
    alone = [float(loss(audio[i : i + 1], target[i : i + 1], edges[i : i + 1])) for i in range(4)]
    assert len(set(alone)) == 4
    assert float(loss(audio, target, edges)) == pytest.approx(sum(alone) / 4, rel=1e-5)
    wide = torch.full((4,), INF)
    expected = float(loss(audio, target))
    assert float(loss(audio, target, wide)) == pytest.approx(expected, rel=1e-5)


def test_nothing_above_a_recordings_band_edge_is_judged():
    loss = MelLoss(24_000)
    speech, hiss = tone(500), tone(9000)
    both = torch.cat([speech + hiss] * 2)
    target = torch.cat([speech, speech])
    low, full = torch.tensor([4000.0, 4000.0]), torch.tensor([12_000.0, INF])
    assert float(loss(both, target, low)) < 0.6 * float(loss(both, target, full))
    mixed = loss(both, target, torch.tensor([4000.0, 12_000.0]))
    assert float(loss(both, target, low)) < float(mixed) < float(loss(both, target, full))
    nothing = loss(both, target, torch.tensor([0.0, 0.0]))  # the lowest bin always is
    assert torch.isfinite(nothing)


def test_gradients_are_finite_on_digital_silence():
    audio = torch.zeros(1, 1, 4800, requires_grad=True)
    MelLoss(24_000)(audio, noise(1, 1, 4800)).backward()
    assert torch.isfinite(audio.grad).all()


def test_settings_that_do_not_agree():
    with pytest.raises(ValueError, match="2 windows need as many"):
        MelLossConfig(windows=(32, 64), mel_bins=(5,))
    with pytest.raises(ValueError, match="scales_per_step"):
        MelLossConfig(scales_per_step=9)
