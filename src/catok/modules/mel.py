"""The mel scale and its filter bank, as librosa has them by default (Slaney's scale and norm)."""

import math

import torch
from torch import Tensor

from catok.modules.constant import constant


def hz_to_mel(hz: Tensor) -> Tensor:
    """Slaney's mel scale: linear to 1 kHz, logarithmic above."""
    linear = hz * 3 / 200
    logarithmic = 15 + torch.log(hz.clamp(min=1000) / 1000) * (27 / math.log(6.4))
    return torch.where(hz < 1000, linear, logarithmic)


def mel_to_hz(mel: Tensor) -> Tensor:
    """The inverse of `hz_to_mel`."""
    linear = mel * 200 / 3
    logarithmic = 1000 * torch.exp((mel - 15) * (math.log(6.4) / 27))
    return torch.where(mel < 15, linear, logarithmic)


@constant
def mel_filters(sample_rate: int, window: int, bins: int) -> tuple[Tensor, Tensor]:
    """Triangles of unit area `[window / 2 + 1, bins]`, and their upper edges in Hz `[bins]`."""
    top = torch.tensor(sample_rate / 2, dtype=torch.float64)
    edges = mel_to_hz(torch.linspace(0, 1, bins + 2, dtype=torch.float64) * hz_to_mel(top))
    frequencies = torch.linspace(0, sample_rate / 2, window // 2 + 1, dtype=torch.float64)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies - low) / (centre - low)
    falling = (high - frequencies) / (high - centre)
    filters = torch.minimum(rising, falling).clamp(min=0) * 2 / (high - low)
    return filters.float(), high.float()
