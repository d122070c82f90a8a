"""How often codes are used, and how evenly."""

import torch
from torch import Tensor


def count_codes(codes: Tensor, mask: Tensor, codebook_size: int) -> Tensor:
    """Uses per codebook and code `[K, N]` among codes `[B, K, F]` of frames in `mask` `[B, F]`."""
    flat = codes.transpose(0, 1).flatten(1)
    weight = mask.flatten().float().expand(flat.shape[0], -1)
    used = weight.new_zeros(flat.shape[0], codebook_size)
    return used.scatter_add_(1, flat, weight)


def perplexity(counts: Tensor) -> Tensor:
    """exp of the entropy of each row of uses `[K, N]`: `[K]`, the number of codes in even use."""
    share = counts / counts.sum(1, keepdim=True).clamp(min=1e-9)
    return torch.exp(-(share * share.clamp(min=1e-12).log()).sum(1))
