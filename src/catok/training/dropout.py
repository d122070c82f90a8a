"""Quantizer dropout: every row trains with a random prefix of the codebooks (paper section 2)."""

import torch
from torch import Tensor


def draw_prefixes(
    batch_size: int, num_quantizers: int, probability: float, generator: torch.Generator
) -> Tensor:
    """Codebooks per row `[B]` int64: uniform from 1 to all with `probability`, else all."""
    prefixes = torch.randint(1, num_quantizers + 1, (batch_size,), generator=generator)
    dropped = torch.rand(batch_size, generator=generator) < probability
    return torch.where(dropped, prefixes, num_quantizers)
