"""Relative waveform distance: not in the paper; it gives a young model the phase that mel lacks.

    L_wave = mean over rows of ||x - xhat||_1 / max(||x||_1, quiet)

A mel loss alone tells nothing about where a harmonic's crests lie, and a small model on a small
budget then learns the spectral envelope but no pitch (docs/results/tiny-search.md).
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class WaveformLossConfig:
    """`pre_emphasis`: coefficient a of y[t] = x[t] - a x[t-1], from 0 to below 1; it makes high
    frequencies count. `quiet`: rows of less mean magnitude than this are judged as if they had it.
    """

    pre_emphasis: float = 0.0
    quiet: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 <= self.pre_emphasis < 1 or self.quiet <= 0:
            raise ValueError(
                f"waveform wants pre_emphasis from 0 to below 1 and quiet above 0, got "
                f"{self.pre_emphasis} and {self.quiet}"
            )


def waveform_loss(audio: Tensor, target: Tensor, config: WaveformLossConfig) -> Tensor:
    """Scalar loss of `[B, C, T]` against `[B, C, T]`."""
    audio, target = (_emphasise(x, config.pre_emphasis) for x in (audio, target))
    loudness = target.abs().mean(dim=(1, 2)).clamp(min=config.quiet)
    return ((audio - target).abs().mean(dim=(1, 2)) / loudness).mean()


def _emphasise(audio: Tensor, coefficient: float) -> Tensor:
    if not coefficient:
        return audio
    return audio - coefficient * F.pad(audio, (1, 0))[..., :-1]
