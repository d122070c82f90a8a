"""Codebook use: which codes are chosen, and new life for those that nobody chooses.

Without it residual codebooks collapse onto a handful of codes. A code not chosen for `after` steps
is moved onto a vector that its codebook was just asked to code.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from catok.modules.codebook_usage import perplexity
from catok.modules.quantizer import Quantizer


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
    def empty(cls, quantizer: Quantizer) -> "CodebookUsage":
        """Nothing seen yet."""
        config = quantizer.config
        shape = (config.num_quantizers, config.codebook_size)
        device = quantizer.device
        return cls(
            torch.zeros(shape, dtype=torch.int64, device=device),
            torch.zeros(shape, device=device),
        )

    def update(self, used: Tensor, decay: float = 0.99) -> None:
        """Take in how often each code was used `[K, N]` in one step."""
        self.idle = torch.where(used > 0, 0, self.idle + 1)
        self.counts = decay * self.counts + (1 - decay) * used

    def perplexity(self) -> Tensor:
        """Effective number of codes in use per codebook `[K]`: exp of the entropy of `counts`."""
        return perplexity(self.counts)

    def rounded_perplexity(self) -> list[float]:
        """`perplexity` for the log."""
        return [round(value, 1) for value in self.perplexity().tolist()]


@torch.no_grad()
def revive(
    quantizer: Quantizer,
    vectors: Callable[[], Tensor],
    usage: CodebookUsage,
    config: RevivalConfig,
    generator: torch.Generator,
) -> int:
    """Move codes idle for `config.after` steps onto vectors of this batch; returns how many moved:
    none of a quantizer whose codes are not learnt.

    `vectors()` gives every codebook's input `[n, K, d]` and is called only if needed. They are
    drawn without replacement, codes by how long they have been idle. Processes that share usage,
    vectors and the state of `generator` move the same codes to the same places.
    """
    weights = quantizer.codebook_weights
    if not weights or not config.after or not bool((usage.idle >= config.after).any()):
        return 0
    inputs = vectors()
    most = max(1, int(config.share * len(inputs)))
    moved = 0
    for index in (usage.idle.amax(dim=1) >= config.after).nonzero().flatten().tolist():
        idle = usage.idle[index]
        dead = idle.argsort(descending=True, stable=True)
        dead = dead[: min(most, int((idle >= config.after).sum()))]
        chosen = torch.randperm(len(inputs), generator=generator)[: len(dead)]
        rows = weights[index]
        rows[dead] = inputs[chosen.to(rows.device), index].to(rows.dtype)
        usage.idle[index, dead] = 0
        moved += len(dead)
    return moved
