"""Rotary embedding of absolute positions on interleaved pairs (`docs/spec/checkpoints.md` (c))."""

import math

import torch
from torch import Tensor

TURN = 2**32  # an angle is a whole number of these parts of a turn


def rotations(positions: Tensor, head_dim: int, max_period: float) -> Tensor:
    """Cosines and sines of int64 positions `[..., T]`: complex64 `[..., T, head_dim / 2]`.

    Pair i turns by `max_period ** (-2 i / head_dim)` per position, whatever the model's dtype. The
    product is taken in whole numbers and whole turns are dropped from it, so that a stream is as
    exact after days as at its beginning; in float32 it would drift from the first hour on.
    """
    pairs = torch.arange(head_dim // 2, device=positions.device, dtype=torch.float32)
    frequencies = torch.exp(pairs * (-math.log(max_period) * 2 / head_dim))
    step = (frequencies * (TURN / math.tau)).round().to(torch.int64)
    turned = (positions.unsqueeze(-1) * step + TURN // 2) % TURN - TURN // 2  # from -1/2 to 1/2
    angles = turned.to(torch.float32) * (math.tau / TURN)
    return torch.complex(angles.cos(), angles.sin())


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Turn the pairs (2i, 2i + 1) of `[..., T, D]` by complex `[..., T, D / 2]`; dtype is kept."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * rotation).flatten(-2).to(x.dtype)
