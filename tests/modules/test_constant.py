"""Windows and filter banks that are made once serve training whoever asked first."""

import pytest
import torch

from catok.evaluation.metrics.spectral import stft_distance
from catok.modules.constant import constant
from catok.modules.mel import mel_filters
from catok.modules.stft import stft_magnitude


def test_a_loss_first_used_under_inference_mode_trains_later():
    audio = torch.randn(1, 4096)
    with torch.inference_mode():
        stft_magnitude(audio, 760)  # a window that no other test asks for
        mel_filters(24_001, 760, 33)
        stft_distance(audio, audio.roll(1), 16_000)
    wave = audio.clone().requires_grad_()
    filters, _ = mel_filters(24_001, 760, 33)
    (stft_magnitude(wave, 760) @ filters).sum().backward()
    assert wave.grad is not None and bool(wave.grad.any())
    assert not filters.is_inference()


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_defaults_of_the_process_do_not_get_into_what_is_kept(kind):
    try:
        torch.set_default_dtype(kind)
        torch.set_default_device("meta")
        filters, edges = mel_filters(24_002, 764, 31)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert filters.dtype == edges.dtype == torch.float32
    assert filters.device.type == "cpu"
    assert torch.equal(filters, mel_filters.__wrapped__(24_002, 764, 31)[0])


def test_equal_arguments_are_computed_once():
    calls = []

    @constant
    def table(size: int) -> torch.Tensor:
        calls.append(size)
        return torch.zeros(size)

    assert table(3) is table(3)
    assert calls == [3]
