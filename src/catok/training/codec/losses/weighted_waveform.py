"""Waveform error, weighted as classic coders do: noise may lie where the signal covers it.

With X the STFT of the original, Y that of the reconstruction and P the power of X smoothed over
frequency:

    L = mean over rows of share * sum |X - Y|^2 / P^g  /  sum |X|^2 / P^g

Not in the paper. It does in the frequency domain what the weighting filter of a CELP coder does in
time: with exponent g = 0 it is the plain squared error, with 1 the noise-to-signal ratio of every
band counts alike.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from catok.modules.stft import stft
from catok.training.codec.losses.base import Loss, LossConfig
from catok.training.codec.losses.compressed_spectrum import band_mask


@dataclass(frozen=True)
class WeightedWaveformConfig(LossConfig):
    """`window`: of the STFT in samples, hop a quarter, of unit energy; `exponent`: g.

    `bandwidth`: Hz over which the power is smoothed; `floor`: magnitude below which nothing is
    weighted up further. `by_depth`: as in `WaveformLossConfig`.
    """

    window: int = 512
    exponent: float = 0.6
    bandwidth: float = 400.0
    floor: float = 1e-3
    by_depth: bool = True

    def __post_init__(self) -> None:
        if self.window < 4 or self.window % 4:
            raise ValueError(f"weighted_waveform.window must be a multiple of 4, got {self.window}")
        if not 0 <= self.exponent <= 1 or self.bandwidth <= 0 or self.floor <= 0:
            raise ValueError(
                "weighted_waveform wants exponent from 0 to 1, bandwidth and floor above 0, got "
                f"{self.exponent}, {self.bandwidth} and {self.floor}"
            )

    def build(self, sample_rate: int) -> Loss:
        """Of output and target, up to each row's band edge."""
        loss = WeightedWaveformLoss(sample_rate, self)
        return Loss(lambda x: loss(x.output, x.target, x.band_edges, x.quantizer_share))


class WeightedWaveformLoss(nn.Module):
    """Perceptually weighted error between two batches of waveforms."""

    def __init__(self, sample_rate: int, config: WeightedWaveformConfig | None = None) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.config = config or WeightedWaveformConfig()

    @torch.no_grad()
    def weights(self, target: Tensor) -> Tensor:
        """STFT of the original `[N, frames, bins, 2]` -> weight per bin `[N, frames, bins]`."""
        power = target.square().sum(3)
        bins = self.config.bandwidth * self.config.window / self.sample_rate
        reach = max(0, round((bins - 1) / 2))
        smooth = F.avg_pool1d(power, 2 * reach + 1, 1, reach, count_include_pad=False)
        return (smooth + self.config.floor**2).pow(-self.config.exponent)

    def forward(
        self,
        audio: Tensor,
        target: Tensor,
        band_edges: Tensor | None = None,
        depth: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss of `[B, C, T]` against `[B, C, T]`; arguments as in
        `CompressedSpectrumLoss.forward`.
        """
        config, channels = self.config, audio.shape[1]
        with torch.no_grad():
            goal = stft(target.flatten(0, 1), config.window, normalized=True)
            mask = band_mask(band_edges, config.window, self.sample_rate, audio.device)
            mask = mask.repeat_interleave(channels, dim=0) if mask.shape[0] > 1 else mask
            weight = self.weights(goal) * mask[:, None]
            size = (goal.square().sum(3) * weight).sum((1, 2))
            quiet = config.floor**2 * weight.sum((1, 2))
        made = stft(audio.flatten(0, 1), config.window, normalized=True)
        error = ((made - goal).square().sum(3) * weight).sum((1, 2)) / (size + quiet)
        if depth is not None and config.by_depth:
            error = error * depth.repeat_interleave(channels)
        return error.mean()
