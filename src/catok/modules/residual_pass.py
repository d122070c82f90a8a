"""The residual quantizer's training pass, as a few large operations instead of many small ones.

Codebook i reads p_i = A_i r_i + a_i, where r_i is what the ones before left over of z: r_i = z -
sum_{j<i} (B_j c_j + b_j). All arithmetic can therefore stay in the codebooks' own few dimensions:

    p_i = A_i z + a_i - sum_{j<i} A_i (B_j c_j + b_j)

with all A_i z one product and all A_i B_j another. Given the chosen rows, the straight-through
values c_i = p_i + (row - p_i) are the solution of a triangular linear system, which carries the
gradients of the whole chain.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class StackedCodebooks:
    """The codebooks' weights: `read` `[K, d, I]` and `write` `[K, I, d]` with their biases `[K, d]`
    and `[K, I]`, `rows` `[K, N, d]`.
    """

    read: Tensor
    read_bias: Tensor
    write: Tensor
    write_bias: Tensor
    rows: Tensor


@dataclass(frozen=True)
class ResidualPass:
    """`projected`, `chosen` and `straight_through` `[n, K, d]`, the last two with gradients that
    pass straight through; `codes` `[n, K]`.
    """

    projected: Tensor
    chosen: Tensor
    straight_through: Tensor
    codes: Tensor


def residual_pass(inputs: Tensor, books: StackedCodebooks, cosine: bool) -> ResidualPass:
    """Quantize vectors `[n, I]` float32 by all codebooks in turn."""
    count, size, _ = books.read.shape
    flat_read = books.read.flatten(0, 1)  # [K * d, I]
    crossed = flat_read @ books.write.transpose(0, 1).flatten(1)  # [K * d, K * d]
    before = torch.cumsum(books.write_bias, 0) - books.write_bias  # biases of earlier codebooks
    shift = books.read_bias - torch.einsum("kdi,ki->kd", books.read, before)
    start = F.linear(inputs, flat_read, shift.flatten())  # [n, K * d]
    with torch.no_grad():
        codes, rows = _nearest_codes(
            start.view(-1, count, size).clone(), crossed, books.rows, cosine
        )
    chosen = books.rows[torch.arange(count, device=codes.device), codes]
    lower = torch.tril(inputs.new_ones(count, count), -1)
    lower = lower.repeat_interleave(size, 0).repeat_interleave(size, 1)
    system = torch.eye(count * size, dtype=inputs.dtype, device=inputs.device) + crossed * lower
    with torch.no_grad():
        step = rows.flatten(1) - (start - rows.flatten(1) @ (crossed * lower).t())
    straight_through = torch.linalg.solve_triangular(
        system, (start + step).t(), upper=False, unitriangular=True
    ).t()
    projected = straight_through - step
    shape = (-1, count, size)
    return ResidualPass(projected.view(shape), chosen, straight_through.view(shape), codes)


def _nearest_codes(
    left: Tensor, crossed: Tensor, rows: Tensor, cosine: bool
) -> tuple[Tensor, Tensor]:
    """Nearest codes `[n, K]` and their rows `[n, K, d]`; `left` `[n, K, d]` is used up."""
    count, size = left.shape[1:]
    keys = F.normalize(rows, dim=2) if cosine else rows
    sizes = keys.square().sum(2)
    codes, chosen = [], []
    for index in range(count):
        queries = F.normalize(left[:, index]) if cosine else left[:, index]
        distance = torch.addmm(sizes[index], queries, keys[index].t(), alpha=-2)
        code = distance.argmin(dim=1)
        row = rows[index][code]
        read_again = crossed[(index + 1) * size :, index * size : (index + 1) * size]
        left[:, index + 1 :] -= (row @ read_again.t()).unflatten(1, (-1, size))
        codes.append(code)
        chosen.append(row)
    return torch.stack(codes, 1), torch.stack(chosen, 1)
