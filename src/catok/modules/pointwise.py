"""A linear map of every frame under weight norm: each row is a length times a direction."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pointwise(nn.Module):
    """`[B, inside, T]` -> `[B, outside, T]`, a convolution of width 1 with weight norm.

    Numbers and tensor names (`parametrizations.weight.original0`, the lengths, and `original1`, the
    directions) are those of `torch.nn.utils.parametrizations.weight_norm`, which makes its classes
    at run time, so that models with it cannot be pickled. Always float32.
    """

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        start = nn.Conv1d(inside, outside, kernel_size=1, dtype=torch.float32)
        assert start.bias is not None
        self.bias = start.bias
        pair = nn.Module()
        pair.original0 = nn.Parameter(start.bias.new_empty(outside, 1, 1))
        pair.original1 = nn.Parameter(torch.empty_like(start.weight))
        self.parametrizations = nn.Module()
        self.parametrizations.weight = pair
        self.set_weight(start.weight)

    @property
    def length(self) -> nn.Parameter:
        """`[outside, 1, 1]`."""
        return self.parametrizations.weight.original0  # type: ignore[return-value]

    @property
    def direction(self) -> nn.Parameter:
        """`[outside, inside, 1]`; only its rows' directions matter."""
        return self.parametrizations.weight.original1  # type: ignore[return-value]

    @property
    def weight(self) -> Tensor:
        """The effective weight `[outside, inside, 1]`."""
        return normed_weight(self.direction, self.length)

    @torch.no_grad()
    def set_weight(self, weight: Tensor) -> None:
        """Make `[outside, inside]` or `[outside, inside, 1]` the effective weight.

        A row of zeros gets length 0 and any direction.
        """
        weight = weight.reshape(self.direction.shape)
        length = weight.norm(dim=(1, 2), keepdim=True)
        self.length.copy_(length)
        self.direction.copy_(torch.where(length > 0, weight, weight.shape[1] ** -0.5))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(x, self.weight, self.bias)


def normed_weight(direction: Tensor, length: Tensor) -> Tensor:
    """Rows `[N, ...]` brought to `length` `[N, 1, ...]`, rounded as PyTorch's weight norm does."""
    return torch._weight_norm(direction, length, 0)  # pyright: ignore[reportPrivateImportUsage]


def stack_weights(maps: Sequence[Pointwise]) -> tuple[Tensor, Tensor]:
    """Maps of one shape as weights `[K, outside, inside]` and biases `[K, outside]`."""
    direction = torch.cat([m.direction for m in maps])
    length = torch.cat([m.length for m in maps])
    weight = normed_weight(direction, length).squeeze(-1).unflatten(0, (len(maps), -1))
    return weight, torch.stack([m.bias for m in maps])
