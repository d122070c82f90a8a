"""Relative waveform distance: not in the paper; it gives a young model the phase that mel lacks.

    L_wave = mean over rows of share * ||x - xhat||_1 / max(||x||_1, quiet)

A mel loss alone tells nothing about where a harmonic's crests lie, and a small model on a small
budget then learns the spectral envelope but no pitch (research/results/tiny-search.md).
"""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from catok.training.codec.losses.base import Loss, LossConfig


@dataclass(frozen=True)
class WaveformLossConfig(LossConfig):
    """`pre_emphasis`: coefficient a of y[t] = x[t] - a x[t-1], from 0 to below 1; it makes high
    frequencies count. `quiet`: rows of less mean magnitude than this are judged as if they had it.
    `by_depth`: a row's share is that of the codebooks it was given, since a few of them cannot
    carry phase and would only learn to be silent; otherwise it is 1.
    """

    pre_emphasis: float = 0.0
    quiet: float = 1e-3
    by_depth: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.pre_emphasis < 1 or self.quiet <= 0:
            raise ValueError(
                f"waveform wants pre_emphasis from 0 to below 1 and quiet above 0, got "
                f"{self.pre_emphasis} and {self.quiet}"
            )

    def build(self, sample_rate: int) -> Loss:
        """Of output and target."""
        return Loss(lambda x: waveform_loss(x.output, x.target, self, x.quantizer_share))


def waveform_loss(
    audio: Tensor, target: Tensor, config: WaveformLossConfig, depth: Tensor | None = None
) -> Tensor:
    """Scalar loss of `[B, C, T]` against `[B, C, T]`; `depth` `[B]`: share of the codebooks that
    each row was given, from above 0 to 1 (None: all of them).
    """
    audio, target = (_emphasize(x, config.pre_emphasis) for x in (audio, target))
    loudness = target.abs().mean(dim=(1, 2)).clamp(min=config.quiet)
    distance = (audio - target).abs().mean(dim=(1, 2)) / loudness
    return (distance if depth is None or not config.by_depth else distance * depth).mean()


def _emphasize(audio: Tensor, coefficient: float) -> Tensor:
    if not coefficient:
        return audio
    return audio - coefficient * F.pad(audio, (1, 0))[..., :-1]
