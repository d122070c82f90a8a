"""The residual quantizer at inference: weight norms worked out, weights in a few tensors.

`ResidualQuantizer.reference` is the definition; this gives its codes and latents several times
faster on the single frames of a stream, where small operations cost more than arithmetic.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from catok.modules.residual_pass import StackedCodebooks


@dataclass(frozen=True)
class InferenceQuantizer:
    """K codebooks and the projections around them: `read` `[inner, D]`, `write` `[D, inner]` with
    their biases. `cosine`: rows are compared by direction.
    """

    cosine: bool
    codebooks: StackedCodebooks
    read: Tensor
    read_bias: Tensor
    write: Tensor
    write_bias: Tensor

    def first(self, num_quantizers: int) -> "InferenceQuantizer":
        """With the first codebooks only; nothing is copied."""
        if num_quantizers == len(self.codebooks.rows):
            return self
        prefixes = {name: value[:num_quantizers] for name, value in vars(self.codebooks).items()}
        return replace(self, codebooks=StackedCodebooks(**prefixes))

    @cached_property
    def keys(self) -> Tensor:
        """The rows of the codebooks as they are compared, `[K, N, d]`."""
        rows = self.codebooks.rows
        return F.normalize(rows, dim=2) if self.cosine else rows

    @cached_property
    def key_sizes(self) -> Tensor:
        """Their squared lengths `[K, N]`."""
        return self.keys.pow(2).sum(2)

    def encode(self, latents: Tensor) -> Tensor:
        """Latents `[B, D, F]` float32 -> codes `[B, K, F]`."""
        batch, _, frames = latents.shape
        residual = F.linear(latents.transpose(1, 2).flatten(0, 1), self.read, self.read_bias)
        books = self.codebooks
        codes = []
        for read, read_bias, write, write_bias, rows, key, size in _unbind(
            books, self.keys, self.key_sizes
        ):
            projected = F.linear(residual, read, read_bias)
            queries = F.normalize(projected) if self.cosine else projected
            own_size = queries.pow(2).sum(1, keepdim=True)
            code = (own_size - 2 * queries @ key.t() + size).argmin(dim=1)
            # projected + (row - projected) is the straight-through form of training: it rounds
            straight_through = projected + (rows[code] - projected)
            residual = residual - F.linear(straight_through, write, write_bias)
            codes.append(code)
        return torch.stack(codes).view(-1, batch, frames).transpose(0, 1).contiguous()

    def decode(self, codes: Tensor) -> Tensor:
        """Codes `[B, K, F]` -> latents `[B, D, F]`."""
        batch, _, frames = codes.shape
        total = torch.zeros_like(self.read_bias).expand(batch * frames, -1)
        for code, (_, _, write, write_bias, rows) in zip(
            codes.unbind(1), _unbind(self.codebooks), strict=True
        ):
            total = total + F.linear(rows[code.flatten()], write, write_bias)
        latents = F.linear(total, self.write, self.write_bias)
        return latents.view(batch, frames, -1).transpose(1, 2).contiguous()


def _unbind(books: StackedCodebooks, *more: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Per codebook: read, read_bias, write, write_bias, rows and a slice of each of `more`."""
    stacked = (books.read, books.read_bias, books.write, books.write_bias, books.rows, *more)
    return zip(*(tensor.unbind() for tensor in stacked), strict=True)
