"""Patching: time folded into channels and back (paper section 1, `docs/spec/checkpoints.md` (c)).

The only change of rate in a CAT: no convolution, no strided filter, so nothing leaks across a
patch border and streaming needs no state here.
"""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class PatchConfig:
    """Fold `size` time steps into channels (encoder) or unfold them again (decoder)."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"a patch holds at least 1 time step, got size={self.size}")


def patch(x: Tensor, size: int) -> Tensor:
    """`[B, D, T]` -> `[B, D * size, T / size]`; new channel = old channel * size + place in patch.

    Raises ValueError if T is not a multiple of size.
    """
    batch, channels, steps = x.shape
    if steps % size:
        raise ValueError(f"{steps} time steps do not fill patches of {size}: zero-pad first")
    folded = x.reshape(batch, channels, steps // size, size)
    return folded.transpose(2, 3).reshape(batch, channels * size, steps // size)


def unpatch(x: Tensor, size: int) -> Tensor:
    """`[B, D * size, T]` -> `[B, D, T * size]`: the exact inverse of `patch`.

    Raises ValueError if the channels are not a multiple of size.
    """
    batch, channels, steps = x.shape
    if channels % size:
        raise ValueError(f"{channels} channels do not unfold into patches of {size}")
    unfolded = x.reshape(batch, channels // size, size, steps)
    return unfolded.transpose(2, 3).reshape(batch, channels // size, steps * size)


class Patch(nn.Module):
    """`patch` as a layer of an encoder."""

    def __init__(self, config: PatchConfig) -> None:
        super().__init__()
        self.size = config.size

    def forward(self, x: Tensor) -> Tensor:
        return patch(x, self.size)


class Unpatch(nn.Module):
    """`unpatch` as a layer of a decoder."""

    def __init__(self, config: PatchConfig) -> None:
        super().__init__()
        self.size = config.size

    def forward(self, x: Tensor) -> Tensor:
        return unpatch(x, self.size)
