"""The two layers that every part of the model is built of.

Source: `docs/spec/tts-layout.md` (c).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last dimension, worked out in float32."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """`[..., width]` -> the same shape and dtype."""
        wide = x.float()
        wide = wide * torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + self.eps)
        return (wide * self.weight.float()).to(x.dtype)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)), without bias: `[..., inside]` -> `[..., outside]`."""

    def __init__(self, inside: int, hidden: int, outside: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(inside, hidden, bias=False)
        self.up_proj = nn.Linear(inside, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, outside, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The zero vector stays zero."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
