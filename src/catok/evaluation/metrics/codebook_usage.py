"""How well the codes are used, from counts `[K, N]` of every code of every codebook.

Entropies are those of single codes (order 0, plug-in): with few frames per code they come out too
low, and what codes tell about each other is not seen.
"""

import math
from dataclasses import dataclass

from torch import Tensor

from catok.modules.codebook_usage import perplexity


@dataclass(frozen=True)
class CodebookStatistics:
    """Per codebook, coarse to fine: codes `in_use`, their share of the codebook `usage`, `entropy`
    in bits, `perplexity` = 2 ** entropy. `codes`: how many were counted per codebook.

    `bits_per_second`: what an ideal entropy coder that knows the counts would spend on all these
    codebooks; `nominal_bits_per_second`: log2(N) bits per code.
    """

    codes: tuple[int, ...]
    in_use: tuple[int, ...]
    usage: tuple[float, ...]
    entropy: tuple[float, ...]
    perplexity: tuple[float, ...]
    bits_per_second: float
    nominal_bits_per_second: float


def codebook_usage(counts: Tensor, frame_rate: float) -> CodebookStatistics:
    """Figures of the first K codebooks from uses `[K, N]` at `frame_rate` frames per second.

    Raises ValueError for counts of another shape, negative counts, or a codebook never used.
    """
    if counts.dim() != 2 or counts.numel() == 0:
        raise ValueError(f"expected counts [K, N], got {list(counts.shape)}")
    if bool((counts < 0).any()) or not bool((counts.sum(1) > 0).all()):
        raise ValueError("every codebook must have been used, and no count may be negative")
    counts = counts.double()
    effective = perplexity(counts)
    entropy = effective.log2().clamp(min=0)
    in_use = (counts > 0).sum(1)
    books, size = counts.shape
    return CodebookStatistics(
        codes=tuple(round(n) for n in counts.sum(1).tolist()),
        in_use=tuple(in_use.tolist()),
        usage=tuple((in_use / size).tolist()),
        entropy=tuple(entropy.tolist()),
        perplexity=tuple(effective.tolist()),
        bits_per_second=float(entropy.sum()) * frame_rate,
        nominal_bits_per_second=books * math.log2(size) * frame_rate,
    )
