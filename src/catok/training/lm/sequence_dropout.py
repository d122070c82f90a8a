"""Progressive Sequence Dropout: train every codebook prefix, by keeping a random one (paper 6.1).

A micro-batch keeps its first K codebooks; the same K shortens the input sum, the depth sequence and
the loss, so pass it to `TokenLM.loss`. What then runs with K codebooks was trained just so.
"""

from dataclasses import dataclass

import torch

from catok.io.numbers import check_number


@dataclass(frozen=True)
class SequenceDropoutConfig:
    """With `probability`, K is uniform over 1 to n_vq; otherwise K is n_vq.

    `include_all` False is the paper's text taken literally, uniform over 1 to n_vq - 1: at
    probability 1 the last codebook is then never trained.
    """

    probability: float = 1.0
    include_all: bool = True

    def __post_init__(self) -> None:
        check_number("probability", self.probability, at_least=0, at_most=1)


def draw_prefix(
    config: SequenceDropoutConfig, n_vq: int, generator: torch.Generator | None = None
) -> int:
    """How many codebooks, 1 to `n_vq`, the next micro-batch keeps; `generator` is on the CPU."""
    longest = n_vq if config.include_all else n_vq - 1
    if longest < 1:
        raise ValueError("a single codebook has no shorter prefix: use include_all=True")
    chance = torch.rand((), generator=generator, dtype=torch.float32, device="cpu")
    if chance.item() >= config.probability:
        return n_vq
    return int(torch.randint(1, longest + 1, (), generator=generator, device="cpu"))
