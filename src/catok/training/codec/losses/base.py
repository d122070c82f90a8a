"""What a loss of the codec looks at, and how one is built: by its settings, or from outside."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from catok.extras import PYTHON, import_object, parse_python
from catok.modules.quantizer import Quantized


@dataclass(frozen=True)
class LossInputs:
    """A batch as losses see it.

    `output` and `target`: reconstruction and original `[B, C, T]`; `band_edges` `[B]`: highest
    frequency in Hz that each row carries (inf: unknown); `quantizer_share` `[B]`: share of the
    codebooks that each row was given, from above 0 to 1; `quantized`: codes, and latents with
    gradients. `choice`: what the loss's own `draw` gave for this step.
    """

    output: Tensor
    target: Tensor
    band_edges: Tensor
    quantizer_share: Tensor
    quantized: Quantized
    choice: Any = None


@dataclass(frozen=True)
class Loss:
    """`compute` gives a scalar. `draw` makes a step's random choices, alike on all processes and
    for all its micro-batches.
    """

    compute: Callable[[LossInputs], Tensor]
    draw: Callable[[torch.Generator], Any] = lambda rng: None


class LossConfig(ABC):
    """Settings of a loss: a table of the recipe, of the name that its weight has."""

    @abstractmethod
    def build(self, sample_rate: int) -> Loss:
        """The loss for audio of `sample_rate` Hz."""


def is_outside(name: str) -> bool:
    """Whether the name of a weight is that of a loss from outside: python=module:Class."""
    return name.startswith(PYTHON)


def build_outside(name: str, sample_rate: int) -> Loss:
    """The loss `python=module:Class`: `Class(sample_rate)`, called with `LossInputs`.

    It may have a method `draw`. Raises ValueError where it cannot be imported or built.
    """
    kind = import_object(parse_python(name)[0])
    try:
        loss = kind(sample_rate)
    except TypeError as error:
        raise ValueError(f"the loss {name} cannot be built with a sample rate: {error}") from error
    draw = getattr(loss, "draw", None)
    return Loss(loss) if draw is None else Loss(loss, draw)


def draw_subset(
    count: int, size: int | None, generator: torch.Generator | None = None
) -> list[int]:
    """`size` of the indices below `count`, drawn by `generator`, in order; None: all of them."""
    if size is None:
        return list(range(count))
    return torch.randperm(count, generator=generator)[:size].sort().values.tolist()
