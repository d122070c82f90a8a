"""Multi-period discriminator (paper section 3, discriminators; widths ASSUMED there, as in DAC).

The waveform is cut into rows of `period` samples, so that a column holds every `period`-th sample;
convolutions run down the columns. Prime periods overlap least: each sees what the others miss.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import weight_norm

SLOPE = 0.1


def reflect_right(x: Tensor, extra: int) -> Tensor:
    """`[..., T]` -> `[..., T + extra]`, reflected at the end without repeating the last sample.

    Unlike `torch.nn.functional.pad`, takes any `extra`: a short signal is reflected to and fro.
    """
    length = x.shape[-1]
    if extra <= 0:
        return x
    cycle = max(2 * (length - 1), 1)
    place = torch.arange(length, length + extra, device=x.device) % cycle
    return torch.cat([x, x[..., torch.minimum(place, cycle - place)]], dim=-1)


class PeriodDiscriminator(nn.Module):
    """Judges `[N, 1, T]` for one period; `channels` are the widths of its convolutions."""

    def __init__(self, period: int, channels: Sequence[int]) -> None:
        super().__init__()
        self.period = period
        self.convs = nn.ModuleList(
            weight_norm(
                nn.Conv2d(
                    inside,
                    outside,
                    kernel_size=(5, 1),
                    stride=(1 if index == len(channels) - 1 else 3, 1),
                    padding=(2, 0),
                )
            )
            for index, (inside, outside) in enumerate(pairwise((1, *channels)))
        )
        self.score = weight_norm(nn.Conv2d(channels[-1], 1, kernel_size=(3, 1), padding=(1, 0)))

    def forward(self, audio: Tensor) -> list[Tensor]:
        """`[N, 1, T]` -> feature maps `[N, channels, rows, period]`, the last the 1-channel score.

        T is reflected up to a multiple of the period; all convolutions but the last one of
        `channels` keep every third row.
        """
        audio = reflect_right(audio, -audio.shape[-1] % self.period)
        x = audio.unflatten(-1, (-1, self.period))
        maps = []
        for conv in self.convs:
            x = leaky_relu(conv(x), SLOPE)
            maps.append(x)
        maps.append(self.score(x))
        return maps
