"""Codebook use: first values from data, who is used, and new life for codes that nobody uses.

Without it residual codebooks collapse onto a handful of codes. A code not chosen for `after` steps
is moved onto a vector that its codebook was just asked to code.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from catok.modules.quantizer import Quantized, ResidualQuantizer


@dataclass(frozen=True)
class RevivalConfig:
    """`after`: unused steps until a code is moved (0: never); `share`: at most this share of a
    batch's vectors is turned into codes in one step, so that none is copied too often.
    """

    after: int = 100
    share: float = 0.25


@dataclass
class CodebookUsage:
    """Counts per codebook and code: `idle` `[K, N]` steps since last use, `counts` `[K, N]` a
    running average of uses per step.
    """

    idle: Tensor
    counts: Tensor

    @classmethod
    def empty(cls, quantizer: ResidualQuantizer) -> "CodebookUsage":
        """Nothing seen yet."""
        config = quantizer.config
        shape = (config.num_quantizers, config.codebook_size)
        device = quantizer.device
        return cls(
            torch.zeros(shape, dtype=torch.int64, device=device),
            torch.zeros(shape, device=device),
        )

    def update(self, codes: Tensor, decay: float = 0.99) -> None:
        """Count the codes `[B, K, F]` of one step."""
        flat = codes.transpose(0, 1).flatten(1)
        used = torch.zeros_like(self.counts).scatter_add_(
            1, flat, torch.ones_like(flat, dtype=self.counts.dtype)
        )
        self.idle = torch.where(used > 0, 0, self.idle + 1)
        self.counts = decay * self.counts + (1 - decay) * used

    def perplexity(self) -> Tensor:
        """Effective number of codes in use per codebook `[K]`: exp of the entropy of `counts`."""
        share = self.counts / self.counts.sum(1, keepdim=True).clamp(min=1e-9)
        return torch.exp(-(share * share.clamp(min=1e-9).log()).sum(1))


@torch.no_grad()
def initialise_codes(
    quantizer: ResidualQuantizer, latents: Tensor, generator: torch.Generator
) -> None:
    """Scale the latents to unit variance and draw every codebook's rows from them, coarse to fine.

    `latents` `[B, input_dim, F]` of real audio. Rows are drawn with replacement from the vectors
    that the codebook is given to code, and jittered by a tenth of their spread so that no two are
    alike. The scale matters to Adam, whose steps do not depend on it.
    """
    gain = quantizer.get_parameter("input_proj.parametrizations.weight.original0")
    gain /= quantizer.input_proj(latents.float()).std()
    residual = quantizer.input_proj(latents.float())
    for book in quantizer.codebooks:
        vectors = book.in_proj(residual).transpose(1, 2).flatten(0, 1)
        rows = book.codebook.weight
        chosen = torch.randint(len(vectors), (len(rows),), generator=generator)
        noise = torch.randn(rows.shape, generator=generator).to(rows.device)
        rows.copy_(vectors[chosen.to(rows.device)] + 0.1 * vectors.std() * noise)
        residual = residual - book(residual).contribution


@torch.no_grad()
def revive(
    quantizer: ResidualQuantizer,
    quantized: Quantized,
    usage: CodebookUsage,
    config: RevivalConfig,
    generator: torch.Generator,
) -> int:
    """Move codes idle for `config.after` steps onto vectors of this batch; returns how many moved.

    Vectors are drawn without replacement, codes by how long they have been idle.
    """
    if not config.after:
        return 0
    moved = 0
    vectors = quantized.projected.transpose(0, 1).transpose(2, 3).flatten(1, 2)  # [K, B * F, d]
    most = max(1, int(config.share * vectors.shape[1]))
    for index in (usage.idle.amax(dim=1) >= config.after).nonzero().flatten().tolist():
        idle = usage.idle[index]
        dead = idle.argsort(descending=True)[: min(most, int((idle >= config.after).sum()))]
        chosen = torch.randperm(vectors.shape[1], generator=generator)[: len(dead)]
        rows = quantizer.codebooks[index].codebook.weight
        rows[dead] = vectors[index, chosen.to(rows.device)].to(rows.dtype)
        usage.idle[index, dead] = 0
        moved += len(dead)
    return moved
