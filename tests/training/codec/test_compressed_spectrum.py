import pytest
import torch

from catok.training.codec.losses.compressed_spectrum import (
    CompressedSpectrumConfig,
    CompressedSpectrumLoss,
)

RATE = 24_000


def noise(seed, rows=1, samples=4800):
    return 0.1 * torch.randn(rows, 1, samples, generator=torch.Generator().manual_seed(seed))


def test_distance_by_the_plain_formula():
    audio, target = noise(0), noise(1)
    config = CompressedSpectrumConfig(windows=(256,), floor=1e-9)
    window = torch.hann_window(256)
    window = window / window.square().sum().sqrt()
    x, y = (torch.stft(a[0], 256, 64, window=window, return_complex=True) for a in (target, audio))
    cx, cy = (z.abs().pow(0.3) * torch.exp(1j * z.angle()) for z in (x, y))
    error = (cx.abs() - cy.abs()).square().sum() + 0.5 * (cx - cy).abs().square().sum()
    wanted = error / (2 * cx.abs().square().sum())
    found = CompressedSpectrumLoss(RATE, config)(audio, target, depth=torch.tensor([0.5]))
    assert float(found) == pytest.approx(float(wanted), rel=1e-4)


def test_the_gradient_is_that_of_the_formula():
    audio, target = noise(0, 2).double().requires_grad_(), noise(1, 2).double()
    share = torch.tensor([0.25, 1.0])
    config = CompressedSpectrumConfig(windows=(256,), floor=1e-2)

    def compressed(x):
        window = torch.hann_window(256, dtype=torch.float64)
        window = window / window.square().sum().sqrt()
        z = torch.stft(x[:, 0], 256, 64, window=window, return_complex=True)
        return z * (z.abs().square() + 1e-4).pow(-0.35), (z.abs().square() + 1e-4).pow(0.15)

    (cx, mx), (cy, my) = compressed(target), compressed(audio)
    error = (mx - my).square() + share[:, None, None] * (cx - cy).abs().square()
    wanted = (error.sum((1, 2)) / (2 * mx.square().sum((1, 2)))).mean()
    (expected,) = torch.autograd.grad(wanted, audio)
    heard = audio.detach().float().requires_grad_()
    found = CompressedSpectrumLoss(RATE, config)(heard, target.float(), depth=share)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-4)
    (gradient,) = torch.autograd.grad(3 * found, heard)
    error = (gradient.double() - 3 * expected).norm() / (3 * expected).norm()
    assert float(error) < 1e-3


def test_equal_is_nothing_silence_is_one_and_level_does_not_matter():
    loss, target = CompressedSpectrumLoss(RATE, CompressedSpectrumConfig(floor=1e-9)), noise(0)
    assert float(loss(target, target)) == 0
    assert float(loss(torch.zeros_like(target), target)) == pytest.approx(1, abs=0.02)
    other = noise(1)
    assert float(loss(other, target)) == pytest.approx(float(loss(3 * other, 3 * target)), rel=1e-3)


def test_weak_bands_count_more_than_in_plain_power():
    time = torch.arange(4800) / RATE
    strong, weak = (torch.sin(2 * torch.pi * hz * time).view(1, 1, -1) for hz in (1000.0, 6000.0))
    target, without = strong + 0.01 * weak, strong
    config = CompressedSpectrumConfig(floor=1e-6)
    plain = float((target - without).square().sum() / target.square().sum())
    assert float(CompressedSpectrumLoss(RATE, config)(without, target)) > 20 * plain


def test_phase_counts_by_the_share_of_codebooks():
    target = noise(0)
    loss = CompressedSpectrumLoss(RATE)
    turned = -target  # the same magnitudes
    whole = float(loss(turned, target))
    assert float(loss(turned, target, depth=torch.tensor([0.25]))) == pytest.approx(whole / 4)
    config = CompressedSpectrumConfig(by_depth=False)
    alike = CompressedSpectrumLoss(RATE, config)(turned, target, depth=torch.tensor([0.25]))
    assert float(alike) == pytest.approx(whole)


def test_nothing_above_a_rows_band_edge_is_judged():
    time = torch.arange(4800) / RATE
    low, high = (torch.sin(2 * torch.pi * hz * time).view(1, 1, -1) for hz in (1000.0, 9000.0))
    both, made = torch.cat([low, low]), torch.cat([low + high, low + high])
    loss = CompressedSpectrumLoss(RATE)
    rows = [float(loss(made[:1], both[:1], torch.tensor([edge]))) for edge in (4000.0, 12_000.0)]
    assert rows[0] < 0.01 < rows[1]
    pair = loss(made, both, torch.tensor([4000.0, 12_000.0]))
    assert float(pair) == pytest.approx(sum(rows) / 2)


def test_gradients_at_silence_are_finite():
    audio = torch.zeros(1, 1, 4800, requires_grad=True)
    for target in (torch.zeros(1, 1, 4800), noise(0)):
        (gradient,) = torch.autograd.grad(CompressedSpectrumLoss(RATE)(audio, target), audio)
        assert torch.isfinite(gradient).all()


def test_windows_drawn_per_step_have_the_same_expectation():
    audio, target = noise(0), noise(1)
    loss = CompressedSpectrumLoss(RATE, CompressedSpectrumConfig(windows_per_step=1))
    draws = [loss.draw_windows(torch.Generator().manual_seed(seed)) for seed in range(30)]
    assert {index for drawn in draws for index in drawn} == {0, 1, 2}
    alone = [float(loss(audio, target, windows=[index])) for index in range(3)]
    assert float(loss(audio, target)) == pytest.approx(sum(alone) / 3)
    assert CompressedSpectrumLoss(RATE).draw_windows() == [0, 1, 2]


def test_settings_that_cannot_be():
    for settings in (
        {"windows_per_step": 4},
        {"windows": ()},
        {"windows": (255,)},
        {"exponent": 0.0},
        {"floor": 0.0},
    ):
        with pytest.raises(ValueError, match="compressed_spectrum"):
            CompressedSpectrumConfig(**settings)
