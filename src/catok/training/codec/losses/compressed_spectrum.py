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
from typing import Any

import torch
from torch import Tensor, nn

from catok.modules.stft import stft
from catok.training.codec.losses.base import Loss, LossConfig, draw_subset


@dataclass(frozen=True)
class CompressedSpectrumConfig(LossConfig):
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

    def build(self, sample_rate: int) -> Loss:
        """Of output and target, up to each row's band edge."""
        loss = CompressedSpectrumLoss(sample_rate, self)
        return Loss(
            lambda x: loss(x.output, x.target, x.band_edges, x.quantizer_share, x.choice),
            draw=loss.draw_windows,
        )


class CompressedSpectrumLoss(nn.Module):
    """Compressed spectral distance between two batches of waveforms."""

    def __init__(self, sample_rate: int, config: CompressedSpectrumConfig | None = None) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.config = config or CompressedSpectrumConfig()

    def draw_windows(self, generator: torch.Generator | None = None) -> list[int]:
        """Indices of the windows of one step: all, or `windows_per_step` drawn by `generator`."""
        return draw_subset(len(self.config.windows), self.config.windows_per_step, generator)

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
                goal = stft(target.flatten(0, 1), window, normalized=True)
            made = stft(audio.flatten(0, 1), window, normalized=True)
            mask = band_mask(band_edges, window, self.sample_rate, audio.device)
            mask = mask.repeat_interleave(channels, dim=0).expand(len(goal), -1)
            rows = _Distance.apply(
                made, goal, mask, share, self.config.exponent, self.config.floor**2
            )
            assert isinstance(rows, Tensor)
            total = total + rows.mean()
        return total / len(chosen)


class _Distance(torch.autograd.Function):
    """The distance `[N]` of spectra `[N, frames, bins, 2]`, its gradient worked out on the way.

    These are the largest tensors of a training step, and every pass over them counts: left to
    PyTorch's differentiation it takes twice as long. With P = |Y|^2 + floor^2, m = P^(c/2) and
    g = P^((c-1)/2) the error per bin is (m - m_goal)^2 + share * |g Y - C_goal|^2.
    """

    @staticmethod
    def forward(
        ctx: Any,
        made: Tensor,
        goal: Tensor,
        mask: Tensor,
        share: Tensor,
        exponent: float,
        floor: float,
    ) -> Tensor:
        goal_magnitude, goal_gain, _ = _compressed(goal, exponent, floor)
        magnitude, gain, power = _compressed(made, exponent, floor)
        real, imaginary = made.unbind(3)
        off = magnitude - goal_magnitude
        off_real = real * gain - goal[..., 0] * goal_gain
        off_imaginary = imaginary * gain - goal[..., 1] * goal_gain
        share = share[:, None, None]
        phase = off_real.square().addcmul_(off_imaginary, off_imaginary)
        error = off.square().add_(phase.mul_(share))
        size = 2 * (goal_magnitude.square_().mean(1) * mask).sum(1)
        if ctx.needs_input_grad[0]:
            along = (off_real * real).addcmul_(off_imaginary, imaginary)  # of C - C_goal and Y
            radial = along.mul_(gain).mul_(share * (exponent - 1))
            radial.add_(off.mul_(magnitude).mul_(exponent)).div_(power)
            gain.mul_(share)
            gradient = torch.stack(
                [
                    off_real.mul_(gain).addcmul_(real, radial),
                    off_imaginary.mul_(gain).addcmul_(imaginary, radial),
                ],
                dim=3,
            )
            weight = 2 * mask / (made.shape[1] * size[:, None])
            ctx.save_for_backward(gradient, weight)
        return (error.mean(1) * mask).sum(1) / size

    @staticmethod
    def backward(ctx: Any, grad_rows: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore
        gradient, weight = ctx.saved_tensors
        weight = weight * grad_rows[:, None]
        return gradient * weight[:, None, :, None], None, None, None, None, None


def _compressed(parts: Tensor, exponent: float, floor: float) -> tuple[Tensor, Tensor, Tensor]:
    """P^(c/2), P^((c-1)/2) and P."""
    real, imaginary = parts.unbind(3)
    power = (real * real).addcmul_(imaginary, imaginary).add_(floor)
    magnitude = power.log().mul_(exponent / 2).exp_()  # half the time of pow
    return magnitude, magnitude * power.rsqrt(), power


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
    mask = (frequencies <= band_edges[:, None]).float()
    mask[:, 0] = 1.0
    return mask
