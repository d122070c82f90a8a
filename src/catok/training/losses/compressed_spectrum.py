"""Power-law compressed complex spectrum: what the ear's compression leaves of magnitude and phase.

With X the STFT of the original, Y that of the reconstruction, and a compressed value
C(X) = |X|^c X / |X|:

    L = mean over windows and rows of
        (sum (|X|^c - |Y|^c)^2 + share * sum |C(X) - C(Y)|^2) / (2 sum |X|^2c)

Not in the paper. An error in a strong bin counts less than the same error in a weak one, as masking
has it, and phase is compared in every band alike; an unweighted waveform distance lets noise lie
where there is nothing to mask it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from catok.modules.stft import stft


@dataclass(frozen=True)
class CompressedSpectrumConfig:
    """`windows`: of the STFTs in samples, hop a quarter, each of unit energy; `exponent`: c.

    `floor`: magnitude below which compression ends, so that gradients at silence stay finite.
    `windows_per_step`: how many windows, drawn anew for every step, to compute (None: all).
    `by_depth`: the complex part has the share of the codebooks that a row was given, since a few of
    them cannot carry phase; otherwise 1.
    """

    windows: tuple[int, ...] = (256, 512, 1024)
    exponent: float = 0.3
    floor: float = 1e-4
    windows_per_step: int | None = None
    by_depth: bool = True

    def __post_init__(self) -> None:
        if not self.windows or any(window < 4 or window % 4 for window in self.windows):
            raise ValueError(
                f"compressed_spectrum.windows must be multiples of 4, got {self.windows}"
            )
        if self.windows_per_step is not None and not 1 <= self.windows_per_step <= len(
            self.windows
        ):
            raise ValueError(
                f"compressed_spectrum.windows_per_step must be from 1 to {len(self.windows)}"
            )
        if not 0 < self.exponent <= 1 or self.floor <= 0:
            raise ValueError(
                f"compressed_spectrum wants exponent above 0 up to 1 and floor above 0, got "
                f"{self.exponent} and {self.floor}"
            )


class CompressedSpectrumLoss(nn.Module):
    """Compressed spectral distance between two batches of waveforms."""

    def __init__(self, sample_rate: int, config: CompressedSpectrumConfig | None = None) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.config = config or CompressedSpectrumConfig()

    def compressed(self, audio: Tensor, window: int) -> tuple[Tensor, Tensor]:
        """`[N, T]` -> compressed magnitudes `[N, frames, bins]` and complex values, parts last."""
        parts = stft(audio, window, normalized=True)
        power = parts[..., 0].square() + parts[..., 1].square() + self.config.floor**2
        magnitude = power.pow(self.config.exponent / 2)
        return magnitude, parts * (magnitude * power.rsqrt())[..., None]

    def draw_windows(self, generator: torch.Generator | None = None) -> list[int]:
        """Indices of the windows of one step: all, or `windows_per_step` drawn by `generator`."""
        count = len(self.config.windows)
        if self.config.windows_per_step is None:
            return list(range(count))
        drawn = torch.randperm(count, generator=generator)[: self.config.windows_per_step]
        return drawn.sort().values.tolist()

    def forward(
        self,
        audio: Tensor,
        target: Tensor,
        band_edges: Tensor | None = None,
        depth: Tensor | None = None,
        windows: list[int] | None = None,
    ) -> Tensor:
        """Scalar loss of `[B, C, T]` against `[B, C, T]`, every row weighing the same.

        `band_edges` `[B]` in Hz: bins above a row's edge bear no loss on that row. `depth` `[B]`:
        share of the codebooks that each row was given, from above 0 to 1 (None: all of them).
        `windows`: what `draw_windows` gave (None: all).
        """
        chosen = self.config.windows
        if windows is not None:
            chosen = tuple(self.config.windows[index] for index in windows)
        channels = audio.shape[1]
        share = audio.new_ones(len(audio)) if depth is None or not self.config.by_depth else depth
        share = share.repeat_interleave(channels)
        total = audio.new_zeros(())
        for window in chosen:
            with torch.no_grad():
                goal, goal_parts = self.compressed(target.flatten(0, 1), window)
            made, made_parts = self.compressed(audio.flatten(0, 1), window)
            kept = band_mask(band_edges, window, self.sample_rate, audio.device)
            kept = kept.repeat_interleave(channels, dim=0) if kept.shape[0] > 1 else kept
            magnitude = ((made - goal).square().mean(1) * kept).sum(1)
            phase = ((made_parts - goal_parts).square().sum(3).mean(1) * kept).sum(1)
            size = (goal.square().mean(1) * kept).sum(1)
            total = total + ((magnitude + share * phase) / (2 * size)).mean()
        return total / len(chosen)


def band_mask(
    band_edges: Tensor | None, window: int, sample_rate: int, device: torch.device
) -> Tensor:
    """1 for the bins `[B, window / 2 + 1]` up to each row's edge, else 0; the first is always 1.

    Without edges one row of ones.
    """
    bins = window // 2 + 1
    if band_edges is None:
        return torch.ones(1, bins, dtype=torch.float32, device=device)
    frequencies = torch.linspace(0, sample_rate / 2, bins, dtype=torch.float32, device=device)
    kept = (frequencies <= band_edges[:, None]).float()
    kept[:, 0] = 1.0
    return kept
