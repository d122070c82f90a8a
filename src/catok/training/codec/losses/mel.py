"""Multi-scale mel-spectrogram loss (paper section 3, L_rec).

L_rec = sum over windows of the mean absolute difference of mel magnitudes, windows 2^5 to 2^11
samples, hop a quarter of the window. The paper leaves open the bins and whether magnitudes are
compared as logarithms: the default is DAC's choice, `MelLossConfig.encodec()` the other reading. A
recording that carries nothing above its own band edge is judged below it only, or the model would
learn to low-pass.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from catok.modules.mel import mel_filters
from catok.modules.stft import stft_magnitude
from catok.training.codec.losses.base import Loss, LossConfig, draw_subset

WINDOWS = (32, 64, 128, 256, 512, 1024, 2048)


@dataclass(frozen=True)
class MelLossConfig(LossConfig):
    """One scale per entry: STFT `windows` in samples and number of `mel_bins`.

    `magnitude`: compare log10 magnitudes, plain ones, or, as "loudness", their power of `exponent`:
    an ear's law, by which what is faint counts little, where a logarithm has no end. `floor`: what
    counts as silence; `normalized`: divide the STFT by the root of the window's energy.
    `scales_per_step`: how many scales, drawn anew for every step, to compute (None: all); their sum
    is scaled up to the same expectation.
    """

    windows: tuple[int, ...] = WINDOWS
    mel_bins: tuple[int, ...] = (5, 10, 20, 40, 80, 160, 320)
    magnitude: Literal["log", "linear", "loudness"] = "log"
    floor: float = 1e-5
    exponent: float = 0.3
    normalized: bool = False
    scales_per_step: int | None = None

    def __post_init__(self) -> None:
        if len(self.windows) != len(self.mel_bins):
            raise ValueError(
                f"{len(self.windows)} windows need as many mel_bins, got {len(self.mel_bins)}"
            )
        if not 0 < self.exponent <= 1:
            raise ValueError(f"mel.exponent must be above 0 and at most 1, got {self.exponent}")
        if self.scales_per_step is not None and not 1 <= self.scales_per_step <= len(self.windows):
            raise ValueError(f"scales_per_step must be from 1 to {len(self.windows)}")

    def build(self, sample_rate: int) -> Loss:
        """Of output and target, up to each row's band edge."""
        loss = MelLoss(sample_rate, self)
        return Loss(
            lambda x: loss(x.output, x.target, x.band_edges, x.choice), draw=loss.draw_scales
        )

    @classmethod
    def encodec(cls) -> "MelLossConfig":
        """EnCodec's variant: 64 bins at every scale, plain magnitudes of a normalised STFT."""
        return cls(mel_bins=(64,) * len(WINDOWS), magnitude="linear", normalized=True)


class MelLoss(nn.Module):
    """Multi-scale mel distance between two batches of waveforms."""

    def __init__(self, sample_rate: int, config: MelLossConfig | None = None) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.config = config or MelLossConfig()

    def mel(self, audio: Tensor, window: int, bins: int) -> Tensor:
        """`[N, T]` -> mel magnitudes `[N, frames, bins]` on the configured scale."""
        magnitude = stft_magnitude(audio, window, normalized=self.config.normalized)
        filters, _ = mel_filters(self.sample_rate, window, bins)
        mel = magnitude @ filters.to(audio.device)
        if self.config.magnitude == "linear":
            return mel
        mel = mel.clamp(min=self.config.floor)
        if self.config.magnitude == "log":
            return mel.log10()
        return (mel.log() * self.config.exponent).exp()  # pow takes twice the time

    def draw_scales(self, generator: torch.Generator | None = None) -> list[int]:
        """Indices of the scales of one step: all, or `scales_per_step` drawn by `generator`."""
        return draw_subset(len(self.config.windows), self.config.scales_per_step, generator)

    def forward(
        self,
        audio: Tensor,
        target: Tensor,
        band_edges: Tensor | None = None,
        scales: list[int] | None = None,
    ) -> Tensor:
        """Scalar loss of `[B, C, T]` against `[B, C, T]`, every row weighing the same.

        `band_edges` `[B]` in Hz: bins reaching above a row's edge bear no loss on that row.
        `scales`: what `draw_scales` gave (None: all).
        """
        count = len(self.config.windows)
        scales = list(range(count)) if scales is None else scales
        total = audio.new_zeros(())
        for window, bins in ((self.config.windows[i], self.config.mel_bins[i]) for i in scales):
            with torch.no_grad():
                goal = self.mel(target.flatten(0, 1), window, bins)
            per_bin = (self.mel(audio.flatten(0, 1), window, bins) - goal).abs().mean(1)
            if band_edges is None:
                total = total + per_bin.mean()
                continue
            _, upper = mel_filters(self.sample_rate, window, bins)
            audible = upper.to(audio.device) <= band_edges[:, None] + 1
            audible[:, 0] = True
            weight = audible.float().repeat_interleave(audio.shape[1], dim=0)
            total = total + ((per_bin * weight).sum(1) / weight.sum(1)).mean()
        return total * (count / len(scales))
