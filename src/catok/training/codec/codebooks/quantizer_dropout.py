"""Quantizer dropout: every row trains with a random prefix of the codebooks (paper section 2).

The paper gives the probability, 1.0, but not the law of the prefix; uniform from 1 to all is
assumed, as in DAC.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class DropoutConfig:
    """`probability`: share of rows that keep a prefix only. Its length: `lengths` with `shares`
    (empty: all alike), or, with no `lengths`, uniform from 1 to all.
    """

    probability: float = 1.0
    lengths: tuple[int, ...] = ()
    shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(
                f"quantizer_dropout.probability is a share from 0 to 1: {self.probability}"
            )
        if any(length < 1 for length in self.lengths):
            raise ValueError(f"quantizer_dropout.lengths must be at least 1: {self.lengths}")
        if self.shares and len(self.shares) != len(self.lengths):
            raise ValueError("quantizer_dropout.shares needs one share per length")
        if any(share < 0 for share in self.shares) or (self.shares and not sum(self.shares)):
            raise ValueError(f"quantizer_dropout.shares must not be negative: {self.shares}")


def draw_prefixes(
    config: DropoutConfig, batch_size: int, num_quantizers: int, generator: torch.Generator
) -> Tensor:
    """Codebooks per row `[B]` int64. Raises ValueError on a length above `num_quantizers`."""
    if config.lengths:
        if max(config.lengths) > num_quantizers:
            raise ValueError(
                f"quantizer_dropout.lengths go to {max(config.lengths)}, the model has "
                f"{num_quantizers} codebooks"
            )
        shares = torch.tensor(config.shares or (1.0,) * len(config.lengths))
        chosen = torch.multinomial(shares, batch_size, replacement=True, generator=generator)
        prefixes = torch.tensor(config.lengths)[chosen]
    else:
        prefixes = torch.randint(1, num_quantizers + 1, (batch_size,), generator=generator)
    dropped = torch.rand(batch_size, generator=generator) < config.probability
    return torch.where(dropped, prefixes, num_quantizers)
