import pytest
import torch

from catok.modules.stft import stft_magnitude


@pytest.mark.parametrize("window", [32, 256, 512, 2048])
@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("length", [2048, 4801])
def test_equals_torch(window, normalized, length):
    audio = torch.randn(2, length)
    shape = torch.hann_window(window)
    if normalized:
        shape = shape / shape.square().sum().sqrt()
    expected = torch.stft(audio, window, window // 4, window=shape, return_complex=True)
    found = stft_magnitude(audio, window, normalized=normalized)
    assert torch.allclose(found, expected.abs().transpose(1, 2), atol=2e-5 * float(shape.sum()))


def test_gradients_equal_torchs():
    # Float64: where a bin is almost 0 its gradient depends on the last bits of float32.
    audio = torch.randn(1, 1000, dtype=torch.float64, requires_grad=True)
    for window in (64, 512):
        (mine,) = torch.autograd.grad(stft_magnitude(audio, window).sum(), audio)
        shape = torch.hann_window(window).double()
        whole = torch.stft(audio, window, window // 4, window=shape, return_complex=True)
        (theirs,) = torch.autograd.grad(whole.abs().sum(), audio)
        assert torch.allclose(mine, theirs, rtol=1e-3, atol=1e-4)


def test_gradients_are_finite_on_silence():
    audio = torch.zeros(1, 1000, requires_grad=True)
    stft_magnitude(audio, 64).sum().backward()
    assert torch.isfinite(audio.grad).all()
