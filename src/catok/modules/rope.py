"""Rotary embedding of absolute positions on interleaved pairs (`docs/spec/checkpoints.md` (c))."""

import math

import torch
from torch import Tensor


def rotations(positions: Tensor, head_dim: int, max_period: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of integer positions `[..., T]`: float32, each `[..., T, head_dim / 2]`.

    Angles are computed in float32 whatever the model's dtype, frequency i being
    `max_period ** (-2 i / head_dim)`.
    """
    pairs = torch.arange(head_dim // 2, device=positions.device, dtype=torch.float32)
    frequencies = torch.exp(pairs * (-math.log(max_period) * 2 / head_dim))
    angles = positions.to(torch.float32).unsqueeze(-1) * frequencies
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (2i, 2i + 1) of `[..., T, D]` by angles `[..., T, D / 2]`; dtype is kept."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    rotated = torch.view_as_real(pairs * torch.complex(cos, sin))
    return rotated.flatten(-2).to(x.dtype)
