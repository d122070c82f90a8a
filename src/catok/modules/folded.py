"""The quantizer at inference: weight norms, normalised codes and the like worked out once.

`ResidualQuantizer.forward` is the reference; this gives its codes and latents several times faster
on the single frames of a stream, where small operations cost more than arithmetic.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class FoldedBook:
    """One codebook: `rows` `[N, d]` as passed on, `keys` `[N, d]` as compared, `sizes` `[N]` their
    squared norms; `read` `[d, inner]` and `write` `[inner, d]` with their biases.
    """

    rows: Tensor
    keys: Tensor
    sizes: Tensor
    read: Tensor
    read_bias: Tensor
    write: Tensor
    write_bias: Tensor


@dataclass(frozen=True)
class FoldedQuantizer:
    """All codebooks, and the projections around them `[inner, D]` and `[D, inner]`."""

    cosine: bool
    books: tuple[FoldedBook, ...]
    input: Tensor
    input_bias: Tensor
    output: Tensor
    output_bias: Tensor

    def encode(self, latents: Tensor, depth: int | None = None) -> Tensor:
        """Latents `[B, D, F]` float32 -> codes `[B, depth, F]`."""
        batch, _, frames = latents.shape
        residual = F.linear(latents.transpose(1, 2).flatten(0, 1), self.input, self.input_bias)
        codes = []
        for book in self.books[:depth]:
            projected = F.linear(residual, book.read, book.read_bias)
            queries = F.normalize(projected) if self.cosine else projected
            size = queries.pow(2).sum(1, keepdim=True)
            code = (size - 2 * queries @ book.keys.t() + book.sizes).argmin(dim=1)
            # projected + (row - projected) is the straight-through form of training: it rounds
            passed_on = projected + (book.rows[code] - projected)
            residual = residual - F.linear(passed_on, book.write, book.write_bias)
            codes.append(code)
        return torch.stack(codes).view(len(codes), batch, frames).transpose(0, 1).contiguous()

    def decode(self, codes: Tensor) -> Tensor:
        """Codes `[B, K, F]` -> latents `[B, D, F]`."""
        batch, _, frames = codes.shape
        total = torch.zeros(batch * frames, self.output.shape[1], device=self.output.device)
        for book, code in zip(self.books, codes.unbind(1), strict=False):
            total = total + F.linear(book.rows[code.flatten()], book.write, book.write_bias)
        latents = F.linear(total, self.output, self.output_bias)
        return latents.view(batch, frames, -1).transpose(1, 2).contiguous()
