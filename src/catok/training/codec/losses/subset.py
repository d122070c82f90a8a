"""Some of a loss's scales in each step: cheaper, and over the steps all of them."""

import torch


def draw_subset(
    count: int, size: int | None, generator: torch.Generator | None = None
) -> list[int]:
    """`size` of the indices below `count`, drawn by `generator`, in order; None: all of them."""
    if size is None:
        return list(range(count))
    return torch.randperm(count, generator=generator)[:size].sort().values.tolist()
