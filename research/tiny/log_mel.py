"""The logarithmic mel distance as a second loss, beside one by loudness.

    catok train research/tiny/spectrum.toml --threads 1 --data DATA --out runs/spectrum

Loudness and compressed spectra say little of what is weak: the highest frequencies, the pauses.
"""

import torch
from torch import Tensor

from catok.training.codec.losses.base import LossInputs
from catok.training.codec.losses.mel import MelLossConfig


class LogMel:
    """The default mel loss, one scale a step."""

    def __init__(self, sample_rate: int) -> None:
        loss = MelLossConfig(scales_per_step=1).build(sample_rate)
        self.compute, self._draw = loss.compute, loss.draw

    def draw(self, rng: torch.Generator) -> list[int]:
        """The scale of this step."""
        return self._draw(rng)

    def __call__(self, inputs: LossInputs) -> Tensor:
        """Of a batch."""
        return self.compute(inputs)
